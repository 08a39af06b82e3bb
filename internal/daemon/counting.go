package daemon

import (
	"cmp"
	"context"
	"errors"
	"sync"
	"sync/atomic"

	"ddkk-stats/counter"
	"ddkk-stats/internal/vault"
)

// counting is the ingester as others see it: it comes to life only when Redis
// answers for the first time, and requests are served before that.
type counting struct {
	in    atomic.Pointer[counter.Ingester]
	begun chan struct{}                   // closed when in is set
	waits chan struct{}                   // closed when counting cannot begin yet
	once  sync.Once                       // closes waits
	needs atomic.Pointer[vault.WaitError] // what it waits for; nil: nothing that we know
	ended chan struct{}                   // closed when counting is over
}

func newCounting() *counting {
	return &counting{begun: make(chan struct{}), waits: make(chan struct{}), ended: make(chan struct{})}
}

func (c *counting) begin(in *counter.Ingester) {
	c.in.Store(in)
	close(c.begun)
}

// hold notes that counting waits for Redis or the archive: known not to be a standstill.
func (c *counting) hold(w *vault.WaitError) {
	c.needs.Store(w)
	c.once.Do(func() { close(c.waits) })
}

func (c *counting) end() { close(c.ended) }

// wait returns when counting is over.
func (c *counting) wait() { <-c.ended }

// get waits for the ingester.
func (c *counting) get(ctx context.Context) (*counter.Ingester, error) {
	select {
	case <-c.begun:
		return c.in.Load(), nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// ready waits until counting has begun.
func (c *counting) ready(ctx context.Context) error {
	_, err := c.get(ctx)
	return err
}

// resume is asked by the tailers, which read only once counting has begun.
func (c *counting) resume(segment string) int64 {
	if in := c.in.Load(); in != nil {
		return in.Resume(segment)
	}
	return 0
}

// stats are zero before counting begins.
func (c *counting) stats() counter.IngestStats {
	if in := c.in.Load(); in != nil {
		return in.Stats()
	}
	return counter.IngestStats{}
}

// floors are nil before counting begins.
func (c *counting) floors() map[string]int64 {
	if in := c.in.Load(); in != nil {
		return in.Floors()
	}
	return nil
}

// WaitCounted implements queryapi.Waiter.
func (c *counting) WaitCounted(ctx context.Context, segment string, end int64) error {
	in, err := c.get(ctx)
	if err != nil {
		return err
	}
	return in.WaitCounted(ctx, segment, end)
}

// WaitView implements queryapi.Waiter.
func (c *counting) WaitView(ctx context.Context, id string) error {
	in, err := c.get(ctx)
	if err != nil {
		return err
	}
	return in.WaitView(ctx, id)
}

var errEnded = errors.New("counting has ended")

// trouble is the name of what counting waits for, "" for nothing.
func (c *counting) trouble() counter.Trouble {
	if in := c.in.Load(); in != nil {
		if !in.Stats().Redis {
			return cmp.Or(in.Trouble(), counter.RedisDown)
		}
		return ""
	}
	if w := c.needs.Load(); w != nil {
		return w.Trouble()
	}
	return ""
}

// healthy tells whether the daemon does its work or waits for what it needs.
func (c *counting) healthy(context.Context) error {
	select {
	case <-c.ended:
		return errEnded
	default:
		return nil
	}
}
