package archive

import (
	"bufio"
	"cmp"
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"

	"ddkk-stats/parser"
)

// loader archives the segments of one source, one after the other.
type loader struct {
	a       *cycles
	src     Source
	windows windows
	fresh   *fresh // nil: sums are not taken on the way
	gate    string // what we left at the gate; another value: others loaded rows since

	open    io.ReadCloser // content of seg from at on, nil when none is open
	seg     Segment
	sum     *contentSum // of seg
	at      int64
	buf     *bufio.Reader
	unended bool       // the last line of seg was archived as torn, and is one
	parted  parser.Day // prepare was called for days from here on; 0: not yet
}

func (cy *cycles) newLoader(src Source) *loader {
	l := &loader{a: cy, src: src, buf: bufio.NewReaderSize(nil, scanBuffer), windows: windows{
		db: cy.beside(), d: cy.dialect, loc: cy.opt.Location, width: cy.options().DedupeWindow, id: cy.opt.IDWindow,
	}}
	l.windows.forget()
	return l
}

// doubt forgets what was remembered of rows that may not have been stored.
func (l *loader) doubt() {
	l.windows.forget()
	l.fresh.forget()
}

// segmentRow is a segment as the table has it.
type segmentRow struct {
	num         int64
	size        int64
	readTo      int64
	tally       Tally
	first, last sql.NullString
}

// segment archives what is not archived of seg, chunk by chunk.
func (l *loader) segment(ctx context.Context, seg Segment, sum *Summary) error {
	ctx = of(ctx, KindLoad)
	if err := l.prepare(ctx, seg); err != nil {
		return err
	}
	l.seg, l.sum = seg, newContentSum()
	var worked bool
	for done := false; !done; {
		var c chunk
		err := l.a.transact(ctx, func(ctx context.Context, tx *sql.Tx) error {
			return l.chunk(ctx, tx, &c)
		})
		if err != nil {
			l.closeReader()
			l.doubt()
			return err
		}
		l.windows.settle(c.touched)
		days, err := l.fresh.settle(ctx, c.touched)
		sum.Days += days
		if err != nil {
			return err
		}
		for _, late := range c.late {
			l.a.log.Warn("lines came for a day whose raw rows are deleted: they are in its sums, visitors may count twice",
				"site", late.Site, "day", late.Day, "rows", late.Rows)
		}
		sum.Late = append(sum.Late, c.late...)
		sum.Lines += c.lines
		sum.Rows += c.rows
		worked = worked || c.lines > 0
		done = c.done
	}
	l.closeReader()
	if worked {
		sum.Segments++
	}
	return nil
}

