package counter

import (
	"sync/atomic"
	"time"
)

// redisClock is the time as Redis has it, which decides when keys die: this host's clock
// may be another one by far, and a key that is taken for dead would lack what it is to hold.
// Nothing is asked for it alone: a look each second brings the time along. Any goroutine.
type redisClock struct {
	own  func() time.Time // until Redis told its time
	told atomic.Pointer[toldTime]
}

// toldTime is what Redis told, and when: a jump of this host's clock does not matter.
type toldTime struct{ redis, at time.Time }

func (c *redisClock) tell(redis time.Time) {
	if !redis.IsZero() {
		c.told.Store(&toldTime{redis, time.Now()})
	}
}

func (c *redisClock) now() time.Time {
	if t := c.told.Load(); t != nil {
		return t.redis.Add(time.Since(t.at))
	}
	return c.own()
}
