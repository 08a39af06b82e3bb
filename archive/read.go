package archive

import (
	"context"
	"database/sql"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"iter"
	"math"
	"strings"
	"time"

	"ddkk-stats/parser"
)

// querier is a connection pool or a transaction.
type querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// Reader reads sums and raw rows. Sequences are streamed: they hold a
// connection until they end, they end after the first error, and they may be
// left early. Days are inclusive on both sides; a zero Day is no bound.
type Reader struct {
	*asked
	rawReader
	sumReader
	segmentReader
	pageCountReader
	callReader
}

func newReader(q querier, d dialect, opt Options) Reader {
	a := &asked{q, d, opt}
	return Reader{a, rawReader{a}, sumReader{a}, segmentReader{a}, pageCountReader{a}, callReader{a}}
}

// asked is where a Reader asks.
type asked struct {
	q   querier
	d   dialect
	opt Options
}

// What a Reader reads, by subject.
type (
	rawReader       struct{ *asked } // raw rows
	sumReader       struct{ *asked } // sums of days
	segmentReader   struct{ *asked } // what is archived of which log
	pageCountReader struct{ *asked } // page_counts
	callReader      struct{ *asked } // calls of APIs
)

// Read returns a reader of what is committed now, from one moment to the next.
func (st *store) Read() *Reader {
	r := newReader(st.reads, st.dialect, *st.options())
	return &r
}

// Snapshot is a Reader of one moment: all of its answers agree with each other.
// It is one transaction on one connection, so a sequence must be ended before
// the next question is asked.
type Snapshot struct {
	Reader
	tx *sql.Tx
}

// Close ends the snapshot.
func (s *Snapshot) Close() error {
	if err := s.tx.Rollback(); err != nil && !errors.Is(err, sql.ErrTxDone) {
		return fmt.Errorf("close snapshot: %w", err)
	}
	return nil
}

// maxSnapshotTries: each try rolls up what became dirty since the last one.
const maxSnapshotTries = 10

// Snapshot opens a snapshot in which all that is archived of a site (all sites
// if it is empty) is in the sums: days that are dirty are rolled up first.
func (ru *rollups) Snapshot(ctx context.Context, site string) (*Snapshot, error) {
	for range maxSnapshotTries {
		if _, err := ru.rollUp(ctx, site, nil); err != nil {
			return nil, fmt.Errorf("open snapshot: %w", err)
		}
		s, err := ru.snapshot(ctx)
		if err != nil {
			return nil, err
		}
		clean, err := s.clean(ctx, site)
		if clean && err == nil {
			return s, nil
		}
		if err := errors.Join(err, s.Close()); err != nil {
			return nil, err
		}
	}
	return nil, errors.New("open snapshot: days become dirty faster than they are rolled up; try again when nothing is being archived")
}

func (st *store) snapshot(ctx context.Context) (*Snapshot, error) {
	tx, err := st.reads.BeginTx(ctx, &sql.TxOptions{Isolation: st.dialect.snapshotLevel(), ReadOnly: st.reads == st.db})
	if err != nil {
		return nil, fmt.Errorf("open snapshot: %w", err)
	}
	return &Snapshot{Reader: newReader(tx, st.dialect, *st.options()), tx: tx}, nil
}

// clean is also the first read, which fixes the moment.
func (s *Snapshot) clean(ctx context.Context, site string) (bool, error) {
	for _, table := range []string{"days", "api_days"} {
		q, args := "SELECT COUNT(*) FROM "+table+" WHERE dirty <> 0", []any(nil)
		if site != "" {
			q, args = q+" AND site = ?", append(args, s.d.bytes([]byte(site)))
		}
		var n int
		if err := s.q.QueryRowContext(ctx, q, args...).Scan(&n); err != nil {
			return false, fmt.Errorf("open snapshot: %w", err)
		}
		if n > 0 {
			return false, nil
		}
	}
	return true, nil
}

