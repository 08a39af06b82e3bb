package counter

import (
	"context"
	"sync"

	"github.com/redis/go-redis/v9"
	"golang.org/x/sync/errgroup"
)

// sender sends commands in pipelines of which a few are under way at once, so
// that Redis works while the archive is read. Their order is not kept: what must
// come later comes after a barrier, and what belongs together in one pipeline.
// One goroutine uses it; a fork is for another.
type sender struct {
	ctx   context.Context
	redis redis.UniversalClient
	pipe  redis.Pipeliner
	rows  int64 // since the last trip
	work  *errgroup.Group
	alive context.Context
	told  *progressOf
}

// progressOf is told by several senders.
type progressOf struct {
	mu   sync.Mutex
	rows int64
	tell func(rows int64)
}

// rowsPerTrip is how many rows go out in one pipeline, and tripsAtOnce how many of
// those are under way.
const (
	rowsPerTrip = 2000
	tripsAtOnce = 2
)

func newSender(ctx context.Context, rdb redis.UniversalClient, tell func(rows int64)) *sender {
	s := &sender{ctx: ctx, redis: rdb, told: &progressOf{tell: tell}}
	s.begin()
	return s
}

func (s *sender) fork() *sender {
	f := &sender{ctx: s.ctx, redis: s.redis, told: s.told}
	f.begin()
	return f
}

func (s *sender) begin() {
	s.pipe = s.redis.Pipeline()
	s.work, s.alive = errgroup.WithContext(s.ctx)
	s.work.SetLimit(tripsAtOnce)
}

// row counts one row and sends the pipeline when it is long enough.
func (s *sender) row() error { return s.sent(1) }

// sent counts rows, likewise.
func (s *sender) sent(n int64) error {
	if s.rows += n; s.rows < rowsPerTrip {
		return nil
	}
	return s.flush()
}

// flush sends the pipeline. It waits where enough of them are under way.
func (s *sender) flush() error {
	if s.alive.Err() != nil {
		return s.barrier()
	}
	pipe, rows := s.pipe, s.rows
	s.pipe, s.rows = s.redis.Pipeline(), 0
	if pipe.Len() == 0 {
		s.told.add(rows)
		return nil
	}
	s.work.Go(func() error {
		_, err := pipe.Exec(s.alive)
		if err == nil {
			s.told.add(rows)
		}
		return err
	})
	return nil
}

// barrier sends what is left and waits until all of it is done.
func (s *sender) barrier() error {
	if s.alive.Err() == nil {
		if err := s.flush(); err != nil {
			return err
		}
	}
	err := s.work.Wait()
	s.begin()
	if err == nil {
		err = s.ctx.Err()
	}
	return err
}

func (p *progressOf) add(rows int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.rows += rows
	if p.tell != nil {
		p.tell(p.rows)
	}
}
