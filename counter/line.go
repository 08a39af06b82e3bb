package counter

import (
	"bytes"
	"context"
	"fmt"

	"ddkk-stats/parser"
)

// segment is where the loop is in one segment.
type segment struct {
	id, name string
	input    int
	pos      int64 // where the next line must start
	booked   int64 // lines up to here are in the books
	torn     int64 // end of an unfinished last line that starts at pos; 0: none
	floor    int64 // up to here every site's lines are committed
	size     int64 // as far as we know
	closed   bool
	rewinds  int  // how often it was rewound
	awaited  int  // blocks that may still come from before a rewind
	gone     bool // it could not be rewound: go on where it goes on
}

// cursor remembers where the last line went: the next one mostly goes there too.
type cursor struct {
	site    *site
	segment *segment
	offsets *offsets
	part    *part
	day     *dayChange
}

// segment finds or opens the segment of a block.
func (in *Ingester) segment(f fetched) *segment {
	s := in.segs[f.block.Segment]
	if s == nil {
		at := in.resume.offset(f.block.Segment)
		s = &segment{id: f.block.Segment, input: f.input, pos: at, floor: at, booked: at}
		in.segs[s.id] = s
	}
	s.input = f.input
	s.size = max(s.size, f.block.End)
	return s
}

// take counts a block into the open batch. Blocks that were on their way when
// a rewind was asked for are passed over or cut to what continues at pos.
func (in *Ingester) take(ctx context.Context, f fetched) error {
	b := f.block
	if b.Release != nil {
		defer b.Release()
	}
	seg := in.segment(f)
	in.loop.live = b.Live || b.Kind == Closed
	if b.Live {
		in.loop.liveAt = in.opt.Now()
	}
	reached := seg.pos
	if b.Kind == Closed {
		reached = max(reached, seg.torn) // an unfinished last line is passed over by now
	}
	switch {
	case b.Start > reached && seg.gone:
		seg.pos, seg.floor, seg.gone = b.Start, b.Start, false
	case b.Start > reached && seg.awaited > 0:
		seg.awaited--
		return nil
	case b.Start > reached:
		return in.rewind(seg, seg.pos)
	case b.Kind == Closed:
		seg.closed = b.End == reached
		in.progressed(seg)
		return nil
	case b.End <= seg.pos:
		return nil
	}
	seg.closed, seg.awaited = false, 0
	if in.open.lines == 0 {
		in.loop.opened = in.opt.Now()
	}
	if b.Kind != Lines {
		in.single(seg, b)
		return nil
	}
	return in.lines(ctx, seg, b.Data[seg.pos-b.Start:])
}

// progressed notes that the open batch reaches up to the segment's pos.
func (in *Ingester) progressed(seg *segment) { in.open.ends[seg.id] = mark{seg.pos, seg.rewinds} }

// maxAwaited is how many blocks may be on their way when a segment is rewound:
// more than the channel and the source hold.
const maxAwaited = 64

// single books a line that never reaches the parser.
func (in *Ingester) single(seg *segment, b Block) {
	if books := &in.open.books[seg.input]; b.End > seg.booked {
		books.Read++
		if b.Kind == Torn {
			books.Torn++
		} else {
			books.Malformed[parser.BadLength]++
		}
		seg.booked = b.End
	}
	if b.Kind == Torn {
		seg.torn = b.End // pos stays: should the line be finished, it comes whole
	} else {
		seg.pos = b.End
	}
	in.open.lines++
	in.progressed(seg)
}

// lines counts complete lines. It stops early when one of them makes the
// segment be rewound; then the rest comes again.
func (in *Ingester) lines(ctx context.Context, seg *segment, data []byte) error {
	p := in.inputs[seg.input].Parser
	start, booked, rewinds := seg.pos, seg.booked, seg.rewinds
	at := start
	looked := in.aheadFirst
	in.misses, in.aheadFirst = 0, false
	var err error
	if looked {
		err = in.lookAhead(ctx, seg, at, data)
	}
	for err == nil && seg.rewinds == rewinds && at < start+int64(len(data)) {
		rest := data[at-start:]
		i := bytes.IndexByte(rest, '\n')
		if i < 0 {
			err = fmt.Errorf("count segment %s: BUG: block at %d ends within a line", seg.id, at)
			break
		}
		p.Parse(rest[:i], &in.hit)
		end := at + int64(i) + 1
		if err = in.line(ctx, seg, end); err != nil || seg.rewinds != rewinds {
			break // the line is read again
		}
		at = end
		seg.booked = max(seg.booked, end)
		in.open.lines++
		if in.misses > missesAllowed && !looked {
			looked = true
			err = in.lookAhead(ctx, seg, at, data[at-start:])
		}
	}
	in.countViews()
	in.bookRead(seg.input, data[:at-start], booked-start)
	if seg.rewinds == rewinds {
		seg.pos = at
		in.progressed(seg)
	}
	return err
}

