package daemon

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"time"

	"ddkk-stats/internal/alert"
	"ddkk-stats/internal/config"
	"ddkk-stats/internal/once"
	"ddkk-stats/internal/options"
	"ddkk-stats/internal/traffic"
	"ddkk-stats/internal/vault"
	"ddkk-stats/queryapi"
)

// trafficEvery is how often sites are looked at.
const trafficEvery = 2 * time.Minute

// trafficFigures are what alarms are judged by: the dashboard's, unless they are stale.
type trafficFigures struct{ figures }

// Sites implements traffic.Source.
func (f trafficFigures) Sites(ctx context.Context) ([]string, error) {
	all, stale, err := f.facts.Sites(ctx)
	slices.SortFunc(all, func(a, b queryapi.SiteFacts) int {
		return cmp.Or(cmp.Compare(b.PVToday, a.PVToday), cmp.Compare(b.PV, a.PV), cmp.Compare(a.Site, b.Site))
	})
	names := make([]string, len(all))
	for i, s := range all {
		names[i] = s.Site
	}
	return names, fresh(stale, err)
}

// Hours implements traffic.Source.
func (f trafficFigures) Hours(ctx context.Context, site string, from, to time.Time) ([]traffic.Hour, error) {
	hours, stale, err := f.facts.Hours(ctx, site, from, to)
	all := make([]traffic.Hour, len(hours))
	for i, h := range hours {
		all[i] = traffic.Hour{Date: h.Date, Hour: h.Hour, PV: h.PV}
	}
	return all, fresh(stale, err)
}

// Minutes implements traffic.Source.
func (f trafficFigures) Minutes(ctx context.Context, site string, n int) ([]int64, error) {
	minutes, stale := f.facts.Minutes(ctx, site, n)
	all := make([]int64, len(minutes))
	for i, m := range minutes {
		all[i] = m.PV
	}
	return all, fresh(stale, nil)
}

// trafficWatch looks at the traffic of sites and tells ALERT_URL and ALERT_TO what is odd.
// One goroutine calls run.
type trafficWatch struct {
	cfg   func() *config.Config
	vault *vault.Vault
	ready func(context.Context) error
	watch *traffic.Watcher
	host  string
	hook  *alert.Webhook
	log   *slog.Logger
	down  bool // the last look did not go well
}

func newTrafficWatch(s *server, teller *once.Teller) (*trafficWatch, error) {
	host, err := os.Hostname()
	if err != nil {
		return nil, fmt.Errorf("name this host: %w", err)
	}
	source := trafficFigures{figures{s.facts, s.series}}
	return &trafficWatch{cfg: s.cfg, vault: s.vault, ready: s.counting.ready, host: host, log: s.log, hook: alert.NewWebhook(host, s.log),
		watch: traffic.NewWatcher(source, teller, s.cfg().Timezone, s.log)}, nil
}

// run looks until ctx ends.
func (t *trafficWatch) run(ctx context.Context) {
	if t.ready(ctx) != nil {
		return // the stop came first
	}
	tick := time.NewTicker(trafficEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			t.once(ctx, time.Now())
		}
	}
}

func (t *trafficWatch) once(ctx context.Context, now time.Time) {
	cfg := t.cfg()
	channels := t.channels(cfg)
	if !cfg.TrafficAlarms.On() || len(channels) == 0 {
		return
	}
	a, err := t.vault.Opened()
	if err == nil {
		err = t.watch.Look(ctx, now, a, cfg.TrafficAlarms.For, channels)
	}
	if ctx.Err() != nil {
		return
	}
	if err != nil && !t.down {
		t.log.Warn("cannot look at the traffic of all sites, or tell of it; will retry", "err", err)
	} else if err == nil && t.down {
		t.log.Info("the traffic of all sites is looked at again")
	}
	t.down = err != nil
}

// channels are the ways by which alarms are told.
func (t *trafficWatch) channels(cfg *config.Config) []traffic.Channel {
	var all []traffic.Channel
	if to := options.Alert(cfg); to.URL != "" {
		all = append(all, traffic.Channel{Name: "w", Tell: func(ctx context.Context, a traffic.Alarm) error {
			return t.hook.Try(ctx, time.Now(), to, t.message(a))
		}})
	}
	if len(cfg.AlertTo) > 0 {
		all = append(all, traffic.Channel{Name: "m", Tell: func(ctx context.Context, a traffic.Alarm) error {
			m := t.message(a)
			m.Sign(t.host)
			return mailAlert(ctx, cfg, cfg.AlertTo, &m)
		}})
	}
	return all
}

func (t *trafficWatch) message(a traffic.Alarm) alert.Message {
	name := "DdkkTrafficSilence"
	if a.Kind == traffic.Spike {
		name = "DdkkTrafficSpike"
	}
	return alert.Message{Name: name, Severity: alert.Warning, Site: a.Site, Summary: a.Summary(), Since: a.Since.UTC(), Resolved: a.Over}
}
