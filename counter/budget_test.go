package counter

import (
	"testing"
	"time"
)

// A budget follows what scripts take within a few of them, in both directions,
// and is shorter while somebody reads.
func TestBudget(t *testing.T) {
	reading := false
	b := newBudget(3000, func() bool { return reading }, false)
	after := func(scripts int, each time.Duration) int {
		for range scripts {
			b.spent(b.writes(), time.Duration(b.writes())*each)
		}
		return b.writes()
	}
	for _, c := range []struct {
		each   time.Duration // of a write
		lo, hi int
	}{
		{time.Microsecond, 2900, 3000}, // 4000 fit: BatchSize bounds it
		{4 * time.Microsecond, 1000, 1100},
		{time.Second, minBudget, minBudget},
		{2 * time.Microsecond, 1800, 2000},
	} {
		if n := after(6, c.each); n < c.lo || n > c.hi {
			t.Errorf("%d writes after six scripts of %v a write, want %d to %d", n, c.each, c.lo, c.hi)
		}
	}
	was := b.whole()
	b.spent(minBudget/2-1, time.Second)
	b.spent(1000, 0)
	if b.whole() != was {
		t.Error("scripts that say nothing moved the budget")
	}
	reading = true
	if n := b.writes(); n != was/whileRead {
		t.Errorf("%d writes of %d while somebody reads", n, was)
	}
	after(10, time.Second)
	if n := b.writes(); n != minBudget {
		t.Errorf("%d writes on a slow Redis while somebody reads", n)
	}
	embedded := newBudget(3000, func() bool { return true }, true)
	embedded.spent(1000, time.Second)
	if n := embedded.writes(); n != 3000 {
		t.Errorf("%d writes of the embedded store", n)
	}
	b.limit(100)
	if n := b.writes(); n != 100 {
		t.Errorf("%d writes, BatchSize is 100", n)
	}
}
