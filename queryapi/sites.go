package queryapi

import (
	"cmp"
	"context"
	"slices"

	"github.com/valyala/fasthttp"
)

const (
	// MaxSparkline is how many days of a site its row in the list may have.
	MaxSparkline = 60
	weekDays     = 7
	monthDays    = 30
)

// SiteRow are the figures of a site as the list of all has them.
type SiteRow struct {
	SiteFacts
	*SiteTrend
}

// SiteTrend is how a site's views went; today is the last day of each span.
type SiteTrend struct {
	Today  int64    `json:"today"`
	Week   int64    `json:"week"`   // 7 days
	Month  int64    `json:"month"`  // 30 days
	Change *float64 `json:"change"` // of the week to the one before, 0.5 is half more; nil: that had none
	Days   []int64  `json:"days"`   // oldest first

	before int64 // of the week before
}

// trendOf is that of a site whose past days are known, today's views left out.
func trendOf(past []int64, today int64, days int) *SiteTrend {
	all := append(slices.Clip(past), today)
	t := &SiteTrend{Today: today, Week: sumOf(lastOf(all, weekDays)), Month: sumOf(lastOf(all, monthDays)), Days: lastOf(all, days)}
	t.before = sumOf(lastOf(all[:max(0, len(all)-weekDays)], weekDays))
	t.Change = change(t.Week, t.before)
	return t
}

func change(now, before int64) *float64 {
	if before == 0 {
		return nil
	}
	c := float64(now-before) / float64(before)
	return &c
}

func lastOf(days []int64, n int) []int64 { return days[max(0, len(days)-n):] }

func sumOf(days []int64) (n int64) {
	for _, d := range days {
		n += d
	}
	return n
}

// adminSites answers GET /api/admin/sites: all sites, today's busiest first; with
// sparkline, how each went.
func (f *facts) adminSites(ctx *fasthttp.RequestCtx) error {
	args := ctx.QueryArgs()
	if err := knownArgs(args, "sparkline"); err != nil {
		return err
	}
	days, err := intArg(args, "sparkline", 0, 1, MaxSparkline)
	if err != nil {
		return err
	}
	var out struct {
		Sites       []SiteRow `json:"sites"`
		Sum         *SitesSum `json:"sum,omitempty"`
		Stale       bool      `json:"stale,omitempty"`
		StaleReason string    `json:"stale_reason,omitempty"`
	}
	out.Sites = []SiteRow{}
	err = f.series(ctx, "", func(work context.Context) error {
		sites, stale, err := f.cfg.Facts.Sites(work)
		if err != nil {
			return err
		}
		who := asker(ctx)
		for _, s := range sites {
			if who == nil || who.Sees(s.Site) {
				out.Sites = append(out.Sites, SiteRow{SiteFacts: s})
			}
		}
		out.Stale = stale
		if days == 0 {
			return nil
		}
		stale, err = f.trends(work, out.Sites, days)
		out.Stale, out.Sum = out.Stale || stale, sumSites(out.Sites)
		return err
	})
	if err != nil {
		return err
	}
	slices.SortFunc(out.Sites, func(a, b SiteRow) int {
		return cmp.Or(cmp.Compare(b.PVToday, a.PVToday), cmp.Compare(a.Site, b.Site))
	})
	out.StaleReason = f.reason("", out.Stale)
	return writeValue(ctx, &out)
}

// trends adds to each row how its site went.
func (f *facts) trends(ctx context.Context, rows []SiteRow, days int) (stale bool, err error) {
	names := make([]string, len(rows))
	for i := range rows {
		names[i] = rows[i].Site
	}
	past, stale, err := f.cfg.Facts.SitesPast(ctx, names, max(days, monthDays)-1)
	if err != nil {
		return stale, err
	}
	for i := range rows {
		rows[i].SiteTrend = trendOf(past[i], rows[i].PVToday, days)
	}
	return stale, nil
}

// SitesSum are the figures of all sites of a list together.
type SitesSum struct {
	Today  int64    `json:"today"`
	Week   int64    `json:"week"`
	Month  int64    `json:"month"`
	Change *float64 `json:"change"`
	Online int64    `json:"online"`
	Days   []int64  `json:"days"`
}

func sumSites(rows []SiteRow) *SitesSum {
	s := &SitesSum{Days: []int64{}}
	var before int64
	for _, r := range rows {
		s.Today, s.Week, s.Month, s.Online = s.Today+r.Today, s.Week+r.Week, s.Month+r.Month, s.Online+r.Online
		before += r.before
		for i, n := range r.Days {
			if i == len(s.Days) {
				s.Days = append(s.Days, 0)
			}
			s.Days[i] += n
		}
	}
	s.Change = change(s.Week, before)
	return s
}
