package verify

import (
	"ddkk-stats/counter"
	"ddkk-stats/parser"
)

// fields are what the fields of a hash must be.
type fields map[string]func() int64

// now are those that must be there already.
func (f fields) now() fields {
	some := fields{}
	for name, n := range f {
		if n() != 0 {
			some[name] = n
		}
	}
	return some
}

// other tells what a field must be that is there; none has a name of its own.
func (f fields) other(name string) func() int64 {
	if n := f[name]; n != nil {
		return n
	}
	return func() int64 { return 0 }
}

// minutes compares the views by minute of the days that have them. What is
// archived of them is in raw rows only, which a short RAW_RETENTION_DAYS may
// have deleted: such a day cannot be compared.
func (r *reading) minutes() error {
	for _, d := range r.allDays() {
		key := r.g.v.opt.Keys.Minutes(r.name, d)
		if !r.alive(key, d.Next(), counter.MinutesTTL) {
			continue
		}
		var archived [24 * 60]views
		var sum int64
		for m, err := range r.g.snap.Minutes(r.g.ctx, r.name, d) {
			if err != nil {
				return err
			}
			archived[m.Minute].pv += m.PV
			archived[m.Minute].bot += m.Bot
			sum += m.PV
		}
		if sum != r.daily[d].PV {
			continue
		}
		want := fields{}
		for minute, was := range archived {
			want[counter.MinuteField(minute, false)] = func() int64 { return was.pv + r.delta(d).minutes[minute].pv }
			want[counter.MinuteField(minute, true)] = func() int64 { return was.bot + r.delta(d).minutes[minute].bot }
		}
		if err := r.hash(key, want.now(), want.other); err != nil {
			return err
		}
	}
	return nil
}

// facets compares the views by facet of the days that Redis has them of.
func (r *reading) facets() error {
	for _, d := range r.allDays() {
		key := r.g.v.opt.Keys.Facets(r.name, d)
		if !r.alive(key, d.Next(), counter.FacetTTL) {
			continue
		}
		got, err := r.g.v.opt.Dump.Hash(r.g.ctx, key)
		if err != nil {
			return err
		}
		var archived [parser.NumFacets]map[string]views
		for f := range archived {
			archived[f] = map[string]views{}
		}
		for x, err := range r.g.snap.FacetDays(r.g.ctx, r.name, d, d) {
			if err != nil {
				return err
			}
			archived[x.Facet][x.Name] = views{x.PV, x.Bot}
		}
		for f := range parser.NumFacets {
			r.compareFacet(&facetDay{key, d, f, archived[f], got})
		}
		for field, v := range got {
			if f, _, bots, ok := parser.FieldOf(field); !ok || bots && !f.Spec().Bots {
				r.expect(key+" "+field, v, 0, false, func() int64 { return 0 })
			}
		}
	}
	return nil
}

// facetDay is a facet on one day.
type facetDay struct {
	key      string
	day      parser.Day
	facet    parser.Facet
	archived map[string]views
	got      map[string]counter.Value // of the hash, by field
}

// want is what a name must have by now.
func (r *reading) wantFacet(x *facetDay, name string) views {
	n := x.archived[name]
	if c := r.delta(x.day).facets[x.facet][name]; c != nil {
		n.pv, n.bot = n.pv+c.pv, n.bot+c.bot
	}
	return n
}

// names are those that the archive, the recount, the hash or the list have.
func (r *reading) facetNames(x *facetDay) map[string]struct{} {
	names := map[string]struct{}{}
	for name := range x.archived {
		names[name] = struct{}{}
	}
	for name := range r.delta(x.day).facets[x.facet] {
		names[name] = struct{}{}
	}
	for field := range x.got {
		if f, name, _, ok := parser.FieldOf(field); ok && f == x.facet {
			names[name] = struct{}{}
		}
	}
	for p := range r.waiting {
		if p.Day == x.day && p.Facet == x.facet {
			names[p.Name] = struct{}{}
		}
	}
	return names
}

// inPart tells whether a day has only some of its views by a facet: those since the facet
// is counted, if that began on this day, or since an earlier version was replaced. That
// hash and list are whole is told by the facets that there have always been.
func (r *reading) inPart(x *facetDay, names map[string]struct{}) bool {
	if x.facet.Spec().Every || x.facet == parser.Referrer {
		return false
	}
	var have, want int64
	for name := range names {
		have += x.got[x.facet.Field(name)].N + r.waiting[counter.FacetDayName{Day: x.day, Facet: x.facet, Name: name}].PV
		want += r.wantFacet(x, name).pv
	}
	return have < want
}

// compareFacet compares each name. Where there are more of them than keep theirs,
// which ones came first is told by the order of reading: then their sum. So it is
// where a name is told by a file that has changed since.
func (r *reading) compareFacet(x *facetDay) {
	names := r.facetNames(x)
	if len(names) == 0 || r.inPart(x, names) {
		return
	}
	_, capped := names[parser.OtherPage]
	capped = capped || x.facet.Spec().Shifts
	for _, bots := range []bool{false, true} {
		if bots && !x.facet.Spec().Bots {
			break
		}
		of := func(v views) int64 { return v.pv }
		if bots {
			of = func(v views) int64 { return v.bot }
		}
		var all counter.Value
		var pending int64
		for name := range names {
			field := x.facet.Field(name)
			if bots {
				field = parser.BotField(field)
			}
			c := r.waiting[counter.FacetDayName{Day: x.day, Facet: x.facet, Name: name}]
			waits := of(views{c.PV, c.Bot})
			if !capped {
				r.expect(x.key+" "+field, x.got[field], waits, false, func() int64 { return of(r.wantFacet(x, name)) })
				continue
			}
			v := x.got[field]
			all.N, pending = all.N+v.N, pending+waits
			if v.Wrong != "" {
				all.Wrong = v.Wrong
			}
		}
		if capped {
			r.expect(x.key+" "+x.facet.Spec().Name+" (all)", all, pending, false, func() (sum int64) {
				now := r.facetNames(x)
				for name := range now {
					sum += of(r.wantFacet(x, name))
				}
				return sum
			})
		}
	}
}
