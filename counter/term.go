package counter

import (
	"slices"
	"time"

	"ddkk-stats/counter/keys"
	"ddkk-stats/parser"
)

// Visitors of a week and of a month (UNIQUES) are counted as those of a day are, with
// another span: a packed key has who was there and who saw what, and a hash the
// numbers. A day's change has those of its week and its month with it, so a line looks
// for neither.
//
// What is exact of them is what is exact of pairs: the length of the packed key is
// checked with each commit, two hosts merge what they append to it, and its entries are
// as many as the visitors in the hash.

// term is what is remembered of one site's week or month.
type term struct {
	kind  parser.Term
	first parser.Day
	name  string // as in keys
	pairs pairSet
	seen  bool // its hash was there after our last commit
	part  bool // it began before it was counted: its numbers are not whole
	noted bool // the hash says so
	gone  bool // forgotten: days must not use it any more

	used    uint64
	touched time.Time
}

// The fields of a term's hash: visitors of the site, those of a page before the page's
// name, and whether the term began before it was counted.
const (
	TermSite = "s"
	TermPage = "p"
	TermPart = "i"
)

// termChange is what a part changes in a term on one day; the visitors of pages are in
// the day's changes of pages.
type termChange struct {
	state *term // nil: not counted
	pairs pairChange
	uv    int64
}

// ofSite is the owner of the pair that stands for the whole site.
const ofSite = -1

// notNew takes back the visitor that an entry of a term's pairs stands for.
func (c *dayChange) notNew(t int, o int32) {
	if o == ofSite {
		c.terms[t].uv--
	} else {
		c.pages[o].terms[t]--
	}
}

// termEnd is when the keys of a term die: late lines come for as long as visitors of a
// day are remembered.
func termEnd(loc *time.Location, kind parser.Term, first parser.Day, uvTTL time.Duration) time.Time {
	return expiry(loc, kind.End(first), uvTTL)
}

// link has a day know its terms: those of the site that are in memory, else what was
// loaded, or nothing of a site that is new.
func (a *aggregate) link(s *site, d *dayState, loaded [parser.NumTerms]*term) {
	for k := range parser.Term(a.caps.uniques) {
		t := s.terms[k.Name(d.day)]
		if t == nil || t.gone || !a.stillGood(t.used, t.touched) {
			if t = loaded[k]; t == nil {
				continue
			}
			if old := s.terms[t.name]; old != nil {
				old.gone = true
			}
			if s.terms == nil {
				s.terms = map[string]*term{}
			}
			s.terms[t.name] = t
		}
		d.terms[k] = t
	}
}

// newTerms are those of a day of which nothing is known, but for those whose keys are
// dead, or nearly so.
func (a *aggregate) newTerms(day parser.Day) (all [parser.NumTerms]*term) {
	for k := range parser.Term(a.caps.uniques) {
		t := &term{kind: k, first: k.First(day), name: k.Name(day), used: a.number, touched: a.now}
		if writable(termEnd(a.caps.location, k, t.first, a.caps.uvTTL), a.redisNow) {
			all[k] = t
		}
	}
	return all
}

// wantedTerms are those of a site's day that are not in memory.
func (a *aggregate) wantedTerms(s *site, day parser.Day) [parser.NumTerms]*term {
	all := a.newTerms(day)
	for k, t := range all {
		if t == nil {
			continue
		}
		if have := s.terms[t.name]; have != nil && !have.gone && a.stillGood(have.used, have.touched) {
			all[k] = nil
		}
	}
	return all
}

// termsGood tells whether what a day knows of its terms is still in Redis, and notes that
// it is in use.
func (d *dayState) termsGood(a *aggregate) bool {
	for _, t := range d.terms {
		if t == nil {
			continue
		}
		if t.gone || !a.stillGood(t.used, t.touched) {
			return false
		}
		t.touched = a.now
	}
	return true
}

// touchTerms looks at the places of a view, as set64.touch does.
func (d *dayState) touchTerms(v *view) (n uint64) {
	for t, x := range d.terms {
		if x != nil {
			n += x.pairs.touch(v.terms[t].visitor) + x.pairs.touch(v.terms[t].pair)
		}
	}
	return n
}

// countTerms counts a view in the terms of its day.
func (v *view) countTerms(b *batch, page int32) {
	for t := range v.day.terms {
		c := &v.day.terms[t]
		if c.state == nil || v.terms[t].visitor == 0 {
			continue
		}
		if c.pairs.add(v.terms[t].visitor, ofSite) {
			c.uv++
			b.weigh(v.part, perPair)
		}
		if c.pairs.add(v.terms[t].pair, page) {
			v.day.pages[page].terms[t]++
			b.weigh(v.part, perPair+perWrite)
		}
	}
}

// termView is a view in a term: its visitor and what was seen, as pairs.
type termView struct{ visitor, pair uint64 }

// seenInTerms makes the pairs of a view.
func seenInTerms(h *parser.Hit, name []byte) (all [parser.NumTerms]termView) {
	for t := range all {
		if v := h.Terms[t]; !v.IsZero() {
			all[t] = termView{parser.TermHash(v), parser.PairHash(v, name)}
		}
	}
	return all
}

