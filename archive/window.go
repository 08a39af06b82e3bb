package archive

import (
	"context"
	"database/sql"
	"encoding/binary"
	"fmt"
	"time"

	"ddkk-stats/parser"
)

// maxRemembered is how many keys may stay in memory from one chunk to the next.
const maxRemembered = 200_000

// windows remember the keys that the duplicate rules go by. They are a cache
// of the raw rows: a bucket of time is loaded when a line first asks for it,
// and all may be forgotten whenever no chunk is open.
type windows struct {
	db    querier
	d     dialect
	loc   *time.Location
	width func(site string) time.Duration
	id    time.Duration
	sites map[string]*siteWindows
	days  map[siteDay]bool // whether there are raw rows
	size  int              // keys that are remembered
	last  *siteWindows
	// pending says of a raw row that it is about to be replaced and must not
	// be gone by; nil: none is.
	pending func(site string, at, segment, end int64) bool
}

type siteDay struct {
	site string
	day  parser.Day
}

type siteWindows struct {
	site string
	id   *window
	page *window // nil: DEDUPE_WINDOW is off
}

// window is one rule of one site: the same key less than width apart, before
// or after, is a duplicate. Buckets are as wide as the rule, so that a bucket
// holds a key once.
type window struct {
	site    string
	column  string
	width   int64 // ms
	buckets map[int64]map[uint64]int64
}

func (w *windows) forget() {
	w.sites, w.days = map[string]*siteWindows{}, map[siteDay]bool{}
	w.size, w.last = 0, nil
}

// settle is called when a chunk was committed: its days have raw rows now.
func (w *windows) settle(touched map[siteDay]*touch) {
	if w.size > maxRemembered {
		w.forget()
		return
	}
	for k := range touched {
		w.days[k] = true
	}
}

func (w *windows) of(site string) *siteWindows {
	if w.last != nil && w.last.site == site {
		return w.last
	}
	s := w.sites[site]
	if s == nil {
		s = &siteWindows{site: site, id: newWindow(site, "view_key", w.id)}
		if width := w.width(site); width > 0 {
			s.page = newWindow(site, "window_key", width)
		}
		w.sites[site] = s
	}
	w.last = s
	return s
}

func newWindow(site, column string, width time.Duration) *window {
	return &window{site: site, column: column, width: max(width.Milliseconds(), 1), buckets: map[int64]map[uint64]int64{}}
}

// duplicate applies the rules to r and, where it is none, remembers it and
// sets its keys.
func (w *windows) duplicate(ctx context.Context, r *row) (bool, error) {
	h := r.hit
	if r.hasView = len(h.ViewID) > 0; r.hasView {
		r.viewKey = parser.PairHash(h.Visitor, h.ViewID)
	}
	if r.hasWindow = h.Kind == parser.Pageview && h.Addr.IsValid() && w.of(h.Site).page != nil; r.hasWindow {
		r.windowKey = parser.PairHash(parser.Visitor(h.Addr.As16()), h.Page)
	}
	return w.check(ctx, h.Site, h.Time, r.keys)
}

// keys are what the rules go by of one line.
type keys struct {
	viewKey, windowKey uint64
	hasView, hasWindow bool
}

// check applies the rules to keys and, where they are no duplicate, remembers
// them.
func (w *windows) check(ctx context.Context, site string, at int64, k keys) (bool, error) {
	s := w.of(site)
	if k.hasView {
		if dup, err := w.seen(ctx, s.id, k.viewKey, at); dup || err != nil {
			return dup, err
		}
	}
	if k.hasWindow {
		if dup, err := w.seen(ctx, s.page, k.windowKey, at); dup || err != nil {
			return dup, err
		}
		w.remember(s.page, k.windowKey, at)
	}
	if k.hasView {
		w.remember(s.id, k.viewKey, at)
	}
	return false, nil
}

func (w *windows) remember(x *window, key uint64, t int64) {
	x.buckets[t/x.width][key] = t
	w.size++
}

func (w *windows) seen(ctx context.Context, x *window, key uint64, t int64) (bool, error) {
	now := t / x.width
	for n := now - 1; n <= now+1; n++ {
		b := x.buckets[n]
		if b == nil {
			var err error
			if b, err = w.bucket(ctx, x, n); err != nil {
				return false, err
			}
			x.buckets[n] = b
			w.size += len(b)
		}
		if at, ok := b[key]; ok && t-at < x.width && at-t < x.width {
			return true, nil
		}
	}
	return false, nil
}

// bucket loads the keys of one bucket from the raw rows.
func (w *windows) bucket(ctx context.Context, x *window, n int64) (_ map[uint64]int64, err error) {
	b := map[uint64]int64{}
	from, to := n*x.width, (n+1)*x.width
	first, last := w.dayOf(from), w.dayOf(to-1)
	any := false
	for d := first; d <= last; d = d.Next() {
		has, err := w.hasRows(ctx, siteDay{x.site, d})
		if err != nil {
			return nil, err
		}
		any = any || has
	}
	if !any {
		return b, nil
	}
	rows, err := w.db.QueryContext(ctx, "SELECT "+x.column+", created_at, segment, end_offset FROM access_logs WHERE site = ? AND created_at >= ? "+
		"AND created_at < ? AND date >= ? AND date <= ? AND "+x.column+" IS NOT NULL",
		w.d.bytes([]byte(x.site)), timeText(from), timeText(to), dateText(first), dateText(last))
	if err != nil {
		return nil, fmt.Errorf("read recent keys: %w", err)
	}
	defer closeRows(rows, &err)
	var key sql.RawBytes
	var at string
	var segment, end int64
	for rows.Next() {
		if err := rows.Scan(&key, &at, &segment, &end); err != nil {
			return nil, fmt.Errorf("read recent keys: %w", err)
		}
		ms, err := parseTime(at)
		if err != nil {
			return nil, err
		}
		if w.pending != nil && w.pending(x.site, ms, segment, end) {
			continue
		}
		if len(key) == 8 {
			b[binary.LittleEndian.Uint64(key)] = ms
		}
	}
	return b, rows.Err()
}

func (w *windows) dayOf(ms int64) parser.Day { return parser.DayOf(time.UnixMilli(ms).In(w.loc)) }

func (w *windows) hasRows(ctx context.Context, k siteDay) (bool, error) {
	if has, ok := w.days[k]; ok {
		return has, nil
	}
	var n int64
	err := w.db.QueryRowContext(ctx, "SELECT COUNT(*) FROM days WHERE site = ? AND date = ?",
		w.d.bytes([]byte(k.site)), dateText(k.day)).Scan(&n)
	if err != nil {
		return false, fmt.Errorf("ask for a day: %w", err)
	}
	w.days[k] = n > 0
	return n > 0, nil
}

// closeRows closes rows and makes a failure the caller's error, if it has none.
func closeRows(rows *sql.Rows, err *error) {
	if cerr := rows.Close(); *err == nil && cerr != nil {
		*err = fmt.Errorf("close rows: %w", cerr)
	}
}
