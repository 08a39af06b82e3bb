package archive

import (
	"bufio"
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"slices"

	"ddkk-stats/parser"
)

// reasonEarlier books lines outside the days that are counted again which have
// no raw row although the rules of now would give them one: those of an earlier
// time left them out.
const reasonEarlier = "earlier_rules"

// upTo is what is archived of a segment.
type upTo struct {
	Segment
	end int64
}

func (s upTo) Size() int64 { return s.end }

// oldRow is what has to be known of a raw row that is about to be replaced.
type oldRow struct {
	site string
	date string
	time int64
	bot  bool
}

// book is what became of the lines of a segment so far.
type book struct {
	tally       Tally
	first, last int64 // times of raw rows; first is 0 when there are none
}

func (b *book) saw(at int64) {
	if b.first == 0 {
		b.first, b.last = at, at
	}
	b.first, b.last = min(b.first, at), max(b.last, at)
}

// segment reads a segment on the disk again.
func (r *recounter) segment(ctx context.Context, seg *oldSegment) error {
	r.l.closeReader()
	r.l.src, r.l.seg = *seg.source, upTo{seg.file, seg.end}
	r.current = seg
	defer func() { r.current = nil }()
	var sum book
	for at := int64(0); at < seg.end; {
		var c *piece
		err := r.transact(ctx, func(ctx context.Context, tx *sql.Tx) (err error) {
			c, err = r.piece(ctx, tx, at, sum)
			return err
		})
		if err != nil {
			return err
		}
		for k, n := range c.dedup {
			r.dedup[k] += n
		}
		r.touch(c.touched, true)
		r.out.Lines += c.lines
		r.progress(c.lines)
		at, sum = c.end, c.sum
		r.behind = at
		if !r.q.DryRun {
			r.l.windows.settle(c.rows)
		}
	}
	r.behind = 0
	seg.recounted = true
	return nil
}

// transact runs f in a transaction, or without one where nothing is written.
// When f is run again, what the rules remember of its first time is forgotten.
func (r *recounter) transact(ctx context.Context, f func(context.Context, *sql.Tx) error) error {
	if r.q.DryRun {
		return f(ctx, nil)
	}
	again := false
	return r.a.transact(ctx, func(ctx context.Context, tx *sql.Tx) error {
		if again {
			r.l.closeReader()
			r.l.windows.forget()
		}
		again = true
		return f(ctx, tx)
	})
}

// piece is some lines of a segment that are replaced in one transaction.
type piece struct {
	start, end  int64
	first, last int64            // times of its lines
	joins       map[int64]bool   // ends of lines that come to the sites asked for
	old         map[int64]oldRow // by the line's end
	rows        map[siteDay]*touch
	touched     map[siteDay]bool
	dedup       map[siteDay]int64
	lines       int64
	sum         book
}