// ArchivedSegment is how much of a segment is archived.
type ArchivedSegment struct {
	Size int64 // bytes that need not be kept: End, and an unfinished last line
	End  int64 // offset after the last archived line, where a replay goes on
	At   time.Time
	// Lines is how many there are, and Sum the SHA-256 of Size bytes of content
	// in hex; "" where it was archived before that was kept.
	Lines int64
	Sum   string
	// Voided: some of its lines are taken out by a rule that may be undone.
	Voided bool
}

// ArchivedSegments returns what is archived of each segment, by identity. It is
// the same for every site: all lines of a segment are archived together.
func (r *segmentReader) ArchivedSegments(ctx context.Context) (map[string]ArchivedSegment, error) {
	all := map[string]ArchivedSegment{}
	for v, err := range stream(ctx, r.q, func(s scanner) (v struct {
		id string
		ArchivedSegment
	}, err error) {
		var at, reasons string
		if err := s.Scan(&v.id, &v.Size, &v.End, &at, &v.Lines, &v.Sum, &reasons); err != nil {
			return v, err
		}
		v.Voided = strings.Contains(reasons, `"`+parser.SkipVoid.String()+`"`)
		ms, err := parseTime(at)
		v.At = time.UnixMilli(ms)
		return v, err
	}, "SELECT id, segments.size, read_to, archived_at, lines_read, COALESCE(content_sum, ''), reasons FROM segments "+
		"LEFT JOIN segment_sums ON segment = id AND segment_sums.size = segments.size") {
		if err != nil {
			return nil, err
		}
		all[v.id] = v.ArchivedSegment
	}
	return all, nil
}

// ArchivedSegments is Reader.ArchivedSegments, now.
func (st *store) ArchivedSegments(ctx context.Context) (map[string]ArchivedSegment, error) {
	return st.Read().ArchivedSegments(ctx)
}

// Sites returns the sites that have any day, in order.
func (r *segmentReader) Sites(ctx context.Context) ([]string, error) {
	var all []string
	for site, err := range stream(ctx, r.q, func(s scanner) (site string, err error) {
		return site, s.Scan(&site)
	}, "SELECT DISTINCT site FROM days UNION SELECT DISTINCT site FROM daily_stats UNION SELECT DISTINCT site FROM api_days ORDER BY site") {
		if err != nil {
			return nil, err
		}
		all = append(all, site)
	}
	return all, nil
}

// SiteVisitors are the visitors of each site, added up over its days. Whoever calls its API counts
// as many.
func (r *segmentReader) SiteVisitors(ctx context.Context) (map[string]int64, error) {
	type row struct {
		site string
		uv   int64
	}
	all := map[string]int64{}
	for v, err := range stream(ctx, r.q, func(s scanner) (v row, err error) { return v, s.Scan(&v.site, &v.uv) },
		"SELECT site, SUM(uv) FROM daily_stats GROUP BY site UNION ALL SELECT DISTINCT site, 1000000 FROM api_days") {
		if err != nil {
			return nil, err
		}
		all[v.site] += v.uv
	}
	return all, nil
}

// LonelySites are those that one visitor came to at most, on days before one alone, in order.
func (r *segmentReader) LonelySites(ctx context.Context, before parser.Day) ([]string, error) {
	var all []string
	for site, err := range stream(ctx, r.q, func(s scanner) (site string, err error) { return site, s.Scan(&site) },
		"SELECT site FROM daily_stats WHERE site NOT IN (SELECT site FROM api_days) AND site NOT IN (SELECT site FROM baselines) "+
			"GROUP BY site HAVING SUM(uv) <= 1 AND MAX(date) < ? ORDER BY site", dateText(before)) {
		if err != nil {
			return nil, err
		}
		all = append(all, site)
	}
	return all, nil
}

// DayTotals are the sums of a site and day. PV and UV are of people's page
// views; PV = PC + Mobile.
type DayTotals struct {
	Day               parser.Day
	PV, UV            int64
	PC, Mobile, Bot   int64
	Events, BotEvents int64
	Dedup             int64 // lines that were duplicates
}

