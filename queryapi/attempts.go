package queryapi

import (
	"net/netip"
	"sync"
	"time"
)

// How often the admin token may be guessed.
const (
	// attemptWindow begins with a first wrong token and ends the count of them.
	attemptWindow = 5 * time.Minute
	// maxClientAttempts and maxAttempts are the wrong tokens of one client, and
	// of all, in a window. What is over waits for the window's end, whether its
	// token is right or not.
	maxClientAttempts = 10
	maxAttempts       = 200
	// maxClients bounds what is remembered of clients; the wrong tokens of
	// others are counted for all only.
	maxClients = 4096
	// trustFor is how long a client that had the right token is spared from what
	// others do, so that guessing all over the world locks no admin out.
	trustFor = 24 * time.Hour
)

// attempts counts wrong admin tokens. An IPv6 client is its /64.
type attempts struct {
	mu      sync.Mutex
	clients map[netip.Addr]*guesses
	all     guesses
}

// guesses are the wrong tokens of a window.
type guesses struct {
	wrong int
	since time.Time
	good  time.Time // when it last had the right one
}

// left is how long the window goes on, if it has limit wrong tokens already.
func (g *guesses) left(limit int, now time.Time) time.Duration {
	if g.wrong < limit {
		return 0
	}
	return max(0, g.since.Add(attemptWindow).Sub(now))
}

func (g *guesses) add(now time.Time) {
	if now.Sub(g.since) >= attemptWindow {
		g.wrong, g.since = 0, now
	}
	g.wrong++
}

// try compares a token, unless there were too many wrong ones: then it says how
// long to wait. It holds the lock meanwhile, so that no client gets more tries
// by making them at once.
func (a *attempts) try(client netip.Addr, now time.Time, right func() bool) (ok bool, wait time.Duration) {
	client = network(client)
	a.mu.Lock()
	defer a.mu.Unlock()
	c := a.clients[client]
	if c != nil {
		wait = c.left(maxClientAttempts, now)
	}
	if c == nil || now.Sub(c.good) >= trustFor {
		wait = max(wait, a.all.left(maxAttempts, now))
	}
	if wait > 0 {
		return false, wait
	}
	ok = right()
	if c == nil {
		c = a.remember(client, now)
	}
	if ok {
		c.wrong, c.good = 0, now
		return true, 0
	}
	c.add(now)
	a.all.add(now)
	return false, 0
}

// remember makes room for a client, if there is any; else what it does is
// forgotten.
func (a *attempts) remember(client netip.Addr, now time.Time) *guesses {
	if a.clients == nil {
		a.clients = map[netip.Addr]*guesses{}
	}
	if len(a.clients) >= maxClients {
		for addr, c := range a.clients {
			if now.Sub(c.since) >= attemptWindow && now.Sub(c.good) >= trustFor {
				delete(a.clients, addr)
			}
		}
	}
	c := &guesses{}
	if len(a.clients) < maxClients {
		a.clients[client] = c
	}
	return c
}
