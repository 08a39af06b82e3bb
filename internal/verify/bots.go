package verify

import (
	"ddkk-stats/counter"
	"ddkk-stats/parser"
)

// botPages is a hash of pages with the views of bots.
type botPages struct {
	key      string
	archived map[string]int64
	pending  map[string]int64
	delta    func(page string) int64 // what the recount adds
}

// botTotals compares the views of bots of every page.
func (r *reading) botTotals() error {
	b := &botPages{key: r.g.v.opt.Keys.PageBots(r.name), archived: map[string]int64{}, pending: r.bots, delta: r.count.bots}
	r.know(b.key)
	for p, err := range r.g.snap.PageBots(r.g.ctx, r.name) {
		if err != nil {
			return err
		}
		b.archived[p.Name] = p.PV
	}
	var recounted []map[string]*count
	for _, d := range r.count.days {
		recounted = append(recounted, d.bots)
	}
	return r.compareBots(b, recounted...)
}

// botDays compares those of the days whose hash must be there.
func (r *reading) botDays() error {
	for _, d := range r.allDays() {
		b := &botPages{key: r.g.v.opt.Keys.PageBotsDay(r.name, d), archived: map[string]int64{}, pending: map[string]int64{}}
		if !r.alive(b.key, d.Next(), counter.HotDayTTL) {
			continue
		}
		b.delta = func(page string) int64 {
			if c := r.delta(d).bots[page]; c != nil {
				return c.pv
			}
			return 0
		}
		for p, err := range r.g.snap.PageBotDays(r.g.ctx, r.name, d, d) {
			if err != nil {
				return err
			}
			b.archived[p.Name] = p.PV
		}
		for x, c := range r.days {
			if x.Bots && x.Day == d {
				b.pending[x.Page] = c.pv
			}
		}
		if err := r.compareBots(b, r.delta(d).bots); err != nil {
			return err
		}
	}
	return nil
}

// compareBots compares all fields of a hash.
func (r *reading) compareBots(b *botPages, recounted ...map[string]*count) error {
	got, err := r.g.v.opt.Dump.Hash(r.g.ctx, b.key)
	if err != nil {
		return err
	}
	seen := map[string]bool{}
	check := func(page string) {
		if seen[page] {
			return
		}
		seen[page] = true
		r.capped = r.capped || page == parser.OtherPage
		r.expect(b.key+" "+page, got[page], b.pending[page], true, func() int64 { return b.archived[page] + b.delta(page) })
	}
	for page := range b.archived {
		check(page)
	}
	for _, all := range recounted {
		for page := range all {
			check(page)
		}
	}
	for page := range got {
		check(page)
	}
	return nil
}

// knowBots notes the keys of what bots saw.
func (s *subject) knowBots() {
	k := s.g.v.opt.Keys
	s.know(k.PageBots(s.name))
	for _, d := range s.allDays() {
		s.alive(k.PageBotsDay(s.name, d), d.Next(), counter.HotDayTTL)
	}
}
