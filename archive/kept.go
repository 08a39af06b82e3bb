package archive

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"math/bits"
	"math/rand/v2"
	"slices"
	"strconv"
	"time"

	"ddkk-stats/parser"
)

// Which names keep their own on a day that has more than there is room for: see
// docs/design/caps.md. It is a function of the day's raw rows and of the sums of the days
// before, whatever the order in which they were loaded.

// keptNames are the names that keep their own, where a table has too many; nil: all do.
type keptNames struct {
	pages, events map[string]bool
	facets        [parser.NumFacets]map[string]bool
}

func (k *keptNames) ofPages() map[string]bool {
	if k == nil {
		return nil
	}
	return k.pages
}

func (k *keptNames) ofEvents() map[string]bool {
	if k == nil {
		return nil
	}
	return k.events
}

func (k *keptNames) ofFacet(x parser.Facet) map[string]bool {
	if k == nil {
		return nil
	}
	return k.facets[x]
}

// fullTables tells which tables have more names than there is room for.
type fullTables struct {
	pages, events bool
	facets        [parser.NumFacets]bool
}

func (t *fullTables) any() bool {
	return t.pages || t.events || slices.Contains(t.facets[:], true)
}

// contest is about the room of one table.
type contest struct {
	room   int
	ever   int // pages that the site may have on all days; 0: this is no table of pages
	had    int // that it had before
	claims map[string]*claim
	seq    int64
}

// claim is what speaks for a name: from how many parts of the internet it was asked for on
// the day, and on how many of the days before it had its own row.
type claim struct {
	name     string
	networks uint64
	days     int
	by       uint8 // the part that came first with it
	first    int64 // order in which names came
	known    bool  // it had its own row on any day before
	turn     int   // among those of as much merit that came from the same part
}

func (c *claim) merit() int { return max(1, bits.OnesCount64(c.networks)) + c.days }

// maxClaims bounds what is remembered of a table. Beyond, the worse half is forgotten and may
// come again.
const maxClaims = 1 << 20

func newContest(room int) *contest { return &contest{room: room, claims: map[string]*claim{}} }

// enter notes that somebody asked for a name.
func (c *contest) enter(name []byte, network uint8) {
	x := c.claims[string(name)]
	if x == nil {
		if len(c.claims) >= max(maxClaims, 4*c.room) {
			kept := c.ranked()
			clear(c.claims)
			for _, x := range kept[:len(kept)/2] {
				c.claims[x.name] = x
			}
		}
		c.seq++
		x = &claim{name: string(name), by: network, first: c.seq}
		c.claims[x.name] = x
	}
	if network > 0 {
		x.networks |= 1 << (network - 1)
	}
}

// ranked are all names, the best first: by merit, then in turns of the parts of the
// internet that they came from.
func (c *contest) ranked() []*claim {
	all := make([]*claim, 0, len(c.claims))
	for _, x := range c.claims {
		all = append(all, x)
	}
	slices.SortFunc(all, func(a, b *claim) int { return cmp.Compare(a.first, b.first) })
	type group struct {
		merit int
		by    uint8
	}
	turns := map[group]int{}
	for _, x := range all {
		g := group{x.merit(), x.by}
		x.turn = turns[g]
		turns[g]++
	}
	slices.SortFunc(all, func(a, b *claim) int {
		return cmp.Or(cmp.Compare(b.merit(), a.merit()), cmp.Compare(a.turn, b.turn), cmp.Compare(a.first, b.first))
	})
	return all
}

// kept are the names that keep their own: twice as many as there is room for, the best first,
// of which half may be names that nothing speaks for.
func (c *contest) kept() map[string]bool {
	names, poor, fresh := map[string]bool{}, 0, 0
	for _, x := range c.ranked() {
		if x.merit() < 2 {
			poor++
		}
		if len(names) == 2*c.room || poor > c.room {
			break
		}
		if c.ever > 0 && !x.known {
			if n := c.had + fresh; n >= 2*c.ever || n >= c.ever && x.merit() < parser.MeritNeeded(n-c.ever, c.ever) {
				continue
			}
			fresh++
		}
		names[x.name] = true
	}
	return names
}

// daysBack is how far back names are known.
const daysBack = 28

