package archive

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"ddkk-stats/parser"
)

// CheckUniques compares the visitors of weeks and months that are over, and end after a day,
// with what their raw rows come to, where all of these are there. A Mismatch has a day that
// can be summed up again.
func (r *sumReader) CheckUniques(ctx context.Context, site string, from parser.Day) (found []Mismatch, err error) {
	var names []string
	s := r.d.bytes([]byte(site))
	for name, err := range stream(ctx, r.q, func(s scanner) (name string, err error) {
		return name, s.Scan(&name)
	}, "SELECT u.period FROM uniques u JOIN uniques_due d ON d.site = u.site AND d.period = u.period AND d.dirty = 0 "+
		"WHERE u.site = ? AND u.page = ? AND u.uv IS NOT NULL ORDER BY u.period", s, r.d.bytes(nil)) {
		if err != nil {
			return nil, err
		}
		names = append(names, name)
	}
	for _, name := range names {
		t, first, ok := parser.TermNamed(name)
		if !ok || t.End(first) <= from {
			continue
		}
		want := map[string]int64{"": 0}
		x := &termReading{q: r.q, d: r.d, site: site, term: t, first: first, limit: rowsPerPass,
			row: func(_ uint64, page []byte) error { want[string(page)]++; return nil }}
		if err := x.read(ctx); err != nil {
			return nil, fmt.Errorf("check visitors of %s in %s: %w", site, name, err)
		}
		if x.gone || x.untold || !x.some {
			continue
		}
		have := map[string]int64{}
		for v, err := range stream(ctx, r.q, func(s scanner) (v NameTotals, err error) {
			return v, s.Scan(&v.Name, &v.UV)
		}, "SELECT page, uv FROM uniques WHERE site = ? AND period = ?", s, name) {
			if err != nil {
				return nil, err
			}
			have[v.Name] = v.UV
		}
		all := maps.Clone(want)
		maps.Copy(all, have)
		for _, page := range slices.Sorted(maps.Keys(all)) {
			if have[page] != want[page] {
				found = append(found, Mismatch{Table: "uniques", Column: "uv", Day: x.oldest, Name: name + " " + page, Have: have[page], Want: want[page]})
			}
		}
	}
	return found, nil
}
