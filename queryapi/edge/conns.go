package edge

import (
	"errors"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// Gate is the listener of a Server. It bounds the connections, of one client
// and of all together, outlives passing errors of accept, and can be closed for
// newcomers while those inside are served.
type Gate struct {
	net.Listener
	most    int // connections of all clients
	refusal Refusal
	limit   func(client netip.Addr) int
	pause   func(time.Duration) // between two tries of accept
	log     *slog.Logger

	mu     sync.Mutex
	open   int
	by     map[netip.Addr]int // network -> its open connections
	closed bool
	Empty  chan struct{} // closed when closed and open is 0

	RefusedAll, RefusedClient, Failed atomic.Int64
}

// Refusal is what connections that are not let in are answered, as bytes.
type Refusal struct {
	Full, TooMany string
}

func NewGate(ln net.Listener, most int, limit func(netip.Addr) int, r Refusal, log *slog.Logger) *Gate {
	return &Gate{Listener: ln, most: most, refusal: r, limit: limit, pause: time.Sleep, log: log,
		by: map[netip.Addr]int{}, Empty: make(chan struct{})}
}

// Accept returns the next connection that is let in; io.EOF after Close.
func (g *Gate) Accept() (net.Conn, error) {
	for wait := time.Millisecond; ; {
		c, err := g.Listener.Accept()
		if err != nil {
			if g.isClosed() {
				return nil, io.EOF
			}
			if !passingAccept(err) {
				return nil, err
			}
			g.Failed.Add(1)
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

// enter counts a connection, or says what it is answered.
func (g *Gate) enter(client netip.Addr) string {
	limit := g.limit(client)
	g.mu.Lock()
	defer g.mu.Unlock()
	switch {
	case g.open >= g.most:
		g.RefusedAll.Add(1)
		return g.refusal.Full
	case limit > 0 && g.by[client] >= limit:
		g.RefusedClient.Add(1)
		return g.refusal.TooMany
	}
	g.open++
	g.by[client]++
	return ""
}

func (g *Gate) leave(client netip.Addr) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.open--
	if g.by[client]--; g.by[client] == 0 {
		delete(g.by, client)
	}
	g.checkEmpty()
}

// checkEmpty needs mu.
func (g *Gate) checkEmpty() {
	if !g.closed || g.open > 0 {
		return
	}
	select {
	case <-g.Empty:
	default:
		close(g.Empty)
	}
}

func (g *Gate) isClosed() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.closed
}

func (g *Gate) Connections() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.open
}

// Close lets nobody in any more. A second one does nothing.
func (g *Gate) Close() error {
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
	gate   *Gate
	client netip.Addr
	left   atomic.Bool
}

func (c *countedConn) Close() error {
	if !c.left.Swap(true) { // before: whom the client sees gone does not count any more
		c.gate.leave(c.client)
	}
	return c.Conn.Close()
}
