package verify

import (
	"strings"

	"ddkk-stats/counter"
	"ddkk-stats/parser"
)

// events compares the events of days.
func (r *reading) events() error {
	k := r.g.v.opt.Keys
	for _, d := range r.allDays() {
		key := k.Events(r.name, d)
		if !r.alive(key, d.Next(), counter.DayKeysTTL) {
			continue
		}
		archived := map[string]count{}
		if _, has := r.daily[d]; has {
			for e, err := range r.g.snap.EventDays(r.g.ctx, r.name, d, d) {
				if err != nil {
					return err
				}
				archived[e.Name] = count{e.PV, e.UV}
			}
		}
		field := func(name string) func() int64 {
			event, uv := strings.CutSuffix(name, counter.EventUV)
			return func() int64 {
				c := archived[event]
				if x := r.delta(d).events[event]; x != nil {
					c.pv, c.uv = c.pv+x.pv, c.uv+x.uv
				}
				if uv {
					return c.uv
				}
				return c.pv
			}
		}
		want := map[string]func() int64{}
		for name := range archived {
			want[name], want[name+counter.EventUV] = field(name), field(name+counter.EventUV)
		}
		for name := range r.delta(d).events {
			want[name], want[name+counter.EventUV] = field(name), field(name+counter.EventUV)
		}
		if want[parser.OtherPage] != nil {
			if err := r.eventSum(key, d, archived); err != nil {
				return err
			}
			continue
		}
		if err := r.hash(key, want, field); err != nil {
			return err
		}
	}
	return nil
}

// eventSum compares the views of all events of a day that has more of them than keep their own
// name: which ones do, the order of reading has a say in.
func (r *reading) eventSum(key string, d parser.Day, archived map[string]count) error {
	got, err := r.g.v.opt.Dump.Hash(r.g.ctx, key)
	if err != nil {
		return err
	}
	var all counter.Value
	for field, v := range got {
		if strings.HasSuffix(field, counter.EventUV) {
			continue
		}
		if all.N += v.N; v.Wrong != "" {
			all.Wrong = v.Wrong
		}
	}
	r.expect(key+" (all)", all, 0, false, func() (sum int64) {
		for _, c := range archived {
			sum += c.pv
		}
		for _, c := range r.delta(d).events {
			sum += c.pv
		}
		return sum
	})
	return nil
}
