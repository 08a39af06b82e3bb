package counter

import (
	"errors"
	"sync/atomic"
	"time"
)

// pulse notes when a goroutine last showed that it is alive: it went round its
// loop, or got an answer, or the failure of one try, from what it waits for. So
// waiting for a Redis that is away is life, and a deadlock is none.
type pulse struct {
	at   atomic.Int64 // Unix nanoseconds
	rest atomic.Bool  // it has nothing to do
}

func (p *pulse) beat(now time.Time) { p.at.Store(now.UnixNano()) }

func (p *pulse) still(now time.Time, limit time.Duration) bool {
	at := p.at.Load()
	return at != 0 && !p.rest.Load() && now.Sub(time.Unix(0, at)) > limit
}

var (
	errLoopStill   = errors.New("the loop that counts stands still")
	errCommitStill = errors.New("the commit to Redis stands still")
)

// Alive tells whether a part of the ingester has stood still for longer than
// limit, which must be longer than one exchange with Redis may take. Before Run
// all is well. Any goroutine.
func (in *Ingester) Alive(limit time.Duration) error {
	now := in.opt.Now()
	switch {
	case in.looping.still(now, limit):
		return errLoopStill
	case in.commit.pulse.still(now, limit):
		return errCommitStill
	}
	return nil
}
