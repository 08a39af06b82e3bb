package archive

import (
	"context"
	"database/sql"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"strings"

	"ddkk-stats/parser"
)

// rawRows are some raw rows of one day of a site: a condition with arguments.
type rawRows struct {
	name  string
	site  any
	date  string
	where string
	args  []any
}

func rowsOf(d dialect, k siteDay) rawRows {
	r := rawRows{name: k.site, site: d.bytes([]byte(k.site)), date: dateText(k.day)}
	from, to := around(k.day)
	r.where = "site = ? AND date = ? AND created_at >= ? AND created_at < ?"
	r.args = []any{r.site, r.date, from, to}
	return r
}

// exist tells whether there are any.
func (r rawRows) exist(ctx context.Context, q querier) (bool, error) {
	var one int
	err := q.QueryRowContext(ctx, "SELECT 1 FROM access_logs WHERE "+r.where+" LIMIT 1", r.args...).Scan(&one)
	if errors.Is(err, sql.ErrNoRows) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("look for raw rows: %w", err)
	}
	return true, nil
}

// after narrows rows to those of a segment behind an offset.
func (r rawRows) after(segment, offset int64) rawRows {
	r.where += " AND segment = ? AND end_offset > ?"
	r.args = append(r.args[:len(r.args):len(r.args)], segment, offset)
	return r
}

// fold adds up raw rows of one day of a site by the rules of the live
// counters: the names that come first keep their own row, the others share
// parser.OtherPage, and a visitor counts once for each name.
//
// The database could do this with GROUP BY and COUNT(DISTINCT). It takes three
// to five times as long, since it sorts what is only to be told apart.
type fold struct {
	maxPages, maxEvents int
	caps                [parser.NumFacets]int
	// What is told apart is split into passes, so that a day of any size needs
	// a bounded set; counts are taken in the first.
	pass, passes uint64
	limit        int64 // rows of a single pass, when there is only one
	// kept are the names that keep their own row on a day that has too many; nil: those
	// that come first do, as many as there is room for.
	kept   *keptNames
	full   fullTables // of people: which names are kept has to be decided
	chosen bool       // it was decided, and some are not
	over   bool       // there were more names than keep their own row, those of bots too

	day    DayTotals
	pages  map[string]*sums
	bots   map[string]*sums // pages that bots saw, with a limit of their own
	events map[string]*sums

	facets [parser.NumFacets]map[string]*sums
	bare   bool // facets are not wanted
	clock  localClock

	visitors   map[parser.Visitor]firstNames
	pairs      map[uint64]struct{}
	facetPairs map[uint64]struct{} // (visitor, facet and name), but for the first names
	seen       seenNames           // of the row's visitor
	// found is called for each pair that is new; may be nil. It returns false
	// to end the reading.
	found func(Pair) bool
	// open is told what a day that may still get lines leaves; may be nil.
	open    *OpenDay
	minutes []MinuteTotals // of the day, for open
	named   bool           // each page keeps its name, and their sums are not wanted
	failed  error          // of one of its functions
	name    []byte         // buffers
	field   []byte
	nobody  sums // of pages that are named
}

// sums are those of one name.
type sums struct {
	pv, bot, uv int64
	number      uint16 // among the names of its facet, from 1 on
}

// foldRow is a raw row as far as it is added up. Its slices are valid until the next.
type foldRow struct {
	visitor     parser.Visitor
	told        bool // the visitor is
	bot, mobile bool
	page, event []byte // no event: a page view
	site        []byte
	hour        int
	fresh       bool                     // this is the visitor's first view of the day
	facets      [parser.NumFacets][]byte // of those that raw rows have
	known       parser.FacetSet          // which were looked at
}

// rowsPerPass bounds the sets of a pass: at most two entries for each row, one of them
// with the names of facets, and one more for each facet whose names visitors change.
const rowsPerPass = 2_000_000

func newFold(opt *Options) *fold {
	return &fold{maxPages: opt.MaxPages, maxEvents: opt.MaxEvents, passes: 1, limit: math.MaxInt64,
		pages: map[string]*sums{}, bots: map[string]*sums{}, events: map[string]*sums{},
		caps: opt.FacetCaps, clock: localClock{loc: opt.Location}}
}

// foldAll folds rows in as many passes as they need.
func (ru *rollups) foldAll(ctx context.Context, q querier, rows rawRows) (*fold, error) {
	f, err := ru.foldWith(ctx, q, rows, nil)
	if err != nil {
		return nil, err
	}
	if !f.full.pages {
		if f.full.pages, err = ru.beyondEver(ctx, q, rows, len(f.pages)); err != nil {
			return nil, err
		}
	}
	if !f.full.any() {
		return f, nil
	}
	kept, err := ru.choose(ctx, q, rows, &f.full)
	if err != nil {
		return nil, err
	}
	full := f.full
	if f, err = ru.foldWith(ctx, q, rows, kept); err != nil {
		return nil, err
	}
	f.full, f.chosen = full, f.full.any()
	return f, nil
}

