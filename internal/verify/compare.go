package verify

import (
	"fmt"
	"time"

	"ddkk-stats/archive"
	"ddkk-stats/counter"
	"ddkk-stats/parser"
)

// claim is a number that was not what it must be at the checkpoint before it
// was read. A site goes on counting, and pending changes go over to the pages'
// keys, so it is judged when the checkpoint after it is known.
type claim struct {
	key     string
	have    counter.Value
	pending int64 // changes that were not in it yet when reading began
	before  int64 // what it had to be at the first checkpoint
	want    func() int64
	page    bool // of a page, whose name may have been counted under the rest's
}

// reading is the comparison of one site between two checkpoints.
type reading struct {
	*subject
	pages map[string]count          // pending page changes
	bots  map[string]int64          // the same of bots
	days  map[counter.PageDay]count // the same by day
	fold  string
	// waiting are the facets that are not in the days' hashes yet.
	waiting map[counter.FacetDayName]counter.FacetCount
	// termsWaiting are visitors of pages in weeks and months that are not in the hashes yet.
	termsWaiting map[counter.TermPageName]int64
	compared     map[string]bool // weeks and months, by name
}

// expect compares a number that was read; want tells what it must be now, and
// later what it must be then.
func (s *subject) expect(key string, have counter.Value, pending int64, page bool, want func() int64) {
	s.report.Keys++
	if n := want(); have.Wrong != "" || have.N+pending != n {
		s.claims = append(s.claims, claim{key, have, pending, n, want, page})
	}
}

// holds judges a claim. moved: pending changes may be in the number, too.
func (c *claim) holds(moved bool) bool {
	most, least := c.have.N+c.pending, c.have.N+c.pending
	if moved {
		least = c.have.N
	}
	return c.have.Wrong == "" && most >= c.before && least <= c.want()
}

func (c *claim) difference() (key, have, want string) {
	have = c.have.Wrong
	if have == "" {
		have = fmt.Sprint(c.have.N + c.pending)
	}
	want = fmt.Sprint(c.before)
	if now := c.want(); now != c.before {
		want = fmt.Sprintf("%d to %d", c.before, now)
	}
	return c.key, have, want
}

// compare reads all counters of the site between two checkpoints.
func (s *subject) compare() error {
	if _, err := s.advance(); err != nil {
		return err
	}
	r := &reading{subject: s, pages: map[string]count{}, bots: map[string]int64{}, days: map[counter.PageDay]count{}, compared: map[string]bool{}}
	pending, err := s.g.v.opt.Dump.Pending(s.g.ctx, s.name)
	if err != nil {
		return err
	}
	r.fold, r.waiting, r.termsWaiting = pending.Fold, pending.Facets, pending.Terms
	r.leftovers()
	for p, c := range pending.Pages {
		r.days[p] = count{c.PV, c.UV}
		if p.Bots {
			r.bots[p.Page] += c.PV
			continue
		}
		sum := r.pages[p.Page]
		r.pages[p.Page] = count{sum.pv + c.PV, sum.uv + c.UV}
	}
	for _, step := range []func() error{r.totals, r.pageTotals, r.botTotals, r.ranks, r.botDays, r.minutes, r.facets, r.uniques, r.events, r.calls} {
		if err := step(); err != nil {
			return err
		}
	}
	m, err := s.advance()
	if err != nil {
		return err
	}
	s.judge(m.Fold != r.fold)
	return nil
}

// judge turns claims into differences. Where names were counted under the one
// for the rest, those of pages wait for the keys that nobody expects.
func (s *subject) judge(moved bool) {
	var later []claim
	for _, c := range s.claims {
		switch {
		case c.holds(moved):
		case s.capped && c.page:
			later = append(later, c)
		default:
			s.report.differ(c.difference())
		}
	}
	s.claims = later
}

func (s *subject) know(key string) { s.known[s.g.v.rules.hash(key)] = struct{}{} }

func (s *subject) knows(key string) bool {
	_, ok := s.known[s.g.v.rules.hash(key)]
	return ok
}

// slack is how near its end a key's life is not looked at.
const slack = 2 * time.Hour

// alive tells whether a key must be there that lives for ttl after the start of
// day end. Near its end it may be and may be not.
func (s *subject) alive(key string, end parser.Day, ttl time.Duration) bool {
	left := end.Date(s.g.v.opt.Location).Add(ttl).Sub(s.g.v.opt.Now())
	if left > -slack {
		s.know(key)
	}
	return left > slack
}

// allDays are the days that the archive or the recount have.
func (s *subject) allDays() []parser.Day {
	var all []parser.Day
	for d := range s.daily {
		all = append(all, d)
	}
	for d := range s.count.days {
		if _, both := s.daily[d]; !both {
			all = append(all, d)
		}
	}
	return all
}