// piece counts the lines from an offset on again. tx is nil in a dry run.
func (r *recounter) piece(ctx context.Context, tx *sql.Tx, at int64, sum book) (*piece, error) {
	if tx != nil {
		if err := r.enter(ctx, tx); err != nil {
			return nil, err
		}
	}
	seg := r.current
	r.behind = at
	c := &piece{start: at, touched: map[siteDay]bool{}, dedup: map[siteDay]int64{}}
	var q querier = r.a.reads
	if tx != nil {
		q = tx
	}
	if err := r.look(ctx, c); err != nil {
		return nil, err
	}
	if err := r.readOld(ctx, q, c); err != nil {
		return nil, err
	}
	if tx != nil {
		if err := r.deleteOld(ctx, tx, c); err != nil {
			return nil, err
		}
	}
	s, err := r.l.scan(ctx, at)
	if err != nil {
		return nil, err
	}
	c.sum = sum
	c.sum.tally.Reasons = maps.Clone(sum.tally.Reasons)
	s.until, s.old, s.limit = c.end, c.old, int(^uint(0)>>1)
	s.stays = func(s *scan) bool { return r.stays(s, c) }
	if tx == nil {
		err = r.foresee(s)
	} else {
		err = r.a.dialect.load(ctx, tx, s, seg.num)
	}
	if err != nil {
		r.l.closeReader()
		return nil, err
	}
	r.l.at = s.pos
	if s.pos != c.end {
		return nil, &segmentError{fmt.Errorf("read segment: it ended at %d and then at %d: it changed", c.end, s.pos)}
	}
	c.rows, c.lines = s.days, s.tally.Lines
	c.sum.tally.add(&s.tally)
	if s.rows > 0 {
		c.sum.saw(s.first)
		c.sum.saw(s.final)
	}
	for k, t := range s.days {
		c.dedup[k] += t.dedup
	}
	if tx == nil {
		for k := range s.days {
			c.touched[k] = true
		}
		return c, nil
	}
	if err := r.mark(ctx, tx, c); err != nil {
		return nil, err
	}
	if err := r.a.noteEnds(ctx, tx, seg.num, s.ends()); err != nil {
		return nil, err
	}
	if c.end < seg.end {
		return c, nil
	}
	return c, r.closeBook(ctx, tx, c)
}

// enter passes the gate, and leaves alone what lost its raw rows meanwhile.
func (r *recounter) enter(ctx context.Context, tx *sql.Tx) error {
	if _, err := r.l.enter(ctx, tx); err != nil {
		return err
	}
	floor, err := r.a.meta(ctx, tx, "raw_floor")
	if err != nil || floor == "" {
		return err
	}
	day, err := parseDate(floor)
	r.from = max(r.from, day)
	return err
}

// look finds the end of the piece, and between which times its lines lie.
func (r *recounter) look(ctx context.Context, c *piece) error {
	if err := r.ahead.open(ctx, r.l.seg, c.start, r.a.log); err != nil {
		return err
	}
	s := &scan{ctx: ctx, r: r.ahead.buf, pos: c.start, size: r.current.end}
	var h parser.Hit
	for n := 0; n < r.a.opt.ChunkRows; n++ {
		line, size, err := s.line()
		if err != nil {
			r.ahead.close(r.a.log)
			return &segmentError{err}
		}
		if size == 0 {
			break
		}
		s.pos += size
		if line == nil {
			continue
		}
		if r.current.source.parse(line, &h); h.Time == 0 {
			continue
		}
		if c.first == 0 {
			c.first, c.last = h.Time, h.Time
		}
		c.first, c.last = min(c.first, h.Time), max(c.last, h.Time)
		if r.sites != nil && r.sites[h.Site] {
			if c.joins == nil {
				c.joins = map[int64]bool{}
			}
			c.joins[s.pos] = true
		}
	}
	c.end, r.ahead.at = s.pos, s.pos
	if c.end == c.start && c.end < r.current.end {
		return &segmentError{errors.New("read segment: no line ends in what is archived of it")}
	}
	return nil
}

// ahead reads a segment a second time, one piece ahead.
type ahead struct {
	r   io.ReadCloser
	id  string
	at  int64
	buf *bufio.Reader
}

func (x *ahead) open(ctx context.Context, seg Segment, at int64, log *slog.Logger) error {
	if x.r != nil && x.id == seg.ID() && x.at == at {
		return nil
	}
	x.close(log)
	f, err := seg.Open(ctx, at)
	if err != nil {
		return &segmentError{fmt.Errorf("open segment: %w", err)}
	}
	if x.buf == nil {
		x.buf = bufio.NewReaderSize(nil, scanBuffer)
	}
	x.r, x.id, x.at = f, seg.ID(), at
	x.buf.Reset(io.LimitReader(f, seg.Size()-at))
	return nil
}

func (x *ahead) close(log *slog.Logger) {
	if x.r == nil {
		return
	}
	if err := x.r.Close(); err != nil {
		log.Warn("close segment", "segment", x.id, "err", err)
	}
	x.r = nil
}

