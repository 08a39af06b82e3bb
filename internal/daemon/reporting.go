package daemon

import (
	"cmp"
	"context"
	"crypto/rand"
	"log/slog"
	"slices"
	"time"

	"ddkk-stats/internal/alert"
	"ddkk-stats/internal/answers"
	"ddkk-stats/internal/config"
	"ddkk-stats/internal/mailer"
	"ddkk-stats/internal/once"
	"ddkk-stats/internal/options"
	"ddkk-stats/internal/reports"
	"ddkk-stats/internal/vault"
	"ddkk-stats/queryapi"
)

// figures are what reports are made of: the dashboard's, unless they are stale.
type figures struct {
	facts  *answers.Facts
	series *answers.Series
}

// fresh gives an error for what is stale.
func fresh(stale bool, err error) error {
	if err == nil && stale {
		return reports.ErrStale
	}
	return err
}

// Sites implements reports.Source.
func (f figures) Sites(ctx context.Context) ([]string, error) {
	all, stale, err := f.facts.Sites(ctx)
	names := make([]string, len(all))
	for i, s := range all {
		names[i] = s.Site
	}
	return names, fresh(stale, err)
}

// Sums implements reports.Source.
func (f figures) Sums(ctx context.Context, site string, from, to time.Time) (reports.Sums, error) {
	s, stale, err := f.facts.Sums(ctx, site, from, to)
	return reports.Sums{PV: s.PV, UV: s.UV}, fresh(stale, err)
}

// Days implements reports.Source.
func (f figures) Days(ctx context.Context, site string, from, to time.Time) ([]reports.Day, error) {
	days, stale, err := f.series.Days(ctx, &queryapi.DaysQuery{Site: site, From: from, To: to})
	all := make([]reports.Day, len(days))
	for i, d := range days {
		all[i] = reports.Day{Date: d.Date, Sums: reports.Sums{PV: d.PV, UV: d.UV}}
	}
	return all, fresh(stale, err)
}

// Pages implements reports.Source.
func (f figures) Pages(ctx context.Context, site string, from, to time.Time, limit int) ([]reports.Row, error) {
	list, stale, err := f.facts.Pages(ctx, &queryapi.PagesQuery{Site: site, From: from, To: to, Limit: limit})
	all := make([]reports.Row, len(list.Pages))
	for i, p := range list.Pages {
		all[i] = reports.Row{Name: string(p.Page), PV: p.PV, UV: p.UV}
	}
	return all, fresh(stale, err)
}

// Facet implements reports.Source.
func (f figures) Facet(ctx context.Context, site, facet string, from, to time.Time, limit int) ([]reports.Row, error) {
	if !slices.Contains(f.facts.FacetNames(), facet) {
		return nil, nil
	}
	names, stale, err := f.facts.Facet(ctx, site, facet, from, to)
	all := make([]reports.Row, len(names))
	for i, n := range names {
		all[i] = reports.Row{Name: string(n.Name), PV: n.PV, UV: n.UV}
	}
	slices.SortFunc(all, func(a, b reports.Row) int { return cmp.Or(cmp.Compare(b.PV, a.PV), cmp.Compare(a.Name, b.Name)) })
	return all[:min(len(all), limit)], fresh(stale, err)
}

// reporter sends reports when they are due.
type reporter struct {
	cfg     func() *config.Config
	vault   *vault.Vault
	ready   func(context.Context) error // waits until counting has begun
	figures figures
	teller  *once.Teller
	log     *slog.Logger
}

// last is when reports last went out, or were first scheduled.
func (r *reporter) last() (time.Time, bool) {
	j, known := r.vault.Job(vault.JobReport)
	if j.Done.IsZero() {
		return j.Since, known
	}
	return j.Done, known
}

// send delivers the reports that are due.
func (r *reporter) send(ctx context.Context) error {
	if err := r.ready(ctx); err != nil {
		return nil // the stop came first
	}
	a, err := r.vault.Open(ctx)
	if err != nil {
		r.log.Error("cannot send reports: the archive, where it is noted that they were sent, does not answer; will retry", "err", err)
		return err
	}
	cfg := r.cfg()
	post := &reports.Postman{Mailer: options.Mail(cfg), Hook: alert.NewWebhook("", r.log), To: options.Report(cfg), Lang: cfg.ReportLang, Now: time.Now}
	round := reports.Round{Source: r.figures, Ledger: a, Teller: r.teller, Log: r.log, Send: post.Send}
	now := time.Now().In(cfg.Timezone)
	if err := round.Run(ctx, options.ReportTargets(cfg), now); err != nil {
		if ctx.Err() == nil {
			r.log.Warn("not all reports are sent; will retry", "err", err)
		}
		return err
	}
	if err := r.vault.NoteDone(ctx, vault.JobReport, now, ""); err != nil {
		r.log.Debug("cannot note that reports were sent; a restart looks again", "err", err)
	}
	return nil
}

// mailAlert mails an alert.
func mailAlert(ctx context.Context, cfg *config.Config, to []string, m *alert.Message) error {
	return options.Mail(cfg).Send(ctx, mailer.Mail{To: to, Subject: alert.Line(m.Headline()), Text: alert.Line(m.Text) + "\n", ID: rand.Text(), At: time.Now()})
}
