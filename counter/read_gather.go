package counter

import (
	"context"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"ddkk-stats/parser"
)

const (
	// maxTrips is how many round trips of one lane are under way at a time: one
	// is written and taken apart here while Redis answers the other.
	maxTrips = 2
	// maxTripKeys bounds the keys of one round trip, so that it holds Redis no
	// longer than a commit does.
	maxTripKeys = 2000
)

// lane is one way to Redis. Reads that come while its round trips are under
// way wait and go together in the next one: the more there are, the less each
// costs. One of those that wait leads the others, so no goroutine is needed.
// A cluster has several lanes, so that a node that hangs holds up those sites
// only that share its lane.
type lane struct {
	breaker readBreaker

	mu    sync.Mutex
	trips int
	queue []*asked
}

// asked is one read on its way to Redis.
type asked struct {
	q   *Query
	a   *Answer
	now time.Time
	day parser.Day
	led chan bool // true: lead the next trip; false: the answer is there
	ok  bool      // a holds the answer

	state  *stateAsked // shared with others of the same site
	mget   *redis.SliceCmd
	online *redis.IntCmd
	hot    [NumPeriods]*redis.ZSliceCmd
	terms  [parser.NumTerms]*redis.SliceCmd
}

// ask reads q from Redis into a, unless Redis failed a moment ago; false means
// that a holds nothing of use. It takes as long as the round trip under way and
// one more.
func (r *Reader) ask(ctx context.Context, q *Query, a *Answer, now time.Time) bool {
	if ctx.Err() != nil {
		return false
	}
	if q.Fields == 0 && len(q.Pages) == 0 {
		return true
	}
	x := &asked{q: q, a: a, now: now, day: parser.DayOf(now), led: make(chan bool, 1)}
	l := r.lane(q.Site)
	if l.wait(x) && !<-x.led {
		return x.ok
	}
	together := l.board(x)
	r.travel(ctx, l, together)
	l.handOn()
	for _, other := range together[1:] {
		other.led <- false
	}
	return x.ok
}

// wait queues x if it cannot go at once.
func (l *lane) wait(x *asked) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.trips < maxTrips {
		l.trips++
		return false
	}
	l.queue = append(l.queue, x)
	return true
}

// board takes those who wait along with x, as many as fit.
func (l *lane) board(x *asked) []*asked {
	l.mu.Lock()
	defer l.mu.Unlock()
	keys, n := x.q.keys(), 0
	for n < len(l.queue) && keys < maxTripKeys {
		keys += l.queue[n].q.keys()
		n++
	}
	together := append(make([]*asked, 1, n+1), l.queue[:n]...)
	together[0] = x
	l.leave(n)
	return together
}

// handOn ends a trip and makes one of those who wait lead the next one.
func (l *lane) handOn() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.queue) == 0 {
		l.trips--
		return
	}
	l.queue[0].led <- true
	l.leave(1)
}

// leave takes the first n off the queue.
func (l *lane) leave(n int) {
	rest := copy(l.queue, l.queue[n:])
	clear(l.queue[rest:])
	l.queue = l.queue[:rest]
}

// keys is about how many keys q reads.
func (q *Query) keys() int { return 8 + 2*len(q.Pages) }

// travel makes one round trip for all of them. It is nobody's own, so that one
// who gives up spoils no other's answer.
func (r *Reader) travel(ctx context.Context, l *lane, together []*asked) {
	now := r.opt.Now().UnixNano()
	if !l.breaker.enter(now) {
		return
	}
	r.asked.Store(now)
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), r.opt.Timeout)
	defer cancel()
	pipe := r.rdb.Pipeline()
	for i, x := range together {
		r.queue(ctx, pipe, x, together[:i])
	}
	for _, x := range together {
		if x.q.lags()&lagPages != 0 && x.state.after == nil {
			x.state.after = pipe.LLen(ctx, r.keys.Pending(x.q.Site))
		}
	}
	_, err := pipe.Exec(ctx)
	for _, x := range together {
		failed := r.take(x)
		x.ok = failed == nil && !x.state.remade() && !x.state.old()
		if failed != nil && !outage(err) {
			err = failed // Exec tells the first error; an outage weighs more
		}
	}
	l.breaker.leave(r.opt.Now(), r.opt.RetryAfter, err, false)
	for _, x := range together {
		if x.ok {
			gen := r.learned(x)
			x.a.Stale = gen&x.q.lags() != 0
			r.remember(x.q, x.a, x.now, gen)
		}
		r.noteWhy(x.q.Site, x.state)
	}
}