func (ru *rollups) foldWith(ctx context.Context, q querier, rows rawRows, kept *keptNames) (*fold, error) {
	f := newFold(ru.options())
	f.limit, f.kept = ru.foldRows, kept
	n, err := f.read(ctx, q, rows)
	if err != nil {
		return nil, err
	}
	if n <= f.limit {
		return f, nil
	}
	passes := uint64((n + f.limit - 1) / f.limit)
	f = newFold(ru.options())
	f.kept = kept
	for f.passes = passes; f.pass < passes; f.pass++ {
		if _, err := f.read(ctx, q, rows); err != nil {
			return nil, err
		}
	}
	return f, nil
}

// read does one pass. The rows come in order of time. It stops early where a
// single pass would need too much memory, and tells how many rows there are.
func (f *fold) read(ctx context.Context, q querier, r rawRows) (n int64, err error) {
	f.begin()
	columns := "page, user_hash, potential_bot, device, event_key, created_at" + facetList
	if f.open != nil {
		columns += ", view_key, window_key"
	}
	rows, err := q.QueryContext(ctx, "SELECT "+columns+" FROM access_logs WHERE "+r.where+
		" ORDER BY site, created_at, segment, end_offset", r.args...)
	if err != nil {
		return 0, fmt.Errorf("read raw rows: %w", err)
	}
	defer closeRows(rows, &err)
	var page, hash, bot, device, event, at, view, window sql.RawBytes
	var facets facetValues
	into := append([]any{&page, &hash, &bot, &device, &event, &at}, facets.into()...)
	row := foldRow{site: []byte(r.name)}
	if f.open != nil {
		into = append(into, &view, &window)
	}
	for rows.Next() {
		if err := rows.Scan(into...); err != nil {
			return 0, fmt.Errorf("read raw rows: %w", err)
		}
		row.visitor, row.told = parser.Visitor{}, len(hash) > 0
		if row.told {
			if _, err := hex.Decode(row.visitor[:], hash); err != nil || len(hash) != 2*len(row.visitor) {
				return 0, fmt.Errorf("read raw rows: user_hash %q: not 32 hex digits", hash)
			}
		}
		n++
		if f.passes == 1 && n > f.limit {
			continue // only counted: this will be done in several passes
		}
		if f.open != nil {
			if !f.tell(f.open.recent(at, view, window)) || !f.tell(f.minute(string(bot) == "1", event, at)) {
				return n, nil
			}
		} else if !f.bare && f.pass == 0 {
			minute, err := f.clock.of(at)
			if err != nil {
				return 0, err
			}
			row.hour = minute / 60
		}
		row.bot, row.mobile, row.page, row.event = string(bot) == "1", string(device) == "1", page, event
		for _, x := range facetsKept {
			row.name(x, facets[x])
		}
		if !f.add(&row) {
			return n, nil
		}
	}
	return n, rows.Err()
}

// name sets a facet as readFacet gave it.
func (r *foldRow) name(x parser.Facet, text []byte) {
	name, known := facetRead(text)
	r.facets[x] = name
	r.known.Set(x, known)
}

// add counts one row; false when found wants no more.
func (f *fold) add(r *foldRow) bool {
	first := f.pass == 0
	switch {
	case r.bot && first && len(r.event) > 0:
		f.day.BotEvents++
	case r.bot && first:
		f.day.Bot++
		s, _ := f.nameOf(f.bots, r.page, f.maxPages, nil)
		s.pv++
		f.addFacets(r)
	}
	if r.bot {
		return true
	}
	if len(r.event) > 0 {
		if first {
			f.day.Events++
		}
		return f.addEvent(r.visitor, r.told, r.event)
	}
	if first {
		f.day.PV++
		if r.mobile {
			f.day.Mobile++
		} else {
			f.day.PC++
		}
	}
	visitors := f.day.UV
	more := f.addPage(r.visitor, r.told, r.page)
	r.fresh = f.day.UV > visitors
	f.addFacets(r)
	return more
}

func (f *fold) addPage(v parser.Visitor, told bool, page []byte) bool {
	s, other := &f.nobody, false
	if !f.named {
		s, other = f.nameOf(f.pages, page, f.maxPages, f.kept.ofPages())
		f.full.pages = f.full.pages || other
	}
	if f.pass == 0 {
		s.pv++
	}
	if !told {
		return true
	}
	if _, seen := f.visitors[v]; !seen && f.mine(uint64(v[0])) {
		f.visitors[v] = firstNames{}
		f.day.UV++
		if f.open != nil && !f.tell(f.open.Visitor(v)) {
			return false
		}
	}
	if other {
		page = otherName
	}
	return f.pair(parser.PairHash(v, page), s, v, false, page)
}

