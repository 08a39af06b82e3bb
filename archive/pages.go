package archive

import (
	"context"
	"fmt"
	"iter"
	"strings"

	"ddkk-stats/parser"
)

// PageRange returns the sums of a site's pages over the days from..to.
func (r *sumReader) PageRange(ctx context.Context, site string, from, to parser.Day) iter.Seq2[NameTotals, error] {
	where, args := r.between("", site, from, to)
	return stream(ctx, r.q, func(s scanner) (v NameTotals, err error) {
		return v, s.Scan(&v.Name, &v.PV, &v.UV)
	}, "SELECT page, SUM(pv), SUM(uv) FROM page_stats WHERE "+where+" AND pv > 0 GROUP BY page", args...)
}

// PagesWithin returns the sums of some pages over the days from..to, by name.
func (r *sumReader) PagesWithin(ctx context.Context, site string, from, to parser.Day, pages []string) (map[string]NameTotals, error) {
	sums := make(map[string]NameTotals, len(pages))
	if len(pages) == 0 {
		return sums, nil
	}
	where, args := r.between("", site, from, to)
	for _, p := range pages {
		args = append(args, r.d.bytes([]byte(p)))
	}
	names := strings.TrimSuffix(strings.Repeat("?,", len(pages)), ",")
	for v, err := range stream(ctx, r.q, func(s scanner) (v NameTotals, err error) {
		return v, s.Scan(&v.Name, &v.PV, &v.UV)
	}, "SELECT page, SUM(pv), SUM(uv) FROM page_stats WHERE "+where+" AND page IN ("+names+") GROUP BY page", args...) {
		if err != nil {
			return nil, err
		}
		sums[v.Name] = v
	}
	return sums, nil
}

// PagesBefore returns the views that a site had before the day all, and the
// visitors that pages had before the day some, by name.
func (r *sumReader) PagesBefore(ctx context.Context, site string, all, some parser.Day, pages []string) (views int64, uv map[string]int64, err error) {
	where, args := r.between("", site, 0, addDays(all, -1))
	if err := r.q.QueryRowContext(ctx, "SELECT COALESCE(SUM(pv), 0) FROM daily_stats WHERE "+where, args...).Scan(&views); err != nil {
		return 0, nil, fmt.Errorf("read archive: %w", err)
	}
	sums, err := r.PagesWithin(ctx, site, 0, addDays(some, -1), pages)
	if err != nil {
		return 0, nil, err
	}
	uv = make(map[string]int64, len(sums))
	for name, s := range sums {
		uv[name] = s.UV
	}
	return views, uv, nil
}

// DirtyDays is how many days of sites are to be rolled up again.
func (r *sumReader) DirtyDays(ctx context.Context) (n int64, err error) {
	if err := r.q.QueryRowContext(ctx, "SELECT COUNT(*) FROM days WHERE dirty <> 0").Scan(&n); err != nil {
		return 0, fmt.Errorf("read archive: %w", err)
	}
	return n, nil
}
