package archive

import (
	"context"
	"fmt"
	"iter"
	"strings"
)

// RankQuery asks for pages of a site by their counts, ties by name.
type RankQuery struct {
	Site      string
	Bots, Asc bool // with views of bots; the least viewed first
	// After is the last page that was seen; "": from the start.
	After   string
	AfterPV int64
	Limit   int
}

// Ranked returns pages in order, by the sum of their slots and base. The counts of a site lie together in the key,
// in order of the pages, so they are summed up in one pass over it, and only as
// many as are asked for are kept for sorting.
func (r *pageCountReader) Ranked(ctx context.Context, q *RankQuery) iter.Seq2[PageCount, error] {
	where, args := "site = ?", []any{r.d.bytes([]byte(q.Site))}
	if !q.Bots {
		where += " AND potential_bot = 0"
	}
	having, order, further := "n > 0", "DESC", "<"
	if q.Asc {
		order, further = "ASC", ">"
	}
	if q.After != "" {
		having += " AND (n " + further + " ? OR (n = ? AND page > ?))"
		args = append(args, q.AfterPV, q.AfterPV, r.d.bytes([]byte(q.After)))
	}
	return stream(ctx, r.q, func(s scanner) (c PageCount, err error) {
		return c, s.Scan(&c.Page, &c.PV)
	}, "SELECT page, SUM(count) AS n FROM page_counts WHERE "+where+" GROUP BY page HAVING "+having+
		" ORDER BY n "+order+", page LIMIT ?", append(args, q.Limit)...)
}

// PageViews returns the views of all pages of a site, bases included, in order
// of the pages' names.
func (r *pageCountReader) PageViews(ctx context.Context, site string) iter.Seq2[PageCount, error] {
	return stream(ctx, r.q, func(s scanner) (c PageCount, err error) {
		return c, s.Scan(&c.Page, &c.PV, &c.Bots)
	}, "SELECT page, SUM(CASE WHEN potential_bot = 0 THEN count ELSE 0 END), SUM(CASE WHEN potential_bot = 0 THEN 0 ELSE count END) "+
		"FROM page_counts WHERE site = ? GROUP BY page ORDER BY page", r.d.bytes([]byte(site)))
}

// PageCountsVersion is a text that differs whenever page_counts of a site does:
// each flush and each change of a base leaves a trace in the tables beside it.
// Values that are read after it are of this version or a later one.
func (r *pageCountReader) PageCountsVersion(ctx context.Context, site string) (string, error) {
	var b strings.Builder
	name := r.d.bytes([]byte(site))
	var last, kept int64
	if err := r.q.QueryRowContext(ctx, "SELECT COALESCE(MAX(seq), 0), COUNT(*) FROM page_count_flushes WHERE site = ?", name).Scan(&last, &kept); err != nil {
		return "", fmt.Errorf("read version of page_counts: %w", err)
	}
	fmt.Fprint(&b, last, " ", kept)
	for slot, err := range stream(ctx, r.q, func(s scanner) (text string, err error) {
		var slot int
		var life, at string
		err = s.Scan(&slot, &life, &at)
		return fmt.Sprint(" ", slot, life, at), err
	}, "SELECT slot_id, life, changed_at FROM page_count_slots WHERE site = ? ORDER BY slot_id", name) {
		if err != nil {
			return "", fmt.Errorf("read version of page_counts: %w", err)
		}
		b.WriteString(slot)
	}
	return b.String(), nil
}
