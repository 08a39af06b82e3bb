package archive

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"strings"

	"ddkk-stats/parser"
)

// A Term says which rows are wanted: those whose Name is Value, or begins with it; Not:
// all others. Names are page, device (pc or mobile), bot (yes or no), event, its key, and
// the columns of facets.
type Term struct {
	Name, Value string
	Not, Prefix bool
}

// Terms are wanted together. Where none is about bots, only people's rows are meant, and
// where none is about events, only page views.
type Terms []Term

// Has says whether a term is about name.
func (ts Terms) Has(name string) bool {
	for _, t := range ts {
		if t.Name == name {
			return true
		}
	}
	return false
}

// exploreColumns are what raw rows can be grouped by, as SQL.
var exploreColumns = func() map[string]string {
	columns := map[string]string{
		"day": "date", "page": "page", "event": "event_key",
		"device": "CASE WHEN device = 1 THEN 'mobile' ELSE 'pc' END", "bot": "CASE WHEN potential_bot = 1 THEN 'yes' ELSE 'no' END",
	}
	for _, f := range facetsKept {
		columns[f.Spec().Column] = f.Spec().Column
	}
	return columns
}()

// RowsOfDays returns the days of a site within from and to that have raw rows, newest first,
// with how many rows there are; whole is false where the raw rows of a day are deleted.
func (r *rawReader) RowsOfDays(ctx context.Context, site string, from, to parser.Day) (days []DayRows, whole bool, err error) {
	where, args := r.between("days.", site, from, to)
	whole = true
	for v, err := range stream(ctx, r.q, func(s scanner) (v struct {
		DayRows
		raw bool
	}, err error) {
		return v, s.Scan(day{&v.Day}, &v.Closed, &v.raw, &v.Rows)
	}, "SELECT days.date, CASE WHEN days.dirty = 0 THEN 1 ELSE 0 END, CASE WHEN raw = 1 AND days.date >= (SELECT CASE WHEN value = '' THEN '0001-01-01' ELSE value END FROM meta WHERE name = 'raw_floor') THEN 1 ELSE 0 END, COALESCE(pv + pv_bot + events + events_bot, 0) FROM days LEFT JOIN daily_stats ON daily_stats.site = days.site AND daily_stats.date = days.date WHERE "+
		where+" ORDER BY days.date DESC", args...) {
		if err != nil {
			return nil, false, err
		}
		if !v.raw {
			whole = false
			continue
		}
		days = append(days, v.DayRows)
	}
	return days, whole, nil
}

// DayRows is a day and the number of its rows. Closed: its sums have all of them.
type DayRows struct {
	Day    parser.Day
	Rows   int64
	Closed bool
}

// Explore groups the raw rows of a site's day that terms want by a name: PV is their
// number, UV that of their visitors.
func (r *rawReader) Explore(ctx context.Context, site string, d parser.Day, by string, terms Terms) iter.Seq2[NameTotals, error] {
	column, ok := exploreColumns[by]
	rows := rowsOf(r.d, siteDay{site, d})
	where, args, err := r.terms(rows.where, rows.args, by, terms)
	if !ok {
		err = fmt.Errorf("explore raw rows: nothing is called %q", by)
	}
	if err != nil {
		return func(yield func(NameTotals, error) bool) { yield(NameTotals{}, err) }
	}
	switch f, kept := facetKept(by); {
	case by == "referrer": // ways within the site are no referrers
		where, args = where+" AND referrer <> ?", append(args, r.d.bytes([]byte(site)))
	case kept && f.Spec().Some:
		where += " AND " + column + " <> ''"
	case kept: // rows that were not looked at are of no name
		where += " AND " + column + " IS NOT NULL"
	}
	return stream(ctx, r.q, func(s scanner) (v NameTotals, err error) {
		return v, s.Scan(&v.Name, &v.PV, &v.UV)
	}, "SELECT "+column+" AS name, COUNT(*), COUNT(DISTINCT NULLIF(user_hash, '')) FROM access_logs WHERE "+where+" GROUP BY name", args...)
}

// facetKept finds a facet by the column that raw rows have of it.
func facetKept(column string) (parser.Facet, bool) {
	for _, f := range facetsKept {
		if f.Spec().Column == column {
			return f, true
		}
	}
	return 0, false
}

// terms adds what terms want to a condition. Values are arguments, never SQL.
func (r *rawReader) terms(where string, args []any, by string, terms Terms) (string, []any, error) {
	var b strings.Builder
	b.WriteString(where)
	args = args[:len(args):len(args)]
	if !terms.Has("bot") && by != "bot" {
		b.WriteString(" AND potential_bot = 0")
	}
	if by == "event" {
		b.WriteString(" AND event_key <> ''")
	} else if !terms.Has("event") {
		b.WriteString(" AND event_key = ''")
	}
	for _, t := range terms {
		column, ok := exploreColumns[t.Name]
		if !ok || t.Name == "day" {
			return "", nil, errors.New("explore raw rows: nothing can be filtered by " + t.Name)
		}
		var value any = r.d.bytes([]byte(t.Value))
		if t.Name == "device" || t.Name == "bot" { // made of numbers: texts
			value = t.Value
		}
		if _, kept := facetKept(t.Name); kept && t.Not {
			column = "COALESCE(" + column + ", '')" // NULL is unlike anything
		}
		is := column + " = ?"
		args = append(args, value)
		if t.Prefix { // compared byte by byte, as names that begin so lie together
			is = column + " >= ?"
			if end := afterPrefix(t.Value); end != "" {
				is += " AND " + column + " < ?"
				args = append(args, r.d.bytes([]byte(end)))
			}
		}
		if t.Not {
			is = "NOT (" + is + ")"
		}
		b.WriteString(" AND " + is)
	}
	return b.String(), args, nil
}

// afterPrefix is the first text behind all that begin with a prefix; empty: there is none.
func afterPrefix(prefix string) string {
	b := []byte(prefix)
	for len(b) > 0 {
		if last := &b[len(b)-1]; *last < 0xFF {
			*last++
			return string(b)
		}
		b = b[:len(b)-1]
	}
	return ""
}