// delta is what the recount adds to a day; zeros where it adds nothing.
func (s *subject) delta(d parser.Day) *day {
	if x := s.count.days[d]; x != nil {
		return x
	}
	return &day{}
}

// numbers gathers questions with what their answers must be.
type numbers struct {
	ask  []counter.Question
	want []func() int64
}

func (n *numbers) add(m counter.Measure, key string, want func() int64) {
	n.ask = append(n.ask, counter.Question{Measure: m, Key: key})
	n.want = append(n.want, want)
}

// totals compares what a site and its days have.
func (r *reading) totals() error {
	k, n := r.g.v.opt.Keys, &numbers{}
	var pv, uv int64
	for _, d := range r.daily {
		pv, uv = pv+d.PV, uv+d.UV
	}
	r.know(k.SitePV(r.name))
	r.know(k.SiteUV(r.name))
	n.add(counter.Number, k.SitePV(r.name), func() int64 { return pv + r.count.pv })
	n.add(counter.Number, k.SiteUV(r.name), func() int64 { return uv + r.count.uv })
	for _, d := range r.allDays() {
		a := r.daily[d]
		if key := k.SitePVDay(r.name, d); r.alive(key, d.Next(), counter.DayKeysTTL) {
			n.add(counter.Number, key, func() int64 { return a.PV + r.delta(d).pv })
		}
		if key := k.SiteUVDay(r.name, d); r.alive(key, d.Next(), counter.DayKeysTTL) {
			n.add(counter.Number, key, func() int64 { return a.UV + r.delta(d).uv })
		}
		if err := r.seen(n, d); err != nil {
			return err
		}
		if err := r.books(d, &a); err != nil {
			return err
		}
	}
	return r.flush(n)
}

func (r *reading) flush(n *numbers) error {
	got, err := r.g.v.opt.Dump.Ask(r.g.ctx, n.ask)
	if err != nil {
		return err
	}
	for i, v := range got {
		r.expect(n.ask[i].Key, v, 0, false, n.want[i])
	}
	return nil
}

// seen compares the sets of a day that is young enough for them to live: there
// are as many visitors as the day has UV, and 8 bytes for each time that
// somebody saw a page or an event for the first time.
func (r *reading) seen(n *numbers, d parser.Day) error {
	v := r.g.v
	if v.opt.Now().Sub(d.Date(v.opt.Location)) >= v.opt.UVSetTTL {
		return nil
	}
	var pairs int64
	if _, has := r.daily[d]; has {
		for p, err := range r.g.snap.PageDays(r.g.ctx, r.name, d, d) {
			if err != nil {
				return err
			}
			pairs += p.UV
		}
		for e, err := range r.g.snap.EventDays(r.g.ctx, r.name, d, d) {
			if err != nil {
				return err
			}
			pairs += e.UV
		}
	}
	a := r.daily[d]
	n.add(counter.Members, v.opt.Keys.Visitors(r.name, d), func() int64 { return a.UV + r.delta(d).uv })
	n.add(counter.Length, v.opt.Keys.Pairs(r.name, d), func() int64 {
		sum := pairs
		for _, all := range []map[string]*count{r.delta(d).pages, r.delta(d).events} {
			for _, c := range all {
				sum += c.uv
			}
		}
		return 8 * sum
	})
	return nil
}

// books compares a day's sums that are no page views.
func (r *reading) books(d parser.Day, a *archive.DayTotals) error {
	key := r.g.v.opt.Keys.Books(r.name, d)
	if !r.alive(key, d.Next(), counter.DayKeysTTL) {
		return nil
	}
	archived := *a
	want := fields{
		"events":     func() int64 { return archived.Events + r.delta(d).peopleEvents },
		"bot":        func() int64 { return archived.Bot + r.delta(d).bot },
		"bot_events": func() int64 { return archived.BotEvents + r.delta(d).botEvents },
		"pc":         func() int64 { return archived.PC + r.delta(d).pc },
		"mobile":     func() int64 { return archived.Mobile + r.delta(d).mobile },
		"dedup":      func() int64 { return archived.Dedup + r.delta(d).dedup },
	}
	return r.hash(key, want, want.other)
}

// hash compares all fields of a hash; other tells what one must be that is not
// in want.
func (r *reading) hash(key string, want map[string]func() int64, other func(field string) func() int64) error {
	got, err := r.g.v.opt.Dump.Hash(r.g.ctx, key)
	if err != nil {
		return err
	}
	for field, n := range want {
		r.expect(key+" "+field, got[field], 0, false, n)
	}
	for field, v := range got {
		if want[field] == nil {
			r.expect(key+" "+field, v, 0, false, other(field))
		}
	}
	return nil
}
