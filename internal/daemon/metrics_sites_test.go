package daemon

import (
	"context"
	"fmt"
	"log/slog"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"ddkk-stats/queryapi"
)

// TestSiteMetrics: only so many sites, the busiest, have series; stale numbers have none.
func TestSiteMetrics(t *testing.T) {
	most, stale := 2, false
	m := &siteMetrics{log: slog.New(slog.DiscardHandler), most: func() int { return most }, sites: func(context.Context) (all []queryapi.SiteFacts, old bool, err error) {
		for i := range 50 {
			all = append(all, queryapi.SiteFacts{Site: fmt.Sprintf("s%d.example", i), PV: int64(1000 + i), PVToday: int64(i % 40), UVToday: 3, Online: 1})
		}
		return all, stale, nil
	}}
	registry := prometheus.NewPedanticRegistry()
	registry.MustRegister(m)
	series := func() map[string]float64 {
		t.Helper()
		families, err := registry.Gather()
		if err != nil {
			t.Fatal(err)
		}
		all := map[string]float64{}
		for _, f := range families {
			for _, x := range f.GetMetric() {
				name := f.GetName()
				for _, l := range x.GetLabel() {
					name += " " + l.GetValue()
				}
				all[name] = x.GetGauge().GetValue() + x.GetCounter().GetValue()
			}
		}
		return all
	}
	got := series()
	for name, want := range map[string]float64{"ddkk_sites": 50, "ddkk_site_views_today s39.example": 39, "ddkk_site_views_today s38.example": 38,
		"ddkk_site_views_total s39.example": 1039, "ddkk_site_visitors_today s38.example": 3, "ddkk_site_online s38.example": 1} {
		if got[name] != want {
			t.Errorf("%s is %v, want %v", name, got[name], want)
		}
	}
	if len(got) != 1+2*4 {
		t.Errorf("%d series: %v", len(got), got)
	}
	for _, off := range []func(){func() { most = 0 }, func() { most, stale = 2, true }} {
		off()
		if got := series(); len(got) != 0 {
			t.Errorf("%v", got)
		}
	}
}
