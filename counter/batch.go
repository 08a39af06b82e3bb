package counter

import (
	"encoding/binary"
	"slices"

	"ddkk-stats/parser"
)

// batch is what is committed at once: for each site and segment the changes
// of the lines between two offsets.
type batch struct {
	number uint64
	parts  []*part
	byKey  map[partKey]*part
	ends   map[string]mark // segment -> how far it is read when all parts are in
	books  []Tally         // by input
	lines  int
	most   int // writes of its largest part beside the pages' ones, about
	pages  int // page changes
	bots   int // those of bots
	syncs  []syncPoint
	views  []uint64
}

// syncPoint is how much of a segment must be durable before a batch goes out.
type syncPoint struct {
	source  Source
	segment string
	end     int64
}

// mark is an offset of a segment, good until the segment is rewound.
type mark struct {
	end     int64
	rewinds int
}

type partKey struct {
	site    *site
	segment string
}

// part is one site's share of a batch from one segment: one script call.
type part struct {
	site     *site
	segment  string
	from, to int64 // from: the stored offset that is expected; none for the first
	days     []*dayChange
	expect   string             // the epoch that the site must have, "" for a new one
	epoch    string             // the epoch that it has afterwards
	deferred bool               // page changes go to the pending list
	listed   bool               // the site's list of facets is there
	appended [pendingKinds]tail // elements of the site's lists
	seen     []*seenChange
	online   map[parser.Visitor]int64 // -> Unix seconds
	pv       int64
	calls    *callPart // nil: none
	callKeys []callKey // that the commit writes
	cost     int       // beside the pages' writes, about; see perWrite
	dups     []int64   // ends of the lines that the duplicate rules left out
}

// seenChange is what a part adds to one bucket of a duplicate rule.
type seenChange struct {
	rule   *recent
	bucket *bucket
	length int64 // bytes of the bucket's key before
	data   []byte
}

// dayChange is what a part changes in one day.
type dayChange struct {
	state    *dayState
	serial   uint64 // no two changes or states have the same
	pv       int64
	pages    []pageChange
	bots     []pageChange // without UV
	visitors []byte       // new ones, 16 bytes each
	pairs    pairChange   // whose UV each of them is: see owner
	terms    [parser.NumTerms]termChange
	events   map[string]*eventChange
	eventsAt []*eventChange // by index
	books    dayBooks

	minutes []minuteChange // about in their order
	minute  int            // the place of the last one
	facets  []pageChange   // by field, without UV
}

type pageChange struct {
	page   *page
	pv, uv int64
	terms  [parser.NumTerms]int32 // visitors of the week and the month
}

type eventChange struct {
	pv, uv int64
	index  int32 // in eventsAt
}

// dayBooks are sums of a day that are no page views.
type dayBooks struct{ bot, botEvents, events, pc, mobile, dedup int64 }

func newBatch(number uint64, inputs int) *batch {
	return &batch{number: number, byKey: map[partKey]*part{}, ends: map[string]mark{}, books: make([]Tally, inputs)}
}

func (b *batch) empty() bool { return b.lines == 0 && len(b.ends) == 0 }

// part finds or opens the share of a site in a segment.
func (b *batch) part(s *site, segment string) *part {
	k := partKey{s, segment}
	p := b.byKey[k]
	if p == nil {
		p = &part{site: s, segment: segment}
		b.byKey[k] = p
		b.parts = append(b.parts, p)
	}
	return p
}

// weigh adds to what a part costs Redis and knows the largest one: a script
// holds Redis as long as its own part takes, whatever else is sent.
func (b *batch) weigh(p *part, cost int) {
	p.cost += cost
	b.most = max(b.most, p.cost/perWrite)
}

// drop removes the shares of a site: its lines will be read again.
func (b *batch) drop(s *site) {
	kept := b.parts[:0]
	for _, p := range b.parts {
		if p.site != s {
			kept = append(kept, p)
			continue
		}
		delete(b.byKey, partKey{p.site, p.segment})
	}
	b.parts = kept
}

