package counter

import (
	"encoding/binary"
	"time"
)

// recent remembers moments of keys for one width of time, in buckets of that
// width, so that "the same again within the width" can be told. What it knows
// is appended to Redis with the batch that counted it, so it survives restarts
// and replays.
type recent struct {
	name    string
	width   int64 // milliseconds
	buckets map[int64]*bucket
}

// bucket is one width of time.
type bucket struct {
	number int64
	times  times64
	length int64  // bytes of its key, those of closed batches included
	used   uint64 // number of the last batch that added to it or loaded it
}

// seenEntry is the packed size of an entry: hash and moment.
const seenEntry = 12

func newRecent(name string, width time.Duration) *recent {
	return &recent{name: name, width: width.Milliseconds(), buckets: map[int64]*bucket{}}
}

// within reports whether key was remembered less than a width from t, before
// or after it: segments are read side by side, so lines of two workers may
// come in either order. load fetches a bucket that is not in memory.
func (r *recent) within(key uint64, t int64, load func(*recent, int64) (*bucket, error)) (bool, error) {
	now := t / r.width
	for n := now - 1; n <= now+1; n++ {
		b := r.buckets[n]
		if b == nil {
			var err error
			if b, err = load(r, n); err != nil {
				return false, err
			}
			r.buckets[n] = b
		}
		at, ok := b.times.get(key)
		if !ok {
			continue
		}
		if d := n*r.width + int64(at) - t; -r.width < d && d < r.width {
			return true, nil
		}
	}
	return false, nil
}

// place is the bucket of t, which within has loaded, and the moment in it.
func (r *recent) place(t int64) (*bucket, uint32) {
	return r.buckets[t/r.width], uint32(t % r.width)
}

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
	for n, b := range r.buckets {
		if b.used < number {
			delete(r.buckets, n)
		}
	}
}
