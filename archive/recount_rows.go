package archive

import (
	"context"
	"database/sql"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"

	"ddkk-stats/parser"
)

// judgedRows is how many raw rows are judged in one transaction.
const judgedRows = 50_000

// rowPlace orders the raw rows of a site.
type rowPlace struct{ at, segment, end int64 }

func (p rowPlace) before(q rowPlace) bool {
	if p.at != q.at {
		return p.at < q.at
	}
	if p.segment != q.segment {
		return p.segment < q.segment
	}
	return p.end < q.end
}

// judgeRows judges the raw rows whose segment is gone. Sites that are no sites
// of their own any more come first, so that what moves is judged once more with
// the rows that it comes to.
func (r *recounter) judgeRows(ctx context.Context) error {
	days := map[string][]siteDay{}
	for _, k := range r.days {
		if r.lost[k] {
			days[k.site] = append(days[k.site], k)
		}
	}
	var moving, staying []string
	var h parser.Hit
	for _, site := range slices.Sorted(maps.Keys(days)) {
		r.q.Rows.Again(&parser.Kept{Site: site, Page: []byte("/")}, &h)
		if h.Kind == parser.Pageview && h.Site != site {
			moving = append(moving, site)
		} else {
			staying = append(staying, site)
		}
	}
	for _, site := range moving {
		if err := r.judgeSite(ctx, site, days[site]); err != nil {
			return err
		}
	}
	for k := range r.touched { // where they came to
		switch {
		case r.passed[k.site]:
			continue
		case days[k.site] == nil:
			staying = append(staying, k.site)
		}
		if !slices.Contains(days[k.site], k) {
			days[k.site] = append(days[k.site], k)
		}
	}
	slices.Sort(staying)
	for _, site := range staying {
		if err := r.judgeSite(ctx, site, days[site]); err != nil {
			return err
		}
	}
	return nil
}

func (r *recounter) judgeSite(ctx context.Context, site string, days []siteDay) error {
	if !r.q.DryRun {
		r.l.windows.forget()
	}
	r.site = site
	defer func() { r.site = "" }()
	slices.SortFunc(days, func(x, y siteDay) int { return int(x.day) - int(y.day) })
	for _, k := range days {
		if err := r.judgeDay(ctx, k); err != nil {
			return fmt.Errorf("judge %s %d: %w", site, k.day, err)
		}
	}
	r.passed[site] = true
	return nil
}

func (r *recounter) judgeDay(ctx context.Context, k siteDay) error {
	r.place = rowPlace{}
	for more := true; more; {
		var c *judged
		err := r.transact(ctx, func(ctx context.Context, tx *sql.Tx) (err error) {
			if c, err = r.judge(ctx, tx, k); err != nil || tx == nil {
				return err
			}
			return r.replace(ctx, tx, c)
		})
		if err != nil {
			return err
		}
		r.touch(c.touched, false)
		for doubt, n := range c.doubts {
			r.out.Doubts[doubt] += n
		}
		r.out.Rows, r.out.Named = r.out.Rows+c.n, r.out.Named+c.named
		r.progress(c.n)
		r.place, more = c.end, c.more
	}
	return nil
}

// judged are some raw rows of a day, and what changes of them.
type judged struct {
	day     siteDay
	n       int64
	end     rowPlace
	more    bool
	changes []change
	dropped int64 // duplicates
	named   int64 // rows that have other facets now
	touched map[siteDay]bool
	doubts  map[parser.Doubt]int64
}

// change is a raw row that goes, and what takes its place.
type change struct {
	was  rowPlace
	args []any // of the new row; nil: none
	site string
	park bool // it comes back when a rule is undone
}

// kept is a raw row as it lies there.
type kept struct {
	page, hash, ip, agent, bot, at, event, device, uid, referer, view, window sql.RawBytes
	facets                                                                    facetValues
	terms                                                                     [parser.NumTerms]sql.RawBytes
	place                                                                     rowPlace
	visitor                                                                   parser.Visitor
	network                                                                   int64
}

func (k *kept) scan(s scanner) (err error) {
	if err := s.Scan(k.into()...); err != nil {
		return fmt.Errorf("read raw rows: %w", err)
	}
	if k.place.at, err = parseTime(string(k.at)); err != nil {
		return err
	}
	k.visitor = parser.Visitor{}
	if len(k.hash) == 0 {
		return nil
	}
	if _, err := hex.Decode(k.visitor[:], k.hash); err != nil || len(k.hash) != 2*len(k.visitor) {
		return fmt.Errorf("read raw rows: user_hash %q: not 32 hex digits", k.hash)
	}
	return nil
}

