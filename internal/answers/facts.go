package answers

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"ddkk-stats/archive"
	"ddkk-stats/counter"
	"ddkk-stats/internal/config"
	"ddkk-stats/parser"
	"ddkk-stats/queryapi"
)

// Facts answers the dashboard's figures: days that Redis still has from there,
// older ones from the archive.
type Facts struct {
	series *Series
	reader *counter.Reader
	cache  *pageCache
	past   *sitesPast
	cfg    func() *config.Config
}

// NewFacts answers the dashboard about the past and what Redis has.
func NewFacts(s *Series, cfg func() *config.Config, now func() time.Time) *Facts {
	return &Facts{series: s, reader: s.reader, cache: newPageCache(now), past: newSitesPast(s.reader, now), cfg: cfg}
}

// Sites implements queryapi.Facts.
func (f *Facts) Sites(ctx context.Context) ([]queryapi.SiteFacts, bool, error) {
	names, stale, err := f.reader.Sites(ctx)
	if err != nil {
		return nil, stale, fmt.Errorf("read sites: %w", err)
	}
	stats, err := f.reader.Overview(ctx, names)
	if err != nil {
		return nil, stale, fmt.Errorf("read sites: %w", err)
	}
	all := make([]queryapi.SiteFacts, len(names))
	for i, s := range stats {
		all[i] = queryapi.SiteFacts{Site: names[i], PV: s.SitePV, UV: s.SiteUV, PVToday: s.SitePVToday, UVToday: s.SiteUVToday, Online: s.SiteOnline}
		stale = stale || s.Stale
	}
	return all, stale, nil
}

// Online implements queryapi.Facts.
func (f *Facts) Online(ctx context.Context, site string) (int64, bool, error) {
	s, err := f.reader.Stats(ctx, site, "", counter.FieldSiteOnline)
	return s.SiteOnline, s.Stale, err
}

// Sums implements queryapi.Facts.
func (f *Facts) Sums(ctx context.Context, site string, from, to time.Time) (queryapi.Sums, bool, error) {
	first, last := parser.DayOf(from), parser.DayOf(to)
	live := f.reader.Books(ctx, site, first, last)
	var sum queryapi.Sums
	for _, d := range live.Days {
		sum.PV, sum.UV, sum.Bot = sum.PV+d.PV, sum.UV+d.UV, sum.Bot+d.Bot
		sum.PC, sum.Mobile = sum.PC+d.PC, sum.Mobile+d.Mobile
		sum.Events, sum.Dedup = sum.Events+d.Events, sum.Dedup+d.Dedup
	}
	old := archived(last, live.Since, live.Stale)
	if first > old {
		return sum, live.Old(), nil
	}
	r, err := f.series.read()
	if err != nil {
		return sum, live.Old(), err
	}
	for d, err := range r.Daily(ctx, site, first, old) {
		if err != nil {
			return sum, live.Old(), fmt.Errorf("%w: %w", queryapi.ErrArchiveAway, err)
		}
		sum.PV, sum.UV, sum.Bot = sum.PV+d.PV, sum.UV+d.UV, sum.Bot+d.Bot
		sum.PC, sum.Mobile = sum.PC+d.PC, sum.Mobile+d.Mobile
		sum.Events, sum.Dedup = sum.Events+d.Events, sum.Dedup+d.Dedup
	}
	return sum, live.Old(), nil
}

// Pages implements queryapi.Facts. Views of the last days come from the ranked
// lists in Redis and those of the days before from the archive. Redis knows no
// visitors of a page and day: see visitors.
func (f *Facts) Pages(ctx context.Context, q *queryapi.PagesQuery) (queryapi.PageList, bool, error) {
	first, last := parser.DayOf(q.From), parser.DayOf(q.To)
	live := f.reader.PageSums(ctx, q.Site, first, last)
	var past []archive.NameTotals
	if old := archived(last, live.Since, live.Stale); first <= old {
		var err error
		if past, err = f.pastPages(ctx, q.Site, first, old); err != nil {
			return queryapi.PageList{}, live.Old(), err
		}
	}
	all := make([]archive.NameTotals, 0, max(len(past), len(live.PV)))
	add := func(name string, pv int64) {
		if name != parser.OtherPage && strings.Contains(name, q.Match) {
			all = append(all, archive.NameTotals{Name: name, PV: pv})
		}
	}
	for _, p := range past {
		add(p.Name, p.PV+live.PV[p.Name])
		delete(live.PV, p.Name)
	}
	for name, pv := range live.PV {
		add(name, pv)
	}
	slices.SortFunc(all, func(a, b archive.NameTotals) int {
		return cmp.Or(cmp.Compare(b.PV, a.PV), cmp.Compare(a.Name, b.Name))
	})
	list := queryapi.PageList{Total: len(all)}
	all = all[:min(len(all), q.Limit)]
	uv, err := f.visitors(ctx, q.Site, first, last, all)
	if err != nil {
		return list, live.Old(), err
	}
	stale := live.Old()
	for i, p := range all {
		list.Pages = append(list.Pages, queryapi.NewPageFacts(p.Name, p.PV, uv[i]))
	}
	return list, stale, nil
}

// visitors tells the visitors of pages on the days first..last, nil where they
// are not known. A page's total in Redis less the archive's sums of the days
// before is exact once all views of those days are archived, which the site's
// views tell. Where the span ended before today, the archive's sums are it,
// once they have all of the span's views.
func (f *Facts) visitors(ctx context.Context, site string, first, last parser.Day, pages []archive.NameTotals) ([]*int64, error) {
	uv := make([]*int64, len(pages))
	if len(pages) == 0 {
		return uv, nil
	}
	names := make([]string, len(pages))
	for i, p := range pages {
		names[i] = p.Name
	}
	r, err := f.series.read()
	if err != nil {
		return uv, nil // the views are known; the visitors come with the archive
	}
	if last >= f.reader.Today() {
		total, ok := f.reader.PageVisitors(ctx, site, first, names)
		if !ok {
			return uv, nil
		}
		views, had, err := r.PagesBefore(ctx, site, total.Since, first, names)
		if err != nil {
			return uv, fmt.Errorf("%w: %w", queryapi.ErrArchiveAway, err)
		}
		if views != total.Before {
			return uv, nil
		}
		for i, n := range total.UV {
			n = max(0, n-had[names[i]])
			uv[i] = &n
		}
		return uv, nil
	}
	sums, err := r.PagesWithin(ctx, site, first, last, names)
	if err != nil {
		return uv, fmt.Errorf("%w: %w", queryapi.ErrArchiveAway, err)
	}
	for i, p := range pages {
		if s := sums[p.Name]; s.PV == p.PV {
			uv[i] = &s.UV
		}
	}
	return uv, nil
}

// pastPages are the archive's sums of pages over some days.
func (f *Facts) pastPages(ctx context.Context, site string, from, to parser.Day) ([]archive.NameTotals, error) {
	return f.cache.get(pageSpan{site, from, to}, func() ([]archive.NameTotals, error) {
		r, err := f.series.read()
		if err != nil {
			return nil, err
		}
		var all []archive.NameTotals
		for p, err := range r.PageRange(ctx, site, from, to) {
			if err != nil {
				return nil, fmt.Errorf("%w: %w", queryapi.ErrArchiveAway, err)
			}
			all = append(all, p)
		}
		return all, nil
	})
}
