package counter

import (
	"context"
	"maps"
	"sync"
	"time"

	"github.com/cespare/xxhash/v2"
)

// waiters lets readers wait until a line is counted.
type waiters struct {
	mu     sync.Mutex
	next   chan struct{} // closed at the next commit
	floors map[string]int64
	views  [2]map[uint64]struct{} // view ids counted lately, in two generations
	turned time.Time
}

func newWaiters() waiters {
	return waiters{next: make(chan struct{}), floors: map[string]int64{},
		views: [2]map[uint64]struct{}{{}, {}}}
}

// viewMemory is how long a counted view id can be asked for.
const viewMemory = 30 * time.Second

func viewKey(id []byte) uint64 { return xxhash.Sum64(id) }

// counted wakes everybody who waits.
func (w *waiters) counted(segs map[string]*segment, views []uint64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for id, s := range segs {
		w.floors[id] = s.floor
	}
	if now := time.Now(); now.Sub(w.turned) > viewMemory {
		w.views[0], w.views[1], w.turned = w.views[1], map[uint64]struct{}{}, now
	}
	for _, v := range views {
		w.views[1][v] = struct{}{}
	}
	close(w.next)
	w.next = make(chan struct{})
}

// until waits for ok, which is asked under the lock, to become true.
func (w *waiters) until(ctx context.Context, ok func() bool) error {
	for {
		w.mu.Lock()
		done, next := ok(), w.next
		w.mu.Unlock()
		if done {
			return nil
		}
		select {
		case <-next:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// Floors are the offsets up to which each segment is counted for every site.
func (in *Ingester) Floors() map[string]int64 {
	all := in.places.resume.all()
	in.wait.mu.Lock()
	defer in.wait.mu.Unlock()
	maps.Copy(all, in.wait.floors)
	return all
}

// WaitCounted returns once everything of the segment up to end is counted, or
// with ctx's error.
func (in *Ingester) WaitCounted(ctx context.Context, segment string, end int64) error {
	return in.wait.until(ctx, func() bool {
		at, ok := in.wait.floors[segment]
		if !ok {
			at = in.places.resume.offset(segment)
		}
		return at >= end
	})
}

// WaitView returns once a line with this view id was counted lately, or with
// ctx's error.
func (in *Ingester) WaitView(ctx context.Context, id string) error {
	key := viewKey([]byte(id))
	return in.wait.until(ctx, func() bool {
		_, a := in.wait.views[0][key]
		_, b := in.wait.views[1][key]
		return a || b
	})
}
