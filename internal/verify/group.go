package verify

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"

	"ddkk-stats/archive"
	"ddkk-stats/counter"
	"ddkk-stats/parser"
)

// group are some sites that are compared with one reading of the log, against
// one moment of the archive.
type group struct {
	v        *Verifier
	ctx      context.Context
	snap     *archive.Snapshot
	archived map[string]archive.SegmentBook
	subjects map[string]*subject
	order    []*subject
}

// subject is a site that is being compared.
type subject struct {
	g      *group
	name   string
	report *SiteReport
	mark   counter.Mark
	upto   map[string]int64 // segment -> recounted up to here; not in it: as far as it is archived
	daily  map[parser.Day]archive.DayTotals
	count  *recount
	known  map[uint64]struct{} // hashes of the keys that may be there
	claims []claim             // what did not agree at once
	capped bool                // some names were counted under the one for the rest
}

// add reads a site's checkpoint and what the archive has of its days.
func (g *group) add(r *SiteReport) error {
	s := &subject{g: g, name: r.Site, report: r, upto: map[string]int64{}, daily: map[parser.Day]archive.DayTotals{}, known: map[uint64]struct{}{}}
	var err error
	if s.mark, err = g.v.opt.Dump.Mark(g.ctx, r.Site); err != nil {
		return err
	}
	if s.mark.Rebuilding {
		return fmt.Errorf("%s: %w", r.Site, errMoved)
	}
	if s.mark.Partial {
		s.report.differ(g.v.opt.Keys.Checkpoint(r.Site), "a commit that was applied in part", "none")
	}
	for d, err := range g.snap.Daily(g.ctx, r.Site, 0, 0) {
		if err != nil {
			return err
		}
		s.daily[d.Day] = d
	}
	s.count = &recount{rules: g.v.rules, site: r.Site, days: map[parser.Day]*day{}, begin: s.begin, beginTerm: s.beginTerm,
		ids: newWindow(g.v.opt.IDWindow.Milliseconds())}
	if w := g.v.opt.DedupeWindow(r.Site); w > 0 {
		s.count.again = newWindow(w.Milliseconds())
	}
	s.count.calls = newCalls(&g.v.opt)
	s.count.calls.begin = s.beginCalls
	g.subjects[r.Site] = s
	g.order = append(g.order, s)
	return s.lacking()
}

// lacking tells of segments that were counted and are to be had no more.
func (s *subject) lacking() error {
	for id, off := range s.mark.Offsets {
		if _, there := s.g.v.shelf.byID[id]; !there && s.g.archived[id].End < off {
			s.report.lacks(id, off)
		}
	}
	return nil
}

// begin tells a day of the recount what the archive has of it already.
func (s *subject) begin(n parser.Day, d *day) error {
	if _, has := s.daily[n]; !has {
		return nil
	}
	g := s.g
	for p, err := range g.snap.PageDays(g.ctx, s.name, n, n) {
		if err != nil {
			return err
		}
		d.pages[p.Name] = &count{}
	}
	for p, err := range g.snap.PageBotDays(g.ctx, s.name, n, n) {
		if err != nil {
			return err
		}
		d.bots[p.Name] = &count{}
	}
	for x, err := range g.snap.FacetDays(g.ctx, s.name, n, n) {
		if err != nil {
			return err
		}
		d.facets[x.Facet][x.Name] = &views{}
	}
	for e, err := range g.snap.EventDays(g.ctx, s.name, n, n) {
		if err != nil {
			return err
		}
		d.events[e.Name] = &count{}
	}
	for who, err := range g.snap.Visitors(g.ctx, s.name, n) {
		if err != nil {
			return err
		}
		d.visitors[who] = struct{}{}
	}
	for p, err := range g.snap.Pairs(g.ctx, s.name, n) {
		if err != nil {
			return err
		}
		kind := pageKind
		if p.Event {
			kind = eventKind
		}
		g.v.rules.pair(d, p.Visitor, kind, []byte(p.Name))
	}
	return nil
}

// recall loads what archived lines left with the rules about duplicates, from a
// time on.
func (s *subject) recall(from int64) error {
	width := s.count.ids.width
	if s.count.again != nil {
		width = max(width, s.count.again.width)
	}
	for k, err := range s.g.snap.Recent(s.g.ctx, s.name, max(from-width, 0)) {
		if err != nil {
			return err
		}
		if k.HasView {
			s.count.ids.put(k.View, k.Time)
		}
		if k.HasWindow && s.count.again != nil {
			s.count.again.put(k.Window, k.Time)
		}
	}
	return nil
}

// recount reads what is not archived of every segment.
func (g *group) recount() error {
	starts := make([]int64, len(g.v.shelf.all))
	for i, seg := range g.v.shelf.all {
		var err error
		if starts[i], err = g.firstTime(seg); err != nil {
			return err
		}
	}
	if from := slices.Min(append(starts, math.MaxInt64)); from < math.MaxInt64 {
		for _, s := range g.order {
			if len(s.daily) == 0 {
				continue
			}
			if err := s.recall(from); err != nil {
				return err
			}
		}
	}
	for i, seg := range slices.Clone(g.v.shelf.all) {
		if err := g.segment(seg); err != nil {
			return fmt.Errorf("recount %s: %w", seg.Name(), err)
		}
		g.forget(slices.Min(append(starts[i+1:], math.MaxInt64)))
	}
	return nil
}

// backInTime is how much older than a segment's first line its others may be.
const backInTime = int64(60_000)

