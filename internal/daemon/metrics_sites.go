package daemon

import (
	"cmp"
	"context"
	"log/slog"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"ddkk-stats/queryapi"
)

// siteMetrics collects series of sites, those with the most views today: strangers may
// choose the names of sites, so that they are capped.
type siteMetrics struct {
	sites func(ctx context.Context) (all []queryapi.SiteFacts, stale bool, err error)
	most  func() int
	log   *slog.Logger
}

// sitesTimeout bounds what a scrape waits for Redis.
const sitesTimeout = 3 * time.Second

var (
	descSiteViews    = desc("site_views_total", "Views of a site by people, baselines included. Of the METRICS_SITES sites with the most views today.", "site")
	descSiteToday    = desc("site_views_today", "Views of a site by people today, in TIMEZONE.", "site")
	descSiteVisitors = desc("site_visitors_today", "Visitors of a site today.", "site")
	descSiteOnline   = desc("site_online", "Visitors of a site in the last minutes.", "site")
	descSitesKnown   = desc("sites", "Sites that ever counted; series are of METRICS_SITES of them.")
)

// Describe implements prometheus.Collector.
func (m *siteMetrics) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{descSiteViews, descSiteToday, descSiteVisitors, descSiteOnline, descSitesKnown} {
		ch <- d
	}
}

// Collect implements prometheus.Collector. Stale numbers are left out: a series that has a
// hole says more than one that stands still.
func (m *siteMetrics) Collect(ch chan<- prometheus.Metric) {
	most := m.most()
	if most == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), sitesTimeout)
	defer cancel()
	all, stale, err := m.sites(ctx)
	if err != nil || stale {
		m.log.Debug("no series of sites: their numbers are stale", "err", err)
		return
	}
	gauge(ch, descSitesKnown, float64(len(all)))
	slices.SortFunc(all, func(a, b queryapi.SiteFacts) int {
		return cmp.Or(cmp.Compare(b.PVToday, a.PVToday), cmp.Compare(b.PV, a.PV), cmp.Compare(a.Site, b.Site))
	})
	for _, s := range all[:min(len(all), most)] {
		count(ch, descSiteViews, s.PV, s.Site)
		gauge(ch, descSiteToday, float64(s.PVToday), s.Site)
		gauge(ch, descSiteVisitors, float64(s.UVToday), s.Site)
		gauge(ch, descSiteOnline, float64(s.Online), s.Site)
	}
}
