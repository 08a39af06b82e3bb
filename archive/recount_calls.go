package archive

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"slices"

	"ddkk-stats/parser"
)

// CallTotals are the API calls of a day of a site.
type CallTotals struct {
	Calls, Failed, Milliseconds int64
	Endpoints                   int // that have a row of their own, and the rest's
}

// RecountedCalls is a day of a site's API calls before and after.
type RecountedCalls struct {
	SiteDay
	Before, After CallTotals
	// Kept days stay as they are. Gone names the segments that may hold calls of
	// them and are not on the disk; none: nobody knows which they were.
	Kept bool
	Gone []string
}

// callSegmentsWhere is the condition of segments with API calls: their
// identities begin with api-.
const callSegmentsWhere = "id >= ? AND id < ?"

func (rc *recounts) callSegmentsArgs() []any {
	return []any{rc.dialect.bytes([]byte("api-")), rc.dialect.bytes([]byte("api."))}
}

// callLog is an archived segment of a log of calls.
type callLog struct {
	oldSegment
	name string
	was  span // of its calls, as it was archived

	// By the rules of now.
	days     map[siteDay]bool
	book     book
	surveyed bool
}

// span is from the first day to the last; zeros: there is none.
type span struct{ first, last parser.Day }

func (s span) holds(d parser.Day) bool { return s.first <= d && d <= s.last }

// callRecounter counts the days of calls again. Each segment on the disk is
// read twice: first to learn which days its calls are of, then to count them.
// So a day is written when the last of its segments was read, and no more days
// are in memory than overlap.
//
// Sums of calls are not kept by segment. So a day is counted again as a whole or
// not at all, in one transaction for all of its sites.
type callRecounter struct {
	*recounter
	segments []*callLog              // in the order in which they were archived
	archived [2]int64                // how many they are, and their bytes
	gone     map[parser.Day][]string // days of which segments are gone
	known    map[parser.Day]bool     // days that a segment is known to be of
	before   map[siteDay]CallTotals  // of the days asked for
	had      map[parser.Day]bool     // days of before
	last     map[parser.Day]*callLog // the last one with calls of a day
	sums     callSums                // days that are being counted
	lines    map[siteDay]bool        // days that have calls by the rules of now
}

// calls counts API calls again.
func (r *recounter) calls(ctx context.Context) error {
	c := &callRecounter{recounter: r, gone: map[parser.Day][]string{}, known: map[parser.Day]bool{}, before: map[siteDay]CallTotals{}, had: map[parser.Day]bool{},
		last: map[parser.Day]*callLog{}, sums: callSums{a: r.a.store, fresh: true, days: map[siteDay]*callDay{}}, lines: map[siteDay]bool{}}
	if err := c.plan(ctx); err != nil {
		return err
	}
	for _, seg := range c.segments {
		if seg.file == nil {
			continue
		}
		if err := c.survey(ctx, seg); err != nil {
			return fmt.Errorf("%s: %w", seg.file.Name(), err)
		}
	}
	if err := c.emptied(ctx); err != nil {
		return err
	}
	for _, seg := range c.segments {
		if err := c.count(ctx, seg); err != nil {
			return fmt.Errorf("%s: %w", seg.name, err)
		}
	}
	c.keep()
	slices.SortFunc(r.out.Calls, func(x, y RecountedCalls) int { return cmp.Or(cmp.Compare(x.Day, y.Day), cmp.Compare(x.Site, y.Site)) })
	if r.q.DryRun {
		return nil
	}
	return c.books(ctx)
}

// asked tells whether a day of a site is counted again, unless it is kept.
func (c *callRecounter) asked(k siteDay) bool {
	return c.wants(k.site) && c.q.From <= k.day && k.day <= c.q.To
}

// kept tells whether a day stays as it is: segments of it are gone, or nobody
// knows which they were.
func (c *callRecounter) kept(d parser.Day) bool {
	return len(c.gone[d]) > 0 || c.had[d] && !c.known[d]
}

// plan finds the segments, which days cannot be counted again, and what those
// days have.
func (c *callRecounter) plan(ctx context.Context) error {
	if err := c.findCallSegments(ctx); err != nil {
		return err
	}
	for v, err := range stream(ctx, c.a.reads, func(s scanner) (v RecountedCalls, err error) {
		return v, s.Scan(&v.Site, day{&v.Day}, &v.Before.Calls, &v.Before.Failed, &v.Before.Milliseconds, &v.Before.Endpoints)
	}, "SELECT site, date, SUM(CASE WHEN dimension = 'total' THEN calls ELSE 0 END), SUM(CASE WHEN dimension = 'total' THEN failed ELSE 0 END), "+
		"SUM(CASE WHEN dimension = 'total' THEN milliseconds ELSE 0 END), SUM(CASE WHEN dimension = 'endpoint' THEN 1 ELSE 0 END) "+
		"FROM api_daily WHERE date >= ? AND date <= ? GROUP BY site, date", dateText(c.q.From), dateText(c.q.To)) {
		if err != nil {
			return err
		}
		if c.wants(v.Site) {
			c.before[siteDay{v.Site, v.Day}] = v.Before
			c.had[v.Day] = true
		}
	}
	return nil
}