// choose decides which names of a day keep their own in the tables that are full.
func (ru *rollups) choose(ctx context.Context, q querier, rows rawRows, full *fullTables) (*keptNames, error) {
	opt := ru.options()
	kept := &keptNames{}
	var pages, events *contest
	var facets [parser.NumFacets]*contest
	if full.pages {
		pages = newContest(opt.MaxPages)
	}
	if full.events {
		events = newContest(opt.MaxEvents)
	}
	for x := range parser.NumFacets {
		if full.facets[x] {
			facets[x] = newContest(opt.FacetCaps[x])
		}
	}
	if err := eachClaim(ctx, q, rows, pages, events, &facets); err != nil {
		return nil, fmt.Errorf("choose names: %w", err)
	}
	judge := func(c *contest, into *map[string]bool, column, from string, args ...any) error {
		if c == nil {
			return nil
		}
		if err := c.recall(ctx, q, rows, column, from, args...); err != nil {
			return fmt.Errorf("choose names: %w", err)
		}
		*into = c.kept()
		return nil
	}
	if pages != nil {
		if err := pages.recallEver(ctx, q, rows, opt.MaxPagesEver); err != nil {
			return nil, fmt.Errorf("choose names: %w", err)
		}
	}
	if err := judge(pages, &kept.pages, "page", "page_stats"); err != nil {
		return nil, err
	}
	if err := judge(events, &kept.events, "event_key", "event_stats"); err != nil {
		return nil, err
	}
	for x, c := range facets {
		if err := judge(c, &kept.facets[x], "name", "facet_stats", parser.Facet(x).Spec().Name); err != nil {
			return nil, err
		}
	}
	return kept, nil
}

// eachClaim enters what people asked for, in order of time.
func eachClaim(ctx context.Context, q querier, r rawRows, pages, events *contest, facets *[parser.NumFacets]*contest) (err error) {
	found, err := q.QueryContext(ctx, "SELECT page, event_key, COALESCE(network, 0)"+facetList+" FROM access_logs WHERE "+r.where+
		" AND potential_bot = 0 ORDER BY site, created_at, segment, end_offset", r.args...)
	if err != nil {
		return err
	}
	defer closeRows(found, &err)
	var page, event sql.RawBytes
	var network uint8
	var values facetValues
	into := append([]any{&page, &event, &network}, values.into()...)
	site := []byte(r.name)
	for found.Next() {
		if err := found.Scan(into...); err != nil {
			return err
		}
		if len(event) > 0 {
			for end := 1; events != nil && end <= len(event); end++ {
				if end == len(event) || event[end] == '.' {
					events.enter(event[:end], network)
				}
			}
			continue
		}
		if pages != nil {
			pages.enter(page, network)
		}
		for _, x := range facetsKept {
			if name, known := facetRead(values[x]); facets[x] != nil && x.Counts(site, name, known) {
				facets[x].enter(name, network)
			}
		}
	}
	return found.Err()
}

// recall notes on how many of the days before names had their own row.
func (c *contest) recall(ctx context.Context, q querier, r rawRows, column, table string, facet ...any) (err error) {
	day, err := parseDate(r.date)
	if err != nil {
		return err
	}
	where, args := "site = ? AND date >= ? AND date < ? AND pv > 0", []any{r.site, dateText(parser.DayOf(day.Date(time.UTC).AddDate(0, 0, -daysBack))), r.date}
	if len(facet) > 0 {
		where, args = where+" AND facet = ?", append(args, facet...)
	}
	found, err := q.QueryContext(ctx, "SELECT "+column+", COUNT(*) FROM "+table+" WHERE "+where+" GROUP BY "+column, args...)
	if err != nil {
		return err
	}
	defer closeRows(found, &err)
	var name sql.RawBytes
	var days int
	for found.Next() {
		if err := found.Scan(&name, &days); err != nil {
			return err
		}
		if x := c.claims[string(name)]; x != nil {
			x.days = days
		}
	}
	return found.Err()
}

// recallEver notes which pages the site had on any day before.
func (c *contest) recallEver(ctx context.Context, q querier, r rawRows, limit int) (err error) {
	found, err := q.QueryContext(ctx, "SELECT DISTINCT page FROM page_stats WHERE site = ? AND date < ? AND pv > 0", r.site, r.date)
	if err != nil {
		return err
	}
	defer closeRows(found, &err)
	c.ever = limit
	var name sql.RawBytes
	for found.Next() {
		if err := found.Scan(&name); err != nil {
			return err
		}
		c.had++
		if x := c.claims[string(name)]; x != nil {
			x.known = true
		}
	}
	return found.Err()
}

