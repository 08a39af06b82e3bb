package answers

import (
	"context"
	"fmt"
	"time"

	"ddkk-stats/parser"
	"ddkk-stats/queryapi"
)

// Hours implements queryapi.Facts.
func (f *Facts) Hours(ctx context.Context, site string, from, to time.Time) ([]queryapi.HourFacts, bool, error) {
	first, last := parser.DayOf(from), parser.DayOf(to)
	live := f.reader.Books(ctx, site, first, last)
	var all []queryapi.HourFacts
	if old := archived(last, live.Since, live.Stale); first <= old {
		r, err := f.series.read()
		if err != nil {
			return nil, live.Stale, err
		}
		for h, err := range r.HourDays(ctx, site, first, old) {
			if err != nil {
				return nil, live.Stale, fmt.Errorf("%w: %w", queryapi.ErrArchiveAway, err)
			}
			all = append(all, queryapi.HourFacts{Date: dateOf(h.Day), Hour: h.Hour, PV: h.PV, Bot: h.Bot})
		}
	}
	for _, d := range live.Days {
		for hour, n := range d.Hours {
			if n.PV > 0 || n.Bot > 0 {
				all = append(all, queryapi.HourFacts{Date: dateOf(d.Day), Hour: hour, PV: n.PV, Bot: n.Bot})
			}
		}
	}
	return all, live.Stale, nil
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

// Referrers implements queryapi.Facts.
func (f *Facts) Referrers(ctx context.Context, site string, from, to time.Time) ([]queryapi.ReferrerFacts, bool, error) {
	first, last := parser.DayOf(from), parser.DayOf(to)
	live := f.reader.Referrers(ctx, site, first, last)
	sums := map[string]int64{}
	for host, pv := range live.PV {
		sums[host] += pv
	}
	if old := archived(last, live.Since, live.Stale); first <= old {
		r, err := f.series.read()
		if err != nil {
			return nil, live.Stale, err
		}
		for x, err := range r.ReferrerRange(ctx, site, first, old) {
			if err != nil {
				return nil, live.Stale, fmt.Errorf("%w: %w", queryapi.ErrArchiveAway, err)
			}
			sums[x.Name] += x.PV
		}
	}
	all := make([]queryapi.ReferrerFacts, 0, len(sums))
	for host, pv := range sums {
		all = append(all, queryapi.NewReferrerFacts(host, pv))
	}
	return all, live.Stale, nil
}