func (c *callRecounter) findCallSegments(ctx context.Context) error {
	files := map[string]upToFile{}
	for i := range c.q.Calls {
		for _, s := range c.q.Calls[i].Segments {
			files[s.ID()] = upToFile{s, &c.q.Calls[i]}
		}
	}
	for s, err := range stream(ctx, c.a.reads, func(s scanner) (*callLog, error) {
		o := &callLog{days: map[siteDay]bool{}}
		var first, last sql.NullString
		if err := s.Scan(&o.num, &o.id, &o.name, &o.end, &o.lines, &first, &last); err != nil || !first.Valid || !last.Valid {
			return o, err
		}
		from, err := parseTime(first.String)
		to, err2 := parseTime(last.String)
		o.was = span{c.l.windows.dayOf(from), c.l.windows.dayOf(to)}
		return o, errors.Join(err, err2)
	}, "SELECT num, id, name, read_to, lines_read, first_time, last_time FROM segments WHERE "+callSegmentsWhere+" ORDER BY num", c.a.callSegmentsArgs()...) {
		if err != nil {
			return err
		}
		c.archived[0]++
		c.archived[1] += s.end
		c.segments = append(c.segments, s)
		switch f, ok := files[s.id]; {
		case ok && f.Size() >= s.end:
			s.file, s.source = f.Segment, f.source
		case ok:
			c.a.log.Warn("a segment is shorter than what was archived of it: its days of API calls stay as they are", "file", f.Name(), "archived", s.end, "size", f.Size())
		}
		c.note(s)
	}
	return nil
}

// upToFile is a segment on the disk.
type upToFile struct {
	Segment
	source *Source
}

// note notes the days that a segment was archived for.
func (c *callRecounter) note(s *callLog) {
	if s.was.first == 0 {
		return
	}
	if s.file != nil { // by an earlier TIMEZONE some may be of the days beside them
		c.known[addDays(s.was.first, -1)], c.known[s.was.last.Next()] = true, true
	}
	for d := max(s.was.first, c.q.From); d <= min(s.was.last, c.q.To); d = d.Next() {
		c.known[d] = true
		if s.file == nil {
			c.gone[d] = append(c.gone[d], s.name)
		}
	}
}

// each reads the archived lines of a segment. call is told of each API call,
// and what became of all lines is added to t.
func (c *callRecounter) each(ctx context.Context, seg *callLog, t *Tally, call func(h *parser.Hit) error) error {
	c.ahead.close(c.a.log)
	if err := c.ahead.open(ctx, upTo{seg.file, seg.end}, 0, c.a.log); err != nil {
		return err
	}
	defer c.ahead.close(c.a.log)
	s := &scan{ctx: ctx, r: c.ahead.buf, size: seg.end}
	h := &s.hit
	for {
		line, size, err := s.line()
		if err != nil {
			return &segmentError{err}
		}
		if size == 0 {
			break
		}
		s.pos += size
		t.Lines++
		if line == nil {
			t.Malformed++
			t.reason(parser.BadLength)
			continue
		}
		switch seg.source.parse(line, h); h.Kind {
		case parser.APICall:
			t.Calls++
			if err := call(h); err != nil {
				return err
			}
		case parser.Malformed:
			t.Malformed++
			t.reason(h.Reason)
		default:
			t.Skipped++
			t.reason(h.Reason)
		}
	}
	if s.pos != seg.end {
		return &segmentError{fmt.Errorf("read segment: it ended at %d and then at %d: it changed", seg.end, s.pos)}
	}
	return nil
}

// survey learns which days the calls of a segment are of.
func (c *callRecounter) survey(ctx context.Context, seg *callLog) error {
	if seg.was.first == 0 || seg.was.first > c.q.To {
		begins, err := c.begins(ctx, &seg.oldSegment)
		if err != nil {
			return err
		}
		if begins > c.q.To {
			return nil
		}
	}
	c.total += 2 * seg.lines
	err := c.each(ctx, seg, &seg.book.tally, func(h *parser.Hit) error {
		seg.book.saw(h.Time)
		seg.days[siteDay{h.Site, h.Day}] = true
		return nil
	})
	if err != nil {
		return err
	}
	seg.surveyed = true
	for k := range seg.days {
		if c.asked(k) {
			c.lines[k] = true
			c.last[k.day] = seg
		}
	}
	c.progress(seg.book.tally.Lines)
	return nil
}

// count counts the calls of a segment, and writes the days that are complete.
func (c *callRecounter) count(ctx context.Context, seg *callLog) error {
	wanted := false
	for k := range seg.days {
		wanted = wanted || c.asked(k) && !c.kept(k.day)
	}
	if !wanted {
		return nil
	}
	var t Tally
	if err := c.each(ctx, seg, &t, func(h *parser.Hit) error {
		if k := (siteDay{h.Site, h.Day}); !c.asked(k) || c.kept(k.day) {
			return nil
		}
		return c.sums.add(ctx, h)
	}); err != nil {
		return err
	}
	c.progress(t.Lines)
	for _, d := range slices.Sorted(maps.Keys(c.last)) {
		if c.last[d] == seg && !c.kept(d) {
			if err := c.replace(ctx, d); err != nil {
				return err
			}
		}
	}
	return nil
}

// emptied takes away days that have no calls by the rules of now.
func (c *callRecounter) emptied(ctx context.Context) error {
	for _, d := range slices.Sorted(maps.Keys(c.had)) {
		if c.kept(d) || c.last[d] != nil {
			continue
		}
		if err := c.replace(ctx, d); err != nil {
			return err
		}
	}
	return nil
}

// keep lists the days that stay as they are.
func (c *callRecounter) keep() {
	days := maps.Clone(c.lines)
	for k := range c.before {
		days[k] = true
	}
	for k := range days {
		if c.kept(k.day) {
			c.out.Calls = append(c.out.Calls, RecountedCalls{SiteDay: SiteDay{k.site, k.day}, Before: c.before[k], After: c.before[k], Kept: true, Gone: c.gone[k.day]})
		}
	}
}
