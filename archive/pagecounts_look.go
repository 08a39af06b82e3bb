package archive

import (
	"context"
	"errors"
	"slices"
	"strings"
)

// PageNames returns up to limit pages that flushes have brought of a site, in order,
// behind a page; "": from the first.
func (r *pageCountReader) PageNames(ctx context.Context, site, after string, limit int) ([]string, error) {
	var names []string
	for p, err := range stream(ctx, r.q, func(s scanner) (p string, err error) { return p, s.Scan(&p) },
		"SELECT DISTINCT page FROM page_counts WHERE site = ? AND page > ? AND slot_id <> ? ORDER BY page LIMIT ?",
		r.d.bytes([]byte(site)), r.d.bytes([]byte(after)), BaseSlot, limit) {
		if err != nil {
			return nil, err
		}
		names = append(names, p)
	}
	return names, nil
}

// PageCountsOf returns what flushes have added of some pages, by name, and which
// flushes are in that: both of one moment.
func (p *pageCounts) PageCountsOf(ctx context.Context, site string, pages []string) (counts map[string]PageCount, log FlushLog, err error) {
	s, err := p.snapshot(ctx)
	if err != nil {
		return nil, log, err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	if log, err = s.FlushLog(ctx, site); err != nil {
		return nil, log, err
	}
	counts = make(map[string]PageCount, len(pages))
	for names := range slices.Chunk(pages, namesPerInsert) {
		args := []any{s.d.bytes([]byte(site)), BaseSlot}
		for _, p := range names {
			args = append(args, s.d.bytes([]byte(p)))
		}
		marks := strings.TrimSuffix(strings.Repeat("?,", len(names)), ",")
		for c, err := range stream(ctx, s.q, func(s scanner) (c PageCount, err error) {
			return c, s.Scan(&c.Page, &c.PV, &c.Bots)
		}, selectPageCounts+" AND page IN ("+marks+") GROUP BY page", args...) {
			if err != nil {
				return nil, log, err
			}
			counts[c.Page] = c
		}
	}
	return counts, log, nil
}
