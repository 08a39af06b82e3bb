package counter

import (
	"fmt"

	"ddkk-stats/counter/keys"
	"ddkk-stats/parser"
)

// Views by hour, minute and referrer. They cost a line two comparisons: it
// mostly falls into the minute of the one before and has the same referrer.

// minuteChange are the views of one minute; those of a day whose minutes are
// not kept any more are in the first minute of their hour.
type minuteChange struct {
	minute  int16
	pv, bot int64
}

// minute is the change of the hit's minute.
func (a *aggregate) minute(h *parser.Hit) *minuteChange {
	c := a.cur.day
	m := h.Minute
	if !c.state.minutes {
		m -= m % 60
	}
	if c.minute < len(c.minutes) && c.minutes[c.minute].minute == m {
		return &c.minutes[c.minute]
	}
	for c.minute = len(c.minutes) - 1; c.minute >= 0; c.minute-- {
		if c.minutes[c.minute].minute == m {
			return &c.minutes[c.minute]
		}
	}
	c.minute = len(c.minutes)
	c.minutes = append(c.minutes, minuteChange{minute: m})
	a.open.weigh(a.cur.part, perWrite)
	return &c.minutes[c.minute]
}

// hours are the fields of the views by hour.
func (c *dayChange) hours() []any {
	var sums [24]minuteChange
	for i := range c.minutes {
		m := &c.minutes[i]
		sums[m.minute/60].pv += m.pv
		sums[m.minute/60].bot += m.bot
	}
	var fields []any
	for hour := range sums {
		fields = appendHour(fields, hour, sums[hour].pv, sums[hour].bot)
	}
	return fields
}

// appendHour appends the fields of an hour that are not zero.
func appendHour(fields []any, hour int, pv, bot int64) []any {
	if pv > 0 {
		fields = append(fields, HourField(hour, false), pv)
	}
	if bot > 0 {
		fields = append(fields, HourField(hour, true), bot)
	}
	return fields
}

// HourField is the field of Keys.Books with the views of an hour.
func HourField(hour int, bots bool) string {
	if bots {
		return hourFields[24+hour]
	}
	return hourFields[hour]
}

var hourFields = func() (names [48]string) {
	for hour := range 24 {
		names[hour], names[24+hour] = fmt.Sprintf("h%02d", hour), fmt.Sprintf("b%02d", hour)
	}
	return names
}()

// MinuteField is the field of Keys.Minutes with the views of a minute of the
// day, from 0 on.
func MinuteField(minute int, bots bool) string {
	name := fmt.Sprintf("%02d%02d", minute/60, minute%60)
	if bots {
		return "b" + name
	}
	return name
}

// encodeMinutes writes the views by minute and returns how many hashes that
// are.
func (in *Ingester) encodeMinutes(c *call, site string, d *dayChange) int {
	end, ok := in.expireAt(d.state.day.Next(), MinutesTTL)
	if !ok || !d.state.minutes || len(d.minutes) == 0 {
		return 0
	}
	c.key(in.keys.Minutes(site, d.state.day))
	c.arg(end, known(d.state.seen.minutes, keys.MarkMinutes, d.state.digits))
	at := len(c.args)
	c.arg(0)
	n := 0
	for i := range d.minutes {
		m := &d.minutes[i]
		for _, x := range [...]struct {
			n    int64
			bots bool
		}{{m.pv, false}, {m.bot, true}} {
			if x.n > 0 {
				c.arg(MinuteField(int(m.minute), x.bots), x.n)
				n++
			}
		}
	}
	c.args[at] = n
	return 1
}

// referrers are those of a site's day that keep their name.
type referrers struct {
	all  map[string]*page
	name string // what was asked for last
	last *page  // and what it is counted as
}

func newReferrers() referrers { return referrers{all: map[string]*page{}} }

// of finds or admits a referrer; what is over the cap is counted under
// OtherPage.
func (r *referrers) of(name string, limit int) *page {
	if r.last != nil && r.name == name {
		return r.last
	}
	p := r.all[name]
	if p == nil {
		as := name
		if len(r.all) >= limit {
			as = parser.OtherPage
		}
		if p = r.all[as]; p == nil {
			p = admit(r.all, as)
		}
	}
	r.name, r.last = name, p
	return p
}

// countReferrer counts where a reader came from, if that was not the site.
func (a *aggregate) countReferrer(h *parser.Hit) {
	c := &a.cur
	if h.Referrer == h.Site {
		return
	}
	before := len(c.day.referrers)
	viewed(&c.day.referrers, c.day.state.from.of(h.Referrer, a.caps.referrers), uint32(a.open.number))
	if len(c.day.referrers) > before {
		a.open.weigh(c.part, perWrite)
	}
}