// bookRead counts the newlines of what was processed; the first again bytes
// were in the books before.
func (in *Ingester) bookRead(input int, data []byte, again int64) {
	again = min(max(again, 0), int64(len(data)))
	in.open.books[input].Read += int64(bytes.Count(data[again:], newline))
	if again > 0 {
		n := int64(bytes.Count(data[:again], newline))
		in.meter.update(func(s *IngestStats) { s.Reread += n })
	}
}

var (
	newline   = []byte{'\n'}
	otherPage = []byte(parser.OtherPage)
)

// line counts in.hit, which ends at end, and books its outcome.
func (in *Ingester) line(ctx context.Context, seg *segment, end int64) error {
	h := &in.hit
	book := end > seg.booked
	booked := &in.open.books[seg.input]
	books := booked
	if !book {
		books = &Tally{} // read again: booked before
	}
	switch h.Kind {
	case parser.Skipped:
		books.Skipped[h.Reason]++
		return nil
	case parser.Malformed:
		books.Malformed[h.Reason]++
		return nil
	}
	ok, err := in.locate(ctx, seg)
	if err != nil {
		return err
	}
	c := &in.cur
	switch {
	case !ok:
		books.Skipped[parser.SkipSite]++
		return nil
	case end <= c.offsets.open:
		books.Before++
		return nil
	case h.Kind == parser.APICall:
		return in.call(ctx, seg, end, books)
	case c.site.health.aside():
		books.counts(h.Bot)
		c.site.assume(seg.id, end)
		return nil
	}
	dup := false
	if err = in.locateDay(ctx, seg); err == nil {
		dup, err = in.isDuplicate(ctx)
	}
	if err != nil {
		return in.uncounted(ctx, seg, end, err, func() { books.counts(h.Bot) })
	}
	c.offsets.open = end
	switch {
	case dup:
		books.Dedup++
		if !book && c.site.assumes(seg.id, end) {
			booked.Dedup++ // it was booked as one that counts
			booked.unbook(h.Bot)
		}
		c.day.books.dedup++
		c.part.dups = append(c.part.dups, end)
	case h.Bot:
		books.counts(true)
		in.countBot()
	default:
		books.counts(false)
		in.countHuman()
	}
	return nil
}

// uncounted deals with a line that could not be counted since its site's keys could
// not be read. While the site is being rebuilt the line is booked as one that counts,
// as it will; where the site goes on at once the line is read again.
func (in *Ingester) uncounted(ctx context.Context, seg *segment, end int64, cause error, book func()) error {
	rewinds := seg.rewinds
	if err := in.damage(ctx, in.cur.site, cause); err != nil || seg.rewinds != rewinds {
		return err
	}
	s := in.sites[in.hit.Site]
	if !s.health.aside() {
		return in.rewind(seg, seg.pos)
	}
	book()
	s.assume(seg.id, end)
	return nil
}

// locate points the cursor to the hit's site and its place in the segment;
// false when the site is over the limit of sites.
func (in *Ingester) locate(ctx context.Context, seg *segment) (bool, error) {
	c := &in.cur
	if c.site != nil && c.segment == seg && c.site.name == in.hit.Site {
		return true, nil
	}
	s := in.sites[in.hit.Site]
	if s == nil {
		if _, ok := in.refused[in.hit.Site]; ok {
			return false, nil
		}
		in.countViews()
		var err error
		if s, err = in.loadSite(ctx, in.hit.Site); s == nil || err != nil {
			return false, err
		}
	}
	*c = cursor{site: s, segment: seg, offsets: s.at(seg.id)}
	return true, nil
}