// prepare reads the first line's day, and has partitions made from there on.
// A log is nearly in order of time; what is older than its first line shares
// the oldest partition.
func (l *loader) prepare(ctx context.Context, seg Segment) (err error) {
	r, err := seg.Open(ctx, 0)
	if err != nil {
		return &segmentError{fmt.Errorf("open segment: %w", err)}
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	l.buf.Reset(r)
	var h parser.Hit
	for range 1000 {
		line, err := l.buf.ReadSlice('\n')
		if err != nil {
			break // the load itself will tell what is wrong with it
		}
		l.src.parse(line[:len(line)-1], &h)
		if h.Kind == parser.Pageview || h.Kind == parser.Event {
			if l.parted != 0 && h.Day >= l.parted {
				return nil
			}
			if err := l.a.dialect.prepare(ctx, h.Day, l.a.today()); err != nil {
				return err
			}
			l.parted = h.Day
			return nil
		}
	}
	return nil
}

// lastLine tells whether what was archived as a torn last line is a line now, as one
// is that lacks no more than its newline: an earlier version left those out.
func (l *loader) lastLine(ctx context.Context, seg Segment, had ArchivedSegment) (_ bool, err error) {
	if had.Size-had.End > parser.MaxLine {
		return false, nil
	}
	r, err := seg.Open(ctx, had.End)
	if err != nil {
		return false, &segmentError{fmt.Errorf("open segment: %w", err)}
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	line := make([]byte, had.Size-had.End)
	if _, err := io.ReadFull(r, line); err != nil {
		return false, &segmentError{fmt.Errorf("read segment: %w", err)}
	}
	var h parser.Hit
	l.src.parse(line, &h)
	return h.Kind != parser.Malformed, nil
}

// chunk is what one transaction did.
type chunk struct {
	lines, rows int64
	end         int64 // where it left the segment
	touched     map[siteDay]*touch
	late        []LateDay
	done        bool
}

// chunk archives the next chunk of the segment. It is run again when the
// outcome of its transaction is not known; c tells then what it did before.
func (l *loader) chunk(ctx context.Context, tx *sql.Tx, c *chunk) error {
	gone, err := l.enter(ctx, tx)
	if err != nil {
		return err
	}
	row, err := l.find(ctx, tx)
	if err != nil {
		return err
	}
	if c.end > 0 && row.readTo == c.end && row.size >= c.end {
		return nil // it was committed after all
	}
	*c = chunk{}
	if row.size > l.seg.Size() || row.size == l.seg.Size() && (row.readTo == row.size || !l.unended) {
		c.done = true // another one was faster
		return nil
	}
	s, err := l.scan(ctx, row.readTo)
	if err != nil {
		return err
	}
	if err := l.a.dialect.load(ctx, tx, s, row.num); err != nil {
		l.closeReader()
		l.doubt()
		return err
	}
	l.at = s.pos
	s.done = s.done || s.pos == s.size // the chunk's last row may be the segment's
	*c = chunk{lines: s.tally.Lines, rows: s.rows, end: s.pos, touched: s.days, done: s.done}
	if err := l.mark(ctx, tx, s, row, gone, c); err != nil {
		return err
	}
	if err := l.a.loadCalls(ctx, tx, &s.calls, l.seg.ID()); err != nil {
		return err
	}
	if err := l.a.noteEnds(ctx, tx, row.num, s.ends()); err != nil {
		return err
	}
	return l.advance(ctx, tx, s, row)
}

// enter makes loads wait for each other, so that each sees the rows of the ones
// before it: the gate is a row that each of them changes. On a cluster that
// locks nothing across nodes the change makes one of two fail at COMMIT. It
// returns the day before which raw rows of a day may be deleted.
func (l *loader) enter(ctx context.Context, tx *sql.Tx) (gone string, err error) {
	var gate string
	q := "SELECT value FROM meta WHERE name = 'gate'" + l.a.dialect.forUpdate()
	if err := tx.QueryRowContext(ctx, q).Scan(&gate); err != nil {
		return "", fmt.Errorf("lock the gate: %w", err)
	}
	if gate != l.gate || gate == "" {
		l.windows.forget()
	}
	l.gate = rand.Text()
	l.fresh.pass(gate, l.gate)
	if _, err := execTx(ctx, tx, "pass the gate", "UPDATE meta SET value = ? WHERE name = 'gate'", l.a.dialect.bytes([]byte(l.gate))); err != nil {
		return "", err
	}
	if err := tx.QueryRowContext(ctx, "SELECT value FROM meta WHERE name = 'raw_gone'").Scan(&gone); err != nil {
		return "", fmt.Errorf("read the oldest day: %w", err)
	}
	rules, err := rulesVersion(ctx, tx)
	if err == nil && rules != l.src.Parser.RulesVersion() {
		err = ErrRules
	}
	return gone, err
}

// find returns the segment's row, which is made if there is none.
func (l *loader) find(ctx context.Context, tx *sql.Tx) (segmentRow, error) {
	d := l.a.dialect
	var r segmentRow
	var reasons string
	err := tx.QueryRowContext(ctx, "SELECT num, size, read_to, lines_read, human, bot, dedup, skipped, malformed, torn, reasons, "+
		"first_time, last_time FROM segments WHERE id = ?"+d.forUpdate(), d.bytes([]byte(l.seg.ID()))).
		Scan(&r.num, &r.size, &r.readTo, &r.tally.Lines, &r.tally.Human, &r.tally.Bot, &r.tally.Dedup, &r.tally.Skipped,
			&r.tally.Malformed, &r.tally.Torn, &reasons, &r.first, &r.last)
	if err == nil {
		return r, r.tally.readReasons(reasons)
	}
	if !errors.Is(err, sql.ErrNoRows) {
		return r, fmt.Errorf("find segment: %w", err)
	}
	res, err := tx.ExecContext(ctx, "INSERT INTO segments (id, name, source, size, read_to, lines_read, human, bot, dedup, skipped, "+
		"malformed, torn, reasons, archived_at) VALUES (?, ?, ?, 0, 0, 0, 0, 0, 0, 0, 0, 0, '{}', ?)",
		d.bytes([]byte(l.seg.ID())), d.bytes(cut([]byte(l.seg.Name()), 1024)), d.bytes(cut([]byte(l.src.Name), 255)),
		timeText(l.a.opt.Now().UnixMilli()))
	if err != nil {
		return r, fmt.Errorf("add segment: %w", err)
	}
	if r.num, err = res.LastInsertId(); err != nil {
		return r, fmt.Errorf("add segment: %w", err)
	}
	return r, nil
}

// scan begins a chunk at an offset.
func (l *loader) scan(ctx context.Context, from int64) (*scan, error) {
	rest := false
	if l.open == nil || l.at != from {
		l.closeReader()
		if err := l.sum.reach(ctx, l.seg, from); err != nil {
			return nil, err
		}
		before := max(from-1, 0)
		r, err := l.seg.Open(ctx, before)
		if err != nil {
			return nil, &segmentError{fmt.Errorf("open segment: %w", err)}
		}
		l.open, l.at = r, from
		l.buf.Reset(l.sum.through(io.LimitReader(r, l.seg.Size()-before), before))
		if from > 0 {
			b, err := l.buf.ReadByte()
			if err != nil {
				l.closeReader()
				return nil, &segmentError{fmt.Errorf("read segment: %w", err)}
			}
			rest = b != '\n'
		}
	}
	return &scan{
		rest: rest,
		ctx:  ctx, r: l.buf, source: &l.src, windows: &l.windows, fresh: l.fresh, limit: l.a.opt.ChunkRows,
		pos: from, size: l.seg.Size(), days: map[siteDay]*touch{}, enc: encoder{ip: l.a.opt.IPMode},
		calls: callSums{a: l.a.store, days: map[siteDay]*callDay{}},
	}, nil
}

// closeReader closes the open segment. An error of closing what was only read
// is worth a line in the log and nothing more.
func (l *loader) closeReader() {
	if l.open == nil {
		return
	}
	if err := l.open.Close(); err != nil {
		l.a.log.Warn("close segment", "segment", l.seg.ID(), "file", l.seg.Name(), "err", err)
	}
	l.open = nil
}

// mark makes the days that the chunk touched dirty, or adds to the sums of
// those whose raw rows are deleted already.
func (l *loader) mark(ctx context.Context, tx *sql.Tx, s *scan, r segmentRow, gone string, c *chunk) error {
	d := l.a.dialect
	keys := slices.SortedFunc(maps.Keys(s.days), func(x, y siteDay) int {
		return cmp.Or(cmp.Compare(x.site, y.site), cmp.Compare(x.day, y.day))
	})
	for _, k := range keys {
		t := s.days[k]
		site, date := d.bytes([]byte(k.site)), dateText(k.day)
		dirty := 1
		late, err := l.a.gone(ctx, tx, rawRowsKept, k, gone)
		if err != nil {
			return err
		}
		if late || t.rows == 0 {
			dirty = 0
			if t.rows > 0 {
				if err := l.a.rollups.addLate(ctx, tx, k, r); err != nil {
					return err
				}
				c.late = append(c.late, LateDay{Site: k.site, Day: k.day, Rows: t.rows})
			}
		}
		n, err := execTx(ctx, tx, "mark day", "UPDATE days SET dirty = CASE WHEN ? = 1 THEN "+markAgain+" ELSE dirty END, "+
			"raw = CASE WHEN ? = 1 THEN 1 ELSE raw END, dedup = dedup + ? WHERE site = ? AND date = ?",
			dirty, dirty, t.dedup, site, date)
		if err != nil {
			return err
		}
		if n > 0 {
			continue
		}
		if _, err := execTx(ctx, tx, "add day", "INSERT INTO days (site, date, dirty, raw, dedup) VALUES (?, ?, ?, ?, ?)",
			site, date, dirty, dirty, t.dedup); err != nil {
			return err
		}
	}
	return nil
}

// advance writes how far the segment is archived.
func (l *loader) advance(ctx context.Context, tx *sql.Tx, s *scan, r segmentRow) error {
	t := r.tally
	t.add(&s.tally)
	reasons, err := t.reasonsText()
	if err != nil {
		return err
	}
	size := s.pos
	if s.done {
		size = s.size
	}
	if s.rows > 0 || s.calls.lines > 0 {
		first, last := timeText(s.first), timeText(s.final)
		if !r.first.Valid || first < r.first.String {
			r.first = sql.NullString{String: first, Valid: true}
		}
		if !r.last.Valid || last > r.last.String {
			r.last = sql.NullString{String: last, Valid: true}
		}
	}
	d := l.a.dialect
	n, err := execTx(ctx, tx, "move the segment's place", "UPDATE segments SET name = ?, size = ?, read_to = ?, lines_read = ?, human = ?, bot = ?, "+
		"dedup = ?, skipped = ?, malformed = ?, torn = ?, reasons = ?, first_time = ?, last_time = ?, archived_at = ? WHERE num = ? AND read_to = ?",
		d.bytes(cut([]byte(l.seg.Name()), 1024)), size, s.pos, t.Lines, t.Human, t.Bot, t.Dedup, t.Skipped, t.Malformed, t.Torn,
		d.bytes([]byte(reasons)), r.first, r.last, timeText(l.a.opt.Now().UnixMilli()), r.num, r.readTo)
	if err == nil && n != 1 {
		err = errors.New("move the segment's place: BUG: it moved although it was locked")
	}
	if err == nil && s.done {
		err = l.sum.keep(ctx, tx, d, l.seg)
	}
	return err
}
