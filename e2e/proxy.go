package e2e

import (
	"errors"
	"io"
	"maps"
	"net"
	"slices"
	"sync"
	"testing"
	"time"
)

// Proxy stands between the daemon and a server and plays the network's part:
// connections that break, replies that are lost, delays, and a peer that is
// there but never answers.
type Proxy struct {
	Addr string // 127.0.0.1:port, to be given to the daemon

	listener net.Listener
	work     sync.WaitGroup

	mu       sync.Mutex
	target   string
	closed   bool
	refuse   bool
	hole     bool
	delay    time.Duration
	lost     int           // replies still to be lost
	lostDone int           // replies lost so far
	edit     func([]byte)  // applied to replies in place; nil: none
	changed  chan struct{} // closed at every change of the above
	pairs    map[*pair]struct{}
	faults   []error // of the proxy itself
}

// pair is one connection through the proxy.
type pair struct {
	client, server net.Conn
	once           sync.Once
	gone           chan struct{}
}

// close breaks both connections. They are reset rather than ended: the peers
// must not take it for a clean close.
func (p *pair) close() (err error) {
	p.once.Do(func() {
		close(p.gone)
		err = errors.Join(reset(p.client), reset(p.server))
	})
	return err
}

func reset(c net.Conn) error {
	if tcp, ok := c.(*net.TCPConn); ok {
		if err := tcp.SetLinger(0); err != nil {
			return errors.Join(err, c.Close())
		}
	}
	return c.Close()
}

// StartProxy forwards to target (host:port) until the end of the test.
func StartProxy(t testing.TB, target string) *Proxy {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatalf("start proxy: %v", err)
	}
	p := &Proxy{
		Addr: listener.Addr().String(), target: target, listener: listener,
		changed: make(chan struct{}), pairs: map[*pair]struct{}{},
	}
	p.work.Go(p.accept)
	t.Cleanup(func() {
		if err := p.stop(); err != nil {
			t.Errorf("stop proxy: %v", err)
		}
	})
	return p
}

func (p *Proxy) stop() error {
	err := p.listener.Close()
	p.change(func() { p.closed = true })
	p.Drop()
	p.work.Wait()
	return errors.Join(append(p.faults, err)...)
}

// note keeps an error of the proxy's own for the end of the test.
func (p *Proxy) note(err error) {
	if err == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.faults = append(p.faults, err)
}

// change applies f and wakes up whoever waits for a change.
func (p *Proxy) change(f func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	f()
	close(p.changed)
	p.changed = make(chan struct{})
}

// Drop breaks all connections; new ones are accepted.
func (p *Proxy) Drop() {
	p.mu.Lock()
	pairs := slices.Collect(maps.Keys(p.pairs))
	p.mu.Unlock()
	for _, pr := range pairs {
		p.note(pr.close())
	}
}

// Refuse breaks all connections and, while on, new ones at once.
func (p *Proxy) Refuse(on bool) {
	p.change(func() { p.refuse = on })
	if on {
		p.Drop()
	}
}

// Retarget sends connections to another server from now on: the name that
// both had points to the new primary.
func (p *Proxy) Retarget(target string) {
	p.change(func() { p.target = target })
	p.Drop()
}

// BlackHole keeps connections open and, while on, passes nothing in either
// direction: a cable that was pulled. What arrives meanwhile is passed later.
func (p *Proxy) BlackHole(on bool) { p.change(func() { p.hole = on }) }

// Delay holds every chunk for d, in both directions.
func (p *Proxy) Delay(d time.Duration) { p.change(func() { p.delay = d }) }

// LoseReplies lets the next n requests reach the server and be executed, but
// breaks the connection instead of passing the reply on.
func (p *Proxy) LoseReplies(n int) { p.change(func() { p.lost = n }) }

// Edit has f change replies in place before they are passed on: addresses that
// a server tells, for example. f is called from many goroutines.
func (p *Proxy) Edit(f func([]byte)) { p.change(func() { p.edit = f }) }

// edited applies Edit's function.
func (p *Proxy) edited(b []byte) {
	p.mu.Lock()
	edit := p.edit
	p.mu.Unlock()
	if edit != nil {
		edit(b)
	}
}

// Lost is how many replies were lost so far.
func (p *Proxy) Lost() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.lostDone
}

func (p *Proxy) accept() {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return // closed: the test ends
		}
		p.work.Go(func() { p.serve(client) })
	}
}

func (p *Proxy) serve(client net.Conn) {
	p.mu.Lock()
	target := p.target
	p.mu.Unlock()
	server, err := net.DialTimeout("tcp", target, 5*time.Second)
	if err != nil {
		p.note(reset(client)) // the server is down, and so are we
		return
	}
	pr := &pair{client: client, server: server, gone: make(chan struct{})}
	if !p.enter(pr) {
		p.note(pr.close())
		return
	}
	defer p.leave(pr)
	var copies sync.WaitGroup
	copies.Go(func() { p.copy(pr, server, client, false) })
	copies.Go(func() { p.copy(pr, client, server, true) })
	copies.Wait()
}

func (p *Proxy) enter(pr *pair) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed || p.refuse {
		return false
	}
	p.pairs[pr] = struct{}{}
	return true
}

func (p *Proxy) leave(pr *pair) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.pairs, pr)
}

// copy passes bytes on until one side ends; then both do.
func (p *Proxy) copy(pr *pair, to io.Writer, from io.Reader, replies bool) {
	defer func() { p.note(pr.close()) }()
	buffer := make([]byte, 64<<10)
	for {
		n, err := from.Read(buffer)
		if n > 0 {
			if !p.pass(pr) || replies && p.lose() {
				return
			}
			if replies {
				p.edited(buffer[:n])
			}
			if _, err := to.Write(buffer[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return // io.EOF or a broken connection: the same to the peer
		}
	}
}

// pass waits for the delay and for the end of a black hole; false when the
// connection was broken meanwhile.
func (p *Proxy) pass(pr *pair) bool {
	p.mu.Lock()
	delay := p.delay
	p.mu.Unlock()
	if delay > 0 {
		timer := time.NewTimer(delay)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-pr.gone:
			return false
		}
	}
	for {
		p.mu.Lock()
		hole, changed := p.hole && !p.closed, p.changed
		p.mu.Unlock()
		if !hole {
			return true
		}
		select {
		case <-changed:
		case <-pr.gone:
			return false
		}
	}
}

// lose takes one of the replies that are to be lost.
func (p *Proxy) lose() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.lost == 0 {
		return false
	}
	p.lost--
	p.lostDone++
	return true
}
