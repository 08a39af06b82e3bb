package counter

import (
	"encoding/binary"
	"sync/atomic"
	"time"

	"ddkk-stats/counter/keys"
)

// recent remembers moments of keys for one width of time, in buckets of that
// width, so that "the same again within the width" can be told. What it knows
// is appended to Redis with the batch that counted it, so it survives restarts
// and replays.
type recent struct {
	name    string
	width   int64 // milliseconds
	buckets map[int64]*bucket
	near    [3]*bucket // the ones around the last line's time
}

// bucket is one width of time.
type bucket struct {
	number int64
	times  times64
	length int64  // bytes of its key, those of closed batches included
	used   uint64 // number of the last batch that added to it or loaded it
}

// The duplicate rules by name, as they stand in the keys.
const (
	RuleID     = keys.RuleID     // the same view id of the same visitor
	RuleWindow = keys.RuleWindow // the same page from the same address (DEDUPE_WINDOW)
)

// DefaultIDWindow is how long a view id is remembered.
const DefaultIDWindow = 10 * time.Minute

// seenEntry is the packed size of an entry: hash and moment.
const seenEntry = 12

func newRecent(name string, width time.Duration) *recent {
	return &recent{name: name, width: width.Milliseconds(), buckets: map[int64]*bucket{}}
}

// keepWindow has the site remember views for DEDUPE_WINDOW; 0: no longer.
func (s *site) keepWindow(width time.Duration) {
	switch {
	case width <= 0:
		s.window = nil
	case s.window == nil || s.window.width != width.Milliseconds():
		s.window = newRecent(RuleWindow, width)
	}
}

// windowBox has DEDUPE_WINDOW as the loop goes by it, for other goroutines.
type windowBox struct {
	of atomic.Pointer[func(site string) time.Duration]
}

func (b *windowBox) set(of func(site string) time.Duration) { b.of.Store(&of) }

func (b *windowBox) width(site string) time.Duration { return (*b.of.Load())(site) }

// within reports whether key was remembered less than a width from t, before
// or after it: segments are read side by side, so lines of two workers may
// come in either order. look has found the buckets.
func (r *recent) within(key uint64, t int64) bool {
	for _, b := range r.near {
		at, ok := b.times.get(key)
		if !ok {
			continue
		}
		if d := b.number*r.width + int64(at) - t; -r.width < d && d < r.width {
			return true
		}
	}
	return false
}

// look makes near the buckets around t; false: one is not in memory. A fresh site
// has seen nothing, so its buckets are made.
func (r *recent) look(t int64, fresh bool, batch uint64) bool {
	n := t / r.width
	if r.near[1] != nil && r.near[1].number == n {
		return true
	}
	r.near = [3]*bucket{}
	for i := range r.near {
		b := r.buckets[n-1+int64(i)]
		if b == nil {
			if !fresh {
				r.near = [3]*bucket{}
				return false
			}
			b = &bucket{number: n - 1 + int64(i), used: batch}
			r.buckets[b.number] = b
		}
		r.near[i] = b
	}
	return true
}

// place is the bucket of t, which look has found, and the moment in it.
func (r *recent) place(t int64) (*bucket, uint32) { return r.near[1], uint32(t % r.width) }

// fill reads packed entries.
func (b *bucket) fill(packed []byte) {
	for ; len(packed) >= seenEntry; packed = packed[seenEntry:] {
		b.times.put(binary.LittleEndian.Uint64(packed), binary.LittleEndian.Uint32(packed[8:]))
	}
}

// forget drops buckets that batches from number on have not touched.
func (r *recent) forget(number uint64) {
	if len(r.buckets) <= 4 {
		return
	}
	r.near = [3]*bucket{}
	for n, b := range r.buckets {
		if b.used < number {
			delete(r.buckets, n)
		}
	}
}
