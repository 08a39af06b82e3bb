package edge

import (
	"errors"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"strings"
	"syscall"
	"testing"
	"time"
)

// fakeListener hands out connections and errors as told.
type fakeListener struct {
	net.Listener
	next []func() (net.Conn, error)
}

func (l *fakeListener) Accept() (net.Conn, error) {
	if len(l.next) == 0 {
		return nil, net.ErrClosed
	}
	f := l.next[0]
	l.next = l.next[1:]
	return f()
}

func (l *fakeListener) Close() error { return nil }

// peerConn is a connection from an address.
type peerConn struct {
	net.Conn
	addr string
}

func (c peerConn) RemoteAddr() net.Addr {
	return net.TCPAddrFromAddrPort(netip.MustParseAddrPort(c.addr))
}

func TestGate(t *testing.T) {
	l := &fakeListener{}
	g := NewGate(l, 100, func(a netip.Addr) int {
		if a.Is4() {
			return 0
		}
		return 2
	}, Refusal{Full: "full", TooMany: "HTTP/1.1 429 too_many_requests"}, slog.New(slog.DiscardHandler))
	var waits []time.Duration
	g.pause = func(d time.Duration) { waits = append(waits, d) }
	from := func(addr string) (net.Conn, func() (net.Conn, error)) {
		here, there := net.Pipe()
		t.Cleanup(func() { there.Close() })
		return there, func() (net.Conn, error) { return peerConn{here, addr}, nil }
	}
	comes := func(addr string) {
		_, f := from(addr)
		l.next = append(l.next, f)
	}
	fails := func(err error) { l.next = append(l.next, func() (net.Conn, error) { return nil, err }) }
	accept := func(want string) net.Conn {
		t.Helper()
		c, err := g.Accept()
		if err != nil {
			t.Fatal(err)
		}
		if got := c.RemoteAddr().String(); got != want {
			t.Errorf("%s, want %s", got, want)
		}
		return c
	}
	for range 4 {
		comes("192.0.2.1:1")
		accept("192.0.2.1:1") // no limit
	}
	comes("[2001:db8::1]:1")
	first := accept("[2001:db8::1]:1")
	comes("[2001:db8::2]:1")
	accept("[2001:db8::2]:1")
	client, third := from("[2001:db8::3]:1") // of the same /64
	l.next = append(l.next, third)
	said := make(chan string)
	go func() {
		b, err := io.ReadAll(client)
		if err != nil {
			t.Error(err)
		}
		said <- string(b)
	}()
	comes("[2001:db8:0:1::1]:1")
	accept("[2001:db8:0:1::1]:1")
	if s := <-said; !strings.HasPrefix(s, "HTTP/1.1 429 ") || !strings.Contains(s, "too_many_requests") {
		t.Errorf("who was refused got %q", s)
	}
	for range 2 { // twice is once
		if err := first.Close(); err != nil {
			t.Error(err)
		}
	}
	comes("[2001:db8::4]:1")
	accept("[2001:db8::4]:1")
	if g.Connections() != 7 || g.RefusedClient.Load() != 1 {
		t.Errorf("%d connections, %d refused", g.Connections(), g.RefusedClient.Load())
	}

	fails(syscall.EMFILE)
	fails(syscall.EMFILE)
	fails(syscall.ECONNABORTED)
	comes("192.0.2.2:1")
	accept("192.0.2.2:1")
	if len(waits) != 3 || waits[2] != 4*waits[0] || g.Failed.Load() != 3 {
		t.Errorf("waits %v, %d failed", waits, g.Failed.Load())
	}
	fails(syscall.EBADF)
	if _, err := g.Accept(); !errors.Is(err, syscall.EBADF) {
		t.Errorf("error %v", err)
	}
	if err := g.Close(); err != nil {
		t.Error(err)
	}
	if _, err := g.Accept(); err != io.EOF {
		t.Errorf("after Close: %v", err)
	}
}
