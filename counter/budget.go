package counter

import (
	"sync/atomic"
	"time"
)

// scriptTime is how long one script may hold Redis: others wait meanwhile.
const scriptTime = 4 * time.Millisecond

// budget is how many writes fit into scriptTime on this Redis, learned from
// what earlier scripts took; at most BatchSize. Safe for concurrent use.
type budget struct {
	most atomic.Int64
	now  atomic.Int64
}

// minBudget keeps batches worth their round trip on the slowest machine.
const minBudget = 300

func newBudget(most int) *budget {
	b := &budget{}
	b.limit(most)
	return b
}

// limit sets the most that the budget may be, and starts learning from there.
func (b *budget) limit(most int) {
	b.most.Store(int64(most))
	b.now.Store(int64(most))
}

// spent learns from one script: how many writes, and how long it took. Waiting
// for other clients is in the time as well, so one slow answer moves the budget
// by a quarter only.
func (b *budget) spent(writes int, took time.Duration) {
	if writes < minBudget/2 || took <= 0 {
		return
	}
	now := b.now.Load()
	fits := int64(float64(writes) * float64(scriptTime) / float64(took))
	next := now + (min(max(fits, now/2), 2*now)-now)/4
	b.now.Store(min(max(next, minBudget), b.most.Load()))
}

// writes is the budget of one batch.
func (b *budget) writes() int { return int(b.now.Load()) }

// pages is how many pages one fold step may spread.
func (b *budget) pages() int { return max(1, b.writes()/writesPerPage) }
