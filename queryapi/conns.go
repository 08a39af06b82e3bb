package queryapi

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// gate is the listener of a Server. It bounds the connections, of one client
// and of all together, outlives passing errors of accept, and can be closed for
// newcomers while those inside are served.
type gate struct {
	net.Listener
	most  int // connections of all clients
	limit func(client netip.Addr) int
	pause func(time.Duration) // between two tries of accept
	log   *slog.Logger

	mu     sync.Mutex
	open   int
	by     map[netip.Addr]int // network -> its open connections
	closed bool
	empty  chan struct{} // closed when closed and open is 0

	refusedAll, refusedClient, failed atomic.Int64
}

func newGate(ln net.Listener, most int, limit func(netip.Addr) int, log *slog.Logger) *gate {
	return &gate{Listener: ln, most: most, limit: limit, pause: time.Sleep, log: log,
		by: map[netip.Addr]int{}, empty: make(chan struct{})}
}

// Accept returns the next connection that is let in; io.EOF after Close.
func (g *gate) Accept() (net.Conn, error) {
	for wait := time.Millisecond; ; {
		c, err := g.Listener.Accept()
		if err != nil {
			if g.isClosed() {
				return nil, io.EOF
			}
			if !passingAccept(err) {
				return nil, err
			}
			g.failed.Add(1)
			g.pause(wait)
			wait = min(2*wait, time.Second)
			continue
		}
		wait = time.Millisecond
		client := connClient(c)
		if answer := g.enter(client); answer != "" {
			if err := refuseConn(c, answer); err != nil {
				g.log.Debug("a connection was refused without a word", "err", err)
			}
			continue
		}
		return &countedConn{Conn: c, gate: g, client: client}, nil
	}
}

// passingAccept tells errors of accept that go by: too many open files, no
// memory, a client that went away.
func passingAccept(err error) bool {
	for _, e := range []error{syscall.EMFILE, syscall.ENFILE, syscall.ENOBUFS, syscall.ENOMEM, syscall.ECONNABORTED, syscall.EINTR, syscall.EPROTO} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// Answers to connections that are not let in.
var (
	answerFull    = rawAnswer("503 Service Unavailable", CodeUnavailable, "too many connections are open")
	answerTooMany = rawAnswer("429 Too Many Requests", CodeTooManyRequests, "too many connections are open from one address")
)

// rawAnswer is an answer as bytes, for connections that never get to the server.
func rawAnswer(status, code, message string) string {
	body := fmt.Sprintf(`{"error":{"code":%q,"message":%q}}`, code, message)
	return fmt.Sprintf("HTTP/1.1 %s\r\nContent-Type: application/json\r\nCache-Control: no-store\r\nRetry-After: 1\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s",
		status, len(body), body)
}

// enter counts a connection, or says what it is answered.
func (g *gate) enter(client netip.Addr) string {
	limit := g.limit(client)
	g.mu.Lock()
	defer g.mu.Unlock()
	switch {
	case g.open >= g.most:
		g.refusedAll.Add(1)
		return answerFull
	case limit > 0 && g.by[client] >= limit:
		g.refusedClient.Add(1)
		return answerTooMany
	}
	g.open++
	g.by[client]++
	return ""
}

func (g *gate) leave(client netip.Addr) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.open--
	if g.by[client]--; g.by[client] == 0 {
		delete(g.by, client)
	}
	g.checkEmpty()
}

// checkEmpty needs mu.
func (g *gate) checkEmpty() {
	if !g.closed || g.open > 0 {
		return
	}
	select {
	case <-g.empty:
	default:
		close(g.empty)
	}
}

func (g *gate) isClosed() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.closed
}

func (g *gate) connections() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.open
}

// Close lets nobody in any more. A second one does nothing.
func (g *gate) Close() error {
	g.mu.Lock()
	was := g.closed
	g.closed = true
	g.checkEmpty()
	g.mu.Unlock()
	if was {
		return nil
	}
	return g.Listener.Close()
}

// refuseConn answers into the empty buffer of a new connection, which takes no
// time, and closes it.
func refuseConn(c net.Conn, answer string) error {
	err := c.SetDeadline(time.Now().Add(100 * time.Millisecond))
	if err == nil {
		_, err = io.WriteString(c, answer)
	}
	return errors.Join(err, c.Close())
}

// connClient is the network at the other end; the zero Addr for a unix socket.
func connClient(c net.Conn) netip.Addr {
	if a, ok := c.RemoteAddr().(*net.TCPAddr); ok {
		return network(a.AddrPort().Addr())
	}
	return netip.Addr{}
}

// countedConn leaves the gate when it is closed.
type countedConn struct {
	net.Conn
	gate   *gate
	client netip.Addr
	left   atomic.Bool
}

func (c *countedConn) Close() error {
	if !c.left.Swap(true) { // before: whom the client sees gone does not count any more
		c.gate.leave(c.client)
	}
	return c.Conn.Close()
}
