package e2e

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

// adminToken is what no stranger knows.
const adminToken = "right-token-of-the-admin"

// attackRig is what an operator has: Redis as shipped, the daemon with a token and the
// default limits, nginx as printed. Strangers come from 127.0.0.0/8 and stand
// behind a trusted front that names them, as nobody on loopback itself is limited.
type attackRig struct {
	t      *testing.T
	client *redis.Client
	daemon *Daemon
	nginx  *Nginx
	secure bool // nginx takes TLS
}

// startAttack starts all of it; admin opens the admin's paths in nginx.
func startAttack(t *testing.T, env map[string]string, args ...string) *attackRig {
	t.Helper()
	server := StartRedis(t)
	all := map[string]string{"REDIS_ADDR": server.Addr, "TIMEZONE": "UTC", "ADMIN_TOKEN": adminToken}
	for name, value := range env {
		all[name] = value
	}
	d := NewDaemon(t, all)
	n := StartNginx(t, Binary(t), d.Addr, append([]string{"--trusted-proxies", "127.0.0.0/8"}, args...)...)
	d.Env["ACCESS_LOG"] = n.Log
	d.Start()
	return &attackRig{t: t, client: server.Client(t), daemon: d, nginx: n}
}

// stranger is somebody with an address, a connection and no token.
type stranger struct {
	t      testing.TB
	addr   string
	number int
	name   string // the address that nginx and the daemon see
	conn   net.Conn
	reader *bufio.Reader
	dial   func(net.Dialer, string) (net.Conn, error)
}

// stranger number n; two that differ by 256 or more are of two networks (/24).
func (r *attackRig) stranger(n int) *stranger {
	return newStranger(r.t, r.nginx.Addr, n)
}

func newStranger(t testing.TB, addr string, n int) *stranger {
	s := &stranger{t: t, addr: addr, number: n, name: fmt.Sprintf("11.%d.%d.%d", n>>16&255, n>>8&255, n&255)}
	s.dial = func(d net.Dialer, addr string) (net.Conn, error) { return d.Dial("tcp", addr) }
	t.Cleanup(s.close)
	return s
}

func (s *stranger) close() {
	if s.conn == nil {
		return
	}
	conn := s.conn
	s.conn = nil
	if err := conn.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
		s.t.Errorf("close a stranger's connection: %v", err)
	}
}

// answer is what somebody got.
type answer struct {
	status int
	header http.Header
	body   string
	took   time.Duration
}

// send sends a request of any shape and reads the answer; a server that hangs up
// is an error.
func (s *stranger) send(method, target, headers, body string) (answer, error) {
	began := time.Now()
	if s.conn == nil {
		d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, byte(s.number>>16), byte(s.number>>8), max(byte(s.number), 1))}, Timeout: 10 * time.Second}
		conn, err := s.dial(d, s.addr)
		if err != nil {
			return answer{}, err
		}
		s.conn, s.reader = conn, bufio.NewReader(conn)
	}
	if err := s.conn.SetDeadline(began.Add(30 * time.Second)); err != nil {
		return answer{}, err
	}
	if body != "" || method == "POST" || method == "PUT" {
		headers += fmt.Sprintf("Content-Length: %d\r\n", len(body))
	}
	if !strings.Contains(headers, "Host:") {
		headers = "Host: count.example\r\n" + headers
	}
	if _, err := fmt.Fprintf(s.conn, "%s %s HTTP/1.1\r\nX-Forwarded-For: %s\r\n%s\r\n%s", method, target, s.name, headers, body); err != nil {
		s.close()
		return answer{}, err
	}
	resp, err := http.ReadResponse(s.reader, &http.Request{Method: method})
	if err != nil {
		s.close()
		return answer{}, err
	}
	text, err := io.ReadAll(resp.Body)
	if err = errors.Join(err, resp.Body.Close()); err != nil {
		s.close()
		return answer{}, err
	}
	if resp.Close {
		s.close()
	}
	return answer{resp.StatusCode, resp.Header, string(text), time.Since(began)}, nil
}

// ask is send for tests in which all must be answered.
func (s *stranger) ask(method, target, headers, body string) answer {
	s.t.Helper()
	a, err := s.send(method, target, headers, body)
	if err != nil {
		s.t.Fatalf("%s %.200s: %v", method, target, err)
	}
	return a
}

const attackAgent = "User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:130.0) Gecko/20100101 Firefox/130.0\r\n"

// beacon has a view counted, and waits as long as the limit of its address says.
func (s *stranger) beacon(site, page, more string) {
	s.t.Helper()
	target := "/event.png?site=" + url.QueryEscape(site) + "&page=" + url.QueryEscape(page) + more
	for {
		switch a := s.ask("GET", target, attackAgent, ""); a.status {
		case http.StatusOK:
			return
		case http.StatusTooManyRequests:
			pause(s.t, 50*time.Millisecond)
		default:
			s.t.Fatalf("GET %.200s: %d %s", target, a.status, a.body)
		}
	}
}

// pause keeps a pace; it waits for nothing.
func pause(t testing.TB, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-t.Context().Done():
	}
}

// counted waits until so many lines were read, and checks the books.
func (r *attackRig) counted(lines int) books {
	r.t.Helper()
	Eventually(r.t, settleLimit, "all lines are read", func() error {
		b, err := r.books()
		if err == nil && b.sum("ddkk_log_lines_read_total") < float64(lines) {
			err = fmt.Errorf("%v of %d lines", b.sum("ddkk_log_lines_read_total"), lines)
		}
		return err
	})
	b, err := r.books()
	must(r.t, err)
	if read, sum := b.sum("ddkk_log_lines_read_total"), b.sum("ddkk_log_lines_total"); read != sum {
		r.t.Errorf("the books do not close: %v lines were read, their results are %v:\n%s", read, sum, b.lines())
	}
	return b
}

func (r *attackRig) books() (books, error) {
	text, err := r.daemon.getWith("/metrics", adminToken)
	if err != nil {
		return nil, err
	}
	return parseBooks(text)
}

// number waits until a counter has a value.
func (r *attackRig) number(key string, want int64) {
	r.t.Helper()
	Eventually(r.t, settleLimit, key, func() error {
		got, err := r.client.Get(r.t.Context(), key).Int64()
		if err == nil && got != want {
			err = fmt.Errorf("%d, want %d", got, want)
		}
		return err
	})
}
