package counter

import (
	"time"

	"ddkk-stats/parser"
)

// none is the offset of a segment that a site has no checkpoint for.
const none int64 = -1

// site is what this daemon knows of a site: a cache of what Redis holds, good
// until an answer says otherwise. Owned by the ingest loop.
type site struct {
	name    string
	epoch   string    // "": new, the first commit makes it
	first   string    // the epoch that the first commit makes
	pv, uv  int64     // the totals after our last commit; they can only grow
	ever    int64     // pages that it has totals of, or more: those that are new on a day count as new
	everAt  time.Time // when that was asked
	offsets map[string]*offsets
	days    map[parser.Day]*dayState
	terms   map[string]*term        // weeks and months by name; nil: none are counted
	calls   map[parser.Day]*callDay // of its API
	ids     *recent                 // duplicate view ids
	window  *recent                 // the DEDUPE_WINDOW rule; nil when off
	waits   [pendingKinds]tail      // elements of its lists that are not folded yet; bytes of this run
	lists   [pendingKinds]string    // versions of the lists after our last fold or look
	bots    bool                    // the hash of pages that bots saw was there after our last commit
	assumed map[string]span         // see assume
	known   map[lineEnd]bool        // see assumeParts
	health  health                  // changed by turn
}

// offsets is how far a site is in one segment, always just after a line.
type offsets struct {
	stored int64 // in Redis
	sent   int64 // in the batch that is being committed
	open   int64 // in the batch that is being filled
}

// span is a stretch of a segment, both ends included.
type span struct{ from, to int64 }

// assume notes that a line which ends at end was booked as one that counts,
// since the rules could not be asked while the site was being rebuilt.
func (s *site) assume(segment string, end int64) {
	if s.assumed == nil {
		s.assumed = map[string]span{}
	}
	x, ok := s.assumed[segment]
	if !ok {
		x.from = end
	}
	s.assumed[segment] = span{min(x.from, end), max(x.to, end)}
}

func (s *site) assumes(segment string, end int64) bool {
	x, ok := s.assumed[segment]
	return ok && x.from <= end && end <= x.to && !s.known[lineEnd{segment, end}]
}

// lineEnd names a line of the log.
type lineEnd struct {
	segment string
	end     int64
}

// assumeParts notes the same of changes that are read again: meanwhile another
// host may count one of their lines first. The duplicates among them are known.
func (s *site) assumeParts(parts []bookedPart) {
	for _, p := range parts {
		s.assume(p.segment, max(p.from, 0)+1)
		s.assume(p.segment, p.to)
		if s.known == nil && len(p.dups) > 0 {
			s.known = map[lineEnd]bool{}
		}
		for _, end := range p.dups {
			s.known[lineEnd{p.segment, end}] = true
		}
	}
}

// bookedPart is a stretch of a segment whose lines are in the books, and the
// ends of those that were booked as duplicates.
type bookedPart struct {
	segment  string
	from, to int64
	dups     []int64
}

func (s *site) at(segment string) *offsets {
	o := s.offsets[segment]
	if o == nil {
		o = &offsets{stored: none, sent: none, open: none}
		s.offsets[segment] = o
	}
	return o
}

// page is one page of a day. An entry is kept for the whole day, so that a
// batch finds it without building a string.
type page struct {
	name   string
	batch  uint32 // the open batch that holds it, at place index
	index  int32
	seenPV bool // committed before: the key must exist
	seenUV bool
	later  bool // committed as a pending change: seen once that is folded
	lateUV bool
}

// dayState is what is remembered of one site's day.
type dayState struct {
	day      parser.Day
	digits   string                 // of the day, as in keys
	serial   uint64                 // no two states have the same
	visitors set64                  // first 8 bytes of the visitors known to be in Redis
	pairs    pairSet                // (visitor, page) and (visitor, event key)
	terms    [parser.NumTerms]*term // that it is in; nil: not counted
	pages    map[string]*page
	bots     map[string]*page // pages that bots saw
	events   map[string]struct{}
	facets   facetNames
	rooms    rooms // of tables that fill up
	crowded  bool  // one of them is full
	minutes  bool  // views are counted by minute: the day is young enough
	least    dayLeast
	seen     daySeen
	later    []*page // those that are
	used     uint64  // number of the last batch that changes it
	touched  time.Time
}

// dayLeast are numbers that Redis had after our last commit and that can only
// grow: less means that it lost data.
type dayLeast struct{ pv, uv, visitors int64 }

