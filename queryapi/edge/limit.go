package edge

import (
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

// Limiter holds the requests of each client to a Limit: a token bucket for each
// (as GCRA, which needs one time only: when the bucket will be full again). Its
// memory is fixed: a table of sets with a few places each. Where a set is full
// the fullest bucket makes room, which is the one that knows least; so a flood
// of addresses makes the limiter forgetful about single ones, and never large
// or slow.
type Limiter struct {
	seed maphash.Seed
	// Interval is the time in which one token comes, full the time in which an
	// empty bucket fills up; both nanoseconds, interval 0: no limit.
	Interval, full atomic.Int64
	sets           []limitSet
	Refused        atomic.Int64
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

func NewLimiter(l Limit) *Limiter {
	t := &Limiter{seed: maphash.MakeSeed(), sets: make([]limitSet, limitSets)}
	t.Set(l)
	return t
}

func (t *Limiter) Set(l Limit) {
	if l.Rate <= 0 {
		t.Interval.Store(0)
		return
	}
	interval := int64(float64(time.Second) / l.Rate)
	t.full.Store(interval * int64(max(l.Burst, 1)))
	t.Interval.Store(max(interval, 1))
}

// Allow takes a token for a client's request, or says how long the client has
// to wait for one.
func (t *Limiter) Allow(client netip.Addr, now time.Time) (wait time.Duration, ok bool) {
	interval, full := t.Interval.Load(), t.full.Load()
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
		t.Refused.Add(1)
		return time.Duration(over), false
	}
	c.key, c.at = key, at+interval
	return 0, true
}

// Charge takes tokens for what a request turned out to cost, also those that the
// client does not have yet: its next request waits for them, maxDebt at most.
func (t *Limiter) Charge(client netip.Addr, tokens int64, now time.Time) {
	interval, full := t.Interval.Load(), t.full.Load()
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
	ChargedBytes = 16 << 10              // of the answer, one token each
	ChargedWork  = 10 * time.Millisecond // of a turn, one token each
	maxDebt      = time.Minute
)

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

// RetryAfter is a wait as the header has it: whole seconds, one at least.
func RetryAfter(wait time.Duration) int { return int((wait + time.Second - 1) / time.Second) }

// Refusals count what was not let in, by the reason.
type Refusals struct{ Body, Header, Slow, Unreadable atomic.Int64 }