// judge reads the next raw rows of a day and decides about those whose segment
// is gone.
func (r *recounter) judge(ctx context.Context, tx *sql.Tx, k siteDay) (_ *judged, err error) {
	var q querier = r.a.reads
	if tx != nil {
		if err := r.enter(ctx, tx); err != nil {
			return nil, err
		}
		q = tx
	}
	c := &judged{day: k, end: r.place, touched: map[siteDay]bool{}, doubts: map[parser.Doubt]int64{}}
	rows := rowsOf(r.a.dialect, k)
	where, args := rows.where, rows.args
	if r.place != (rowPlace{}) {
		at := timeText(r.place.at)
		where += " AND created_at >= ? AND (created_at > ? OR segment > ? OR segment = ? AND end_offset > ?)"
		args = append(args, at, at, r.place.segment, r.place.segment, r.place.end)
	}
	found, err := q.QueryContext(ctx, "SELECT "+keptColumns+" FROM access_logs WHERE "+where+" ORDER BY site, created_at, segment, end_offset LIMIT ?", append(args, judgedRows)...)
	if err != nil {
		return nil, fmt.Errorf("read raw rows: %w", err)
	}
	defer closeRows(found, &err)
	read := 0
	var row kept
	var h parser.Hit
	for found.Next() {
		if err := row.scan(found); err != nil {
			return nil, err
		}
		read++
		c.end = row.place
		seg := r.segments[row.place.segment]
		if seg == nil || seg.file != nil || !r.inDays(r.l.windows.dayOf(row.place.at)) {
			continue
		}
		c.n++
		if err := r.judgeRow(ctx, c, &row, !seg.imported, &h); err != nil {
			return nil, err
		}
	}
	c.more = read == judgedRows
	return c, found.Err()
}

func (r *recounter) judgeRow(ctx context.Context, c *judged, row *kept, beacon bool, h *parser.Hit) error {
	k := r.a.keptOf(row, c.day.site, beacon)
	doubt := r.q.Rows.Again(k, h)
	if r.q.Facets {
		r.judgeFacets(c, row, k, h)
		return nil
	}
	keys, unsure := r.keysOf(row, k, h)
	doubt |= unsure
	for bit := parser.Doubt(1); bit != 0; bit <<= 1 {
		if doubt&bit != 0 {
			c.doubts[bit]++
		}
	}
	gone := h.Kind == parser.Skipped
	if !gone && h.Site == c.day.site {
		dup, err := r.l.windows.check(ctx, h.Site, h.Time, keys)
		if err != nil {
			return err
		}
		if gone = dup; dup {
			c.dropped++
		}
	}
	if r.q.DryRun && !gone {
		r.preview.add(h.Site, h.Day, h.Visitor, k.Event, h.Bot, h.Device == parser.Mobile)
	}
	same := !gone && h.Site == c.day.site && h.Day == c.day.day && string(h.Page) == string(row.page) && h.Visitor == row.visitor &&
		h.Terms == k.Terms && h.Bot == k.Bot && h.Device == k.Device && row.sameFacets(h) && keys == row.keys()
	if same {
		return nil
	}
	c.touched[c.day] = true
	x := change{was: row.place, park: h.Kind == parser.Skipped && h.Reason == parser.SkipVoid}
	if !gone {
		c.touched[siteDay{h.Site, h.Day}] = true
		x.args, x.site = r.rowArgs(row, h, keys), h.Site
	}
	c.changes = append(c.changes, x)
	return nil
}

// judgeFacets gives a row the facets of h, which has what the rules of now make of it.
// All else stays, and a row that these would not count.
func (r *recounter) judgeFacets(c *judged, row *kept, k *parser.Kept, h *parser.Hit) {
	if r.q.DryRun {
		r.preview.add(c.day.site, c.day.day, row.visitor, k.Event, k.Bot, k.Device == parser.Mobile)
	}
	h.Referrer = k.Referrer
	if h.Kind == parser.Skipped || h.Bot != k.Bot || row.sameFacets(h) {
		return
	}
	h.Site, h.Day, h.Page, h.Visitor, h.Device, h.Terms = c.day.site, c.day.day, row.page, row.visitor, k.Device, k.Terms
	c.named++
	c.touched[c.day] = true
	c.changes = append(c.changes, change{was: row.place, args: r.rowArgs(row, h, row.keys()), site: h.Site})
}

// keptOf is a raw row of a site as the parser judges it.
func (st *store) keptOf(row *kept, site string, beacon bool) *parser.Kept {
	k := &parser.Kept{
		Event: len(row.event) > 0, Key: row.event, Beacon: beacon, Time: row.place.at, Site: site, Page: row.page, Visitor: row.visitor,
		Bot: string(row.bot) == "1", Device: deviceOf(row.device), UserAgent: row.agent, AgentCut: len(row.agent) >= maxAgent, Referer: row.referer, Referrer: string(row.facets[parser.Referrer]),
	}
	for _, f := range facetsKept {
		k.Facets[f].Name, k.Facets[f].Known = facetRead(row.facets[f])
	}
	for t := range row.terms {
		k.Terms[t] = termRead(row.terms[t])
	}
	k.Addr, k.AddrBits = st.address(row.ip)
	return k
}

func deviceOf(text []byte) parser.Device {
	if string(text) == "1" {
		return parser.Mobile
	}
	return parser.PC
}