// Daily returns the sums of a site's days, in order.
func (r *sumReader) Daily(ctx context.Context, site string, from, to parser.Day) iter.Seq2[DayTotals, error] {
	where, args := r.between("d.", site, from, to)
	return stream(ctx, r.q, func(s scanner) (v DayTotals, err error) {
		return v, s.Scan(day{&v.Day}, &v.PV, &v.UV, &v.PC, &v.Mobile, &v.Bot, &v.Events, &v.BotEvents, &v.Dedup)
	}, "SELECT d.date, d.pv, d.uv, d.pv_pc, d.pv_mobile, d.pv_bot, d.events, d.events_bot, COALESCE(m.dedup, 0) FROM daily_stats d "+
		"LEFT JOIN days m ON m.site = d.site AND m.date = d.date WHERE "+where+" ORDER BY d.date", args...)
}

// NameTotals are the sums of a page or an event key.
type NameTotals struct {
	Day    parser.Day // 0: all days
	Name   string
	PV, UV int64
}

// PageTotals returns the sums of a site's pages over all days: what people saw.
func (r *sumReader) PageTotals(ctx context.Context, site string) iter.Seq2[NameTotals, error] {
	return stream(ctx, r.q, func(s scanner) (v NameTotals, err error) {
		return v, s.Scan(&v.Name, &v.PV, &v.UV)
	}, "SELECT page, SUM(pv), SUM(uv) FROM page_stats WHERE site = ? AND pv > 0 GROUP BY page", r.d.bytes([]byte(site)))
}

// PageBots returns the views of bots of a site's pages over all days, as PV.
func (r *sumReader) PageBots(ctx context.Context, site string) iter.Seq2[NameTotals, error] {
	return stream(ctx, r.q, func(s scanner) (v NameTotals, err error) {
		return v, s.Scan(&v.Name, &v.PV)
	}, "SELECT page, SUM(pv_bot) FROM page_stats WHERE site = ? AND pv_bot > 0 GROUP BY page", r.d.bytes([]byte(site)))
}

// PageBotDays returns the views of bots of a site's pages day by day, as PV,
// days in order.
func (r *sumReader) PageBotDays(ctx context.Context, site string, from, to parser.Day) iter.Seq2[NameTotals, error] {
	where, args := r.between("", site, from, to)
	return stream(ctx, r.q, func(s scanner) (v NameTotals, err error) {
		return v, s.Scan(day{&v.Day}, &v.Name, &v.PV)
	}, "SELECT date, page, pv_bot FROM page_stats WHERE "+where+" AND pv_bot > 0 ORDER BY date, page", args...)
}

// PageDays returns the sums of a site's pages day by day, days in order.
func (r *sumReader) PageDays(ctx context.Context, site string, from, to parser.Day) iter.Seq2[NameTotals, error] {
	return r.nameDays(ctx, "page_stats", "page", site, from, to)
}

// EventDays returns the sums of a site's event keys, one for each level, day by
// day, days in order.
func (r *sumReader) EventDays(ctx context.Context, site string, from, to parser.Day) iter.Seq2[NameTotals, error] {
	return r.nameDays(ctx, "event_stats", "event_key", site, from, to)
}

func (r *sumReader) nameDays(ctx context.Context, table, column, site string, from, to parser.Day) iter.Seq2[NameTotals, error] {
	where, args := r.between("", site, from, to)
	return stream(ctx, r.q, func(s scanner) (v NameTotals, err error) {
		return v, s.Scan(day{&v.Day}, &v.Name, &v.PV, &v.UV)
	}, "SELECT date, "+column+", pv, uv FROM "+table+" WHERE "+where+" AND pv > 0 ORDER BY date, "+column, args...)
}

func (r *asked) between(table, site string, from, to parser.Day) (where string, args []any) {
	where, args = table+"site = ?", []any{r.d.bytes([]byte(site))}
	if from != 0 {
		where, args = where+" AND "+table+"date >= ?", append(args, dateText(from))
	}
	if to != 0 {
		where, args = where+" AND "+table+"date <= ?", append(args, dateText(to))
	}
	return where, args
}

