package edge

import (
	"net/netip"
	"sync"
	"time"
)

// How guessing the admin's token is slowed. The right token always enters, and at
// once, whoever else guesses from wherever; only wrong ones cost anything.
const (
	// AttemptWindow begins with a first wrong token and ends the count of them.
	AttemptWindow = 5 * time.Minute
	// MaxClientAttempts and maxAttempts are the wrong tokens of one client, and
	// of all, in a window, that are answered at once.
	MaxClientAttempts = 10
	MaxAttempts       = 200
	// Later ones are answered after a while, twice as long each time; meanwhile
	// they keep their connection, of which a client has so many and no more.
	MinHold    = 100 * time.Millisecond
	MinHoldAll = 250 * time.Millisecond
	MaxHold    = time.Second
	// MaxHeld bounds the answers that are held at the same time.
	MaxHeld = 512
	// GuessTokens is what a wrong token takes from the client's requests.
	GuessTokens = 20
	// MaxClients bounds what is remembered of clients; the wrong tokens of
	// others are counted for all only.
	MaxClients = 4096
)

// Attempts counts wrong admin tokens. An IPv6 client is its /64.
type Attempts struct {
	mu      sync.Mutex
	Clients map[netip.Addr]*guesses
	all     guesses
	held    int
}

// guesses are the wrong tokens of a window.
type guesses struct {
	wrong int
	since time.Time
}

func (g *guesses) add(now time.Time) int {
	if now.Sub(g.since) >= AttemptWindow {
		g.wrong, g.since = 0, now
	}
	g.wrong++
	return g.wrong
}

// Right forgets what a client tried before.
func (a *Attempts) Right(client netip.Addr) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.Clients, network(client))
}

// Wrong counts a wrong token and tells for how long its answer is held; 0: not at
// all. held: the caller waits so long and then calls let.
func (a *Attempts) Wrong(client netip.Addr, now time.Time) (hold time.Duration, held bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	n, all := a.client(network(client), now).add(now), a.all.add(now)
	if over := n - MaxClientAttempts; over > 0 {
		hold = min(MinHold<<min(over-1, 8), MaxHold)
	}
	if all > MaxAttempts {
		hold = max(hold, MinHoldAll)
	}
	if held = hold > 0 && a.held < MaxHeld; held {
		a.held++
	}
	return hold, held
}

func (a *Attempts) Let() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.held--
}

// client makes room for a client, if there is any; else what it does is forgotten.
func (a *Attempts) client(client netip.Addr, now time.Time) *guesses {
	if c := a.Clients[client]; c != nil {
		return c
	}
	if a.Clients == nil {
		a.Clients = map[netip.Addr]*guesses{}
	}
	if len(a.Clients) >= MaxClients {
		for addr, c := range a.Clients {
			if now.Sub(c.since) >= AttemptWindow {
				delete(a.Clients, addr)
			}
		}
	}
	c := &guesses{}
	if len(a.Clients) < MaxClients {
		a.Clients[client] = c
	}
	return c
}