// daySeen tells which keys of the day were there after our last commit: one
// that comes up new was lost.
type daySeen struct{ books, events, ranks, bots, minutes bool }

// weight is about how many bytes the day takes in memory.
func (d *dayState) weight() int {
	n := 8*(len(d.visitors.slots)+len(d.pairs.slots)) + 160*(len(d.pages)+len(d.bots)+len(d.facets.all)) + 120*len(d.events)
	for _, r := range d.rooms {
		if r != nil {
			n += claimWeight * len(r.claims)
		}
	}
	return n
}

// botPage finds or admits a page of a day that a bot saw; what is over the cap is counted
// under OtherPage. What bots ask for takes no page's name from people: it has a cap of its own.
func botPage(all map[string]*page, name []byte, limit int) *page {
	if p := all[string(name)]; p != nil {
		return p
	}
	if len(all) >= limit {
		return otherOf(all)
	}
	return admit(all, string(name))
}

// otherOf is what stands for the names that have none of their own, so that totals stay exact
// whatever is asked for.
func otherOf(all map[string]*page) *page {
	if p := all[parser.OtherPage]; p != nil {
		return p
	}
	return admit(all, parser.OtherPage)
}

// pageOf finds or admits the page of a hit in a day; other tells that it is over
// the cap. A page that comes often knows its place in the day that it was in last.
func (a *aggregate) pageOf(h *parser.Hit, d *dayState) (p *page, other bool) {
	if h.Known != nil && h.Known.About == d.serial {
		if p, ok := h.Known.Note.(*page); ok {
			return p, false
		}
	}
	if p = d.pages[string(h.Page)]; p == nil {
		if s := a.cur.site; s.endures(a.caps.ever, d, h) && d.admits(&a.caps, tablePages, h.Page, h.Addr) {
			p = admit(d.pages, string(h.Page))
			s.ever++
		} else {
			p = otherOf(d.pages)
		}
	}
	if p.name == parser.OtherPage {
		a.crowds.note(crowdOfPages, h.Site, h.Day)
		return p, true
	}
	if h.Known != nil {
		h.Known.Note, h.Known.About = p, d.serial
	}
	return p, false
}

func admit(all map[string]*page, name string) *page {
	p := &page{name: name}
	all[name] = p
	return p
}

// eventKey admits an event key, or names the overflow key.
func (a *aggregate) eventKey(h *parser.Hit, d *dayState, key []byte) string {
	k := string(key)
	if _, ok := d.events[k]; ok {
		return k
	}
	if !d.admits(&a.caps, tableEvents, key, h.Addr) {
		a.crowds.note(crowdOfEvents, h.Site, h.Day)
		k = parser.OtherPage
	}
	d.events[k] = struct{}{}
	return k
}

// sawPage remembers that a page's counters are in Redis, or will be when pending
// changes are folded.
func (d *dayState) sawPage(ch *pageChange, deferred bool) {
	p, uv := ch.page, ch.uv > 0
	if !deferred {
		p.seenPV, p.seenUV = true, p.seenUV || uv
		return
	}
	if p.seenPV && (p.seenUV || !uv) {
		return
	}
	if !p.later {
		p.later = true
		d.later = append(d.later, p)
	}
	p.lateUV = p.lateUV || uv
}

// foldedAll remembers that nothing of the site is pending: pages that were put off
// have their counters.
func (s *site) foldedAll() {
	for _, d := range s.days {
		for _, p := range d.later {
			p.seenPV, p.seenUV = true, p.seenUV || p.lateUV
			p.later, p.lateUV = false, false
		}
		d.seen.ranks = d.seen.ranks || len(d.later) > 0
		d.later = nil
	}
}

// applied remembers what Redis holds of the day after a commit: the keys that
// the change wrote, and the numbers of its checks.
func (d *dayState) applied(c *dayChange, deferred bool, cards []int64) {
	d.seen.books = d.seen.books || len(c.books.fields()) > 0
	d.seen.events = d.seen.events || len(c.events) > 0
	d.seen.ranks = d.seen.ranks || (len(c.pages) > 0 && !deferred)
	d.seen.minutes = d.seen.minutes || (len(c.minutes) > 0 && d.minutes)
	d.seen.bots = d.seen.bots || (len(c.bots) > 0 && !deferred)
	if len(cards) < dayChecks {
		return
	}
	d.least.pv = max(d.least.pv, cards[0])
	d.least.uv = max(d.least.uv, cards[1])
	d.least.visitors = max(d.least.visitors, cards[2])
}
