package archive

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"

	"ddkk-stats/parser"
)

// SegmentBook is what became of an archived segment's lines.
type SegmentBook struct {
	ID, Name string
	ArchivedSegment
	Tally Tally
}

// Books returns the books of all archived segments, in the order in which they
// were archived.
func (r *sumReader) Books(ctx context.Context) iter.Seq2[SegmentBook, error] {
	return stream(ctx, r.q, func(s scanner) (b SegmentBook, err error) {
		var reasons string
		t := &b.Tally
		if err := s.Scan(&b.ID, &b.Name, &b.Size, &b.End, &t.Lines, &t.Human, &t.Bot, &t.Dedup, &t.Skipped, &t.Malformed, &t.Torn, &reasons, &t.Calls); err != nil {
			return b, err
		}
		return b, t.readReasons(reasons)
	}, "SELECT id, name, size, read_to, lines_read, human, bot, dedup, skipped, malformed, torn, reasons, "+
		"COALESCE((SELECT c.calls FROM api_segments c WHERE c.segment = segments.id), 0) FROM segments ORDER BY num")
}

// RawDays are the days of a site, from one on, whose sums can be computed from
// raw rows again, in order.
func (r *rawReader) RawDays(ctx context.Context, site string, from parser.Day) ([]parser.Day, error) {
	return r.daysAbove(ctx, "days", "raw_floor", site, from)
}

// daysAbove are the days of a table that are summed up and have all that they were
// summed from.
func (r *asked) daysAbove(ctx context.Context, table, floor, site string, from parser.Day) ([]parser.Day, error) {
	var days []parser.Day
	for d, err := range stream(ctx, r.q, func(s scanner) (d parser.Day, err error) {
		return d, s.Scan(day{&d})
	}, "SELECT date FROM "+table+" WHERE site = ? AND raw = 1 AND dirty = 0 AND date >= ? AND "+
		"date >= (SELECT CASE WHEN value = '' THEN '0001-01-01' ELSE value END FROM meta WHERE name = '"+floor+"') ORDER BY date",
		r.d.bytes([]byte(site)), dateText(max(from, 10101))) {
		if err != nil {
			return nil, err
		}
		days = append(days, d)
	}
	return days, nil
}

// Mismatch is a sum that differs from what the raw rows come to.
type Mismatch struct {
	Table, Column string
	Day           parser.Day
	Name          string // page or event key; empty in daily_stats
	Have, Want    int64
}

// CheckDay has the database add up the raw rows of a site's day, which is
// another way than the roll-up's, and compares that with the sums. Where there
// are more names than keep their own, the names are compared in sum.
func (r *sumReader) CheckDay(ctx context.Context, site string, d parser.Day) ([]Mismatch, error) {
	c := &dayCheck{r: r, site: site, rows: rowsOf(r.d, siteDay{site, d}), day: d}
	for _, step := range []func(context.Context) error{c.daily, c.pages, c.facets, c.events} {
		if err := step(ctx); err != nil {
			return nil, fmt.Errorf("check %s %d: %w", site, d, err)
		}
	}
	slices.SortFunc(c.found, func(a, b Mismatch) int {
		return cmp.Or(cmp.Compare(a.Table, b.Table), cmp.Compare(a.Name, b.Name), cmp.Compare(a.Column, b.Column))
	})
	return c.found, nil
}

// dayCheck is one CheckDay.
type dayCheck struct {
	r     *sumReader
	site  string
	rows  rawRows
	day   parser.Day
	found []Mismatch
}

func (c *dayCheck) compare(table, column, name string, have, want int64) {
	if have != want {
		c.found = append(c.found, Mismatch{Table: table, Column: column, Day: c.day, Name: name, Have: have, Want: want})
	}
}

var dailyColumns = [...]string{"pv", "uv", "pv_pc", "pv_mobile", "pv_bot", "events", "events_bot"}

// aView and anEvent are the rows of people.
const (
	aView    = "potential_bot = 0 AND event_key = ''"
	anEvent  = "potential_bot = 0 AND event_key <> ''"
	visitors = "COUNT(DISTINCT CASE WHEN user_hash <> '' THEN user_hash END)"
)

func (c *dayCheck) daily(ctx context.Context) error {
	var have, want [len(dailyColumns)]int64
	into := func(all *[len(dailyColumns)]int64) []any {
		dest := make([]any, len(all))
		for i := range all {
			dest[i] = &all[i]
		}
		return dest
	}
	sum := func(when string) string { return "COALESCE(SUM(CASE WHEN " + when + " THEN 1 ELSE 0 END), 0)" }
	err := c.r.q.QueryRowContext(ctx, "SELECT "+strings.Join([]string{
		sum(aView), "COUNT(DISTINCT CASE WHEN " + aView + " AND user_hash <> '' THEN user_hash END)",
		sum(aView + " AND device = 0"), sum(aView + " AND device = 1"), sum("potential_bot = 1 AND event_key = ''"),
		sum(anEvent), sum("potential_bot = 1 AND event_key <> ''"),
	}, ", ")+" FROM access_logs WHERE "+c.rows.where, c.rows.args...).Scan(into(&want)...)
	if err != nil {
		return fmt.Errorf("add up raw rows: %w", err)
	}
	err = c.r.q.QueryRowContext(ctx, "SELECT "+strings.Join(dailyColumns[:], ", ")+" FROM daily_stats WHERE site = ? AND date = ?",
		c.rows.site, c.rows.date).Scan(into(&have)...)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return fmt.Errorf("read daily_stats: %w", err)
	}
	for i, column := range dailyColumns {
		c.compare("daily_stats", column, "", have[i], want[i])
	}
	return nil
}

