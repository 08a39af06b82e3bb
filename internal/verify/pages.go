package verify

import (
	"fmt"
	"strings"
	"time"

	"ddkk-stats/counter"
	"ddkk-stats/parser"
)

// pagesPerTrip is how many pages are asked for at once.
const pagesPerTrip = 500

// pageBatch gathers pages with what the archive has of them.
type pageBatch struct {
	names    []string
	archived []count
}

// pageTotals compares every page's totals, and its place in the list of all.
func (r *reading) pageTotals() error {
	b := &pageBatch{}
	for p, err := range r.g.snap.PageTotals(r.g.ctx, r.name) {
		if err != nil {
			return err
		}
		r.capped = r.capped || p.Name == parser.OtherPage
		if err := r.page(b, p.Name, count{p.PV, p.UV}); err != nil {
			return err
		}
	}
	if err := r.flushPages(b); err != nil {
		return err
	}
	if err := r.newPages(b); err != nil {
		return err
	}
	return r.strangersIn(r.g.v.opt.Keys.HotAll(r.name))
}

// newPages compares those that the archive does not have.
func (r *reading) newPages(b *pageBatch) error {
	for _, d := range r.count.days {
		for name, c := range d.pages {
			if c.pv == 0 || r.knows(r.g.v.opt.Keys.PagePV(r.name, name)) {
				continue
			}
			r.capped = r.capped || name == parser.OtherPage
			r.know(r.g.v.opt.Keys.PagePV(r.name, name)) // another day may have it, too
			if err := r.page(b, name, count{}); err != nil {
				return err
			}
		}
	}
	return r.flushPages(b)
}

func (r *reading) page(b *pageBatch, name string, archived count) error {
	b.names, b.archived = append(b.names, name), append(b.archived, archived)
	if len(b.names) < pagesPerTrip {
		return nil
	}
	return r.flushPages(b)
}

func (r *reading) flushPages(b *pageBatch) error {
	k := r.g.v.opt.Keys
	hot := k.HotAll(r.name)
	r.know(hot)
	ask := make([]counter.Question, 0, 3*len(b.names))
	for _, name := range b.names {
		ask = append(ask, counter.Question{Key: k.PagePV(r.name, name)}, counter.Question{Key: k.PageUV(r.name, name)},
			counter.Question{Measure: counter.Score, Key: hot, Member: name})
	}
	got, err := r.g.v.opt.Dump.Ask(r.g.ctx, ask)
	if err != nil {
		return err
	}
	for i, name := range b.names {
		a, pending := b.archived[i], r.pages[name]
		pv := func() int64 { return a.pv + r.count.total(name).pv }
		uv := func() int64 { return a.uv + r.count.total(name).uv }
		r.know(ask[3*i].Key)
		r.know(ask[3*i+1].Key)
		r.expect(ask[3*i].Key, got[3*i], pending.pv, true, pv)
		r.expect(ask[3*i+1].Key, got[3*i+1], pending.uv, true, uv)
		r.expect(hot+" "+name, got[3*i+2], pending.pv, true, pv)
	}
	b.names, b.archived = b.names[:0], b.archived[:0]
	return nil
}

// strangersIn looks for members of the list of all pages that are no pages.
func (r *reading) strangersIn(key string) error {
	return r.g.v.opt.Dump.Ranks(r.g.ctx, key, func(member string, v counter.Value) {
		if !r.knows(r.g.v.opt.Keys.PagePV(r.name, member)) {
			r.expect(key+" "+member, v, r.pages[member].pv, true, func() int64 { return r.count.total(member).pv })
		}
	})
}

// period is a ranked list and the days that it is of.
type period struct {
	key      string
	from, to parser.Day // both included
}

// periods are the ranked lists of days, weeks and months that must be there.
func (r *reading) periods() map[string]period {
	k, all := r.g.v.opt.Keys, map[string]period{}
	add := func(key string, from, to time.Time, ttl time.Duration) {
		end := parser.DayOf(to)
		if r.alive(key, end.Next(), ttl) {
			all[key] = period{key, parser.DayOf(from), end}
		}
	}
	for _, d := range r.allDays() {
		at := d.Date(time.UTC)
		monday := at.AddDate(0, 0, -(int(at.Weekday())+6)%7)
		first := at.AddDate(0, 0, 1-at.Day())
		add(k.HotDay(r.name, d), at, at, counter.HotDayTTL)
		add(k.HotWeek(r.name, d), monday, monday.AddDate(0, 0, 6), counter.HotWeekTTL)
		add(k.HotMonth(r.name, d), first, first.AddDate(0, 1, -1), counter.HotMonthTTL)
	}
	return all
}

// ranks compares the ranked lists of periods.
func (r *reading) ranks() error {
	for _, p := range r.periods() {
		if err := r.rank(p); err != nil {
			return err
		}
	}
	return nil
}

