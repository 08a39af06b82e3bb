package queryapi

import (
	"math"
	"net/netip"
	"strconv"
	"sync"
	"time"

	"github.com/valyala/fasthttp"
)

// How guessing the admin's token is slowed. The right token always enters, and at
// once, whoever else guesses from wherever; only wrong ones cost anything.
const (
	// attemptWindow begins with a first wrong token and ends the count of them.
	attemptWindow = 5 * time.Minute
	// maxClientAttempts and maxAttempts are the wrong tokens of one client, and
	// of all, in a window, that are answered at once.
	maxClientAttempts = 10
	maxAttempts       = 200
	// Later ones are answered after a while, twice as long each time; meanwhile
	// they keep their connection, of which a client has so many and no more.
	minHold    = 100 * time.Millisecond
	minHoldAll = 250 * time.Millisecond
	maxHold    = time.Second
	// maxHeld bounds the answers that are held at the same time.
	maxHeld = 512
	// guessTokens is what a wrong token takes from the client's requests.
	guessTokens = 20
	// maxClients bounds what is remembered of clients; the wrong tokens of
	// others are counted for all only.
	maxClients = 4096
)

// attempts counts wrong admin tokens. An IPv6 client is its /64.
type attempts struct {
	mu      sync.Mutex
	clients map[netip.Addr]*guesses
	all     guesses
	held    int
}

// guesses are the wrong tokens of a window.
type guesses struct {
	wrong int
	since time.Time
}

func (g *guesses) add(now time.Time) int {
	if now.Sub(g.since) >= attemptWindow {
		g.wrong, g.since = 0, now
	}
	g.wrong++
	return g.wrong
}

// right forgets what a client tried before.
func (a *attempts) right(client netip.Addr) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.clients, network(client))
}

// wrong counts a wrong token and tells for how long its answer is held; 0: not at
// all. held: the caller waits so long and then calls let.
func (a *attempts) wrong(client netip.Addr, now time.Time) (hold time.Duration, held bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	n, all := a.client(network(client), now).add(now), a.all.add(now)
	if over := n - maxClientAttempts; over > 0 {
		hold = min(minHold<<min(over-1, 8), maxHold)
	}
	if all > maxAttempts {
		hold = max(hold, minHoldAll)
	}
	if held = hold > 0 && a.held < maxHeld; held {
		a.held++
	}
	return hold, held
}

func (a *attempts) let() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.held--
}

// client makes room for a client, if there is any; else what it does is forgotten.
func (a *attempts) client(client netip.Addr, now time.Time) *guesses {
	if c := a.clients[client]; c != nil {
		return c
	}
	if a.clients == nil {
		a.clients = map[netip.Addr]*guesses{}
	}
	if len(a.clients) >= maxClients {
		for addr, c := range a.clients {
			if now.Sub(c.since) >= attemptWindow {
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

// tryToken compares a token with the admin's. A wrong one may be answered late.
func (s *Server) tryToken(ctx *fasthttp.RequestCtx, token []byte) (bool, error) {
	client := s.clientAddr(ctx)
	if s.access.Load().tokenMatches(token) {
		s.attempts.right(client)
		return true, nil
	}
	hold, held := s.attempts.wrong(client, s.cfg.Now())
	if s.access.Load().limited(client) {
		s.apiLimit.charge(client, guessTokens, s.cfg.Now())
	}
	if hold == 0 {
		return false, nil
	}
	if held {
		s.pause(hold)
		s.attempts.let()
	}
	seconds := strconv.Itoa(int(math.Ceil(hold.Seconds())))
	ctx.Response.Header.Set("Retry-After", seconds)
	return false, fail(fasthttp.StatusTooManyRequests, CodeTooManyAttempts, "token: it is not the ADMIN_TOKEN, and there were many that are not: try again in %s seconds", seconds)
}

// rest waits for d, or until the server ends.
func (s *Server) rest(d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-s.base.Done():
	}
}
