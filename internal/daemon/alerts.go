package daemon

import (
	"context"
	"fmt"
	"os"
	"time"

	"ddkk-stats/internal/alert"
	"ddkk-stats/internal/health"
	"ddkk-stats/internal/options"
)

// alertEvery is how often figures are looked at.
const alertEvery = 15 * time.Second

// alerter looks at the daemon's figures and tells ALERT_URL and ALERT_TO what is wrong, by the table
// of internal/health. One goroutine calls run.
type alerter struct {
	look    func(ctx context.Context, now time.Time) *health.Vitals
	monitor *health.Monitor
	target  func() (to alert.Target, repeat time.Duration)
	watch   *alert.Watch
	hook    *alert.Webhook
	mails   *alert.Outbox
	mail    func() (to []string, send mailTo)
}

// mailTo tells a message to addresses.
type mailTo func(ctx context.Context, to []string, m *alert.Message) error

func newAlerter(s *server) (*alerter, error) {
	host, err := os.Hostname()
	if err != nil {
		return nil, fmt.Errorf("name this host: %w", err)
	}
	return &alerter{
		look: s.vitals, monitor: s.monitor, watch: alert.NewWatch(), hook: alert.NewWebhook(host, s.log), mails: alert.NewOutbox(host, "ALERT_TO", s.log),
		mail: func() ([]string, mailTo) {
			cfg := s.cfg()
			return cfg.AlertTo, func(ctx context.Context, to []string, m *alert.Message) error { return mailAlert(ctx, cfg, to, m) }
		},
		target: func() (alert.Target, time.Duration) { c := s.cfg(); return options.Alert(c), c.AlertRepeat },
	}, nil
}

// run looks until ctx ends.
func (a *alerter) run(ctx context.Context) {
	tick := time.NewTicker(alertEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-tick.C:
			a.once(ctx, now)
		}
	}
}

// once looks one time. Without an address only the figures are kept, so that
// what grows is known when there is one.
func (a *alerter) once(ctx context.Context, now time.Time) {
	found := a.monitor.Note(a.look(ctx, now))
	to, repeat := a.target()
	people, send := a.mail()
	if to.URL != "" || len(people) > 0 {
		edges := a.watch.Look(now, repeat, health.Alerts(found))
		a.hook.Add(edges...)
		a.mails.Add(edges...)
	}
	a.hook.Post(ctx, now, to)
	if len(people) == 0 {
		a.mails.Drop()
		return
	}
	a.mails.Flush(ctx, now, func(ctx context.Context, m *alert.Message) error { return send(ctx, people, m) })
}
