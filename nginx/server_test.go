package nginx_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"ddkk-stats/nginx"
)

// patience is how long a test waits for what takes milliseconds.
const patience = 20 * time.Second

// server is a real nginx that runs a printed configuration.
type server struct {
	conf nginx.Conf
	addr string
	pid  int
}

func binary(t *testing.T) string {
	t.Helper()
	path, err := exec.LookPath("nginx")
	if err != nil {
		t.Fatalf("these tests need nginx: run make deps (%v)", err)
	}
	return path
}

// start runs conf as a standalone nginx in a folder of its own.
func start(t *testing.T, conf nginx.Conf) *server {
	t.Helper()
	bin := binary(t)
	dir := t.TempDir()
	s := &server{conf: conf, addr: freeAddr(t)}
	s.conf.Standalone = true
	s.conf.Listen = s.addr
	s.conf.Log = filepath.Join(dir, "event.log")
	file := filepath.Join(dir, "nginx.conf")
	save(t, file, s.conf)

	cmd := exec.Command(bin, "-p", dir, "-c", file, "-g", "daemon off;")
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	s.pid = cmd.Process.Pid
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	t.Cleanup(func() {
		s.signal(t, syscall.SIGTERM)
		if err := <-ended; err != nil {
			t.Errorf("nginx: %v\n%s", err, out.String())
		}
		if t.Failed() {
			t.Logf("nginx's error log:\n%s", read(t, s.conf.ErrorLog()))
		}
	})
	until(t, "nginx answers", func() bool {
		conn, err := net.Dial("tcp", s.addr)
		return err == nil && conn.Close() == nil
	})
	return s
}

func save(t *testing.T, path string, conf nginx.Conf) {
	t.Helper()
	var b bytes.Buffer
	if err := conf.Write(&b); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, b.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
}

func freeAddr(t *testing.T) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if err := ln.Close(); err != nil {
		t.Fatal(err)
	}
	return ln.Addr().String()
}

// until looks again and again whether something outside this process is so.
func until(t *testing.T, what string, is func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for !is() {
		select {
		case <-ctx.Done():
			t.Fatalf("waited in vain until %s", what)
		case <-tick.C:
		}
	}
}

func (s *server) signal(t *testing.T, sig syscall.Signal) {
	t.Helper()
	if err := syscall.Kill(s.pid, sig); err != nil {
		t.Errorf("signal nginx: %v", err)
	}
}

func (s *server) rotator() *nginx.Rotator {
	return &nginx.Rotator{Log: s.conf.Log, PIDFile: s.conf.PIDFile()}
}

// answer is a parsed HTTP answer.
type answer struct {
	status int
	header map[string]string // names in lower case
	body   string
}

// raw sends the request as it is and reads until nginx closes. By then the
// line is in the log: nginx writes it before it closes. The request must ask
// for "Connection: close".
func (s *server) raw(t *testing.T, request string) answer {
	t.Helper()
	conn, err := net.Dial("tcp", s.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(conn, request); err != nil {
		t.Fatal(err)
	}
	all, err := io.ReadAll(conn)
	if err != nil && !errors.Is(err, syscall.ECONNRESET) {
		t.Fatal(err)
	}
	return parseAnswer(t, string(all))
}

func parseAnswer(t *testing.T, text string) answer {
	t.Helper()
	head, body, ok := strings.Cut(text, "\r\n\r\n")
	lines := strings.Split(head, "\r\n")
	a := answer{header: map[string]string{}, body: body}
	if _, err := fmt.Sscanf(lines[0], "HTTP/1.1 %d", &a.status); err != nil || !ok {
		t.Fatalf("not an answer: %q", text)
	}
	for _, l := range lines[1:] {
		name, value, _ := strings.Cut(l, ": ")
		a.header[strings.ToLower(name)] = value
	}
	return a
}

// get asks for uri with the header lines given.
func (s *server) get(t *testing.T, uri string, headers ...string) answer {
	t.Helper()
	return s.raw(t, request("GET", uri, headers...))
}

func request(method, uri string, headers ...string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s HTTP/1.1\r\nHost: ddkk.com\r\nConnection: close\r\n", method, uri)
	for _, h := range headers {
		b.WriteString(h + "\r\n")
	}
	return b.String() + "\r\n"
}

func read(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// lines are the log's lines without newlines.
func (s *server) lines(t *testing.T) []string {
	t.Helper()
	text := read(t, s.conf.Log)
	if text == "" {
		return nil
	}
	if !strings.HasSuffix(text, "\n") {
		t.Fatalf("the log ends with a torn line: %q", text)
	}
	return strings.Split(strings.TrimSuffix(text, "\n"), "\n")
}

// client sends beacons over one kept-alive connection.
type client struct {
	conn net.Conn
	in   *bufio.Reader
}

func (s *server) dial() (*client, error) {
	conn, err := net.Dial("tcp", s.addr)
	if err != nil {
		return nil, err
	}
	return &client{conn, bufio.NewReader(conn)}, conn.SetDeadline(time.Now().Add(2 * patience))
}

// beacon sends one and reads the whole answer; last ends the connection, and
// waits until nginx has ended it too.
func (c *client) beacon(uri string, last bool) error {
	how := "keep-alive"
	if last {
		how = "close"
	}
	if _, err := fmt.Fprintf(c.conn, "GET %s HTTP/1.1\r\nHost: ddkk.com\r\nConnection: %s\r\n\r\n", uri, how); err != nil {
		return err
	}
	status, err := c.in.ReadString('\n')
	if err != nil || !strings.HasPrefix(status, "HTTP/1.1 200 ") {
		return fmt.Errorf("answer %q: %w", status, err)
	}
	for {
		line, err := c.in.ReadString('\n')
		if err != nil {
			return err
		}
		if line == "\r\n" {
			break
		}
	}
	if _, err := c.in.Discard(43); err != nil || !last {
		return err
	}
	_, err = io.Copy(io.Discard, c.in)
	return errors.Join(err, c.conn.Close())
}
