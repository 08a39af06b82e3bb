package counter

import (
	"slices"
	"time"

	"ddkk-stats/parser"
)

// hours fills the fields of the views by hour.
func (r *restoring) hours(h History) error {
	var expiring parser.Day
	return h.Hours(r.ctx, r.site, r.oldest(), r.tomorrow(), func(d parser.Day, hour int, pv, bot int64) error {
		at := expiry(r.Location, d.Next(), DayKeysTTL)
		fields := appendHour(nil, hour, pv, bot)
		if !at.After(r.Now()) || len(fields) == 0 {
			return nil
		}
		key := r.Keys.Books(r.site, d)
		r.pipe.HSet(r.ctx, key, fields...)
		if d != expiring { // days come in order
			expiring = d
			r.pipe.ExpireAt(r.ctx, key, at)
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
	for d := parser.DayOf(now.Add(-MinutesTTL).AddDate(0, 0, -1)); d <= r.tomorrow(); d = d.Next() {
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

func (r *restoring) referrers(h History) error {
	return h.Referrers(r.ctx, r.site, r.oldest(), r.tomorrow(), func(d parser.Day, host string, pv int64) error {
		at := expiry(r.Location, d.Next(), DayKeysTTL)
		if !at.After(r.Now()) {
			return nil
		}
		return r.putHash(r.Keys.Referrers(r.site, d), at, []any{host, pv})
	})
}

// tomorrow is the last day that may have anything: a clock may be ahead.
func (r *restoring) tomorrow() parser.Day { return parser.DayOf(r.Now().In(r.Location)).Next() }
