package mirror

import (
	"context"
	"fmt"
	"sync"
	"time"

	"ddkk-stats/counter"
)

// Due is what a sink has not acknowledged, in Redis; a *counter.Mirror is one.
type Due interface {
	Sites(ctx context.Context) ([]string, error)
	State(ctx context.Context, site string) (counter.MirrorState, error)
	SinkDue(ctx context.Context, site string, cursor uint64, n int64) (due []counter.PageTotal, next uint64, err error)
	SinkDone(ctx context.Context, site string, sent []counter.PageTotal) (left int64, err error)
}

// Sink takes pages with their totals. Totals are absolute: sending one twice,
// or an older one before a newer, does no harm.
type Sink interface {
	// Send returns the pages that need not be sent again: those that the sink
	// has, and those that it refuses for good. An error says why others do.
	Send(ctx context.Context, site string, pages []counter.PageTotal) (done []counter.PageTotal, err error)
}

// SendStats is what a Sender did since it was made.
type SendStats struct {
	Sent        int64 // pages that the sink took or refused
	Failures    int64 // runs that failed
	Took        time.Duration
	LastSuccess time.Time // zero: none
}

// Sender sends what is due to a sink. Make one with NewSender.
type Sender struct {
	due   Due
	sink  Sink
	stale func(site string) bool
	now   func() time.Time

	mu    sync.Mutex
	stats SendStats
}

// NewSender makes a Sender; it starts nothing. Sites that stale names are left
// out: their totals are less than they will be.
func NewSender(due Due, sink Sink, stale func(site string) bool, now func() time.Time) *Sender {
	return &Sender{due: due, sink: sink, stale: stale, now: now}
}

// Stats tells what was done. Any goroutine.
func (s *Sender) Stats() SendStats {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.stats
}

// Send sends what is due of all sites. What the sink does not take stays due.
func (s *Sender) Send(ctx context.Context) error {
	start := s.now()
	err := s.send(ctx)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stats.Took += s.now().Sub(start)
	if err != nil {
		s.stats.Failures++
		return err
	}
	s.stats.LastSuccess = s.now()
	return nil
}

func (s *Sender) send(ctx context.Context) error {
	sites, err := s.due.Sites(ctx)
	if err != nil {
		return err
	}
	for _, site := range sites {
		state, err := s.due.State(ctx, site)
		if err != nil {
			return err
		}
		if state.Sink == 0 || state.Closed || s.stale(site) {
			continue
		}
		if err := s.site(ctx, site); err != nil {
			return fmt.Errorf("send pages of %s: %w", site, err)
		}
	}
	return nil
}

// perTrip is how many pages are sent at once.
const perTrip = 1000

// site goes once through a site's due pages; those that come meanwhile may be
// left to the next run.
func (s *Sender) site(ctx context.Context, site string) error {
	for cursor := uint64(0); ; {
		pages, next, err := s.due.SinkDue(ctx, site, cursor, perTrip)
		if err != nil {
			return err
		}
		if len(pages) > 0 {
			done, err := s.sink.Send(ctx, site, pages)
			if len(done) > 0 {
				if _, derr := s.due.SinkDone(ctx, site, done); derr != nil {
					return derr
				}
				s.mu.Lock()
				s.stats.Sent += int64(len(done))
				s.mu.Unlock()
			}
			if err != nil {
				return err
			}
		}
		if cursor = next; cursor == 0 {
			return nil
		}
	}
}