// address is what is kept of a client's address.
func (st *store) address(text []byte) (netip.Addr, int) {
	addr, err := netip.ParseAddr(string(text))
	if err != nil {
		return addr, 0
	}
	masked, bits := false, 48
	if addr.Is4() {
		bits = 24
	}
	if p, err := addr.Prefix(bits); err == nil {
		masked = p.Addr() == addr && st.opt.IPMode != IPFull
	}
	if masked {
		return addr, bits
	}
	return addr, addr.BitLen()
}

func (k *kept) keys() keys {
	x := keys{hasView: len(k.view) == 8, hasWindow: len(k.window) == 8}
	if x.hasView {
		x.viewKey = binary.LittleEndian.Uint64(k.view)
	}
	if x.hasWindow {
		x.windowKey = binary.LittleEndian.Uint64(k.window)
	}
	return x
}

// keysOf are the keys of the rules about duplicates. That of a view's id stays:
// the id itself is not kept.
func (r *recounter) keysOf(row *kept, k *parser.Kept, h *parser.Hit) (x keys, doubt parser.Doubt) {
	x = row.keys()
	if h.Kind == parser.Skipped {
		return x, 0
	}
	if h.Kind != parser.Pageview || r.l.windows.width(h.Site) <= 0 {
		x.hasWindow, x.windowKey = false, 0
		return x, 0
	}
	switch {
	case k.Addr.IsValid() && k.AddrBits == k.Addr.BitLen():
		x.hasWindow, x.windowKey = true, parser.PairHash(parser.Visitor(k.Addr.As16()), h.Page)
	case string(h.Page) != string(row.page) || !x.hasWindow:
		x.hasWindow, x.windowKey = false, 0
		return x, parser.DoubtAddress
	}
	return x, 0
}

// sameFacets tells whether a hit has the names that the row has.
func (k *kept) sameFacets(h *parser.Hit) bool {
	for _, f := range facetsKept {
		name, known := facetRead(k.facets[f])
		if now, has := facetColumn(h, f); has != known || has && string(name) != now {
			return false
		}
	}
	return true
}

// rowArgs are the values of a row that takes another's place, as copies.
func (r *recounter) rowArgs(row *kept, h *parser.Hit, k keys) []any {
	args := make([]any, len(columns))
	for i := range columns {
		args[i] = columns[i].again(row, &judgedRow{h, k}, r.a.dialect)
	}
	return args
}

// replace deletes the rows that change and inserts what takes their place.
func (r *recounter) replace(ctx context.Context, tx *sql.Tx, c *judged) (err error) {
	if len(c.changes) == 0 {
		return nil
	}
	d := r.a.dialect
	del, err := tx.PrepareContext(ctx, "DELETE FROM access_logs WHERE site = ? AND created_at = ? AND segment = ? AND end_offset = ? AND date = ?")
	if err != nil {
		return fmt.Errorf("prepare to delete raw rows: %w", err)
	}
	defer func() { err = errors.Join(err, del.Close()) }()
	site, date := d.bytes([]byte(c.day.site)), dateText(c.day.day)
	for _, x := range c.changes {
		if x.park {
			if err := r.a.park(ctx, tx, c.day, x.was); err != nil {
				return err
			}
		}
		if _, err := del.ExecContext(ctx, site, timeText(x.was.at), x.was.segment, x.was.end, date); err != nil {
			return fmt.Errorf("delete raw row: %w", err)
		}
	}
	added := slices.DeleteFunc(slices.Clone(c.changes), func(x change) bool { return x.args == nil })
	for some := range slices.Chunk(added, sqliteInsertRows) {
		var args []any
		for _, x := range some {
			args = append(args, x.args...)
		}
		if _, err := execTx(ctx, tx, "insert raw rows", insertOf(d, len(some)), args...); err != nil {
			return err
		}
	}
	ends := map[int64]map[string]int64{}
	for _, x := range added {
		of := ends[x.was.segment]
		if of == nil {
			of = map[string]int64{}
			ends[x.was.segment] = of
		}
		of[x.site] = max(of[x.site], x.was.end)
	}
	for segment, of := range ends {
		if err := r.a.noteEnds(ctx, tx, segment, of); err != nil {
			return err
		}
	}
	return r.markDays(ctx, tx, c.touched, map[siteDay]int64{c.day: c.dropped})
}

// DoubtText says what could not be told, for a person.
func DoubtText(d parser.Doubt) string {
	var all []string
	for _, x := range []struct {
		bit  parser.Doubt
		text string
	}{
		{parser.DoubtSite, "their site is both an alias and the target of one"},
		{parser.DoubtPage, "their page was cut, or has a ? or # that may be its own or begin what PAGE_QUERY and PAGE_FRAGMENT drop"},
		{parser.DoubtAddress, "too little of the address is kept (IP_MODE) for BLOCK_IPS, SELF_IPS or DEDUPE_WINDOW"},
		{parser.DoubtAgent, "too little of the user agent is kept to tell bots and devices"},
		{parser.DoubtVisitor, "the visitor of another site cannot be told from what is kept"},
	} {
		if d&x.bit != 0 {
			all = append(all, x.text)
		}
	}
	return strings.Join(all, "; ")
}
