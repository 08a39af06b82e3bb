package counter

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"ddkk-stats/parser"
)

// Rules are what may change while counting goes on. What is zero or nil stays
// as it is.
type Rules struct {
	Parsers       []*parser.Parser // of the inputs, in their order
	BatchSize     int
	BatchInterval time.Duration
}

// rulesBox holds the rules that the loop has not taken yet.
type rulesBox struct {
	mu   sync.Mutex
	next *Rules
	wake chan struct{}
}

func newRulesBox() rulesBox { return rulesBox{wake: make(chan struct{}, 1)} }

func (b *rulesBox) take() *Rules {
	b.mu.Lock()
	defer b.mu.Unlock()
	r := b.next
	b.next = nil
	return r
}

// Apply has the ingester go on by other rules. They come into force between two
// blocks, when all lines that were read by the old ones are on their way to
// Redis: no batch, and so no step of a checkpoint, has lines of both. The log
// says from which line on. It does not wait; of several changes that come
// before the loop gets to them the last one counts. Any goroutine.
func (in *Ingester) Apply(r Rules) error {
	if r.Parsers != nil && len(r.Parsers) != len(in.inputs) {
		return fmt.Errorf("apply rules: BUG: %d parsers for %d logs", len(r.Parsers), len(in.inputs))
	}
	in.rules.mu.Lock()
	in.rules.next = &r
	in.rules.mu.Unlock()
	select {
	case in.rules.wake <- struct{}{}:
	default: // it will find the newer ones
	}
	return nil
}

// switchRules brings the rules that wait into force once the open batch is
// gone.
func (in *Ingester) switchRules() {
	r := in.loop.rules
	if r == nil || !in.open.empty() {
		return
	}
	in.loop.rules = nil
	if r.BatchSize > 0 {
		in.budget.limit(r.BatchSize)
	}
	if r.BatchInterval > 0 {
		in.opt.BatchInterval = r.BatchInterval
	}
	if r.Parsers == nil {
		return
	}
	for i, p := range r.Parsers {
		in.inputs[i].Parser = p
	}
	in.cur = cursor{}
	in.log.Info("lines are counted by the new rules from here on", "segments", in.places())
}

// places tells where reading is in the segments that are still read.
func (in *Ingester) places() string {
	var at []string
	for id, s := range in.segs {
		if !s.closed {
			at = append(at, fmt.Sprintf("%s:%d", id, s.pos))
		}
	}
	slices.Sort(at)
	if len(at) == 0 {
		return "none yet"
	}
	return strings.Join(at, " ")
}
