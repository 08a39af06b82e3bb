package counter

import (
	"sync/atomic"
	"time"
)

// scriptTime is how long one script may hold Redis: others wait meanwhile. It
// is a quarter of that while somebody reads; then a backlog takes more trips.
const (
	scriptTime = 4 * time.Millisecond
	whileRead  = 4
)

// budget is how many writes fit into scriptTime on this Redis, learned from
// what earlier scripts took; at most BatchSize. Safe for concurrent use.
type budget struct {
	most atomic.Int64
	fits atomic.Int64
	trip atomic.Int64 // the shortest round trip seen, in nanoseconds; 0: none yet
	read func() bool  // tells that somebody reads
	// fixed is for the embedded store: it copies a packed key whole when
	// something is appended, so that short scripts only make it slower.
	fixed bool
}

const (
	// minBudget keeps batches worth their round trip on the slowest machine.
	minBudget = 300
	// firstBudget fits a slow machine: nothing is learned yet.
	firstBudget = 1000
	// What a batch costs Redis is told in bytes appended to a packed key. A
	// write with a command of its own, 2 to 4 us by INFO commandstats with its
	// arguments, is worth as many as are copied meanwhile (6 ns each: they go
	// into memory that was not touched before). A new visitor is one of many
	// members of one SADD and takes half of that.
	perWrite = 512
	perVisit = perWrite / 2
	perPair  = 8
	perSeen  = seenEntry
	perFacet = 8 // and its name
)

func newBudget(most int, read func() bool, fixed bool) *budget {
	b := &budget{read: read, fixed: fixed}
	b.limit(most)
	return b
}

// limit sets the most that the budget may be, and starts learning anew.
func (b *budget) limit(most int) {
	b.most.Store(int64(most))
	if b.fixed {
		b.fits.Store(int64(most))
		return
	}
	b.fits.Store(int64(min(most, firstBudget)))
}

// spent learns from scripts: how many writes, and how long they took. Waiting
// for other clients is in the time as well, so one answer does not move the
// budget to what it says, but three or four do.
func (b *budget) spent(writes int, took time.Duration) {
	took -= time.Duration(b.trip.Load())
	if b.fixed || writes < minBudget/2 || took <= 0 {
		return
	}
	now := b.fits.Load()
	fits := int64(float64(writes) * float64(scriptTime) / float64(took))
	next := now + (min(max(fits, now/4), 2*now)-now)/2
	b.fits.Store(min(max(next, minBudget), b.most.Load()))
}

// answered learns what a round trip takes that asks for next to nothing, which a
// script's time is without.
func (b *budget) answered(took time.Duration) {
	if best := b.trip.Load(); best == 0 || int64(took) < best {
		b.trip.Store(int64(took))
	}
}

// whole is how many writes fit into scriptTime.
func (b *budget) whole() int { return int(b.fits.Load()) }

// writes is the budget of one batch.
func (b *budget) writes() int {
	n := b.whole()
	if !b.fixed && b.read() {
		n = max(n/whileRead, min(minBudget, n))
	}
	return n
}

// pages is how many pages one fold step may spread.
func (b *budget) pages() int { return max(1, b.writes()/writesPerPage) }
