package verify

import (
	"math"
	"slices"

	"ddkk-stats/archive"
	"ddkk-stats/parser"
)

// bookkeeping keeps the books of all segments over the groups. The first group
// books what every line is; each group books what became of its sites' lines.
type bookkeeping struct {
	sites   map[string]bool // all that are looked at
	one     bool            // only one was asked for
	first   bool            // no group has ended yet
	all     map[string]*openBook
	order   []*openBook
	current map[string]*openBook // of the group that is being read
	opens   []*openBook
}

func newBookkeeping(reports []*SiteReport, one bool) bookkeeping {
	b := bookkeeping{sites: map[string]bool{}, one: one, first: true, all: map[string]*openBook{}}
	for _, r := range reports {
		b.sites[r.Site] = true
	}
	return b
}

// begin throws away what a group that did not end has booked.
func (b *bookkeeping) begin() { b.current, b.opens = map[string]*openBook{}, nil }

// commit adds what the group has booked.
func (b *bookkeeping) commit() {
	for _, o := range b.opens {
		if was := b.all[o.ID]; was != nil {
			was.Add(&o.Book)
			continue
		}
		b.all[o.ID] = o
		b.order = append(b.order, o)
	}
	b.first = false
}

func (b *bookkeeping) segments() []SegmentBook {
	all := make([]SegmentBook, len(b.order))
	for i, o := range b.order {
		all[i] = o.SegmentBook
	}
	return all
}

// openBook is the book of a segment that is being read.
type openBook struct {
	SegmentBook
	keeper *bookkeeping
	end    int64 // lines behind this came after the first group
}

// open begins a segment's book with what the archive has booked.
func (b *bookkeeping) open(seg Segment, a archive.SegmentBook) *openBook {
	o := &openBook{keeper: b, end: math.MaxInt64, SegmentBook: SegmentBook{ID: seg.ID(), Name: seg.Name(), Archived: a.End}}
	if was := b.all[o.ID]; was != nil {
		o.end = was.end
	} else if !b.first {
		o.end = 0 // it is new
	} else {
		a.Tally.Torn = 0 // it is read again
		o.Book = archivedBook(&a)
	}
	b.current[o.ID] = o
	b.opens = append(b.opens, o)
	return o
}

// gone adds the books of archived segments that are not on the disk any more.
func (b *bookkeeping) gone(archived map[string]archive.SegmentBook) {
	if !b.first {
		return
	}
	var ids []string
	for id := range archived {
		if b.current[id] == nil {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	for _, id := range ids {
		a := archived[id]
		b.opens = append(b.opens, &openBook{keeper: b, SegmentBook: SegmentBook{ID: id, Name: a.Name, Archived: a.End, Book: archivedBook(&a)}})
	}
}

func archivedBook(a *archive.SegmentBook) Book {
	t := &a.Tally
	b := Book{Lines: t.Lines + t.Torn, Human: t.Human, Bot: t.Bot, Calls: t.Calls, Dedup: t.Dedup, Torn: t.Torn, Skipped: t.Skipped, Malformed: t.Malformed}
	for r, n := range t.Reasons {
		b.reason(r, n)
	}
	return b
}

// line books a line; true when nothing more is to be done with it.
func (o *openBook) line(h *parser.Hit) bool {
	if o.keeper.first {
		o.Lines++
		return o.refuse(h)
	}
	return h.Kind == parser.Skipped || h.Kind == parser.Malformed
}

// stranger books a line of a site that this group does not look at.
func (o *openBook) stranger(site string) {
	switch {
	case !o.keeper.first || o.keeper.sites[site]:
	case o.keeper.one:
		o.Other++
	default:
		o.Waiting++ // nobody has counted it yet
	}
}

func (o *openBook) counted(what outcome) {
	switch what {
	case human:
		o.Human++
	case bot:
		o.Bot++
	case duplicate:
		o.Dedup++
	case called:
		o.Calls++
	}
}

// ended notes the end of a segment; torn bytes lie behind its last newline.
func (o *openBook) ended(pos, torn int64, live bool) {
	if !o.keeper.first {
		return
	}
	o.end = pos
	if torn > 0 && !live {
		o.Lines++
		o.Torn++
	}
}
