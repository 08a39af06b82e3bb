package counter

import (
	"context"
	"errors"
	"hash/maphash"
	"net"
	"strings"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"
)

// clusterLanes is how many lanes, each with its breaker, a cluster gets: sites
// are spread over them, so that one dead node does not make the sites of the
// others stale.
const clusterLanes = 64

func lanesFor(k Keys) int {
	if k.Cluster() {
		return clusterLanes
	}
	return 1
}

func (r *asking) lane(site string) *lane {
	if len(r.lanes) == 1 {
		return &r.lanes[0]
	}
	return &r.lanes[maphash.String(r.seed, site)%uint64(len(r.lanes))]
}

// slowLanes is how many breakers slow reads have, each for some of the sites.
const slowLanes = 64

// slow is the breaker of a site's slow reads: those that ask many things one after
// the other, or for much. One that fails says of its site alone that it cannot be
// read, and keeps nobody from the numbers that widgets show.
func (r *asking) slow(site string) *readBreaker {
	return &r.slows[maphash.String(r.seed, site)%slowLanes]
}

// askSlowly lets a slow read try, unless the store is known to be away.
func (r *asking) askSlowly(site string) (b *readBreaker, ok bool) {
	now := r.opt.Now().UnixNano()
	if r.lane(site).breaker.openUntil.Load() > now {
		return nil, false
	}
	b = r.slow(site)
	return b, b.enter(now)
}

// readBreaker keeps reads away from a Redis that does not answer: without it
// every read would first wait for a dial or a timeout. After a failure it is
// open for a while; then one read at a time may try, and a success closes it.
// The zero value is closed.
type readBreaker struct {
	openUntil atomic.Int64 // Unix nanoseconds; 0: closed
	probing   atomic.Bool  // a read is trying while the breaker is not closed
}

// enter says whether Redis may be asked; if so, leave must follow.
func (b *readBreaker) enter(now int64) bool {
	until := b.openUntil.Load()
	if until == 0 {
		return true
	}
	return now >= until && b.probing.CompareAndSwap(false, true)
}

// leave takes note of how asking went. gone tells that the asker itself gave
// up, which says nothing about Redis.
func (b *readBreaker) leave(now time.Time, retryAfter time.Duration, err error, gone bool) {
	switch {
	case err == nil || !gone && !outage(err):
		b.openUntil.Store(0)
	case !gone:
		b.openUntil.Store(now.Add(retryAfter).UnixNano())
	}
	b.probing.Store(false)
}

// outage tells a server that cannot serve anybody from one that rejects this
// command (such as a key of a wrong type).
func outage(err error) bool {
	var reply redis.Error
	if !errors.As(err, &reply) {
		return true
	}
	var netErr net.Error
	if errors.As(err, &netErr) || errors.Is(err, context.DeadlineExceeded) {
		return true
	}
	for _, state := range []string{"LOADING", "BUSY", "CLUSTERDOWN", "MASTERDOWN", "TRYAGAIN", "NOAUTH", "ERR max number of clients"} {
		if strings.HasPrefix(reply.Error(), state) {
			return true
		}
	}
	return false
}