// beyondEver tells whether so many pages more, were they all new, would be too many for a site.
// Mostly the rows of its days are fewer than that.
func (ru *rollups) beyondEver(ctx context.Context, q querier, r rawRows, more int) (bool, error) {
	room := ru.options().MaxPagesEver - more
	if room < 0 {
		return true, nil
	}
	for _, what := range []string{"COUNT(*) FROM (SELECT 1 AS one FROM page_stats WHERE site = ? AND date < ? AND pv > 0 LIMIT " + strconv.Itoa(room+1) + ") some",
		"COUNT(DISTINCT page) FROM page_stats WHERE site = ? AND date < ? AND pv > 0"} {
		var n int
		if err := q.QueryRowContext(ctx, "SELECT "+what, r.site, r.date).Scan(&n); err != nil {
			return false, fmt.Errorf("count pages of all days: %w", err)
		}
		if n <= room {
			return false, nil
		}
	}
	return true, nil
}

// namesOfSums are the names of pages and events that a day's sums have; nil: each has its own.
func (r *rawReader) namesOfSums(ctx context.Context, site string, d parser.Day) (*keptNames, error) {
	kept, rows := &keptNames{}, rowsOf(r.d, siteDay{site, d})
	for _, t := range []struct {
		into          *map[string]bool
		table, column string
	}{{&kept.pages, "page_stats", "page"}, {&kept.events, "event_stats", "event_key"}} {
		where := " FROM " + t.table + " WHERE site = ? AND date = ? AND pv > 0"
		var others int
		err := r.q.QueryRowContext(ctx, "SELECT COUNT(*)"+where+" AND "+t.column+" = ?", rows.site, rows.date, r.d.bytes(otherName)).Scan(&others)
		if err != nil {
			return nil, fmt.Errorf("look for names: %w", err)
		}
		if others == 0 {
			continue
		}
		*t.into = map[string]bool{}
		for name, err := range stream(ctx, r.q, func(s scanner) (name string, err error) { return name, s.Scan(&name) },
			"SELECT "+t.column+where, rows.site, rows.date) {
			if err != nil {
				return nil, err
			}
			(*t.into)[name] = true
		}
	}
	return kept, nil
}

// noteNames notes that the names of a day were chosen, which Redis may have otherwise.
func (st *store) noteNames(ctx context.Context, tx *sql.Tx, r rawRows) error {
	if _, err := execTx(ctx, tx, "forget day's names", "DELETE FROM names_due WHERE site = ? AND date = ?", r.site, r.date); err != nil {
		return err
	}
	_, err := execTx(ctx, tx, "note day's names", "INSERT INTO names_due (site, date, mark) VALUES (?, ?, ?)", r.site, r.date, rand.Int64())
	return err
}

// NamesDue are days of a site that Redis may have under other names than the archive.
type NamesDue struct {
	Site string
	days map[parser.Day]int64 // the marks of their last roll-up
}

// NamesDue are those before a day, by site.
func (im *imports) NamesDue(ctx context.Context, before parser.Day) (all []NamesDue, err error) {
	type row struct {
		site string
		day  parser.Day
		mark int64
	}
	for v, err := range stream(ctx, im.reads, func(s scanner) (v row, err error) { return v, s.Scan(&v.site, day{&v.day}, &v.mark) },
		"SELECT site, date, mark FROM names_due WHERE date < ? ORDER BY site", dateText(before)) {
		if err != nil {
			return nil, fmt.Errorf("read days with names to show: %w", err)
		}
		if n := len(all); n == 0 || all[n-1].Site != v.site {
			all = append(all, NamesDue{v.site, map[parser.Day]int64{}})
		}
		all[len(all)-1].days[v.day] = v.mark
	}
	return all, nil
}

// NamesShown notes that Redis has these days as the archive had them when they were due: those
// that were summed up since are due again.
func (im *imports) NamesShown(ctx context.Context, due NamesDue) error {
	return im.transact(ctx, func(ctx context.Context, tx *sql.Tx) error {
		for d, mark := range due.days {
			if _, err := execTx(ctx, tx, "note names as shown", "DELETE FROM names_due WHERE site = ? AND date = ? AND mark = ?",
				im.dialect.bytes([]byte(due.Site)), dateText(d), mark); err != nil {
				return err
			}
		}
		return nil
	})
}
