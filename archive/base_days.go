package archive

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"

	"ddkk-stats/parser"
)

// BaseDay is what an earlier counter had counted of a page on a day, or of a whole site
// where Page is "".
type BaseDay struct {
	Page   string
	Day    parser.Day
	PV, UV int64
}

// SetHistory makes these the days and totals that a source has of a site, in place of what
// it had: all of it or nothing. Setting twice changes nothing.
func (bl *baselines) SetHistory(ctx context.Context, source, site string, totals []Baseline, days []BaseDay) error {
	d := bl.dialect
	s, from := d.bytes([]byte(site)), d.bytes([]byte(source))
	err := bl.transact(ctx, func(ctx context.Context, tx *sql.Tx) error {
		if err := bl.enterBases(ctx, tx, s); err != nil {
			return err
		}
		for _, table := range []string{"baselines", "base_days"} {
			if _, err := execTx(ctx, tx, "forget", "DELETE FROM "+table+" WHERE site = ? AND source = ?", s, from); err != nil {
				return err
			}
		}
		for _, b := range totals {
			b.Source, b.Site = source, site
			if err := bl.setBaseline(ctx, tx, b, bl.nowText()); err != nil {
				return err
			}
		}
		for some := range slices.Chunk(days, namesPerInsert) {
			args := make([]any, 0, 6*len(some))
			for _, x := range some {
				args = append(args, from, s, d.bytes([]byte(x.Page)), dateText(x.Day), x.PV, x.UV)
			}
			query := "INSERT INTO base_days (source, site, page, date, pv, uv) VALUES " + strings.TrimSuffix(strings.Repeat("(?, ?, ?, ?, ?, ?),", len(some)), ",")
			if _, err := execTx(ctx, tx, "set days", query, args...); err != nil {
				return err
			}
		}
		return bl.writeBases(ctx, tx, s, nil)
	})
	if err != nil {
		return fmt.Errorf("keep the history of %s: %w", site, err)
	}
	return nil
}

// BaseDays adds up what all sources had of a site, or of a page of it, in order of days.
func (r *sumReader) BaseDays(ctx context.Context, site, page string, from, to parser.Day) (all []BaseDay, err error) {
	for x, err := range stream(ctx, r.q, func(s scanner) (x BaseDay, err error) {
		return x, s.Scan(day{&x.Day}, &x.PV, &x.UV)
	}, "SELECT date, SUM(pv), SUM(uv) FROM base_days WHERE site = ? AND page = ? AND date >= ? AND date <= ? GROUP BY date ORDER BY date",
		r.d.bytes([]byte(site)), r.d.bytes([]byte(page)), dateText(from), dateText(to)) {
		if err != nil {
			return nil, fmt.Errorf("read days of earlier counters: %w", err)
		}
		all = append(all, x)
	}
	return all, nil
}

// BaseSites are the sites that have days of earlier counters, and the last of them.
func (r *sumReader) BaseSites(ctx context.Context) (map[string]parser.Day, error) {
	type row struct {
		site string
		last parser.Day
	}
	all := map[string]parser.Day{}
	for x, err := range stream(ctx, r.q, func(s scanner) (x row, err error) {
		return x, s.Scan(&x.site, day{&x.last})
	}, "SELECT site, MAX(date) FROM base_days GROUP BY site") {
		if err != nil {
			return nil, fmt.Errorf("read sites of earlier counters: %w", err)
		}
		all[x.site] = x.last
	}
	return all, nil
}

// FirstDay is the first day of which the archive has views of a site; 0: none.
func (r *sumReader) FirstDay(ctx context.Context, site string) (first parser.Day, err error) {
	for x, err := range stream(ctx, r.q, func(s scanner) (x parser.Day, err error) { return x, s.Scan(day{&x}) },
		"SELECT date FROM daily_stats WHERE site = ? AND pv > 0 ORDER BY date LIMIT 1", r.d.bytes([]byte(site))) {
		if err != nil {
			return 0, fmt.Errorf("read the first day of %s: %w", site, err)
		}
		first = x
	}
	return first, nil
}