// Visitors returns the visitors of a site's page views on a day, each once.
// There are none when the day's raw rows are deleted.
func (r *rawReader) Visitors(ctx context.Context, site string, d parser.Day) iter.Seq2[parser.Visitor, error] {
	return visitorsOf(ctx, r.q, r.d, site, d)
}

func visitorsOf(ctx context.Context, q querier, dialect dialect, site string, d parser.Day) iter.Seq2[parser.Visitor, error] {
	from, to := around(d)
	return stream(ctx, q, func(s scanner) (v parser.Visitor, err error) {
		return v, s.Scan(visitor{&v})
	}, "SELECT DISTINCT user_hash FROM access_logs WHERE site = ? AND date = ? AND created_at >= ? AND created_at < ? AND "+
		"potential_bot = 0 AND event_key = '' AND user_hash <> ''", dialect.bytes([]byte(site)), dateText(d), from, to)
}

// OpenDay are what a day leaves that may still get lines. Each function is
// called once for each of them; an error ends the reading and is returned.
type OpenDay struct {
	Visitor func(parser.Visitor) error // of page views
	Pair    func(hash uint64) error    // parser.PairHash of a page, parser.EventHash of each level of an event
	From    int64                      // ms; older lines leave no key
	Recent  func(RecentKey) error
	Minute  func(MinuteTotals) error // that has views, in order
}

// ReadOpenDay reads all of it with one pass over the day's raw rows: it is what
// Visitors, Pairs, Recent and Minutes tell.
func (r *rawReader) ReadOpenDay(ctx context.Context, site string, d parser.Day, into OpenDay) error {
	f := newFold(&r.opt)
	f.open, f.bare, f.minutes = &into, true, make([]MinuteTotals, 24*60)
	var err error
	if f.kept, err = r.namesOfSums(ctx, site, d); err != nil {
		return err
	}
	f.maxPages, f.maxEvents = math.MaxInt, math.MaxInt
	f.named = f.kept.pages == nil
	_, err = f.read(ctx, r.q, rowsOf(r.d, siteDay{site, d}))
	if err := errors.Join(err, f.failed); err != nil {
		return err
	}
	for i, m := range f.minutes {
		if m.Minute = i; m.PV == 0 && m.Bot == 0 {
			continue
		}
		if err := into.Minute(m); err != nil {
			return err
		}
	}
	return nil
}

// PageHistory calls row for each page of each day from one on, days in order,
// with day 0 and the sum of all days before that first. The name is valid until
// row returns.
func (r *rawReader) PageHistory(ctx context.Context, site string, from parser.Day, row func(d parser.Day, page []byte, pv, uv, bots int64) error) error {
	s := r.d.bytes([]byte(site))
	for _, q := range []struct {
		text string
		args []any
	}{
		{"SELECT '', page, SUM(pv), SUM(uv), SUM(pv_bot) FROM page_stats WHERE site = ? AND date < ? GROUP BY page", []any{s, dateText(from)}},
		{"SELECT date, page, pv, uv, pv_bot FROM page_stats WHERE site = ? AND date >= ? ORDER BY date, page", []any{s, dateText(from)}},
	} {
		if err := pageRows(ctx, r.q, row, q.text, q.args...); err != nil {
			return fmt.Errorf("read archive: %w", err)
		}
	}
	return nil
}

func pageRows(ctx context.Context, q querier, row func(d parser.Day, page []byte, pv, uv, bots int64) error, query string, args ...any) (err error) {
	rows, err := q.QueryContext(ctx, query, args...)
	if err != nil {
		return err
	}
	defer closeRows(rows, &err)
	var date, page sql.RawBytes
	var pv, uv, bots int64
	last, d := "", parser.Day(0)
	for rows.Next() {
		if err := rows.Scan(&date, &page, &pv, &uv, &bots); err != nil {
			return err
		}
		if string(date) != last { // "" is day 0
			last = string(date)
			if d, err = parseDate(last); err != nil {
				return err
			}
		}
		if err := row(d, page, pv, uv, bots); err != nil {
			return err
		}
	}
	return rows.Err()
}