// maxTermWeight is the memory that terms may take before those go that no batch in hand
// uses. It is not that of days: a large site's month must not push out other sites' days.
const maxTermWeight = 256 << 20

// trimTerms forgets terms that no batch in hand uses. The days that use them find out.
func (a *aggregate) trimTerms(s *site, now time.Time, keep uint64) {
	for name, t := range s.terms {
		old := now.Sub(t.touched) > idleDay
		if t.used < keep && (old || a.termWeight > maxTermWeight) {
			a.termWeight -= t.weight()
			t.gone = true
			delete(s.terms, name)
		}
	}
}

func (t *term) weight() int { return 8 * len(t.pairs.slots) }

// terms writes the hashes of terms, and returns how many.
func (e *encoder) terms(c *call, p *part) (n int) {
	for _, d := range p.days {
		for t := range d.terms {
			if x := &d.terms[t]; x.state != nil && e.term(c, p, d, t) {
				n++
			}
		}
	}
	return n
}

// term writes the hash of one term; false: there is nothing to write.
func (e *encoder) term(c *call, p *part, d *dayChange, t int) bool {
	x := &d.terms[t]
	var fields []any
	if x.uv > 0 {
		fields = append(fields, TermSite, x.uv)
	}
	if x.state.part && !x.state.noted {
		fields = append(fields, TermPart, 1)
	}
	if !p.deferred {
		for i := range d.pages {
			if uv := d.pages[i].terms[t]; uv > 0 {
				fields = append(fields, TermPage+d.pages[i].page.name, uv)
			}
		}
	}
	if len(fields) == 0 {
		return false
	}
	c.key(e.keys.TermVisitors(p.site.name, x.state.name))
	c.arg(e.termEnd(x.state).Unix(), known(x.state.seen, keys.MarkTerm, x.state.name), len(fields)/2)
	c.arg(fields...)
	return true
}

func (e *encoder) termEnd(t *term) time.Time { return termEnd(e.loc, t.kind, t.first, e.uvTTL) }

// termPairs appends to the packed keys of terms, and returns how many.
func (e *encoder) termPairs(c *call, p *part) (n int) {
	for _, d := range p.days {
		for t := range d.terms {
			x := &d.terms[t]
			if x.state == nil || len(x.pairs.packed) == 0 {
				continue
			}
			end := e.termEnd(x.state)
			c.key(e.keys.TermPairs(p.site.name, x.state.name))
			c.arg(max(1, seconds(end.Sub(e.redisNow()))), end.Unix(), "0", checkedOr(x.pairs.before, keys.MarkTermPairs, x.state.name), x.pairs.packed)
			n++
		}
	}
	return n
}

// termChecks are the terms whose packed keys a part is checked by: each once, where the
// part begins in it.
func (p *part) termChecks() (all []*termChange) {
	var done []*term
	for _, d := range p.days {
		for t := range d.terms {
			x := &d.terms[t]
			if x.state == nil || slices.Contains(done, x.state) {
				continue
			}
			done = append(done, x.state)
			all = append(all, x)
		}
	}
	return all
}

// termsApplied remembers what Redis has of terms after a commit.
func (d *dayChange) termsApplied(deferred bool) {
	for t := range d.terms {
		x := &d.terms[t]
		if x.state == nil {
			continue
		}
		wrote := x.uv > 0 || x.state.part && !x.state.noted
		for i := range d.pages {
			wrote = wrote || !deferred && d.pages[i].terms[t] > 0
		}
		x.state.seen = x.state.seen || wrote
		x.state.noted = x.state.noted || x.state.part
	}
}

// termBlob packs the visitors of pages in a term; nil: there are none.
func termBlob(d *dayChange, t int) []byte {
	x, b := &d.terms[t], []byte(nil)
	if x.state == nil {
		return nil
	}
	for i := range d.pages {
		if uv := d.pages[i].terms[t]; uv > 0 {
			if b == nil {
				b = appendElement(nil, uint32(x.state.first)|ofTerm[t], 0)
			}
			b = appendPending(b, d.pages[i].page.name, 0, int64(uv))
		}
	}
	return b
}

// foldTerm adds the sections of a step with visitors of pages in a term.
func (e *encoder) foldTerm(c *call, name string, kind parser.Term, all []pendingPage) (writes int) {
	c.arg(0, 0, 0) // no types, no visitors, no counters
	first := all[0].day
	end := termEnd(e.loc, kind, first, e.uvTTL)
	if !writable(end, e.redisNow()) {
		c.arg(0, 0) // neither hashes nor ranks: the step only goes
		return 0
	}
	c.arg(1)
	c.key(e.keys.TermVisitors(name, kind.Name(first)))
	c.arg(end.Unix(), known(false, keys.MarkTerm, kind.Name(first)), len(all))
	for i := range all {
		c.arg(TermPage+all[i].name, all[i].uv)
	}
	c.arg(0) // no ranks
	return len(all)
}
