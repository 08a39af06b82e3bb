package archive

import (
	"context"
	"errors"
	"strings"

	"ddkk-stats/parser"
)

// Most questions are about one name: countries, or the pages below /docs/. What their
// answer is of a day that is closed its sums have already, in some hundred rows where
// there are some hundred thousand raw ones. They are asked where they tell just what the
// raw rows would.

// ExploreDay groups a day as Explore does, from its sums where these have the answer.
// looked is how many rows were looked at.
func (r *rawReader) ExploreDay(ctx context.Context, site string, d DayRows, by string, terms Terms, found func(NameTotals)) (looked int64, err error) {
	if d.Closed {
		all, rows, err := r.exploreSums(ctx, site, d.Day, by, terms)
		if err == nil {
			for i := range all {
				found(all[i])
			}
			return rows, nil
		}
		if !errors.Is(err, errNotSummed) {
			return 0, err
		}
	}
	for v, err := range r.Explore(ctx, site, d.Day, by, terms) {
		if err != nil {
			return 0, err
		}
		found(v)
	}
	return d.Rows, nil
}

// errNotSummed says that the sums of a day do not have the answer.
var errNotSummed = errors.New("sums do not tell")

// takes tells whether a term wants a name.
func (t Term) takes(name string) bool {
	is := name == t.Value
	if t.Prefix {
		is = strings.HasPrefix(name, t.Value)
	}
	return is != t.Not
}

// exploreSums answers from the sums of a closed day: names of one kind, with or without
// terms about them, or the day itself, on the whole or of one name.
func (r *rawReader) exploreSums(ctx context.Context, site string, d parser.Day, by string, terms Terms) (all []NameTotals, rows int64, err error) {
	if by == "day" {
		return r.exploreDayItself(ctx, site, d, terms)
	}
	for _, t := range terms {
		if t.Name != by {
			return nil, 0, errNotSummed
		}
	}
	names, err := r.summed(ctx, site, d, by, "")
	for _, v := range names {
		wanted := true
		for _, t := range terms {
			wanted = wanted && t.takes(v.Name)
		}
		if wanted {
			all = append(all, v)
		}
	}
	return all, int64(len(names)), err
}

// exploreDayItself is the row of a day: its views, or those of one name.
func (r *rawReader) exploreDayItself(ctx context.Context, site string, d parser.Day, terms Terms) (all []NameTotals, rows int64, err error) {
	date := dateText(d)
	if len(terms) == 0 {
		for v, err := range stream(ctx, r.q, func(s scanner) (v NameTotals, err error) {
			v.Name = date
			return v, s.Scan(&v.PV, &v.UV)
		}, "SELECT pv, uv FROM daily_stats WHERE site = ? AND date = ? AND pv > 0", r.d.bytes([]byte(site)), date) {
			if err != nil {
				return nil, 0, err
			}
			all = append(all, v)
		}
		return all, 1, nil
	}
	t := terms[0]
	if f, kept := facetKept(t.Name); len(terms) > 1 || t.Not || t.Prefix || t.Name != "page" && (!kept || t.Value == "" || f == parser.Referrer && t.Value == site) {
		return nil, 0, errNotSummed
	}
	names, err := r.summed(ctx, site, d, t.Name, t.Value)
	for _, v := range names {
		if v.Name == t.Value {
			all = append(all, NameTotals{Name: date, PV: v.PV, UV: v.UV})
		}
	}
	return all, int64(len(names)), err
}

// summed are the sums of a day by page or by a facet; of pages those of one that is named
// are enough. They do not tell where names share parser.OtherPage, where visitors were not
// told apart, and where there are none, since the facet may have been left out.
func (r *rawReader) summed(ctx context.Context, site string, d parser.Day, by, page string) (all []NameTotals, err error) {
	query, args := "SELECT page, pv, uv FROM page_stats WHERE site = ? AND date = ?", []any{r.d.bytes([]byte(site)), dateText(d)}
	if f, kept := facetKept(by); kept {
		query, args = "SELECT name, pv, uv FROM facet_stats WHERE site = ? AND date = ? AND facet = ?", append(args, f.Spec().Name)
	} else if by != "page" {
		return nil, errNotSummed
	} else if page != "" {
		query, args = query+" AND page IN (?, ?)", append(args, r.d.bytes([]byte(page)), r.d.bytes([]byte(parser.OtherPage)))
	}
	for v, err := range stream(ctx, r.q, func(s scanner) (v struct {
		NameTotals
		visitors *int64
	}, err error) {
		return v, s.Scan(&v.Name, &v.PV, &v.visitors)
	}, query, args...) {
		switch {
		case err != nil:
			return nil, err
		case v.Name == parser.OtherPage, v.visitors == nil:
			return nil, errNotSummed
		case v.PV > 0: // others are of bots
			v.UV = *v.visitors
			all = append(all, v.NameTotals)
		}
	}
	if len(all) == 0 && page == "" {
		return nil, errNotSummed
	}
	return all, nil
}