// firstTime is about the earliest time of what is not archived of a segment, in
// milliseconds; the latest there is for none.
func (g *group) firstTime(seg found) (at int64, err error) {
	at = math.MaxInt64
	from := g.archived[seg.ID()].End
	r, err := seg.Open(g.ctx, from)
	if err != nil {
		return at, fmt.Errorf("%w: %w", errGone, err) // renamed: begin again
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	l := newLines(r, from)
	var h parser.Hit
	for range 1000 {
		line, torn, err := l.next()
		if err != nil && torn == 0 {
			break // reading it all will tell
		}
		if seg.parser.Parse(line, &h); h.Time > 0 {
			return h.Time - backInTime, nil
		}
	}
	return at, nil
}

// forget drops what the lines to come can be no duplicates of.
func (g *group) forget(from int64) {
	if from == math.MaxInt64 {
		return // the last ones are needed for what comes while comparing
	}
	for _, s := range g.order {
		s.count.ids.forget(from)
		if s.count.again != nil {
			s.count.again.forget(from)
		}
	}
}

// checkEvery is after how many lines memory is looked at.
const checkEvery = 1 << 16

// tellEvery is after how many lines progress is told.
const tellEvery = 1 << 12

func (g *group) segment(seg found) error {
	id := seg.ID()
	from := g.archived[id].End
	seg, l, r, err := g.v.shelf.openLines(g.ctx, id, from)
	if err != nil {
		return err
	}
	book := g.v.books.open(seg, g.archived[id])
	end, err := g.read(seg, l, book)
	if err = errors.Join(err, r.Close()); err != nil {
		return err
	}
	for _, s := range g.order {
		off := s.mark.Offsets[id]
		s.upto[id] = max(off, from)
		if off > end {
			s.report.cannot(fmt.Sprintf("segment %s (%s) has %d bytes and was counted up to %d: it was cut", id, seg.Name(), end, off))
		}
	}
	return nil
}

// read counts a segment's lines up to where the book ends, and returns where
// that is.
func (g *group) read(seg found, l *lines, book *openBook) (end int64, err error) {
	var h parser.Hit
	id, untold := seg.ID(), int64(0)
	g.v.now("segment " + seg.Name())
	defer func() { g.v.read(untold) }()
	for n := 0; l.pos < book.end; n++ {
		line, torn, err := l.next()
		if errors.Is(err, io.EOF) {
			if !seg.Live() && g.lastLine(seg, line) {
				l.pos += torn
				err, torn = g.line(seg, id, line, l.start, &h, book), 0
			} else {
				err = nil
			}
			book.ended(l.pos, torn, seg.Live())
			return l.pos, err
		}
		if err != nil {
			return l.pos, err
		}
		if l.pos > book.end {
			break
		}
		if err := g.line(seg, id, line, l.start, &h, book); err != nil {
			return l.pos, err
		}
		if untold++; untold == tellEvery {
			g.v.read(untold)
			untold = 0
			if err := g.ctx.Err(); err != nil {
				return l.pos, err
			}
		}
		if n%checkEvery == 0 && len(g.order) > 1 && g.size() > g.v.opt.Remembered {
			return l.pos, errTooMuch
		}
	}
	return l.pos, nil
}

// lastLine tells whether what is behind the last newline of a closed segment is a line.
func (g *group) lastLine(seg found, torn []byte) bool {
	var h parser.Hit
	seg.parser.Parse(torn, &h)
	return torn != nil && h.Kind != parser.Malformed
}

func (g *group) line(seg found, id string, line []byte, start int64, h *parser.Hit, book *openBook) error {
	if line == nil {
		*h = parser.Hit{Kind: parser.Malformed, Reason: parser.BadLength}
	} else {
		seg.parser.Parse(line, h)
	}
	if book.line(h) {
		return nil
	}
	s := g.subjects[h.Site]
	switch {
	case s == nil:
		book.stranger(h.Site)
		return nil
	case start >= s.mark.Offsets[id]:
		book.Waiting++
		s.report.Waiting++
		return nil
	}
	what, err := s.count.add(h)
	book.counted(what)
	return err
}

func (g *group) size() (n int) {
	for _, s := range g.order {
		n += s.count.size()
	}
	return n
}

// advance recounts what the site counted since.
func (s *subject) advance() (counter.Mark, error) {
	m, err := s.g.v.opt.Dump.Mark(s.g.ctx, s.name)
	if err != nil {
		return m, err
	}
	if m.Epoch != s.mark.Epoch {
		return m, fmt.Errorf("%s: %w", s.name, errMoved)
	}
	for id, off := range m.Offsets {
		if off < s.mark.Offsets[id] {
			return m, fmt.Errorf("%s: %w", s.name, errMoved)
		}
		if s.report.Lacking[id] > 0 {
			continue
		}
		from, read := s.upto[id]
		if !read {
			from = s.g.archived[id].End
		}
		if off > from {
			if err := s.stretch(id, from, off); err != nil {
				return m, err
			}
			s.upto[id] = off
		}
	}
	s.mark = m
	return m, nil
}

// stretch recounts the site's lines of a segment between two offsets.
func (s *subject) stretch(id string, from, to int64) (err error) {
	seg, l, r, err := s.g.v.shelf.openLines(s.g.ctx, id, from)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	var h parser.Hit
	for l.pos < to {
		line, torn, err := l.next()
		if errors.Is(err, io.EOF) && l.pos+torn == to && line != nil {
			l.pos, err = to, nil
		}
		if errors.Is(err, io.EOF) {
			s.report.cannot(fmt.Sprintf("segment %s (%s) has %d bytes and was counted up to %d: it was cut", id, seg.Name(), l.pos, to))
			return nil
		}
		if err != nil {
			return err
		}
		if line == nil {
			continue
		}
		seg.parser.Parse(line, &h)
		if h.Site != s.name || h.Kind == parser.Skipped || h.Kind == parser.Malformed {
			continue
		}
		if _, err := s.count.add(&h); err != nil {
			return err
		}
	}
	return nil
}
