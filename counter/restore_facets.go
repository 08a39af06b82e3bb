package counter

import (
	"slices"
	"time"

	"ddkk-stats/parser"
)

// facets fills the hashes of the days that still have them.
func (r *restoring) facets(h History) error {
	from := parser.DayOf(r.Now().In(r.Location).Add(-FacetTTL).AddDate(0, 0, -1))
	var expiring parser.Day
	return h.Facets(r.ctx, r.site, from, r.newest(), func(d parser.Day, f parser.Facet, name string, pv, bot int64) error {
		at := expiry(r.Location, d.Next(), FacetTTL)
		fields := appendFacet(nil, f.Field(name), pv, bot)
		if !at.After(r.Now()) || len(fields) == 0 {
			return nil
		}
		key := r.Keys.Facets(r.site, d)
		r.pipe.HSet(r.ctx, key, fields...)
		if d != expiring { // the rows of a day come together
			expiring = d
			r.pipe.ExpireAt(r.ctx, key, at)
			r.made.addKey(r.Keys, key)
		}
		return r.row()
	})
}

// minuteFields are the fields of a day's minutes, with their values.
type minuteFields []any

func (f *minuteFields) add(minute int, pv, bot int64) error {
	if pv > 0 {
		*f = append(*f, MinuteField(minute, false), pv)
	}
	if bot > 0 {
		*f = append(*f, MinuteField(minute, true), bot)
	}
	return nil
}

// putMinutes writes a day's, if they are still kept.
func (r *restoring) putMinutes(d parser.Day, fields minuteFields) error {
	at := expiry(r.Location, d.Next(), MinutesTTL)
	if !at.After(r.Now()) {
		return nil
	}
	return r.putHash(r.Keys.Minutes(r.site, d), at, fields)
}

// minutes fills those of the days whose minutes are still kept though they are no
// open days: these tell their minutes beside everything else.
func (r *restoring) minutes(h History) error {
	now := r.Now().In(r.Location)
	for d := parser.DayOf(now.Add(-MinutesTTL).AddDate(0, 0, -1)); d <= r.tomorrow(); d = d.Next() { // later ones are open
		if !expiry(r.Location, d.Next(), MinutesTTL).After(r.Now()) || slices.Contains(r.openDays(), d) {
			continue
		}
		fields := minuteFields{}
		if err := h.Minutes(r.ctx, r.site, d, fields.add); err != nil {
			return err
		}
		if err := r.putMinutes(d, fields); err != nil {
			return err
		}
	}
	return nil
}

// putHash writes fields and values, all at once, and when they die.
func (r *restoring) putHash(key string, end time.Time, fields []any) error {
	if len(fields) == 0 {
		return nil
	}
	r.pipe.HSet(r.ctx, key, fields...)
	r.pipe.ExpireAt(r.ctx, key, end)
	r.made.addKey(r.Keys, key)
	return r.row()
}

// tomorrow is the last day that may have anything, where no clock was far ahead.
func (r *restoring) tomorrow() parser.Day { return parser.DayOf(r.Now().In(r.Location)).Next() }

// newest is the last day that has anything.
func (r *restoring) newest() parser.Day {
	if n := len(r.later); n > 0 {
		return r.later[n-1]
	}
	return r.tomorrow()
}