func (c *dayCheck) pages(ctx context.Context) error {
	want := map[string]sums{}
	for v, err := range stream(ctx, c.r.q, func(s scanner) (v NameTotals, err error) {
		return v, s.Scan(&v.Name, &v.PV, &v.UV)
	}, "SELECT page, COUNT(*), "+visitors+" FROM access_logs WHERE "+c.rows.where+" AND "+aView+" GROUP BY page", c.rows.args...) {
		if err != nil {
			return err
		}
		want[v.Name] = sums{pv: v.PV, uv: v.UV}
	}
	if err := c.names("page_stats", "pv", want, c.r.PageDays(ctx, c.site, c.day, c.day)); err != nil {
		return err
	}
	return c.bots(ctx)
}

// bots adds up what bots saw.
func (c *dayCheck) bots(ctx context.Context) error {
	want := map[string]sums{}
	for v, err := range stream(ctx, c.r.q, func(s scanner) (v NameTotals, err error) {
		return v, s.Scan(&v.Name, &v.PV)
	}, "SELECT page, COUNT(*) FROM access_logs WHERE "+c.rows.where+" AND potential_bot = 1 AND event_key = '' GROUP BY page", c.rows.args...) {
		if err != nil {
			return err
		}
		want[v.Name] = sums{pv: v.PV}
	}
	return c.names("page_stats", "pv_bot", want, c.r.PageBotDays(ctx, c.site, c.day, c.day))
}

// events adds up each level of an event's key.
func (c *dayCheck) events(ctx context.Context) error {
	want, last := map[string]sums{}, map[string]string{}
	type row struct {
		key, visitor string
		n            int64
	}
	for v, err := range stream(ctx, c.r.q, func(s scanner) (v row, err error) {
		return v, s.Scan(&v.visitor, &v.key, &v.n)
	}, "SELECT user_hash, event_key, COUNT(*) FROM access_logs WHERE "+c.rows.where+" AND "+anEvent+
		" GROUP BY user_hash, event_key ORDER BY user_hash, event_key", c.rows.args...) {
		if err != nil {
			return err
		}
		levels := strings.Split(v.key, ".")
		for i := range levels {
			key := strings.Join(levels[:i+1], ".")
			s := want[key]
			s.pv += v.n
			if v.visitor != "" && last[key] != v.visitor {
				last[key] = v.visitor // visitors come one after the other
				s.uv++
			}
			want[key] = s
		}
	}
	return c.names("event_stats", "pv", want, c.r.EventDays(ctx, c.site, c.day, c.day))
}

// names compares sums with what they must be and empties want; views names the
// column that has them.
func (c *dayCheck) names(table, views string, want map[string]sums, have iter.Seq2[NameTotals, error]) error {
	before, capped := len(c.found), false
	var got, sum int64
	for _, w := range want {
		sum += w.pv
	}
	for v, err := range have {
		if err != nil {
			return err
		}
		w := want[v.Name]
		delete(want, v.Name)
		got += v.PV
		capped = capped || v.Name == parser.OtherPage
		c.compare(table, views, v.Name, v.PV, w.pv)
		c.compare(table, "uv", v.Name, v.UV, w.uv)
	}
	for name, w := range want {
		c.compare(table, views, name, 0, w.pv)
		c.compare(table, "uv", name, 0, w.uv)
	}
	if capped {
		c.found = c.found[:before]
		c.compare(table, views, "*", got, sum)
	}
	return nil
}

// Redo computes the sums of a site's days from their raw rows again.
func (ru *rollups) Redo(ctx context.Context, site string, days []parser.Day) error {
	for _, d := range days {
		k := siteDay{site, d}
		err := ru.transact(ctx, func(ctx context.Context, tx *sql.Tx) error {
			_, err := execTx(ctx, tx, "mark day as dirty", "UPDATE days SET dirty = "+markAgain+" WHERE site = ? AND date = ? AND raw = 1",
				ru.dialect.bytes([]byte(site)), dateText(d))
			return err
		})
		if err != nil {
			return fmt.Errorf("sum up %s %d again: %w", site, d, err)
		}
		if _, err := ru.rollUpDay(ctx, k, nil, true); err != nil {
			return fmt.Errorf("sum up %s %d again: %w", site, d, err)
		}
	}
	return nil
}
