package queryapi

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"
)

// served is a Server on a loopback port.
type served struct {
	*testServer
	addr string
	end  chan error
}

func serveLimits(t *testing.T, change func(*Config)) *served {
	t.Helper()
	s := &served{testServer: newTestServer(t, newBackend(), change), end: make(chan error, 1)}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s.addr = ln.Addr().String()
	go func() { s.end <- s.Serve(ln) }()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		if err := s.Shutdown(ctx); err != nil {
			t.Error(err)
		}
		if err := <-s.end; err != nil {
			t.Error(err)
		}
	})
	return s
}

// dialed is a client's connection.
type dialed struct {
	net.Conn
	t *testing.T
	r *bufio.Reader
}

func (s *served) dial() *dialed {
	s.t.Helper()
	c, err := net.Dial("tcp", s.addr)
	if err == nil {
		err = c.SetDeadline(time.Now().Add(20 * time.Second))
	}
	if err != nil {
		s.t.Fatal(err)
	}
	t := s.t.(*testing.T)
	t.Cleanup(func() {
		if err := c.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
			t.Error(err)
		}
	})
	return &dialed{c, t, bufio.NewReader(c)}
}

func (d *dialed) send(text string) {
	d.t.Helper()
	if _, err := io.WriteString(d, text); err != nil {
		d.t.Fatal(err)
	}
}

// answer is the status of the next answer, and whether the connection ends.
func (d *dialed) answer() (status int, closes bool) {
	d.t.Helper()
	resp, err := http.ReadResponse(d.r, nil)
	if err != nil {
		d.t.Fatal(err)
	}
	if _, err := io.Copy(io.Discard, resp.Body); err != nil {
		d.t.Fatal(err)
	}
	return resp.StatusCode, resp.Close
}

// gone waits until the server has closed the connection.
func (d *dialed) gone() {
	d.t.Helper()
	if _, err := d.r.ReadByte(); err == nil {
		d.t.Error("the server said something")
	} else if timeout := net.Error(nil); errors.As(err, &timeout) && timeout.Timeout() {
		d.t.Error("the connection is still open")
	}
}

const health = "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"

// Clients that take their time are cut off, whatever part of a request they
// are slow with, also on a connection that behaved well before.
func TestSlowClients(t *testing.T) {
	s := serveLimits(t, func(c *Config) { c.ReadTimeout, c.IdleTimeout = 150*time.Millisecond, 300*time.Millisecond })
	slow := func(name, before string, drip string) {
		t.Run(name, func(t *testing.T) {
			d := s.dial()
			if before != "" {
				d.send(before)
				if status, _ := d.answer(); status != 200 {
					t.Errorf("status %d", status)
				}
			}
			began := time.Now()
			stop := make(chan struct{})
			ended := make(chan struct{})
			go func() { // a byte now and then keeps no connection open
				defer close(ended)
				tick := time.NewTicker(20 * time.Millisecond)
				defer tick.Stop()
				for i := range len(drip) {
					select {
					case <-stop:
						return
					case <-tick.C:
					}
					if _, err := d.Write([]byte{drip[i]}); err != nil {
						return
					}
				}
			}()
			if _, err := io.Copy(io.Discard, d.r); err != nil && !errors.Is(err, syscall.ECONNRESET) {
				t.Errorf("after %v: %v", time.Since(began), err)
			}
			// Unless it is cut off, all bytes take more than three minutes.
			if took := time.Since(began); took > time.Minute {
				t.Errorf("cut off after %v", took)
			}
			close(stop)
			<-ended
		})
	}
	long := strings.Repeat("x", 10_000)
	slow("header", "", "GET /healthz HTTP/1.1\r\nX: "+long)
	slow("says nothing", "", "")
	slow("second request", health, "GET /healthz HTTP/1.1\r\nX: "+long)
	d := s.dial()
	d.send("POST /api/stats HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{")
	if status, closes := d.answer(); status != 408 || !closes {
		t.Errorf("half a body: %d, closes %v", status, closes)
	}
	d.gone()
	d = s.dial()
	d.send(health)
	d.answer()
	d.gone() // idle
	if n := s.Limits().Refused["too_slow"]; n < 2 {
		t.Errorf("%d were too slow", n)
	}
}

func TestTooLarge(t *testing.T) {
	s := serveLimits(t, nil)
	f := func(request string, want int) {
		t.Helper()
		d := s.dial()
		d.send(request)
		if status, _ := d.answer(); status != want {
			t.Errorf("%d, want %d", status, want)
		}
	}
	post := "POST /api/stats HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
	body := strings.Repeat(" ", maxBody+1)
	f(fmt.Sprintf("%sContent-Length: %d\r\n\r\n%s", post, len(body), body), 413)
	f(post+"Content-Length: 9999999999\r\n\r\n", 413)
	f(fmt.Sprintf("%sTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n", post, len(body), body), 413)
	f("GET /healthz HTTP/1.1\r\nHost: x\r\nX: "+strings.Repeat("x", maxHeader)+"\r\n\r\n", 431)
	f("NONSENSE\r\n\r\n", 400)
	if r := s.Limits().Refused; r["body_too_large"] != 3 || r["header_too_large"] != 1 || r["not_http"] != 1 {
		t.Errorf("refused: %v", r)
	}
}

func TestConnectionLimit(t *testing.T) {
	s := serveLimits(t, func(c *Config) { c.Concurrency = 3 })
	var in []*dialed
	for range 3 {
		d := s.dial()
		d.send(health)
		if status, _ := d.answer(); status != 200 {
			t.Errorf("status %d", status)
		}
		in = append(in, d)
	}
	d := s.dial()
	if status, closes := d.answer(); status != 503 || !closes {
		t.Errorf("one more: %d", status)
	}
	d.gone()
	if l := s.Limits(); l.Connections != 3 || l.Refused["connections"] != 1 {
		t.Errorf("%+v", l)
	}
	in[0].send(strings.Replace(health, "\r\n\r\n", "\r\nConnection: close\r\n\r\n", 1))
	in[0].answer()
	in[0].gone()
	d = s.dial() // there is room again
	d.send(health)
	if status, _ := d.answer(); status != 200 {
		t.Errorf("after one has left: %d", status)
	}
}

// Clients that are connected when the server drains get their answers, are
// told to go, and nobody new comes in.
func TestDrain(t *testing.T) {
	s := serveLimits(t, nil)
	busy, idle := s.dial(), s.dial()
	for _, d := range []*dialed{busy, idle} {
		d.send(health)
		if _, closes := d.answer(); closes {
			t.Error("closes before draining")
		}
	}
	drained := make(chan struct{})
	go func() { defer close(drained); s.Drain(t.Context(), 10*time.Second) }()
	if err := <-s.end; err != nil { // the listener is closed
		t.Error(err)
	}
	s.end <- nil
	if c, err := net.Dial("tcp", s.addr); err == nil {
		t.Error("a new connection was taken")
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	}
	for _, d := range []*dialed{busy, idle} {
		select {
		case <-drained:
			t.Fatal("drained while somebody is connected")
		default:
		}
		d.send(health)
		if status, closes := d.answer(); status != 200 || !closes {
			t.Errorf("while draining: %d, closes %v", status, closes)
		}
	}
	<-drained
}
