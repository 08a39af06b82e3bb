package verify

import (
	"maps"
	"strings"
	"time"

	"ddkk-stats/counter"
	"ddkk-stats/parser"
)

// termCount are the visitors of a week or a month: those that are archived and those of
// the lines that are not.
type termCount struct {
	kind     parser.Term
	first    parser.Day
	pairs    map[uint64]struct{}
	visitors map[string]int64 // by field of the hash
	part     bool             // not all of what is archived tells its visitors
}

// add counts a visitor of the site (no page) or of a page, once.
func (t *termCount) add(hash uint64, page []byte) {
	if _, known := t.pairs[hash]; known {
		return
	}
	t.pairs[hash] = struct{}{}
	if page == nil {
		t.visitors[counter.TermSite]++
	} else {
		t.visitors[counter.TermPage+string(page)]++
	}
}

// countTerms counts a view in its week and month; name is that of its page on its day.
func (r *recount) countTerms(h *parser.Hit, name []byte) error {
	for k := range parser.NumTerms {
		v := h.Terms[k]
		if v.IsZero() {
			continue
		}
		t, err := r.term(k, h.Day)
		if err != nil {
			return err
		}
		t.add(parser.TermHash(v), nil)
		t.add(parser.PairHash(v, name), name)
	}
	return nil
}

// term is the count of a day's week or month.
func (r *recount) term(k parser.Term, d parser.Day) (*termCount, error) {
	name := k.Name(d)
	t := r.terms[name]
	if t == nil {
		t = &termCount{kind: k, first: k.First(d), pairs: map[uint64]struct{}{}, visitors: map[string]int64{}}
		if err := r.beginTerm(t); err != nil {
			return nil, err
		}
		if r.terms == nil {
			r.terms = map[string]*termCount{}
		}
		r.terms[name] = t
	}
	return t, nil
}

// beginTerm tells a term what the archive has of it already.
func (s *subject) beginTerm(t *termCount) error {
	whole, err := s.g.snap.ReadTerm(s.g.ctx, s.name, t.kind, t.first, func(hash uint64, page []byte) error {
		t.add(hash, page)
		return nil
	})
	t.part = !whole
	return err
}

// uniques compares the visitors of weeks and months that Redis has. One that began before
// it was counted has no number, so there is nothing to compare.
func (r *reading) uniques() error {
	o := &r.g.v.opt
	for _, d := range r.allDays() {
		for k := range parser.Term(o.Uniques) {
			name := k.Name(d)
			key := o.Keys.TermVisitors(r.name, name)
			left := k.End(d).Date(o.Location).Add(o.UVSetTTL).Sub(o.Now())
			if left > -slack {
				r.know(key)
			}
			if left <= slack || r.compared[name] {
				continue
			}
			r.compared[name] = true
			if err := r.term(k, d, key); err != nil {
				return err
			}
		}
	}
	return nil
}

func (r *reading) term(k parser.Term, d parser.Day, key string) error {
	t, err := r.count.term(k, d)
	if err != nil {
		return err
	}
	o := &r.g.v.opt
	got, err := o.Dump.Hash(r.g.ctx, key)
	if err != nil {
		return err
	}
	if _, part := got[counter.TermPart]; part || t.part {
		return nil
	}
	fields := maps.Clone(t.visitors)
	for field := range got {
		fields[field] = 0
	}
	for p, n := range r.termsWaiting {
		if p.Term == k && p.First == t.first {
			fields[counter.TermPage+p.Page] = n
		}
	}
	for field := range fields {
		waits := int64(0)
		if page, ok := strings.CutPrefix(field, counter.TermPage); ok {
			waits = r.termsWaiting[counter.TermPageName{Term: k, First: t.first, Page: page}]
		}
		r.expect(key+" "+field, got[field], waits, field != counter.TermSite, func() int64 { return t.visitors[field] })
	}
	n := &numbers{}
	n.add(counter.Length, o.Keys.TermPairs(r.name, k.Name(d)), func() int64 { return 8 * int64(len(t.pairs)) })
	return r.flush(n)
}

// leftovers knows keys of weeks and months that an earlier UNIQUES counted: nobody compares
// them, and they die by themselves.
func (r *reading) leftovers() {
	o := &r.g.v.opt
	now := o.Now().In(o.Location)
	for d := parser.DayOf(now.Add(-o.UVSetTTL - 24*time.Hour)); d <= parser.DayOf(now).Next(); d = d.Next() {
		for k := parser.Term(o.Uniques); k < parser.NumTerms; k++ {
			r.know(o.Keys.TermVisitors(r.name, k.Name(d)))
		}
	}
}
