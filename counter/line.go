package counter

import (
	"time"

	"ddkk-stats/counter/keys"
	"ddkk-stats/parser"
)

// aggregate decides what lines change: hits in, changes out. It knows no Redis, no
// clock and no file. What a hit needs to know of its site and day and is not in
// memory it lacks; the loop reads it and adds the hit again. Owned by the loop.
type aggregate struct {
	caps     caps
	sites    map[string]*site
	refused  refusals // sites over the limit
	siteRoom siteRoom
	crowds   crowds
	open     *batch
	number   uint64    // of the open batch
	now      time.Time // when the block came whose lines are counted
	redisNow time.Time // the same by Redis' clock
	cur      cursor
	views    views
	serial   uint64 // of the last dayState or dayChange
	// onlineFrom is the oldest line time, in Unix milliseconds, that still
	// marks its visitor as online; viewsFrom the same for view ids that
	// somebody may wait for.
	onlineFrom, viewsFrom int64
	eventKeys             []byte // buffer
	requests              requestBuffers
	weight, termWeight    int // bytes that days, and weeks and months, take in memory, about
}

// caps are how many names keep their own, of a site and day, where days begin, and how
// far the duplicate rules look back.
type caps struct {
	pages, events, endpoints, users, sites int
	ever                                   int64 // pages that a site has totals of

	facets   [parser.NumFacets]int
	location *time.Location
	uniques  parser.Uniques             // in which terms visitors are told again
	uvTTL    time.Duration              // how long visitors of a day are remembered
	idWindow time.Duration              // how long a view id is remembered
	window   func(string) time.Duration // DEDUPE_WINDOW of a site
}

func (o *Options) caps() caps {
	return caps{pages: o.MaxPages, events: o.MaxEvents, endpoints: o.MaxEndpoints, users: o.MaxUsers, sites: o.MaxSites, ever: int64(o.MaxPagesEver),
		facets: o.FacetCaps, location: o.Location, uniques: o.Uniques, uvTTL: o.UVSetTTL, idWindow: o.IDWindow, window: o.DedupeWindow}
}

// cursor remembers where the last line went: the next one mostly goes there too.
type cursor struct {
	site    *site
	segment string
	offsets *offsets
	part    *part
	day     *dayChange
}

// outcome is what became of a line.
type outcome uint8

const (
	lineLacks   outcome = iota // nothing changed: something it needs is not in memory
	lineNone                   // skipped or malformed: the hit says why
	lineRefused                // its site is over the limit of sites
	lineBefore                 // it was counted before
	lineCounts                 // a view or an event
	lineDup                    // the duplicate rules leave it out
	lineCall                   // a call of an API
)

var otherPage = []byte(parser.OtherPage)

// add counts a hit of a segment, whose line lies between two offsets. One of a site
// that is not counted now comes to what it will come to when the site is made good.
// A site's offset lies within a line only if that was counted before its newline came.
func (a *aggregate) add(h *parser.Hit, segment string, start, end int64) outcome {
	if h.Kind == parser.Skipped || h.Kind == parser.Malformed {
		return lineNone
	}
	c := &a.cur
	if c.site == nil || c.segment != segment || c.site.name != h.Site {
		s := a.sites[h.Site]
		if s == nil {
			if a.refused.again(h, segment, end) {
				return lineRefused
			}
			a.siteRoom.asksFor(h, segment)
			return a.lacking()
		}
		*c = cursor{site: s, segment: segment, offsets: s.at(segment)}
	}
	switch {
	case start < c.offsets.open:
		return lineBefore
	case h.Kind == parser.APICall:
		return a.call(h, end)
	case c.site.health.aside():
		c.site.assume(segment, end)
		return lineCounts
	}
	if !a.locateDay(h) {
		return a.lacking()
	}
	if c.day.state.crowded || c.site.ever >= a.caps.ever {
		if _, lacks := a.unplaced(c.site, c.day.state, h); lacks {
			return a.lacking()
		}
	}
	dup, ok := a.isDuplicate(h)
	if !ok {
		return a.lacking()
	}
	c.offsets.open = end
	switch {
	case dup:
		c.day.books.dedup++
		c.part.dups = append(c.part.dups, end)
		return lineDup
	case h.Bot:
		a.countBot(h)
	default:
		a.countHuman(h)
	}
	return lineCounts
}

// lacking is what add says of a hit that lacks something. Reading that may replace
// the state of a site, so no view may wait meanwhile and the cursor is set anew.
func (a *aggregate) lacking() outcome {
	a.countViews()
	a.cur = cursor{}
	return lineLacks
}

// locateDay points the cursor to the hit's day in the open batch; false: the day
// is not in memory.
func (a *aggregate) locateDay(h *parser.Hit) bool {
	c := &a.cur
	if c.part == nil {
		c.part = a.open.part(c.site, c.segment)
	}
	if c.day != nil && c.day.state.day == h.Day {
		return true
	}
	d := a.dayOf(c.site, h.Day)
	if d == nil {
		return false
	}
	d.used = a.number
	for _, t := range d.terms {
		if t != nil {
			t.used = a.number
		}
	}
	a.countViews()
	c.day = c.part.day(d)
	if c.day.serial == 0 {
		a.serial++
		c.day.serial = a.serial
	}
	return true
}