// writes is about how much of a budget the part takes once it is sealed.
func (p *part) writes() int {
	n := p.cost / perWrite
	if !p.deferred {
		for _, d := range p.days {
			n += len(d.pages)*writesPerPage + len(d.bots)*writesPerBot
		}
	}
	return n
}

// pages is how many pages the part changes.
func (p *part) pages() int {
	n := 0
	for _, d := range p.days {
		n += len(d.pages) + len(d.bots)
	}
	return n
}

func (p *part) day(d *dayState) *dayChange {
	for _, c := range p.days {
		if c.state == d {
			return c
		}
	}
	c := &dayChange{state: d, pairs: pairChange{set: &d.pairs}}
	for t, x := range d.terms {
		if x != nil {
			c.terms[t] = termChange{state: x, pairs: pairChange{set: &x.pairs}}
		}
	}
	p.days = append(p.days, c)
	return c
}

// view adds a page view and returns the change of its page.
func (c *dayChange) view(p *page, batch uint32) *pageChange {
	c.pv++
	return viewed(&c.pages, p, batch)
}

// viewed adds a view to the change of a page.
func viewed(all *[]pageChange, p *page, batch uint32) *pageChange {
	// An entry knows its place in the batch's list; several parts of one batch
	// may hold the same day, so the place is checked.
	if p.batch != batch || int(p.index) >= len(*all) || (*all)[p.index].page != p {
		p.batch, p.index = batch, int32(len(*all))
		*all = append(*all, pageChange{page: p})
	}
	ch := &(*all)[p.index]
	ch.pv++
	return ch
}

// owner is the UV that an entry of the day's pairs stands for: of a page by its place,
// or of an event, counted down from -1.
func (c *dayChange) owner(o int32) *int64 {
	if o < 0 {
		return &c.eventsAt[-1-o].uv
	}
	return &c.pages[o].uv
}

// visitor notes a visitor; true if this daemon sees it for the first time today.
func (c *dayChange) visitor(v *parser.Visitor) bool {
	if !c.state.visitors.add(lowHalf(v)) {
		return false
	}
	c.visitors = append(c.visitors, v[:]...)
	return true
}

func (c *dayChange) event(key string) *eventChange {
	if c.events == nil {
		c.events = map[string]*eventChange{}
	}
	e := c.events[key]
	if e == nil {
		e = &eventChange{index: int32(len(c.eventsAt))}
		c.events[key] = e
		c.eventsAt = append(c.eventsAt, e)
	}
	return e
}

// remember adds an entry to a bucket of a duplicate rule.
func (p *part) remember(rule *recent, b *bucket, key uint64, at uint32, batch uint64) {
	b.times.put(key, at)
	b.used = batch
	c := p.seenOf(b)
	if c == nil {
		c = &seenChange{rule: rule, bucket: b}
		p.seen = append(p.seen, c)
	}
	c.data = binary.LittleEndian.AppendUint64(c.data, key)
	c.data = binary.LittleEndian.AppendUint32(c.data, at)
}

// seenOf is what the part adds to a bucket, nil if it is nothing yet. Mostly it
// is one of those that were opened last.
func (p *part) seenOf(b *bucket) *seenChange {
	for i := len(p.seen) - 1; i >= 0; i-- {
		if p.seen[i].bucket == b {
			return p.seen[i]
		}
	}
	return nil
}

// seal fixes what the scripts must find: the checkpoint and the lengths of the
// packed keys, as they will be once the parts before this one are applied.
//
// A part may have got no line, as its site could not be read: it goes, since there is
// nowhere that it could move the checkpoint to.
func (b *batch) seal() {
	b.parts = slices.DeleteFunc(b.parts, func(p *part) bool {
		o := p.site.at(p.segment)
		return o.open == o.sent
	})
	for _, p := range b.parts {
		o := p.site.at(p.segment)
		p.from, p.to = o.sent, o.open
		o.sent = o.open
		for x := range p.pairs() {
			x.change().seal()
		}
		for _, s := range p.seen {
			s.length = s.bucket.length
			s.bucket.length += int64(len(s.data))
		}
	}
}
