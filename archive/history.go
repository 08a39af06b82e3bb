package archive

import (
	"context"
	"errors"
	"fmt"
	"time"

	"ddkk-stats/parser"
)

// Interval is the width of a point of a history.
type Interval uint8

const (
	ByDay   Interval = iota
	ByWeek           // from Monday on, ISO 8601
	ByMonth          // from the first on
)

// ParseInterval reads "day", "week" or "month".
func ParseInterval(s string) (Interval, error) {
	switch s {
	case "day", "":
		return ByDay, nil
	case "week":
		return ByWeek, nil
	case "month":
		return ByMonth, nil
	}
	return 0, fmt.Errorf("parse interval %q: use day, week or month", s)
}

// Point is one point of a history. UV is the sum of the days' visitors: who
// comes on two days counts twice, since days cannot be linked.
type Point struct {
	Start  parser.Day // its first day
	PV, UV int64
}

// History returns the views of a site, or of one page of it, in order of time.
// Points without any are left out. from and to are inclusive; 0 is no bound.
func (r *Reader) History(ctx context.Context, site, page string, from, to parser.Day, by Interval) ([]Point, error) {
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
		return p, s.Scan(day{&p.Start}, &p.PV, &p.UV)
	}, "SELECT date, pv, uv FROM "+table+" WHERE "+where+" ORDER BY date", args...) {
		if err != nil {
			return nil, err
		}
		p.Start = by.start(p.Start)
		if n := len(all); n > 0 && all[n-1].Start == p.Start {
			all[n-1].PV += p.PV
			all[n-1].UV += p.UV
			continue
		}
		all = append(all, p)
	}
	return all, nil
}

// start is the first day of the point that d belongs to.
func (i Interval) start(d parser.Day) parser.Day {
	switch i {
	case ByWeek:
		return addDays(d, -(int(d.Date(time.UTC).Weekday())+6)%7)
	case ByMonth:
		return d/100*100 + 1
	}
	return d
}
