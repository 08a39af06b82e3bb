package counter

import (
	"cmp"
	"fmt"
	"slices"
	"sync"
	"time"

	"ddkk-stats/parser"
)

// Rules are what may change while counting goes on. What is zero or nil stays
// as it is.
type Rules struct {
	Parsers       []*parser.Parser // of the inputs, in their order
	Limits        *Limits
	BatchSize     int
	BatchInterval time.Duration
	Forget        []string // sites that were deleted
	Applied       func()   // is told when they are in force; may be nil
}

// Limits are the rules that need what was counted before, beside those of the
// parser. See Options; zeros take its defaults.
type Limits struct {
	MaxPages, MaxSites     int
	MaxPagesEver           int
	MaxEndpoints, MaxUsers int
	DedupeWindow           func(site string) time.Duration
}

// rulesBox holds the rules that the loop has not taken yet.
type rulesBox struct {
	mu   sync.Mutex
	next *Rules
	wake chan struct{}
}

func newRulesBox() rulesBox { return rulesBox{wake: make(chan struct{}, 1)} }

func (b *rulesBox) put(r Rules) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.next = r.after(b.next)
}

// after are the rules where those of old wait to come into force as well.
func (r Rules) after(old *Rules) *Rules {
	if old == nil {
		return &r
	}
	if r.Parsers == nil {
		r.Parsers = old.Parsers
	}
	if r.Limits == nil {
		r.Limits = old.Limits
	}
	r.BatchSize = cmp.Or(r.BatchSize, old.BatchSize)
	r.BatchInterval = cmp.Or(r.BatchInterval, old.BatchInterval)
	r.Forget = append(slices.Clip(old.Forget), r.Forget...)
	if r.Applied == nil {
		r.Applied = old.Applied
	} else if old.Applied != nil {
		both := [2]func(){old.Applied, r.Applied}
		r.Applied = func() { both[0](); both[1]() }
	}
	return &r
}

func (b *rulesBox) take() *Rules {
	b.mu.Lock()
	defer b.mu.Unlock()
	r := b.next
	b.next = nil
	return r
}

// heed returns the rules that wait for the batches, with those that came.
func (b *rulesBox) heed(waiting *Rules) *Rules {
	if r := b.take(); r != nil {
		return r.after(waiting)
	}
	return waiting
}

// Apply has the ingester go on by other rules. They come into force between two
// blocks, when all lines that were read by the old ones are on their way to
// Redis: no batch, and so no step of a checkpoint, has lines of both. The log
// says from which line on. A line that was written after Apply is read by them. It does not wait; what comes before the loop gets to
// an earlier change is added to it. Any goroutine.
func (in *Ingester) Apply(r Rules) error {
	if r.Parsers != nil && len(r.Parsers) != len(in.inputs) {
		return fmt.Errorf("apply rules: BUG: %d parsers for %d logs", len(r.Parsers), len(in.inputs))
	}
	in.rules.put(r)
	select {
	case in.rules.wake <- struct{}{}:
	default: // it will find the newer ones
	}
	return nil
}

// switchRules brings the rules that wait into force once all batches are
// settled: what Redis refuses of the last one is read again by the new rules.
func (in *Ingester) switchRules() {
	r := in.loop.rules
	if r == nil || !in.open.empty() || in.flight != nil || in.again != nil {
		return
	}
	in.loop.rules = nil
	if r.Applied != nil {
		defer r.Applied()
	}
	in.forgetSites(r.Forget)
	if r.BatchSize > 0 {
		in.budget.limit(r.BatchSize)
	}
	if r.BatchInterval > 0 {
		in.opt.BatchInterval = r.BatchInterval
	}
	if r.Parsers == nil && r.Limits == nil {
		return
	}
	for i, p := range r.Parsers {
		in.inputs[i].Parser = p
		if !in.places.passed {
			in.places.passed, in.places.signs = true, in.audits.signs
		}
	}
	if r.Limits != nil {
		in.limit(in.opt.limited(*r.Limits))
		in.windows.set(in.opt.DedupeWindow)
	}
	in.cur = cursor{}
	in.log.Info("new rules apply to lines from here on", "segments", in.places.String())
}