// dayOf is the state of a site's day; nil: it is not in memory. A new site's days
// are new.
func (a *aggregate) dayOf(s *site, day parser.Day) *dayState {
	d := s.days[day]
	if d != nil && !(a.stillGood(d.used, d.touched) && d.termsGood(a)) {
		delete(s.days, day)
		d = nil
	}
	if d == nil {
		if s.epoch != "" {
			return nil
		}
		d = a.newDay(day)
		a.link(s, d, a.newTerms(day))
		s.days[day] = d
	}
	d.touched = a.now
	return d
}

// newDay is the state of a day of which nothing is known.
func (a *aggregate) newDay(day parser.Day) *dayState {
	a.serial++
	return &dayState{day: day, digits: keys.Day(day), serial: a.serial, pages: map[string]*page{}, bots: map[string]*page{}, events: map[string]struct{}{},
		minutes: writable(expiry(a.caps.location, day.Next(), MinutesTTL), a.redisNow), used: a.number, touched: a.now}
}

// idleDay is how long a day may stay in memory untouched: less than any of
// its keys lives, so that what is remembered is still there.
const idleDay = time.Hour

// stillGood tells whether what is remembered of a day is still in Redis: a batch
// in hand uses it, or it was touched lately.
func (a *aggregate) stillGood(used uint64, touched time.Time) bool {
	return used+1 >= a.number || a.now.Sub(touched) < idleDay
}

// isDuplicate applies the rules that make a line count not at all; false: the
// buckets that it asks are not in memory.
func (a *aggregate) isDuplicate(h *parser.Hit) (dup, ok bool) {
	s := a.cur.site
	fresh := s.epoch == ""
	var id, view uint64
	byID := len(h.ViewID) > 0
	if byID {
		if !s.ids.look(h.Time, fresh, a.number) {
			return false, false
		}
		id = parser.PairHash(h.Visitor, h.ViewID)
		if s.ids.within(id, h.Time) {
			return true, true
		}
	}
	byWindow := s.window != nil && h.Kind == parser.Pageview && h.Addr.IsValid()
	if byWindow {
		if !s.window.look(h.Time, fresh, a.number) {
			return false, false
		}
		view = parser.PairHash(parser.Visitor(h.Addr.As16()), h.Page)
		if s.window.within(view, h.Time) {
			return true, true
		}
		a.remember(s.window, view, h.Time)
	}
	if byID {
		a.remember(s.ids, id, h.Time)
		if h.Time >= a.viewsFrom {
			a.open.views = append(a.open.views, viewKey(h.ViewID))
		}
	}
	return false, true
}

// remember has a rule know a moment.
func (a *aggregate) remember(rule *recent, key uint64, t int64) {
	b, at := rule.place(t)
	a.cur.part.remember(rule, b, key, at, a.number)
	a.open.weigh(a.cur.part, perSeen)
}

func (a *aggregate) countBot(h *parser.Hit) {
	if h.Kind == parser.Event {
		a.cur.day.books.botEvents++
		return
	}
	c, b := &a.cur, a.open
	c.day.books.bot++
	a.minute(h).bot++
	before := len(c.day.bots)
	viewed(&c.day.bots, botPage(c.day.state.bots, h.Page, a.caps.pages), uint32(b.number))
	b.bots += len(c.day.bots) - before
}

func (a *aggregate) countHuman(h *parser.Hit) {
	c := &a.cur
	told := h.Visitor != parser.Visitor{}
	if told {
		a.noteOnline(h)
	}
	if h.Kind == parser.Event {
		a.countEvent(h, told)
		return
	}
	c.part.pv++
	if h.Device == parser.Mobile {
		c.day.books.mobile++
	} else {
		c.day.books.pc++
	}
	a.minute(h).pv++
	a.countFacets(h)
	p, other := a.pageOf(h, c.day.state)
	v := view{part: c.part, day: c.day, page: p}
	if told {
		name := h.Page
		if other {
			name = otherPage
		}
		v.visitor, v.pair = h.Visitor, parser.PairHash(h.Visitor, name)
		if a.caps.uniques > 0 {
			v.terms = seenInTerms(h, name)
		}
	}
	a.later(v)
}

// noteOnline marks the visitor as seen if the line is recent enough to matter.
func (a *aggregate) noteOnline(h *parser.Hit) {
	c := &a.cur
	if h.Time < a.onlineFrom {
		return
	}
	if c.part.online == nil {
		c.part.online = map[parser.Visitor]int64{}
	}
	at := h.Time / 1000
	if now := a.now.UnixMilli(); h.Time > now+60_000 {
		at = now / 1000 // a clock that was ahead keeps nobody online
	}
	if old, ok := c.part.online[h.Visitor]; !ok || at > old {
		c.part.online[h.Visitor] = at
		if !ok {
			a.open.weigh(c.part, perWrite)
		}
	}
}

// countEvent counts an event at each of its levels.
func (a *aggregate) countEvent(h *parser.Hit, told bool) {
	c := &a.cur
	c.day.books.events++
	keys, ends, n := parser.AppendEventKeys(a.eventKeys[:0], h)
	a.eventKeys = keys
	for _, end := range ends[:n] {
		key := a.eventKey(h, c.day.state, keys[:end])
		ch := c.day.event(key)
		if ch.pv == 0 {
			a.open.weigh(c.part, 2*perWrite)
		}
		ch.pv++
		if told && c.day.pairs.add(parser.EventHash(h.Visitor, []byte(key)), -1-ch.index) {
			ch.uv++
			a.open.weigh(c.part, perPair)
		}
	}
}