func (r *reading) rank(p period) error {
	all := map[string]ranked{}
	for x, err := range r.g.snap.PageDays(r.g.ctx, r.name, p.from, p.to) {
		if err != nil {
			return err
		}
		w := all[x.Name]
		w.archived += x.PV
		all[x.Name] = w
	}
	r.inPeriod(p, func(x *day) {
		for name := range x.pages {
			if _, ok := all[name]; !ok {
				all[name] = ranked{}
			}
		}
	})
	pending := map[string]int64{}
	for x, c := range r.days {
		if !x.Bots && p.from <= x.Day && x.Day <= p.to {
			pending[x.Page] += c.pv
		}
	}
	check := func(name string, v counter.Value) {
		w := all[name]
		w.seen = true
		all[name] = w
		r.expect(p.key+" "+name, v, pending[name], true, func() int64 {
			n := w.archived
			r.inPeriod(p, func(x *day) {
				if c := x.pages[name]; c != nil {
					n += c.pv
				}
			})
			return n
		})
	}
	if err := r.g.v.opt.Dump.Ranks(r.g.ctx, p.key, check); err != nil {
		return err
	}
	for name, w := range all {
		if !w.seen {
			check(name, counter.Value{})
		}
	}
	return nil
}

// ranked is a page of a period.
type ranked struct {
	archived int64
	seen     bool // in the list
}

// inPeriod calls f for the days of the recount that are in a period.
func (r *reading) inPeriod(p period, f func(*day)) {
	for d, x := range r.count.days {
		if p.from <= d && d <= p.to {
			f(x)
		}
	}
}

// strangers looks for keys of the group's sites that nobody expects.
func (g *group) strangers() error {
	found := map[string]map[string]struct{}{}
	err := g.v.opt.Dump.Counts(g.ctx, func(site, key string) {
		if s := g.subjects[site]; s != nil && !s.knows(key) {
			if found[site] == nil {
				found[site] = map[string]struct{}{}
			}
			found[site][key] = struct{}{}
		}
	})
	if err != nil {
		return err
	}
	for _, s := range g.order {
		if err := s.strangers(found[s.name]); err != nil {
			return err
		}
	}
	return nil
}

// strangers reports keys that the site has not come to have meanwhile.
func (s *subject) strangers(keys map[string]struct{}) error {
	if len(keys) > 0 {
		if _, err := s.advance(); err != nil {
			return err
		}
		s.knowNew()
	}
	var extra []counter.Question
	for key := range keys {
		switch {
		case s.knows(key):
		case s.capped && strings.HasPrefix(key, s.g.v.opt.Keys.PagePV(s.name, "")):
			extra = append(extra, counter.Question{Key: key})
		case s.capped && strings.HasPrefix(key, s.g.v.opt.Keys.PageUV(s.name, "")):
		default:
			s.report.differ(key, "there", "no such key")
		}
	}
	return s.settleCapped(extra)
}

// knowNew notes the keys of what was recounted since they were compared.
func (s *subject) knowNew() {
	k := s.g.v.opt.Keys
	for _, d := range s.allDays() {
		for _, key := range []string{k.SitePVDay(s.name, d), k.SiteUVDay(s.name, d), k.Books(s.name, d), k.Events(s.name, d)} {
			s.alive(key, d.Next(), counter.DayKeysTTL)
		}
		s.alive(k.Minutes(s.name, d), d.Next(), counter.MinutesTTL)
		s.alive(k.Facets(s.name, d), d.Next(), counter.FacetTTL)
	}
	(&reading{subject: s}).periods()
	for p := range s.callPeriods() {
		s.callAlive(p)
	}
	s.knowBots()
	for _, d := range s.count.days {
		for name := range d.pages {
			s.know(k.PagePV(s.name, name))
			s.know(k.PageUV(s.name, name))
		}
	}
}

// settleCapped judges pages of a site with more of them than keep their names:
// which ones came first is told by the order of reading, which may differ where
// two logs are written at once. Their sum may not.
func (s *subject) settleCapped(extra []counter.Question) error {
	if len(s.claims) == 0 && len(extra) == 0 {
		return nil
	}
	got, err := s.g.v.opt.Dump.Ask(s.g.ctx, extra)
	if err != nil {
		return err
	}
	var have, least, most int64
	for _, v := range got {
		have += v.N
	}
	pages, bots := s.g.v.opt.Keys.PagePV(s.name, ""), s.g.v.opt.Keys.PageBots(s.name)+" "
	wrong := false
	for _, c := range s.claims {
		wrong = wrong || c.have.Wrong != ""
		if strings.HasPrefix(c.key, pages) || strings.HasPrefix(c.key, bots) {
			have, least, most = have+c.have.N+c.pending, least+c.before, most+c.want()
		}
	}
	if !wrong && least <= have && have <= most {
		s.report.Notes = append(s.report.Notes, fmt.Sprintf(
			"%d numbers of pages differ only in which pages kept their own name: there are more than MAX_PAGES_PER_SITE", len(s.claims)+len(extra)))
		return nil
	}
	for _, c := range s.claims {
		s.report.differ(c.difference())
	}
	for _, q := range extra {
		s.report.differ(q.Key, "there", "no such key")
	}
	return nil
}
