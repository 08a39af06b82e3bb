package archive

import (
	"context"
	"database/sql"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"
	"time"

	"ddkk-stats/parser"
)

// FacetTotals are the views of a name of a facet on a day. UV is nil where the
// facet's visitors are not counted, or were not when the day had its raw rows.
type FacetTotals struct {
	Day     parser.Day
	Facet   parser.Facet
	Name    string
	PV, Bot int64
	UV      *int64
}

// MinuteTotals are the views of a minute of a day, from 0 on.
type MinuteTotals struct {
	Minute  int
	PV, Bot int64
}

// localClock reads times as the zone's clocks showed them. Rows come in order,
// so the last minute is kept.
type localClock struct {
	loc    *time.Location
	text   [len(minuteLayout)]byte
	number int64 // the minute's since the Unix epoch; not kept with text
	minute int
}

// minuteLayout is how created_at begins.
const minuteLayout = "2006-01-02 15:04"

// of is the minute of the day of a time as SQL has it.
func (c *localClock) of(at []byte) (int, error) {
	if len(at) < len(c.text) {
		return 0, fmt.Errorf("read created_at %q: too short", at)
	}
	if string(at[:len(c.text)]) == string(c.text[:]) {
		return c.minute, nil
	}
	t, err := time.Parse(minuteLayout, string(at[:len(c.text)]))
	if err != nil {
		return 0, fmt.Errorf("read created_at: %w", err)
	}
	t = t.In(c.loc)
	copy(c.text[:], at)
	c.minute = 60*t.Hour() + t.Minute()
	return c.minute, nil
}

// at is the minute of the day of a time in ms. A clock is asked by text or by
// number, not by both.
func (c *localClock) at(ms int64) int {
	if n := ms / 60_000; n != c.number {
		t := time.Unix(60*n, 0).In(c.loc)
		c.number, c.minute = n, 60*t.Hour()+t.Minute()
	}
	return c.minute
}

// minute counts a row by minute, where that is wanted.
func (f *fold) minute(bot bool, event, at []byte) error {
	if len(event) > 0 {
		return nil
	}
	minute, err := f.clock.of(at)
	if err != nil {
		return err
	}
	if bot {
		f.minutes[minute].Bot++
	} else {
		f.minutes[minute].PV++
	}
	return nil
}

// firstNames are the names, by number, that a visitor's first view of the day had; 0 is
// none. Most of a visitor's views have the same, so that only those which differ need be
// remembered one by one.
type firstNames [parser.NumFacets]uint16

// addFacets counts a view by its facets.
func (f *fold) addFacets(r *foldRow) {
	if f.bare {
		return
	}
	var seen *seenNames
	if !r.bot && r.told && f.mine(uint64(r.visitor[0])) {
		seen = &f.seen
		seen.first, seen.again = f.visitors[r.visitor], !r.fresh
	}
	for x := range parser.NumFacets {
		spec := x.Spec()
		name := r.facets[x]
		switch {
		case r.bot && !spec.Bots:
			continue
		case x == parser.Hour:
			f.name = append(f.name[:0], parser.HourName(r.hour)...)
			name = f.name
		case !x.Counts(r.site, name, r.known.Has(x)):
			continue
		}
		f.addFacet(r, x, name, seen)
	}
	if seen != nil && r.fresh {
		f.visitors[r.visitor] = seen.first
	}
}

// seenNames is what is known of a row's visitor; again: this is not the first view.
type seenNames struct {
	first firstNames
	again bool
}

// addFacet counts a view under a name; seen is nil where visitors are not told apart in
// this pass.
func (f *fold) addFacet(r *foldRow, x parser.Facet, name []byte, seen *seenNames) {
	if f.facets[x] == nil {
		f.facets[x] = map[string]*sums{}
	}
	s, other := f.nameOf(f.facets[x], name, f.caps[x], f.kept.ofFacet(x))
	f.full.facets[x] = f.full.facets[x] || other && !r.bot
	if f.pass == 0 && r.bot {
		s.bot++
	} else if f.pass == 0 {
		s.pv++
	}
	switch {
	case seen == nil || !x.Spec().Visitors:
	case !seen.again:
		seen.first[x] = s.number
		s.uv++
	case seen.first[x] != s.number:
		if other {
			name = otherName
		}
		f.field = append(append(f.field[:0], x.Spec().Letter), name...)
		hash := parser.PairHash(r.visitor, f.field)
		if _, known := f.facetPairs[hash]; !known {
			f.facetPairs[hash] = struct{}{}
			s.uv++
		}
	}
}

