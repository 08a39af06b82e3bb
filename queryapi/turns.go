package queryapi

import (
	"context"
	"errors"
	"hash/maphash"
	"time"

	"github.com/valyala/fasthttp"
)

// turns bounds the slow requests that are worked on at the same time, of all
// sites and of each: those of one wait for each other, and leave room for others.
type turns struct {
	seed  maphash.Seed
	all   chan struct{}
	lanes [turnLanes]chan struct{}
}

const (
	// maxSeries bounds the requests for past days that are worked on at the
	// same time: anybody may send them, and they can cost SQL something.
	maxSeries = 8
	// maxLane bounds those of the sites of one lane.
	maxLane   = 2
	turnLanes = 64
	// seriesTimeout bounds one of them, its turn included.
	seriesTimeout = 10 * time.Second
)

// newTurns makes turns of which a lane has so many at most.
func newTurns(lane int) *turns {
	t := &turns{seed: maphash.MakeSeed(), all: make(chan struct{}, maxSeries)}
	for i := range t.lanes {
		t.lanes[i] = make(chan struct{}, lane)
	}
	return t
}

// take waits for a turn; the caller gives it back.
func (t *turns) take(ctx context.Context, site string) (back func(), ok bool) {
	lane := t.lanes[maphash.String(t.seed, site)%turnLanes]
	select {
	case lane <- struct{}{}:
	case <-ctx.Done():
		return nil, false
	}
	select {
	case t.all <- struct{}{}:
	case <-ctx.Done():
		<-lane
		return nil, false
	}
	return func() { <-t.all; <-lane }, true
}

// workKey is where a request keeps how long it was worked on.
type workKey struct{}

// series runs f when it is its turn and tells the client what its errors mean.
// What strangers ask for keeps no turn from the admin.
func (s *Server) series(ctx *fasthttp.RequestCtx, site string, f func(context.Context) error) error {
	work, cancel := context.WithTimeout(s.base, seriesTimeout)
	defer cancel()
	turns := s.turns
	if ctx.UserValue(adminKey{}) != nil {
		turns = s.adminTurns
	}
	back, ok := turns.take(work, site)
	if !ok {
		return fail(fasthttp.StatusServiceUnavailable, CodeUnavailable, "too many requests for past days at once: try again")
	}
	defer back()
	began := s.cfg.Now()
	err := f(work)
	ctx.SetUserValue(workKey{}, s.cfg.Now().Sub(began))
	if errors.Is(err, ErrArchiveAway) || err != nil && work.Err() != nil {
		s.cfg.Logger.Warn("past days cannot be read", "err", err)
		return archiveAway()
	}
	return err
}

func archiveAway() error {
	return fail(fasthttp.StatusServiceUnavailable, CodeArchiveAway, "the archive does not answer: try again later, or ask for newer days")
}