// where is the condition of the raw rows of a piece that belong to a site. Their
// date may be another day than their time's, by an earlier time zone.
func (r *recounter) where(site string, c *piece, first, last int64) (string, []any) {
	d := r.a.dialect
	from, to := addDays(r.l.windows.dayOf(first), -1), addDays(r.l.windows.dayOf(last), 1)
	return "site = ? AND created_at >= ? AND created_at <= ? AND date >= ? AND date <= ? AND segment = ? AND end_offset > ? AND end_offset <= ?",
		[]any{d.bytes([]byte(site)), timeText(first), timeText(last), dateText(from), dateText(to), r.current.num, c.start, c.end}
}

// readOld reads the raw rows that the lines of a piece have.
func (r *recounter) readOld(ctx context.Context, q querier, c *piece) error {
	c.old = map[int64]oldRow{}
	if c.first == 0 {
		return nil
	}
	var sites []string
	for site, err := range stream(ctx, q, func(s scanner) (site string, err error) { return site, s.Scan(&site) },
		"SELECT DISTINCT site FROM days WHERE raw = 1 AND date >= ? AND date <= ?",
		dateText(addDays(r.l.windows.dayOf(c.first), -1)), dateText(addDays(r.l.windows.dayOf(c.last), 1))) {
		if err != nil {
			return err
		}
		sites = append(sites, site)
	}
	type found struct {
		end int64
		oldRow
	}
	for _, site := range sites {
		where, args := r.where(site, c, c.first, c.last)
		for f, err := range stream(ctx, q, func(s scanner) (f found, err error) {
			var at string
			if err := s.Scan(&f.end, &f.date, &at, &f.bot); err != nil {
				return f, err
			}
			f.site = site
			f.time, err = parseTime(at)
			return f, err
		}, "SELECT end_offset, date, created_at, potential_bot FROM access_logs WHERE "+where, args...) {
			if err != nil {
				return err
			}
			c.old[f.end] = f.oldRow
		}
	}
	return nil
}

// replaced tells whether a line's raw row, or one that it gets, belongs to what
// is counted again.
func (r *recounter) replaced(c *piece, end int64, d parser.Day, was string) bool {
	return r.inDays(d) && (r.sites == nil || r.sites[was] || c.joins[end])
}

