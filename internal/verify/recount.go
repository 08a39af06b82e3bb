package verify

import (
	"hash/maphash"

	"ddkk-stats/parser"
)

// outcome is what became of a hit.
type outcome uint8

const (
	human outcome = iota
	bot
	duplicate
	called
)

// views are those of people and of bots in some time.
type views struct{ pv, bot int64 }

// count is what a page or an event key has.
type count struct{ pv, uv int64 }

// day is what lines add to one day of a site, beyond what is archived of it.
type day struct {
	pv, uv, pc, mobile, bot, peopleEvents, botEvents, dedup int64

	minutes [24 * 60]views
	facets  [parser.NumFacets]map[string]*views // with zeros for names that the archive has

	pages, events map[string]*count // with zeros for names that the archive has
	bots          map[string]*count // pages that bots saw, the same
	visitors      map[parser.Visitor]struct{}
	pairs         map[uint64]struct{}
}

func newDay() *day {
	d := &day{
		pages: map[string]*count{}, events: map[string]*count{}, bots: map[string]*count{},
		visitors: map[parser.Visitor]struct{}{}, pairs: map[uint64]struct{}{},
	}
	for f := range d.facets {
		d.facets[f] = map[string]*views{}
	}
	return d
}

// size is about how many things are remembered.
func (d *day) size() int {
	n := len(d.minutes)/4 + len(d.pages) + len(d.bots) + len(d.events) + len(d.visitors) + len(d.pairs)
	for _, names := range d.facets {
		n += len(names)
	}
	return n
}

// rules are what counting goes by.
type rules struct {
	maxPages, maxEvents int
	facets              [parser.NumFacets]int // names of a day that keep theirs
	seed                maphash.Seed
}

func (r *rules) hash(text string) uint64 { return maphash.String(r.seed, text) }

// recount is one site's own count of lines.
type recount struct {
	rules  *rules
	site   string
	days   map[parser.Day]*day
	ids    *window // the same view id of the same visitor
	again  *window // the same page from the same address; nil: the rule is off
	levels []byte  // buffer
	calls  *calls  // of its API
	// begin fills a new day with what the archive knows of it.
	begin func(parser.Day, *day) error
	// beginTerm does the same with a week or a month.
	beginTerm func(*termCount) error
	terms     map[string]*termCount // by name

	pv, uv int64 // over all days
}

// add counts a page view, an event or an API call.
func (r *recount) add(h *parser.Hit) (outcome, error) {
	if h.Kind == parser.APICall {
		return called, r.calls.add(h)
	}
	d, err := r.day(h.Day)
	if err != nil {
		return 0, err
	}
	switch {
	case r.seen(h):
		d.dedup++
		return duplicate, nil
	case h.Bot && h.Kind == parser.Event:
		d.botEvents++
		return bot, nil
	case h.Bot:
		d.bot++
		d.minutes[h.Minute].bot++
		_, c := capped(d.bots, h.Page, r.rules.maxPages)
		c.pv++
		r.facets(d, h)
		return bot, nil
	case h.Kind == parser.Event:
		d.peopleEvents++
		r.event(d, h)
		return human, nil
	}
	return human, r.view(d, h)
}

func (r *recount) day(n parser.Day) (*day, error) {
	d := r.days[n]
	if d == nil {
		d = newDay()
		if err := r.begin(n, d); err != nil {
			return nil, err
		}
		r.days[n] = d
	}
	return d, nil
}

// seen applies the two rules about duplicates: a line that either of them
// refuses is remembered by neither.
func (r *recount) seen(h *parser.Hit) bool {
	id, again := uint64(0), uint64(0)
	hasID, hasPage := len(h.ViewID) > 0, r.again != nil && h.Kind == parser.Pageview && h.Addr.IsValid() // without one, nobody is the same
	if hasID {
		id = parser.PairHash(h.Visitor, h.ViewID)
		if r.ids.has(id, h.Time) {
			return true
		}
	}
	if hasPage {
		again = parser.PairHash(parser.Visitor(h.Addr.As16()), h.Page)
		if r.again.has(again, h.Time) {
			return true
		}
		r.again.put(again, h.Time)
	}
	if hasID {
		r.ids.put(id, h.Time)
	}
	return false
}