// writeFacets inserts a row for each name of each facet.
func (f *fold) writeFacets(ctx context.Context, tx *sql.Tx, d dialect, r rawRows, conflict string) error {
	const one = "(?,?,?,?,?,?,?),"
	var args []any
	flush := func() error {
		if len(args) == 0 {
			return nil
		}
		values := strings.TrimSuffix(strings.Repeat(one, len(args)/7), ",")
		_, err := execTx(ctx, tx, "write facet_stats", "INSERT INTO facet_stats (date, site, facet, name, pv, pv_bot, uv) VALUES "+values+conflict, args...)
		args = args[:0]
		return err
	}
	for x := range parser.NumFacets {
		for _, name := range slices.Sorted(maps.Keys(f.facets[x])) {
			s := f.facets[x][name]
			uv := any(nil)
			if x.Spec().Visitors {
				uv = s.uv
			}
			args = append(args, r.date, r.site, x.Spec().Name, d.bytes([]byte(name)), s.pv, s.bot, uv)
			if len(args) == 7*namesPerInsert {
				if err := flush(); err != nil {
					return err
				}
			}
		}
	}
	return flush()
}

// FacetDays returns the views of a site by facet, the rows of a day together.
func (r *sumReader) FacetDays(ctx context.Context, site string, from, to parser.Day) iter.Seq2[FacetTotals, error] {
	where, args := r.between("", site, from, to)
	return stream(ctx, r.q, func(s scanner) (v FacetTotals, err error) {
		var facet string
		err = s.Scan(day{&v.Day}, &facet, &v.Name, &v.PV, &v.Bot, &v.UV)
		v.Facet, _ = parser.FacetOf(facet)
		return v, err
	}, "SELECT date, facet, name, pv, pv_bot, uv FROM facet_stats WHERE "+where+" AND "+knownFacets+" ORDER BY date, facet, name", args...)
}

// knownFacets are the rows of facet_stats that this version knows of. It is also what
// has the database find a day by the key, in which the facet stands before the date.
var knownFacets = func() string {
	var names []string
	for x := range parser.NumFacets {
		names = append(names, "'"+x.Spec().Name+"'")
	}
	return "facet IN (" + strings.Join(names, ", ") + ")"
}()

// FacetRange returns those of one facet, in order.
func (r *sumReader) FacetRange(ctx context.Context, site string, f parser.Facet, from, to parser.Day) iter.Seq2[FacetTotals, error] {
	where, args := r.between("", site, from, to)
	return stream(ctx, r.q, func(s scanner) (v FacetTotals, err error) {
		v.Facet = f
		return v, s.Scan(day{&v.Day}, &v.Name, &v.PV, &v.Bot, &v.UV)
	}, "SELECT date, name, pv, pv_bot, uv FROM facet_stats WHERE "+where+" AND facet = ? ORDER BY date, name", append(args, f.Spec().Name)...)
}

// FacetSums adds these up by name. UV is nil where it is not known of a day.
func (r *sumReader) FacetSums(ctx context.Context, site string, f parser.Facet, from, to parser.Day) iter.Seq2[FacetTotals, error] {
	where, args := r.between("", site, from, to)
	return stream(ctx, r.q, func(s scanner) (v FacetTotals, err error) {
		v.Facet = f
		return v, s.Scan(&v.Name, &v.PV, &v.Bot, &v.UV)
	}, "SELECT name, SUM(pv), SUM(pv_bot), CASE WHEN COUNT(uv) = COUNT(*) THEN SUM(uv) END FROM facet_stats WHERE "+where+" AND facet = ? GROUP BY name",
		append(args, f.Spec().Name)...)
}