// deleteOld deletes the raw rows that are counted again.
func (r *recounter) deleteOld(ctx context.Context, tx *sql.Tx, c *piece) error {
	type span struct{ first, last, n int64 }
	spans := map[string]*span{}
	for end, o := range c.old {
		if !r.replaced(c, end, r.l.windows.dayOf(o.time), o.site) {
			continue
		}
		date, err := parseDate(o.date)
		if err != nil {
			return err
		}
		c.touched[siteDay{o.site, date}] = true
		if !r.wants(o.site) { // it alone goes to a site that is asked for
			where, args := r.where(o.site, c, o.time, o.time)
			if _, err := execTx(ctx, tx, "delete raw row", "DELETE FROM access_logs WHERE "+where+" AND end_offset = ?", append(args, end)...); err != nil {
				return err
			}
			continue
		}
		x := spans[o.site]
		if x == nil {
			x = &span{first: o.time, last: o.time}
			spans[o.site] = x
		}
		x.first, x.last, x.n = min(x.first, o.time), max(x.last, o.time), x.n+1
	}
	for _, site := range slices.Sorted(maps.Keys(spans)) {
		x := spans[site]
		where, args := r.where(site, c, x.first, x.last)
		n, err := execTx(ctx, tx, "delete raw rows", "DELETE FROM access_logs WHERE "+where, args...)
		if err == nil && n != x.n {
			err = fmt.Errorf("delete raw rows: BUG: %d of %s went and should have been %d", n, site, x.n)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// stays books a line that is not counted again, and tells whether it is one.
func (r *recounter) stays(s *scan, c *piece) bool {
	h := &s.hit
	if h.Kind == parser.Malformed {
		return false
	}
	was, had := c.old[s.pos]
	if r.replaced(c, s.pos, h.Day, was.site) {
		return false
	}
	switch {
	case had && was.bot:
		s.tally.Bot++
	case had:
		s.tally.Human++
	case h.Kind == parser.Skipped:
		s.tally.Skipped++
		s.tally.reason(h.Reason)
	default:
		s.tally.Skipped++
		s.tally.booked(reasonEarlier)
	}
	if had {
		c.sum.saw(was.time)
	}
	return true
}

// foresee counts what would become of the lines.
func (r *recounter) foresee(s *scan) error {
	for {
		row, err := s.next()
		if row == nil || err != nil {
			return err
		}
		h := row.hit
		r.preview.add(h.Site, h.Day, h.Visitor, h.Kind == parser.Event, h.Bot, h.Device == parser.Mobile)
	}
}

// mark makes the days dirty that rows went from or came to. Duplicates of days
// that are read from the log as a whole are set at the end; of others only
// those are known that had a raw row.
func (r *recounter) mark(ctx context.Context, tx *sql.Tx, c *piece) error {
	again := map[siteDay]int64{}
	for k, t := range c.rows {
		if t.rows > 0 {
			c.touched[k] = true
		}
		if r.partial[k.day] {
			again[k] = t.again
		}
	}
	return r.markDays(ctx, tx, c.touched, again)
}

// markDays makes days dirty, adds to their duplicates, and notes that their
// sites are to be rebuilt.
func (r *recounter) markDays(ctx context.Context, tx *sql.Tx, days map[siteDay]bool, dedup map[siteDay]int64) error {
	d := r.a.dialect
	keys := slices.SortedFunc(maps.Keys(days), func(x, y siteDay) int {
		return cmp.Or(cmp.Compare(x.site, y.site), cmp.Compare(x.day, y.day))
	})
	noted := ""
	for _, k := range keys {
		site, date := d.bytes([]byte(k.site)), dateText(k.day)
		n, err := execTx(ctx, tx, "mark day", "UPDATE days SET dirty = "+markAgain+", raw = 1, dedup = dedup + ? WHERE site = ? AND date = ?", dedup[k], site, date)
		if err != nil {
			return err
		}
		if n == 0 {
			if _, err := execTx(ctx, tx, "add day", "INSERT INTO days (site, date, dirty, raw, dedup) VALUES (?, ?, 1, 1, ?)", site, date, dedup[k]); err != nil {
				return err
			}
		}
		if noted != k.site {
			if err := r.a.noteSite(ctx, tx, k.site); err != nil {
				return err
			}
			noted = k.site
		}
	}
	return nil
}

// closeBook writes what became of the lines of a segment.
func (r *recounter) closeBook(ctx context.Context, tx *sql.Tx, c *piece) error {
	t := &c.sum.tally
	reasons, err := t.reasonsText()
	if err != nil {
		return err
	}
	var first, last sql.NullString
	if c.sum.first != 0 {
		first = sql.NullString{String: timeText(c.sum.first), Valid: true}
		last = sql.NullString{String: timeText(c.sum.last), Valid: true}
	}
	n, err := execTx(ctx, tx, "write the segment's book", "UPDATE segments SET lines_read = ?, human = ?, bot = ?, dedup = ?, skipped = ?, malformed = ?, "+
		"reasons = ?, first_time = ?, last_time = ?, archived_at = ? WHERE num = ? AND read_to = ?",
		t.Lines, t.Human, t.Bot, t.Dedup, t.Skipped, t.Malformed, r.a.dialect.bytes([]byte(reasons)), first, last,
		timeText(r.a.opt.Now().UnixMilli()), r.current.num, r.current.end)
	if err == nil && n != 1 {
		err = errors.New("write the segment's book: it grew meanwhile; run the recount again")
	}
	return err
}
