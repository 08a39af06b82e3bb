package edge

import (
	"context"
	"hash/maphash"
)

// Turns bounds the slow requests that are worked on at the same time, of all
// sites and of each: those of one wait for each other, and leave room for others.
type Turns struct {
	seed  maphash.Seed
	All   chan struct{}
	lanes [turnLanes]chan struct{}
}

const (
	// MaxSeries bounds the requests for past days that are worked on at the
	// same time: anybody may send them, and they can cost SQL something.
	MaxSeries = 8
	// MaxLane bounds those of the sites of one lane.
	MaxLane   = 2
	turnLanes = 64
)

// NewTurns makes turns of which a lane has so many at most.
func NewTurns(lane int) *Turns {
	t := &Turns{seed: maphash.MakeSeed(), All: make(chan struct{}, MaxSeries)}
	for i := range t.lanes {
		t.lanes[i] = make(chan struct{}, lane)
	}
	return t
}

// Take waits for a turn; the caller gives it back.
func (t *Turns) Take(ctx context.Context, site string) (back func(), ok bool) {
	lane := t.lanes[maphash.String(t.seed, site)%turnLanes]
	select {
	case lane <- struct{}{}:
	case <-ctx.Done():
		return nil, false
	}
	select {
	case t.All <- struct{}{}:
	case <-ctx.Done():
		<-lane
		return nil, false
	}
	return func() { <-t.All; <-lane }, true
}