// Pair is a visitor and what was seen: a page, or one level of an event key.
type Pair struct {
	Visitor parser.Visitor
	Event   bool
	Name    string
}

// Pairs returns the (visitor, page) and (visitor, event key) pairs of a site's
// day, each once, with the names that the sums have: parser.OtherPage stands
// for those over a limit. There are none when the day's raw rows are deleted.
// It remembers a hash of each pair until it ends.
func (r *rawReader) Pairs(ctx context.Context, site string, d parser.Day) iter.Seq2[Pair, error] {
	return func(yield func(Pair, error) bool) {
		f := newFold(&r.opt)
		f.bare = true
		var err error
		if f.kept, err = r.namesOfSums(ctx, site, d); err != nil {
			yield(Pair{}, err)
			return
		}
		f.maxPages, f.maxEvents = math.MaxInt, math.MaxInt
		more := true
		f.found = func(p Pair) bool {
			more = yield(p, nil)
			return more
		}
		if _, err := f.read(ctx, r.q, rowsOf(r.d, siteDay{site, d})); err != nil && more {
			yield(Pair{}, err)
		}
	}
}

// RecentKey is what the duplicate rules remember of one line.
type RecentKey struct {
	Time               int64  // ms since the Unix epoch
	View               uint64 // hash of visitor and view id
	Window             uint64 // hash of address and page
	HasView, HasWindow bool
}

// Recent returns the keys of a site's lines from a time (ms) on.
func (r *rawReader) Recent(ctx context.Context, site string, from int64) iter.Seq2[RecentKey, error] {
	return stream(ctx, r.q, func(s scanner) (k RecentKey, err error) {
		var at string
		var view, window sql.RawBytes
		if err := s.Scan(&at, &view, &window); err != nil {
			return k, err
		}
		if k.HasView = len(view) == 8; k.HasView {
			k.View = binary.LittleEndian.Uint64(view)
		}
		if k.HasWindow = len(window) == 8; k.HasWindow {
			k.Window = binary.LittleEndian.Uint64(window)
		}
		k.Time, err = parseTime(at)
		return k, err
	}, "SELECT created_at, view_key, window_key FROM access_logs WHERE site = ? AND created_at >= ? AND (view_key IS NOT NULL OR window_key IS NOT NULL)",
		r.d.bytes([]byte(site)), timeText(from))
}

// scanner is a row.
type scanner interface{ Scan(dest ...any) error }

// stream runs a query and yields what scan makes of each row.
func stream[T any](ctx context.Context, q querier, scan func(scanner) (T, error), query string, args ...any) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		var none T
		rows, err := q.QueryContext(ctx, query, args...)
		if err != nil {
			yield(none, fmt.Errorf("read archive: %w", err))
			return
		}
		for rows.Next() {
			v, err := scan(rows)
			if err != nil {
				yield(none, errors.Join(fmt.Errorf("read archive: %w", err), rows.Close()))
				return
			}
			if !yield(v, nil) {
				// Nobody is left to be told of an error.
				rows.Close()
				return
			}
		}
		if err := errors.Join(rows.Err(), rows.Close()); err != nil {
			yield(none, fmt.Errorf("read archive: %w", err))
		}
	}
}

// day and visitor scan a column's text.
type day struct{ d *parser.Day }

func (x day) Scan(src any) (err error) {
	*x.d, err = parseDate(textOf(src))
	return err
}

type visitor struct{ v *parser.Visitor }

func (x visitor) Scan(src any) error {
	n, err := hex.Decode(x.v[:], []byte(textOf(src)))
	if err != nil || n != len(x.v) {
		return fmt.Errorf("read user_hash %q: not 32 hex digits", textOf(src))
	}
	return nil
}

func textOf(src any) string {
	switch v := src.(type) {
	case []byte:
		return string(v)
	case string:
		return v
	}
	return ""
}
