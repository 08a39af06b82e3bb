package archive

import (
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// deafProxy forwards to the server until it is deaf: then it takes everything and
// says nothing, as a firewall does that forgot the connection.
type deafProxy struct {
	addr string
	deaf atomic.Bool
	mu   sync.Mutex
	open []net.Conn
}

func startDeafProxy(t *testing.T) *deafProxy {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	check(t, err)
	p := &deafProxy{addr: ln.Addr().String()}
	var all sync.WaitGroup
	all.Go(func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			s, err := net.Dial("tcp", server.addr)
			if err != nil {
				c.Close()
				continue
			}
			p.mu.Lock()
			p.open = append(p.open, c, s)
			p.mu.Unlock()
			all.Go(func() { p.pass(s, c) })
			all.Go(func() { p.pass(c, s) })
		}
	})
	t.Cleanup(func() {
		ln.Close()
		p.mu.Lock()
		for _, c := range p.open {
			c.Close()
		}
		p.mu.Unlock()
		all.Wait()
	})
	return p
}

func (p *deafProxy) pass(to io.Writer, from io.Reader) {
	b := make([]byte, 32<<10)
	for {
		n, err := from.Read(b)
		if err != nil {
			return
		}
		if p.deaf.Load() {
			continue
		}
		if _, err := to.Write(b[:n]); err != nil {
			return
		}
	}
}

// heal has the server hear that the old connections, with their locks, are gone:
// its keepalive tells it.
func (p *deafProxy) heal() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range p.open {
		c.Close()
	}
	p.open = nil
	p.deaf.Store(false)
}

// TestHalfOpenConnections: the server is there and answers nothing. The cycle
// fails, wherever it is, and the next one works.
func TestHalfOpenConnections(t *testing.T) {
	at := mariaPlace(t)
	p := startDeafProxy(t)
	at.dsn = strings.Replace(at.dsn, server.addr, p.addr, 1)
	a := open(t, at, func(o *Options) { o.Patience = time.Second })
	seg := segmentOf("one", view{}, view{addr: "203.0.113.9"})
	p.deaf.Store(true)
	if _, err := a.Run(t.Context(), source(t, seg)); err == nil || !strings.Contains(err.Error(), "reach the database") {
		t.Errorf("at its beginning: %v", err)
	}
	p.deaf.Store(false)
	seg.opened = func(_ int64, r io.Reader) io.Reader {
		p.deaf.Store(true) // in the middle of it
		return r
	}
	if _, err := a.Run(t.Context(), source(t, seg)); err == nil {
		t.Error("in the middle it ended well")
	}
	p.heal()
	seg.opened = nil
	sum, err := a.Run(t.Context(), source(t, seg))
	for tries := 0; errors.Is(err, ErrLocked) && tries < 100; tries++ { // the server is about to hear it
		check(t, a.pause(t.Context(), 20*time.Millisecond))
		sum, err = a.Run(t.Context(), source(t, seg))
	}
	if err != nil || sum.Rows != 2 {
		t.Errorf("%+v, %v", sum, err)
	}
}

// TestTwoConnections: an account that may have no more.
func TestTwoConnections(t *testing.T) {
	at := mariaPlace(t)
	a := open(t, at, func(o *Options) {
		o.Connections, o.ChunkRows, o.RawRetentionDays = 2, 50, 2
		o.DedupeWindow = func(string) time.Duration { return time.Hour }
	})
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	from := now.Add(-5 * 24 * time.Hour)
	one, two := segmentOf("one", traffic(1, 400, from, 20*time.Minute)...), segmentOf("two", traffic(2, 400, from, 20*time.Minute)...)
	sum, err := a.Run(ctx, source(t, one, two))
	check(t, err)
	if sum.Rows == 0 || sum.Dropped == 0 {
		t.Errorf("%+v", sum)
	}
	s, err := a.Snapshot(ctx, "a.example")
	check(t, err)
	check(t, s.Close())
	q := ruleSet{dedupe: time.Hour}.recounting(t, allFrom, allTo, one, two)
	q.Force = true
	_, err = a.Recount(ctx, q)
	check(t, err)
}