func (r *recount) view(d *day, h *parser.Hit) error {
	d.pv++
	r.pv++
	if h.Device == parser.Mobile {
		d.mobile++
	} else {
		d.pc++
	}
	d.minutes[h.Minute].pv++
	r.facets(d, h)
	name, c := capped(d.pages, h.Page, r.rules.maxPages)
	c.pv++
	if h.Visitor.IsZero() {
		return nil
	}
	if _, known := d.visitors[h.Visitor]; !known {
		d.visitors[h.Visitor] = struct{}{}
		d.uv++
		r.uv++
	}
	if r.rules.pair(d, h.Visitor, pageKind, name) {
		c.uv++
	}
	return r.countTerms(h, name)
}

// facets counts a view by what there is beside its page.
func (r *recount) facets(d *day, h *parser.Hit) {
	for f := range parser.NumFacets {
		text, known := h.FacetName(f)
		name := []byte(text)
		if h.Bot && !f.Spec().Bots || !f.Counts([]byte(h.Site), name, known) {
			continue
		}
		if _, c := capped(d.facets[f], name, r.rules.facets[f]); h.Bot {
			c.bot++
		} else {
			c.pv++
		}
	}
}

// event counts an event at each level of its key.
func (r *recount) event(d *day, h *parser.Hit) {
	key, ends, n := parser.AppendEventKeys(r.levels[:0], h)
	r.levels = key
	for _, end := range ends[:n] {
		name, c := capped(d.events, key[:end], r.rules.maxEvents)
		c.pv++
		if !h.Visitor.IsZero() && r.rules.pair(d, h.Visitor, eventKind, name) {
			c.uv++
		}
	}
}

// capped finds the count of a name, or of what stands for the names that came
// when there were enough.
func capped[T any](all map[string]*T, name []byte, limit int) ([]byte, *T) {
	if c := all[string(name)]; c != nil {
		return name, c
	}
	if len(all) >= limit {
		name = []byte(parser.OtherPage)
	}
	c := all[string(name)]
	if c == nil {
		c = new(T)
		all[string(name)] = c
	}
	return name, c
}

// Kinds of things that a visitor saw.
const pageKind, eventKind byte = 'p', 'e'

// pair notes that a visitor saw something; true for the first time that day.
func (r *rules) pair(d *day, v parser.Visitor, kind byte, name []byte) bool {
	var h maphash.Hash
	h.SetSeed(r.seed)
	// Writing to a hash never fails, by its documentation.
	h.Write(v[:])
	h.WriteByte(kind)
	h.Write(name)
	sum := h.Sum64()
	if _, known := d.pairs[sum]; known {
		return false
	}
	d.pairs[sum] = struct{}{}
	return true
}

// total adds up a page's days.
func (r *recount) total(page string) (c count) {
	for _, d := range r.days {
		if x := d.pages[page]; x != nil {
			c.pv += x.pv
			c.uv += x.uv
		}
	}
	return c
}

// bots adds up a page's views of bots.
func (r *recount) bots(page string) (n int64) {
	for _, d := range r.days {
		if x := d.bots[page]; x != nil {
			n += x.pv
		}
	}
	return n
}

// size is about how many things are remembered.
func (r *recount) size() int {
	n := r.ids.size + r.calls.size()
	if r.again != nil {
		n += r.again.size
	}
	for _, d := range r.days {
		n += d.size()
	}
	for _, t := range r.terms {
		n += len(t.pairs) + len(t.visitors)
	}
	return n
}

// window tells what came less than its width before or after, by slots of that
// width: only three of them can hold it.
type window struct {
	width int64 // milliseconds
	slots map[int64]map[uint64]int64
	size  int
}

func newWindow(width int64) *window {
	return &window{width: width, slots: map[int64]map[uint64]int64{}}
}

func (w *window) has(key uint64, at int64) bool {
	for slot := at/w.width - 1; slot <= at/w.width+1; slot++ {
		if then, ok := w.slots[slot][key]; ok && max(then-at, at-then) < w.width {
			return true
		}
	}
	return false
}

func (w *window) put(key uint64, at int64) {
	slot := w.slots[at/w.width]
	if slot == nil {
		slot = map[uint64]int64{}
		w.slots[at/w.width] = slot
	}
	w.size -= len(slot)
	slot[key] = at
	w.size += len(slot)
}

// forget drops what can no longer matter to lines from a time on.
func (w *window) forget(from int64) {
	for n, slot := range w.slots {
		if n < from/w.width-1 {
			w.size -= len(slot)
			delete(w.slots, n)
		}
	}
}
