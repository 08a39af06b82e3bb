package queryapi

import (
	"slices"
	"strconv"

	"github.com/valyala/fasthttp"

	"hash/maphash"
	"math"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"
)

// Limit is how many requests a client may make: so many a second for as long
// as it likes, and so many at once after a pause. A Rate of 0 sets no limit.
type Limit struct {
	Rate  float64
	Burst int
}

// limiter holds the requests of each client to a Limit: a token bucket for each
// (as GCRA, which needs one time only: when the bucket will be full again). Its
// memory is fixed: a table of sets with a few places each. Where a set is full
// the fullest bucket makes room, which is the one that knows least; so a flood
// of addresses makes the limiter forgetful about single ones, and never large
// or slow.
type limiter struct {
	seed maphash.Seed
	// interval is the time in which one token comes, full the time in which an
	// empty bucket fills up; both nanoseconds, interval 0: no limit.
	interval, full atomic.Int64
	sets           []limitSet
	refused        atomic.Int64
}

// Room for 65,536 clients, in 1.1 MB.
const (
	limitSets = 8192
	limitWays = 8
)

type limitSet struct {
	mu      sync.Mutex
	clients [limitWays]limitedClient
}

type limitedClient struct {
	key uint64 // 0: free
	at  int64  // when its bucket is full, Unix nanoseconds
}

func newLimiter(l Limit) *limiter {
	t := &limiter{seed: maphash.MakeSeed(), sets: make([]limitSet, limitSets)}
	t.set(l)
	return t
}

func (t *limiter) set(l Limit) {
	if l.Rate <= 0 {
		t.interval.Store(0)
		return
	}
	interval := int64(float64(time.Second) / l.Rate)
	t.full.Store(interval * int64(max(l.Burst, 1)))
	t.interval.Store(max(interval, 1))
}

// allow takes a token for a client's request, or says how long the client has
// to wait for one.
func (t *limiter) allow(client netip.Addr, now time.Time) (wait time.Duration, ok bool) {
	interval, full := t.interval.Load(), t.full.Load()
	if interval == 0 {
		return 0, true
	}
	key := maphash.Comparable(t.seed, network(client))
	key = max(key, 1)
	set := &t.sets[key%limitSets]
	set.mu.Lock()
	defer set.mu.Unlock()
	c := set.find(key)
	at := max(c.at, now.UnixNano())
	if over := at + interval - now.UnixNano() - full; over > 0 {
		t.refused.Add(1)
		return time.Duration(over), false
	}
	c.key, c.at = key, at+interval
	return 0, true
}

// charge takes tokens for what a request turned out to cost, also those that the
// client does not have yet: its next request waits for them, maxDebt at most.
func (t *limiter) charge(client netip.Addr, tokens int64, now time.Time) {
	interval, full := t.interval.Load(), t.full.Load()
	if interval == 0 || tokens <= 0 {
		return
	}
	key := max(maphash.Comparable(t.seed, network(client)), 1)
	set := &t.sets[key%limitSets]
	set.mu.Lock()
	defer set.mu.Unlock()
	c := set.find(key)
	c.key = key
	c.at = min(max(c.at, now.UnixNano())+tokens*interval, now.UnixNano()+full+int64(maxDebt))
}

// What a request costs beyond its one token, and how long one that cost a lot
// keeps its client waiting at most.
const (
	chargedBytes = 16 << 10              // of the answer, one token each
	chargedWork  = 10 * time.Millisecond // of a turn, one token each
	maxDebt      = time.Minute
)

// charge holds a client to what its request has cost, told by the answer's size
// and the time that was worked on it.
func (s *Server) charge(ctx *fasthttp.RequestCtx, at *pathRoutes) {
	if at.class != classAPI {
		return
	}
	tokens := int64(len(ctx.Response.Body()) / chargedBytes)
	if work, ok := ctx.UserValue(workKey{}).(time.Duration); ok {
		tokens += int64(work / chargedWork)
	}
	if tokens == 0 {
		return
	}
	if client := s.clientAddr(ctx); s.access.Load().limited(client) {
		s.apiLimit.charge(client, tokens, s.cfg.Now())
	}
}

// find is a client's place, or the one that it gets: c.at is 0 then.
func (s *limitSet) find(key uint64) *limitedClient {
	least, found := 0, int64(math.MaxInt64)
	for i := range s.clients {
		c := &s.clients[i]
		if c.key == key {
			return c
		}
		if c.at < found { // a free place has 0
			least, found = i, c.at
		}
	}
	c := &s.clients[least]
	*c = limitedClient{}
	return c
}

// network is what counts as one client: an IPv4 address, or the /64 of an IPv6
// one, all of which is at a visitor's disposal.
func network(a netip.Addr) netip.Addr {
	a = a.Unmap().WithZone("")
	if a.Is6() {
		if p, err := a.Prefix(64); err == nil {
			return p.Addr()
		}
	}
	return a
}

// retryAfter is a wait as the header has it: whole seconds, one at least.
func retryAfter(wait time.Duration) int { return int((wait + time.Second - 1) / time.Second) }

// admitClient holds a request to its client's limit.
func (s *Server) admitClient(ctx *fasthttp.RequestCtx, at *pathRoutes) error {
	l := s.apiLimit
	switch at.class {
	case classBeacon:
		l = s.beaconLimit
	case classFree:
		return nil
	}
	if l.interval.Load() == 0 {
		return nil
	}
	client := s.clientAddr(ctx)
	if !s.access.Load().limited(client) {
		return nil
	}
	wait, ok := l.allow(client, s.cfg.Now())
	if ok || at.admin() && s.admit(ctx) == nil {
		return nil
	}
	ctx.Response.Header.Set("Retry-After", strconv.Itoa(retryAfter(wait)))
	// A page of another origin may learn why it got nothing.
	ctx.Response.Header.Set("Access-Control-Allow-Origin", "*")
	return fail(fasthttp.StatusTooManyRequests, CodeTooManyRequests, "too many requests from one address; try again in %d s", retryAfter(wait))
}

// refusals count what was not let in, by the reason.
type refusals struct{ body, header, slow, unreadable atomic.Int64 }

// Limits is what a Server did not let in since its start, and who is in.
type Limits struct {
	Connections int // open now
	// Refused counts by reason: what was limited, too large, too slow, or no
	// HTTP.
	Refused map[string]int64
	// AcceptErrors are connections that could not be taken, as without free
	// file descriptors.
	AcceptErrors int64
}

// Limits tells what was refused. Any goroutine.
func (s *Server) Limits() Limits {
	l := Limits{Refused: map[string]int64{
		"api_rate": s.apiLimit.refused.Load(), "beacon_rate": s.beaconLimit.refused.Load(),
		"body_too_large": s.refused.body.Load(), "header_too_large": s.refused.header.Load(),
		"too_slow": s.refused.slow.Load(), "not_http": s.refused.unreadable.Load(),
		"connections": 0, "connections_per_client": 0,
	}}
	s.mu.Lock()
	gates := slices.Clone(s.gates)
	s.mu.Unlock()
	for _, g := range gates {
		l.Connections += g.connections()
		l.Refused["connections"] += g.refusedAll.Load()
		l.Refused["connections_per_client"] += g.refusedClient.Load()
		l.AcceptErrors += g.failed.Load()
	}
	return l
}
