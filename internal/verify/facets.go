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

// hours are the fields of a day's views by hour.
func (r *reading) hours(d parser.Day) (fields, error) {
	want := fields{}
	var archived [24]views
	for h, err := range r.g.snap.HourDays(r.g.ctx, r.name, d, d) {
		if err != nil {
			return nil, err
		}
		if h.Hour >= 0 && h.Hour < len(archived) {
			archived[h.Hour] = views{h.PV, h.Bot}
		}
	}
	for hour, was := range archived {
		want[counter.HourField(hour, false)] = func() int64 { return was.pv + r.delta(d).hour(hour).pv }
		want[counter.HourField(hour, true)] = func() int64 { return was.bot + r.delta(d).hour(hour).bot }
	}
	return want, nil
}

// hour adds up an hour's minutes.
func (d *day) hour(hour int) (sum views) {
	for _, m := range d.minutes[60*hour : 60*hour+60] {
		sum.pv += m.pv
		sum.bot += m.bot
	}
	return sum
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

// referrers compares the views by referrer of days. Where there are more hosts
// than keep their name, which ones came first is told by the order of reading,
// so that the day is compared in sum.
func (r *reading) referrers() error {
	for _, d := range r.allDays() {
		key := r.g.v.opt.Keys.Referrers(r.name, d)
		if !r.alive(key, d.Next(), counter.DayKeysTTL) {
			continue
		}
		archived := map[string]int64{}
		for x, err := range r.g.snap.ReferrerDays(r.g.ctx, r.name, d, d) {
			if err != nil {
				return err
			}
			archived[x.Name] = x.PV
		}
		if err := r.compareReferrers(key, d, archived); err != nil {
			return err
		}
	}
	return nil
}

func (r *reading) compareReferrers(key string, d parser.Day, archived map[string]int64) error {
	got, err := r.g.v.opt.Dump.Hash(r.g.ctx, key)
	if err != nil {
		return err
	}
	want := func(host string) int64 {
		n := archived[host]
		if c := r.delta(d).referrers[host]; c != nil {
			n += c.pv
		}
		return n
	}
	names := map[string]struct{}{}
	for host := range archived {
		names[host] = struct{}{}
	}
	for host := range r.delta(d).referrers {
		names[host] = struct{}{}
	}
	for host := range got {
		names[host] = struct{}{}
	}
	if _, capped := names[parser.OtherPage]; capped {
		var have counter.Value
		for _, v := range got {
			have.N += v.N
			if v.Wrong != "" {
				have.Wrong = v.Wrong
			}
		}
		r.expect(key+" (all)", have, 0, false, func() (sum int64) {
			for _, n := range archived {
				sum += n
			}
			for _, c := range r.delta(d).referrers {
				sum += c.pv
			}
			return sum
		})
		return nil
	}
	for host := range names {
		r.expect(key+" "+host, got[host], 0, false, func() int64 { return want(host) })
	}
	return nil
}
