package counter

import (
	"encoding/binary"

	"ddkk-stats/parser"
)

// Views of people are counted some at a time. What a view changes (its page, the
// day's visitors, the pairs) lies far apart in memory that no processor keeps all
// of; looking at the places of many views one after the other has it fetch them
// side by side, where one view after the other would wait for each.

// view is one that is not counted yet.
type view struct {
	part    *part
	day     *dayChange
	page    *page
	visitor parser.Visitor // zero: not to be told
	pair    uint64
	terms   [parser.NumTerms]termView
}

// views wait to be counted: within one block of lines at most, and never while
// something else reads or replaces the state of a site.
type views struct {
	waiting [32]view
	n       int
	touched uint64 // keeps the compiler from leaving the looking out
}

// later has a view counted with those that follow.
func (a *aggregate) later(v view) {
	w := &a.views
	w.waiting[w.n] = v
	if w.n++; w.n == len(w.waiting) {
		a.countViews()
	}
}

// countViews counts the views that wait.
func (a *aggregate) countViews() {
	w, b := &a.views, a.open
	all := w.waiting[:w.n]
	for i := range all {
		v := &all[i]
		d := v.day.state
		w.touched += uint64(v.page.index) + d.visitors.touch(lowHalf(&v.visitor)) + d.pairs.touch(v.pair)
		if a.caps.uniques > 0 {
			w.touched += d.touchTerms(v)
		}
	}
	for i := range all {
		v := &all[i]
		before := len(v.day.pages)
		ch := v.day.view(v.page, uint32(b.number))
		if n := len(v.day.pages) - before; n > 0 {
			b.pages += n
			b.weigh(v.part, len(v.page.name)) // at least: it may go to the pending list
		}
		if v.visitor.IsZero() {
			continue
		}
		if v.day.visitor(&v.visitor) {
			b.weigh(v.part, perVisit)
		}
		if v.day.pairs.add(v.pair, v.page.index) {
			ch.uv++
			b.weigh(v.part, perPair)
		}
		if a.caps.uniques > 0 {
			v.countTerms(b, v.page.index)
		}
	}
	clear(all) // what they point to may go
	w.n = 0
}

// lowHalf is what is remembered of a visitor.
func lowHalf(v *parser.Visitor) uint64 { return binary.LittleEndian.Uint64(v[:8]) }
