package counter

import (
	"math/bits"
	"net/netip"

	"ddkk-stats/parser"
)

// Who gets a name of its own on a day that has as many as its cap allows: see
// docs/design/caps.md. What is decided here holds until the archive has the day: it knows
// all rows and decides anew. A day with room costs nothing of this.

// tables of names that a day of a site has; those of facets follow.
const (
	tablePages = iota
	tableEvents
	tableFacets
	numTables = tableFacets + int(parser.NumFacets)
)

// rooms are a day's tables that are half full or more; nil: this one is not.
type rooms [numTables]*room

// room is what is known of a table that fills up.
type room struct {
	brought [parser.Networks + 1]int32 // names by the part of the internet that came first with them
	claims  map[uint64]claim           // of names that have none of their own, by their hash
	closed  bool                       // it was read when it was full: nobody knows who brought what
}

// claim is what speaks for a name: from where it was asked for today, and how many visitors,
// or days, it had before.
type claim struct {
	networks uint64
	before   int32
}

func (c claim) merit() int { return bits.OnesCount64(c.networks) + int(c.before) }

// maxClaims bounds what a table remembers.
const maxClaims = 1 << 17

// claimWeight is about how many bytes one takes.
const claimWeight = 48

func claimOf(name []byte) uint64 { return parser.PairHash(parser.Visitor{}, name) }

// share is how many names each part of the internet may bring to a table of a size, before
// only merit counts.
func share(limit int) int32 { return int32(limit / parser.Networks) }

// remember puts a claim in. When there are too many those go that only one part of the
// internet knows.
func (r *room) remember(hash uint64, c claim) {
	if len(r.claims) >= maxClaims {
		for h, c := range r.claims {
			if c.merit() < 2 {
				delete(r.claims, h)
			}
		}
		if len(r.claims) >= maxClaims/2 {
			clear(r.claims)
		}
	}
	if r.claims == nil {
		r.claims = map[uint64]claim{}
	}
	r.claims[hash] = c
}

// shares tells whether a part of the internet may bring a name to a table that has n.
func (r *room) shares(network uint8, n, limit int) bool {
	return network > 0 && !r.closed && n < limit+limit/2 && r.brought[network] < share(limit)
}

// table is how many names a table of a day has room for.
func (c *caps) table(t int) int {
	switch t {
	case tablePages:
		return c.pages
	case tableEvents:
		return c.events
	}
	return c.facets[t-tableFacets]
}

// names is how many a table has, beside the one for the rest.
func (d *dayState) names(t int) int {
	n, other := 0, false
	switch t {
	case tablePages:
		n, other = len(d.pages), d.pages[parser.OtherPage] != nil
	case tableEvents:
		n = len(d.events)
		_, other = d.events[parser.OtherPage]
	default:
		f := parser.Facet(t - tableFacets)
		n = int(d.facets.named[f])
		other = n > 0 && d.facets.all[f.Field(parser.OtherPage)] != nil
	}
	if other {
		n--
	}
	return n
}

// admits tells whether a new name of a table gets its own, and notes that it was asked for.
func (d *dayState) admits(c *caps, t int, name []byte, client netip.Addr) bool {
	n, limit := d.names(t), c.table(t)
	if n+1 < limit/2 {
		return true
	}
	r := d.rooms[t]
	if r == nil {
		r = &room{}
		d.rooms[t] = r
	}
	network := parser.Network(client)
	if n+1 >= limit {
		d.crowded = true
	}
	if n < limit || r.shares(network, n, limit) {
		r.brought[network]++
		return true
	}
	if n >= 2*limit {
		return false
	}
	hash := claimOf(name)
	x := r.claims[hash]
	if network > 0 {
		x.networks |= 1 << (network - 1)
	}
	if x.merit() >= parser.MeritNeeded(n-limit, limit) {
		delete(r.claims, hash)
		return true
	}
	r.remember(hash, x)
	return false
}

// unplaced tells of the first name of a hit of which it must be asked what it had before;
// none: no name.
func (a *aggregate) unplaced(s *site, d *dayState, h *parser.Hit) (p sitePage, lacks bool) {
	if h.Bot || s.epoch == "" {
		return p, false
	}
	if h.Kind == parser.Event {
		keys, ends, n := parser.AppendEventKeys(a.eventKeys[:0], h)
		a.eventKeys = keys
		for _, end := range ends[:n] {
			if _, ok := d.events[string(keys[:end])]; !ok && d.unknown(&a.caps, tableEvents, keys[:end], h.Addr) {
				return sitePage{s, d, tableEvents, string(keys[:end])}, true
			}
		}
		return p, false
	}
	if h.Kind != parser.Pageview {
		return p, false
	}
	if d.pages[string(h.Page)] == nil && (d.unknown(&a.caps, tablePages, h.Page, h.Addr) || s.ever >= a.caps.ever && !d.claimed(h.Page)) {
		return sitePage{s, d, tablePages, string(h.Page)}, true
	}
	for _, v := range h.Facets {
		if v != nil && d.facets.all[v.Field] == nil && d.unknown(&a.caps, tableFacets+int(v.Facet), []byte(v.Field), h.Addr) {
			return sitePage{s, d, tableFacets + int(v.Facet), v.Field}, true
		}
	}
	return p, false
}

// unknown tells whether a name that has none of its own competes for one and nothing is
// known of it.
func (d *dayState) unknown(c *caps, t int, name []byte, client netip.Addr) bool {
	n, limit := d.names(t), c.table(t)
	if n < limit || n >= 2*limit {
		return false
	}
	r := d.rooms[t]
	if r == nil {
		return true
	}
	if _, known := r.claims[claimOf(name)]; known {
		return false
	}
	return !r.shares(parser.Network(client), n, limit)
}

// claimed tells whether it is known what speaks for a page.
func (d *dayState) claimed(page []byte) bool {
	r := d.rooms[tablePages]
	if r == nil {
		return false
	}
	_, known := r.claims[claimOf(page)]
	return known
}

// endures tells whether a site may have a page that its day does not have: it had it before, or
// there is room for one more, or enough speaks for it.
func (s *site) endures(limit int64, d *dayState, h *parser.Hit) bool {
	if s.ever < limit {
		return true
	}
	hash := claimOf(h.Page)
	var x claim
	if r := d.rooms[tablePages]; r != nil {
		x = r.claims[hash]
	} else {
		d.rooms[tablePages] = &room{closed: true}
	}
	if x.before > 0 {
		return true
	}
	if n := parser.Network(h.Addr); n > 0 {
		x.networks |= 1 << (n - 1)
	}
	if s.ever < 2*limit && x.merit() >= parser.MeritNeeded(int(s.ever-limit), int(limit)) {
		return true
	}
	d.rooms[tablePages].remember(hash, x)
	return false
}

// isFull tells whether one of a day's tables is.
func (d *dayState) isFull(c *caps) bool {
	for t := range numTables {
		if d.names(t) >= c.table(t) {
			return true
		}
	}
	return false
}

// loaded is called when the day was read from Redis.
func (d *dayState) loaded(c *caps) {
	for t := range numTables {
		if d.names(t) >= c.table(t) {
			d.rooms[t], d.crowded = &room{closed: true}, true
		}
	}
}

// hadBefore tells whether an earlier day in memory has a page.
func (s *site) hadBefore(day parser.Day, page string) bool {
	for _, d := range s.days {
		if d.day < day && d.pages[page] != nil {
			return true
		}
	}
	return false
}