// addEvent counts an event at each of its levels: the parts up to each dot, as
// parser.AppendEventKeys writes them.
func (f *fold) addEvent(v parser.Visitor, told bool, event []byte) bool {
	for end := 1; end <= len(event); end++ {
		if end < len(event) && event[end] != '.' {
			continue
		}
		key := event[:end]
		s, other := f.nameOf(f.events, key, f.maxEvents, f.kept.ofEvents())
		f.full.events = f.full.events || other
		if f.pass == 0 {
			s.pv++
		}
		if other {
			key = otherName
		}
		if told && !f.pair(parser.EventHash(v, key), s, v, true, key) {
			return false
		}
	}
	return true
}

func (f *fold) pair(hash uint64, s *sums, v parser.Visitor, event bool, name []byte) bool {
	if !f.mine(hash) {
		return true
	}
	if _, seen := f.pairs[hash]; seen {
		return true
	}
	f.pairs[hash] = struct{}{}
	s.uv++
	if f.open != nil {
		return f.tell(f.open.Pair(hash))
	}
	return f.found == nil || f.found(Pair{Visitor: v, Event: event, Name: string(name)})
}

// tell notes how a function of open ended; false ends the reading.
func (f *fold) tell(err error) bool {
	f.failed = err
	return err == nil
}

// recent passes on what the duplicate rules remember of a row.
func (o *OpenDay) recent(at, view, window []byte) error {
	if len(view) != 8 && len(window) != 8 {
		return nil
	}
	ms, err := parseTime(string(at))
	if err != nil || ms < o.From {
		return err
	}
	k := RecentKey{Time: ms}
	if k.HasView = len(view) == 8; k.HasView {
		k.View = binary.LittleEndian.Uint64(view)
	}
	if k.HasWindow = len(window) == 8; k.HasWindow {
		k.Window = binary.LittleEndian.Uint64(window)
	}
	return o.Recent(k)
}

// mine tells whether something is told apart in this pass.
func (f *fold) mine(hash uint64) bool { return f.passes == 1 || hash%f.passes == f.pass }

var otherName = []byte(parser.OtherPage)

// nameOf admits a name, or returns the one that stands for those that do not keep their own:
// those that are not chosen, or where nothing is those that come over the limit.
func (f *fold) nameOf(all map[string]*sums, name []byte, limit int, chosen map[string]bool) (s *sums, other bool) {
	if s := all[string(name)]; s != nil {
		return s, false
	}
	key := string(name)
	if chosen == nil && len(all) >= limit || chosen != nil && !chosen[key] {
		key, other, f.over = parser.OtherPage, true, true
		if s := all[key]; s != nil {
			return s, true
		}
	}
	s = &sums{number: uint16(min(len(all)+1, math.MaxUint16))}
	all[key] = s
	return s, other
}

// write stores the sums as rows; conflict is the clause for rows that exist.
func (f *fold) write(ctx context.Context, tx *sql.Tx, st *store, r rawRows, adding bool) error {
	d := &f.day
	clause := func(table, key string, columns ...string) string {
		if !adding {
			return ""
		}
		var set []string
		for _, c := range columns {
			set = append(set, c+" = "+table+"."+c+" + "+st.dialect.added(c))
		}
		return st.dialect.onConflict(key) + strings.Join(set, ", ")
	}
	columns := []string{"pv", "uv", "pv_pc", "pv_mobile", "pv_bot", "events", "events_bot"}
	if _, err := execTx(ctx, tx, "write daily_stats", "INSERT INTO daily_stats (date, site, "+strings.Join(columns, ", ")+
		") VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"+clause("daily_stats", "site, date", columns...),
		r.date, r.site, d.PV, d.UV, d.PC, d.Mobile, d.Bot, d.Events, d.BotEvents); err != nil {
		return err
	}
	if err := f.writeFacets(ctx, tx, st.dialect, r, clause("facet_stats", "site, facet, date, name", "pv", "pv_bot", "uv")); err != nil {
		return err
	}
	pages, events := nameRows{table: "page_stats", column: "page", counts: []string{"pv", "uv", "pv_bot"}, rows: map[string][]int64{}},
		nameRows{table: "event_stats", column: "event_key", counts: []string{"pv", "uv"}, rows: map[string][]int64{}}
	for name, s := range f.pages {
		pages.rows[name] = []int64{s.pv, s.uv, 0}
	}
	for name, s := range f.bots {
		if pages.rows[name] == nil {
			pages.rows[name] = make([]int64, 3)
		}
		pages.rows[name][2] = s.pv
	}
	for name, s := range f.events {
		events.rows[name] = []int64{s.pv, s.uv}
	}
	for _, n := range []*nameRows{&pages, &events} {
		if err := n.write(ctx, tx, st.dialect, r, clause(n.table, "site, date, "+n.column, n.counts...)); err != nil {
			return err
		}
	}
	return nil
}