// Minutes returns the views of a site's day by minute, in order of time. There
// are none when the day's raw rows are deleted. Where the clocks are set back,
// a minute may come twice.
func (r *sumReader) Minutes(ctx context.Context, site string, d parser.Day) iter.Seq2[MinuteTotals, error] {
	rows := rowsOf(r.d, siteDay{site, d})
	clock := localClock{loc: r.opt.Location}
	return stream(ctx, r.q, func(s scanner) (v MinuteTotals, err error) {
		var at string
		if err := s.Scan(&at, &v.PV, &v.Bot); err != nil {
			return v, err
		}
		v.Minute, err = clock.of([]byte(at))
		return v, err
	}, "SELECT SUBSTR(created_at, 1, 16) AS minute, SUM(CASE WHEN potential_bot = 0 THEN 1 ELSE 0 END), SUM(CASE WHEN potential_bot = 1 THEN 1 ELSE 0 END) "+
		"FROM access_logs WHERE "+rows.where+" AND event_key = '' GROUP BY minute ORDER BY minute", rows.args...)
}

// facets compares the sums of facets with what the raw rows come to.
func (c *dayCheck) facets(ctx context.Context) error {
	var have, want [parser.NumFacets]map[string]sums
	for x := range parser.NumFacets {
		have[x], want[x] = map[string]sums{}, map[string]sums{}
	}
	for m, err := range c.r.Minutes(ctx, c.site, c.day) {
		if err != nil {
			return err
		}
		s := want[parser.Hour][parser.HourName(m.Minute/60)]
		s.pv, s.bot = s.pv+m.PV, s.bot+m.Bot
		want[parser.Hour][parser.HourName(m.Minute/60)] = s
	}
	for _, x := range facetsKept {
		if err := c.facetRows(ctx, x, want[x]); err != nil {
			return err
		}
	}
	for v, err := range c.r.FacetDays(ctx, c.site, c.day, c.day) {
		if err != nil {
			return err
		}
		s := sums{pv: v.PV, bot: v.Bot}
		if v.UV != nil {
			s.uv = *v.UV
		}
		have[v.Facet][v.Name] = s
	}
	for x := range parser.NumFacets {
		c.facet(x, have[x], want[x])
	}
	return nil
}

// facetRows adds up the raw rows by a facet.
func (c *dayCheck) facetRows(ctx context.Context, x parser.Facet, want map[string]sums) error {
	column := readFacet(x)
	who := aView
	if x.Spec().Bots {
		who = "event_key = ''"
	}
	type row struct {
		name string
		bot  bool
		n, v int64
	}
	for v, err := range stream(ctx, c.r.q, func(s scanner) (v row, err error) {
		return v, s.Scan(&v.name, &v.bot, &v.n, &v.v)
	}, "SELECT "+column+" AS name, potential_bot, COUNT(*), "+visitors+" FROM access_logs WHERE "+c.rows.where+" AND "+who+" GROUP BY name, potential_bot", c.rows.args...) {
		if err != nil {
			return err
		}
		text, known := facetRead([]byte(v.name))
		if !x.Counts([]byte(c.site), text, known) {
			continue
		}
		name := string(text)
		s := want[name]
		if v.bot {
			s.bot += v.n
		} else if s.pv += v.n; x.Spec().Visitors {
			s.uv += v.v
		}
		want[name] = s
	}
	return nil
}

// facet compares the names of one; where there are more than keep theirs, in sum.
func (c *dayCheck) facet(x parser.Facet, have, want map[string]sums) {
	of := func(name string) string { return x.Spec().Name + " " + name }
	if _, capped := have[parser.OtherPage]; capped {
		var a, b sums
		for _, s := range have {
			a.pv, a.bot = a.pv+s.pv, a.bot+s.bot
		}
		for _, s := range want {
			b.pv, b.bot = b.pv+s.pv, b.bot+s.bot
		}
		c.compare("facet_stats", "pv", of("*"), a.pv, b.pv)
		c.compare("facet_stats", "pv_bot", of("*"), a.bot, b.bot)
		return
	}
	names := maps.Clone(have)
	maps.Copy(names, want)
	for name := range names {
		c.compare("facet_stats", "pv", of(name), have[name].pv, want[name].pv)
		c.compare("facet_stats", "pv_bot", of(name), have[name].bot, want[name].bot)
		c.compare("facet_stats", "uv", of(name), have[name].uv, want[name].uv)
	}
}