// locateDay points the cursor to the hit's day in the open batch.
func (in *Ingester) locateDay(ctx context.Context, seg *segment) error {
	c := &in.cur
	if c.part == nil {
		c.part = in.open.part(c.site, seg.id)
	}
	if c.day != nil && c.day.state.day == in.hit.Day {
		return nil
	}
	in.countViews()
	d, err := in.dayOf(ctx, c.site, in.hit.Day)
	if err != nil {
		return err
	}
	d.used = in.number
	c.day = c.part.day(d)
	return nil
}

// isDuplicate applies the rules that make a line count not at all.
func (in *Ingester) isDuplicate(ctx context.Context) (bool, error) {
	h, s := &in.hit, in.cur.site
	load := func(r *recent, n int64) (*bucket, error) { return in.loadBucket(ctx, s, r, n) }
	var id, view uint64
	byID := len(h.ViewID) > 0
	if byID {
		id = parser.PairHash(h.Visitor, h.ViewID)
		if dup, err := s.ids.within(id, h.Time, load); dup || err != nil {
			return dup, err
		}
	}
	if s.window != nil && h.Kind == parser.Pageview && h.Addr.IsValid() {
		view = parser.PairHash(parser.Visitor(h.Addr.As16()), h.Page)
		if dup, err := s.window.within(view, h.Time, load); dup || err != nil {
			return dup, err
		}
		b, at := s.window.place(h.Time)
		in.cur.part.remember(s.window, b, view, at, in.number)
		in.open.weigh(in.cur.part, perSeen)
	}
	if byID {
		b, at := s.ids.place(h.Time)
		in.cur.part.remember(s.ids, b, id, at, in.number)
		in.open.weigh(in.cur.part, perSeen)
		if h.Time >= in.loop.viewsFrom {
			in.open.views = append(in.open.views, viewKey(h.ViewID))
		}
	}
	return false, nil
}

func (in *Ingester) countBot() {
	if in.hit.Kind == parser.Event {
		in.cur.day.books.botEvents++
		return
	}
	c, b := &in.cur, in.open
	c.day.books.bot++
	in.minute().bot++
	before := len(c.day.bots)
	viewed(&c.day.bots, pageOf(c.day.state.bots, in.hit.Page, in.opt.MaxPages), uint32(b.number))
	b.bots += len(c.day.bots) - before
}

func (in *Ingester) countHuman() {
	h, c := &in.hit, &in.cur
	told := h.Visitor != parser.Visitor{}
	if told {
		in.noteOnline()
	}
	if h.Kind == parser.Event {
		in.countEvent(told)
		return
	}
	c.part.pv++
	if h.Device == parser.Mobile {
		c.day.books.mobile++
	} else {
		c.day.books.pc++
	}
	in.minute().pv++
	in.countReferrer()
	p, other := in.pageOf(c.day.state)
	v := view{part: c.part, day: c.day, page: p}
	if told {
		name := h.Page
		if other {
			name = otherPage
		}
		v.visitor, v.pair = h.Visitor, parser.PairHash(h.Visitor, name)
	}
	in.later(v)
}

// noteOnline marks the visitor as seen if the line is recent enough to matter.
func (in *Ingester) noteOnline() {
	h, c := &in.hit, &in.cur
	if h.Time < in.loop.onlineFrom {
		return
	}
	if c.part.online == nil {
		c.part.online = map[parser.Visitor]int64{}
	}
	at := h.Time / 1000
	if h.Time > in.loop.now+60_000 {
		at = in.loop.now / 1000 // a clock that was ahead keeps nobody online
	}
	if old, ok := c.part.online[h.Visitor]; !ok || at > old {
		c.part.online[h.Visitor] = at
		if !ok {
			in.open.weigh(c.part, perWrite)
		}
	}
}

// countEvent counts an event at each of its levels.
func (in *Ingester) countEvent(told bool) {
	h, c := &in.hit, &in.cur
	c.day.books.events++
	keys, ends, n := parser.AppendEventKeys(in.eventKeys[:0], h)
	in.eventKeys = keys
	for _, end := range ends[:n] {
		key := c.day.state.eventKey(keys[:end], in.opt.MaxEvents)
		ch := c.day.event(key)
		if ch.pv == 0 {
			in.open.weigh(c.part, 2*perWrite)
		}
		ch.pv++
		if told && c.day.pair(parser.EventHash(h.Visitor, []byte(key)), -1-ch.index) {
			ch.uv++
			in.open.weigh(c.part, perPair)
		}
	}
}
