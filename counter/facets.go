package counter

import (
	"fmt"

	"ddkk-stats/counter/keys"
	"ddkk-stats/parser"
)

// Views by minute and by facet. They cost a line few comparisons: it mostly falls
// into the minute of the one before, and a facet's name knows its place in the day.
//
// Nobody but the dashboard asks for facets. So what a commit changes of them is one
// element that it appends to a list of the site, which is spread over the days'
// hashes now and then (see fold.go); reads add what is still in the list.

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

// MinuteField is the field of Keys.Minutes with the views of a minute of the
// day, from 0 on.
func MinuteField(minute int, bots bool) string {
	name := fmt.Sprintf("%02d%02d", minute/60, minute%60)
	if bots {
		return "b" + name
	}
	return name
}

// minutes writes the views by minute and returns how many hashes that
// are.
func (e *encoder) minutes(c *call, site string, d *dayChange) int {
	end, ok := e.expireAt(d.state.day.Next(), MinutesTTL)
	if !ok || !d.state.minutes || len(d.minutes) == 0 {
		return 0
	}
	c.key(e.keys.Minutes(site, d.state.day))
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

// facetNames are those of a site's day, of all facets, that keep their name.
type facetNames struct {
	all   map[string]*page // by field
	named [parser.NumFacets]int32
}

// know has a field that Redis has.
func (n *facetNames) know(field string) {
	f, _, bots, ok := parser.FieldOf(field)
	if !ok {
		return
	}
	if bots {
		field = string(f.Spec().Letter) + field[1:]
	}
	if n.all[field] == nil {
		n.admit(f, field)
	}
}

func (n *facetNames) admit(f parser.Facet, field string) *page {
	if n.all == nil {
		n.all = map[string]*page{}
	}
	n.named[f]++
	return admit(n.all, field)
}

// other stands for names that have none of their own.
func (n *facetNames) other(f parser.Facet) *page {
	field := f.Field(parser.OtherPage)
	if p := n.all[field]; p != nil {
		return p
	}
	return n.admit(f, field)
}

// facetOf finds or admits a name. What is over the cap is counted under OtherPage, and its
// next view is looked at again: it may have more merit by then.
func (a *aggregate) facetOf(h *parser.Hit, d *dayState, v *parser.Value) (p *page, named bool) {
	n := &d.facets
	if p := n.all[v.Field]; p != nil {
		return p, true
	}
	if !d.admits(&a.caps, tableFacets+int(v.Facet), []byte(v.Field), h.Addr) {
		a.crowds.note(v.Facet.Spec().Name, h.Site, h.Day)
		return n.other(v.Facet), false
	}
	return n.admit(v.Facet, v.Field), true
}

// countFacets counts a view of a person by its facets. A name knows its place in the
// change of a day that it was in last.
func (a *aggregate) countFacets(h *parser.Hit) {
	d := a.cur.day
	for _, v := range h.Facets {
		switch {
		case v == nil:
		case v.About == d.serial:
			d.facets[v.Place].pv++
		default:
			a.placeFacet(h, v)
		}
	}
}

// placeFacet counts the first view of a name in a change of a day, or one of a name that
// was elsewhere meanwhile.
func (a *aggregate) placeFacet(h *parser.Hit, v *parser.Value) {
	c := &a.cur
	d := c.day
	before := len(d.facets)
	p, named := a.facetOf(h, d.state, v)
	viewed(&d.facets, p, uint32(a.open.number))
	if len(d.facets) > before {
		a.open.weigh(c.part, len(v.Field)+perFacet)
	}
	if named {
		v.Place, v.About = int(p.index), d.serial
	}
}

// facetBlobs packs what a part changes of facets: an element for each day, as those
// of pending pages are, with fields for pages and views of bots for UV. Days whose
// facets are the archive's by now are left out.
func (e *encoder) facetBlobs(p *part) [][]byte {
	var blobs [][]byte
	for _, d := range p.days {
		if _, ok := e.expireAt(d.state.day.Next(), FacetTTL); !ok || len(d.facets)+len(d.minutes) == 0 {
			continue
		}
		b := appendElement(nil, uint32(d.state.day), 24*len(d.facets)+96)
		for i := range d.facets {
			b = appendPending(b, d.facets[i].page.name, d.facets[i].pv, 0)
		}
		for hour, n := range d.hours() {
			if n.pv+n.bot > 0 {
				b = appendPending(b, parser.Hour.Field(parser.HourName(hour)), n.pv, n.bot)
			}
		}
		blobs = append(blobs, b)
	}
	return blobs
}

// hours adds up the views by minute.
func (c *dayChange) hours() (sums [24]minuteChange) {
	for i := range c.minutes {
		m := &c.minutes[i]
		sums[m.minute/60].pv += m.pv
		sums[m.minute/60].bot += m.bot
	}
	return sums
}

// appendFacet appends the fields of a name that are not zero, with their values.
func appendFacet(fields []any, field string, pv, bot int64) []any {
	if pv > 0 {
		fields = append(fields, field, pv)
	}
	if bot > 0 {
		fields = append(fields, parser.BotField(field), bot)
	}
	return fields
}

// foldFacets adds the sections of a step of the list of facets.
func (e *encoder) foldFacets(c *call, name string, all []pendingPage) (writes int) {
	c.arg(0, 0, 0) // no types, no visitors, no counters
	end, ok := e.expireAt(all[0].day.Next(), FacetTTL)
	if !ok {
		c.arg(0, 0) // neither hashes nor ranks: the step only goes
		return 0
	}
	c.arg(1)
	c.key(e.keys.Facets(name, all[0].day))
	var fields []any
	for i := range all {
		fields = appendFacet(fields, all[i].name, all[i].pv, all[i].uv)
	}
	c.arg(end, known(false, keys.MarkFacets, keys.Day(all[0].day)), len(fields)/2)
	c.arg(fields...)
	c.arg(0) // no ranks
	return len(fields) / 2
}
