package answers

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	"ddkk-stats/archive"
	"ddkk-stats/parser"
	"ddkk-stats/queryapi"
)

// Hours implements queryapi.Facts.
func (f *Facts) Hours(ctx context.Context, site string, from, to time.Time) ([]queryapi.HourFacts, bool, error) {
	first, last := parser.DayOf(from), parser.DayOf(to)
	live := f.reader.Facet(ctx, site, parser.Hour, first, last)
	var all []queryapi.HourFacts
	add := func(d parser.Day, name string, pv, bot int64) {
		if hour, err := strconv.Atoi(name); err == nil {
			all = append(all, queryapi.HourFacts{Date: dateOf(d), Hour: hour, PV: pv, Bot: bot})
		}
	}
	if old := archived(last, live.Since, live.Stale); first <= old {
		r, err := f.series.read()
		if err != nil {
			return nil, live.Old(), err
		}
		for x, err := range r.FacetRange(ctx, site, parser.Hour, first, old) {
			if err != nil {
				return nil, live.Old(), fmt.Errorf("%w: %w", queryapi.ErrArchiveAway, err)
			}
			add(x.Day, x.Name, x.PV, x.Bot)
		}
	}
	for _, d := range live.Days {
		for _, name := range slices.Sorted(maps.Keys(d.Names)) {
			add(d.Day, name, d.Names[name].PV, d.Names[name].Bot)
		}
	}
	return all, live.Old(), nil
}

// Minutes implements queryapi.Facts.
func (f *Facts) Minutes(ctx context.Context, site string, n int) ([]queryapi.MinuteFacts, bool) {
	minutes, stale := f.reader.Minutes(ctx, site, n)
	all := make([]queryapi.MinuteFacts, len(minutes))
	for i, m := range minutes {
		all[i] = queryapi.MinuteFacts{Time: m.Time, PV: m.PV, Bot: m.Bot}
	}
	return all, stale
}

// FacetNames implements queryapi.Facts: those that are counted by now.
func (f *Facts) FacetNames() []string {
	cfg := f.cfg()
	var names []string
	for x := range parser.NumFacets {
		if !cfg.FacetsOff.Has(x) && (x != parser.Country || cfg.GeoIP != nil) {
			names = append(names, x.Spec().Name)
		}
	}
	return names
}

// Facet implements queryapi.Facts. The visitors of a name are known once the archive
// has all of its views.
func (f *Facts) Facet(ctx context.Context, site, facet string, from, to time.Time) ([]queryapi.FacetFacts, bool, error) {
	x, ok := parser.FacetOf(facet)
	if !ok {
		return nil, false, nil
	}
	first, last := parser.DayOf(from), parser.DayOf(to)
	live := f.reader.Facet(ctx, site, x, first, last)
	sums := map[string]int64{}
	for _, d := range live.Days {
		for name, n := range d.Names {
			sums[name] += n.PV
		}
	}
	old := archived(last, live.Since, live.Stale)
	r, err := f.series.read()
	if err != nil && first <= old {
		return nil, live.Old(), err
	}
	uv := map[string]archive.FacetTotals{}
	if err == nil { // without an archive the visitors are not known
		for v, err := range r.FacetSums(ctx, site, x, first, last) {
			if err != nil {
				return nil, live.Old(), fmt.Errorf("%w: %w", queryapi.ErrArchiveAway, err)
			}
			uv[v.Name] = v
		}
	}
	if first <= old {
		for v, err := range r.FacetSums(ctx, site, x, first, old) {
			if err != nil {
				return nil, live.Old(), fmt.Errorf("%w: %w", queryapi.ErrArchiveAway, err)
			}
			sums[v.Name] += v.PV
		}
	}
	all := make([]queryapi.FacetFacts, 0, len(sums))
	for name, pv := range sums {
		if pv == 0 {
			continue // bots alone
		}
		row := queryapi.NewFacetFacts(name, pv, nil)
		if v := uv[name]; v.PV == pv {
			row.UV = v.UV
		}
		all = append(all, row)
	}
	return all, live.Old(), nil
}
