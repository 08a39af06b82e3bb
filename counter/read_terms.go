package counter

import (
	"context"
	"fmt"

	"github.com/redis/go-redis/v9"

	"ddkk-stats/parser"
)

// Visitors of this week and this month, as Redis has them.

// NotKnown is the number of visitors of a week or month that are not counted, or that
// began before they were.
const NotKnown = -1

// TermField is the field of a term: of the site, or of a page.
func TermField(t parser.Term, page bool) Fields {
	f := FieldSiteUVWeek << t
	if page {
		f = FieldPageUVWeek << t
	}
	return f
}

// TermFieldsOf are those that are counted.
func TermFieldsOf(u parser.Uniques) (all Fields) {
	for t := range parser.Term(u) {
		all |= TermField(t, false) | TermField(t, true)
	}
	return all
}

// termAsked is a field that is asked for, and where it stands in the answer.
type termAsked struct {
	term  parser.Term
	page  bool
	field Fields
}

// terms calls f for each of the query's fields of weeks and months.
func (q *Query) terms(f func(termAsked)) {
	if q.Fields&TermFields == 0 {
		return
	}
	for t := range parser.NumTerms {
		for _, page := range [...]bool{false, true} {
			if field := TermField(t, page); q.Fields&field != 0 {
				f(termAsked{t, page, field})
			}
		}
	}
}

// queueTerms asks for what a term's hash has: whether it is whole, of the site, of the page.
func (r *Reader) queueTerms(ctx context.Context, pipe redis.Pipeliner, x *asked) {
	x.q.terms(func(t termAsked) {
		if !r.opt.Uniques.Has(t.term) {
			*x.a.slot(t.field) = NotKnown
		} else if x.terms[t.term] == nil {
			x.terms[t.term] = pipe.HMGet(ctx, r.keys.TermVisitors(x.q.Site, t.term.Name(x.day)), TermPart, TermSite, TermPage+x.q.Page)
		}
	})
}

// takeTerms puts the answers into place.
func (x *asked) takeTerms() (err error) {
	x.q.terms(func(t termAsked) {
		cmd := x.terms[t.term]
		if cmd == nil || err != nil {
			return
		}
		values, failed := cmd.Result()
		if failed != nil {
			err = fmt.Errorf("read visitors of a %s of %s: %w", t.term, x.q.Site, failed)
			return
		}
		at := 1
		if t.page {
			at = 2
		}
		n, failed := replyCount(values[at])
		if failed != nil {
			err = fmt.Errorf("read visitors of a %s of %s: %w", t.term, x.q.Site, failed)
			return
		}
		if values[0] != nil {
			n = NotKnown
		}
		*x.a.slot(t.field) = n
	})
	return err
}

// lastTermKey is where the last known value of a field is kept.
func (q *Query) lastTermKey(t termAsked) lastKey {
	k := lastKey{kind: lastTerm, period: Period(t.term), site: q.Site}
	if t.page {
		k.page = q.Page
	}
	return k
}

func (r *asking) rememberTerms(q *Query, a *Answer, day parser.Day, at int64, gen uint64) {
	q.terms(func(t termAsked) {
		e := r.entry(q.lastTermKey(t))
		e.mu.Lock()
		defer e.mu.Unlock()
		if first := t.term.First(day); e.day != first {
			e.day, e.uv = first, cell{} // last week's number is not this week's
		}
		e.uv.set(cell{a.Get(t.field), at, gen})
	})
}

// recallTerms answers from memory. Of a week that was never asked for nothing is known.
func (r *asking) recallTerms(q *Query, a *Answer, day parser.Day, v *vintage) {
	q.terms(func(t termAsked) {
		c := cell{value: NotKnown}
		if e, ok := r.cache.GetIfPresent(q.lastTermKey(t)); ok {
			e.mu.Lock()
			if e.day == t.term.First(day) {
				c = e.uv
			}
			e.mu.Unlock()
		}
		*a.slot(t.field) = c.value
		v.note(c.at, c.gen)
	})
}

// TermCount are the visitors of a week or month as Redis has them. There tells whether it
// has any of it; UV is NotKnown where it began before it was counted.
type TermCount struct {
	There bool
	UV    int64
}

// Terms reads the visitors of weeks or months that begin on some days: of a page, or of the
// site where the page is empty. ok is false where Redis cannot be asked; behind says that
// page changes wait to be spread.
func (r *dayReads) Terms(ctx context.Context, site, page string, t parser.Term, firsts []parser.Day) (all []TermCount, behind, ok bool) {
	field := TermSite
	if page != "" {
		field = TermPage + page
	}
	lag, ok := r.lagTrip(ctx, site, len(firsts) == 0, func(ctx context.Context, pipe redis.Pipeliner) error {
		values, there := make([]*redis.SliceCmd, len(firsts)), make([]*redis.IntCmd, len(firsts))
		for i, d := range firsts {
			key := r.keys.TermVisitors(site, t.Name(d))
			values[i], there[i] = pipe.HMGet(ctx, key, TermPart, field), pipe.Exists(ctx, key)
		}
		if _, err := pipe.Exec(ctx); err != nil {
			return err
		}
		all = make([]TermCount, len(firsts))
		for i := range firsts {
			n, err := replyCount(values[i].Val()[1])
			if err != nil {
				return fmt.Errorf("read visitors of a %s of %s: %w", t, site, err)
			}
			if values[i].Val()[0] != nil {
				n = NotKnown
			}
			all[i] = TermCount{there[i].Val() > 0, n}
		}
		return nil
	})
	return all, r.waits.Load() || page != "" && lag&lagPages != 0, ok
}
