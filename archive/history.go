package archive

import (
	"context"
	"errors"

	"ddkk-stats/parser"
)

// Point is one day of a history.
type Point struct {
	Day    parser.Day
	PV, UV int64
}

// History returns the views of a site, or of one page of it, in order of time.
// Points without any are left out. from and to are inclusive; 0 is no bound.
func (r *sumReader) History(ctx context.Context, site, page string, from, to parser.Day) ([]Point, error) {
	if site == "" {
		return nil, errors.New("read history: no site")
	}
	table := "daily_stats"
	where, args := r.between("", site, from, to)
	if page != "" {
		table, where, args = "page_stats", where+" AND page = ? AND pv > 0", append(args, r.d.bytes([]byte(page)))
	}
	var all []Point
	for p, err := range stream(ctx, r.q, func(s scanner) (p Point, err error) {
		return p, s.Scan(day{&p.Day}, &p.PV, &p.UV)
	}, "SELECT date, pv, uv FROM "+table+" WHERE "+where+" ORDER BY date", args...) {
		if err != nil {
			return nil, err
		}
		all = append(all, p)
	}
	return all, nil
}
