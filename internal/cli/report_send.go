package cli

import (
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"ddkk-stats/archive"
	"ddkk-stats/internal/alert"
	"ddkk-stats/internal/config"
	"ddkk-stats/internal/durable"
	"ddkk-stats/internal/options"
	"ddkk-stats/internal/remote"
	"ddkk-stats/internal/reports"
)

// reportPage writes a report as one HTML file.
func reportPage(cmd *cobra.Command, cfg *config.Config, opt *reportOptions) error {
	for _, name := range []string{"by", "where", "format", "limit"} {
		if cmd.Flags().Changed(name) {
			return fmt.Errorf("report: --%s is not for --html", name)
		}
	}
	q, err := opt.query(cfg, time.Now())
	if err != nil {
		return err
	}
	lang, err := reportLang(cfg, opt.lang)
	if err != nil {
		return err
	}
	r, err := reports.Gather(cmd.Context(), remote.Of(cfg), q.Site, reports.Between(q.From, q.To), time.Now().In(cfg.Timezone))
	if err != nil {
		return err
	}
	page, err := r.HTML(lang)
	if err != nil {
		return err
	}
	if opt.html == "-" {
		_, err = fmt.Fprint(cmd.OutOrStdout(), page)
		return err
	}
	if err := durable.Replace(opt.html, []byte(page), 0o644); err != nil {
		return fmt.Errorf("write the report: %w", err)
	}
	_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s: written to %s\n", r.Subject(lang), opt.html)
	return err
}

func reportLang(cfg *config.Config, lang string) (string, error) {
	if lang == "" {
		lang = cfg.ReportLang
	}
	if !slices.Contains([]string{"en", "zh"}, lang) {
		return "", errors.New("report: --lang must be en or zh")
	}
	return lang, nil
}

// sendOptions are what a person asks for.
type sendOptions struct {
	to, site, period, lang string
	dryRun                 bool
}

func reportSendCommand(load func() (*config.Config, error)) *cobra.Command {
	var opt sendOptions
	cmd := &cobra.Command{
		Use:   "send",
		Short: "Send the reports of the last period now",
		Long: `Sends to REPORT_TO and REPORT_URL the reports that REPORT_CRON sends, of the last day,
week or month that is over, now and whether they were sent or not. --to sends to an address
alone, --site the report of a site. --dry-run prints the text of each and sends nothing.

It asks the daemon that runs for the numbers, and leaves an entry in the audit log.`,
		Example: "  ddkk-stats report send --dry-run\n  ddkk-stats report send --to anna@ddkk.com --site blog.ddkk.com --period month",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := load()
			if err != nil {
				return err
			}
			return sendReports(cmd, cfg, &opt)
		},
	}
	f := cmd.Flags()
	f.StringVar(&opt.to, "to", "", "send to this mail address alone")
	f.StringVar(&opt.site, "site", "", "the report of this site (default what REPORT_TO says, or all sites)")
	f.StringVar(&opt.period, "period", "", "day, week or month (default REPORT_PERIOD)")
	f.StringVar(&opt.lang, "lang", "", "en or zh (default REPORT_LANG)")
	f.BoolVar(&opt.dryRun, "dry-run", false, "print what would be sent, and send nothing")
	return asOwner(cmd, load, false)
}

// targets are those whom a person means.
func (o *sendOptions) targets(cfg *config.Config) ([]reports.Target, error) {
	site := ""
	if o.site != "" {
		sites, err := namedSites(cfg, o.site)
		if err != nil {
			return nil, fmt.Errorf("report: %w", err)
		}
		site = oneOf(sites)
	}
	var all []reports.Target
	switch {
	case o.to != "":
		all = []reports.Target{{Site: site, Mail: o.to, Period: cfg.ReportPeriod.For(site)}}
	default:
		for _, t := range options.ReportTargets(cfg) {
			if site == "" || t.Site == site {
				all = append(all, t)
			}
		}
		if len(all) == 0 && o.dryRun {
			all = []reports.Target{{Site: site, Period: cfg.ReportPeriod.For(site)}}
		}
	}
	if len(all) == 0 {
		return nil, errors.New("report: nobody gets such a report; say --to, or set REPORT_TO or REPORT_URL")
	}
	for i := range all {
		if o.period != "" {
			all[i].Period = o.period
		}
		if all[i].Mail != "" && cfg.SMTP.Host == "" && !o.dryRun {
			return nil, errors.New("report: SMTP_URL is not set, so nobody takes mails")
		}
	}
	return all, nil
}

func sendReports(cmd *cobra.Command, cfg *config.Config, opt *sendOptions) error {
	if !slices.Contains([]string{"", "day", "week", "month"}, opt.period) {
		return errors.New("report: --period must be day, week or month")
	}
	lang, err := reportLang(cfg, opt.lang)
	if err != nil {
		return err
	}
	all, err := opt.targets(cfg)
	if err != nil {
		return err
	}
	post := &reports.Postman{Mailer: options.Mail(cfg), Hook: alert.NewWebhook("", slog.New(slog.DiscardHandler)), To: options.Report(cfg), Lang: lang, Now: time.Now}
	now := time.Now().In(cfg.Timezone)
	var sent []string
	for _, t := range all {
		r, err := reports.Gather(cmd.Context(), remote.Of(cfg), t.Site, reports.Last(t.Period, now), now)
		if err != nil {
			return err
		}
		if opt.dryRun {
			to := t.String()
			if t.Mail == "" && cfg.ReportURL == "" {
				to = "nobody yet; REPORT_TO and REPORT_URL are empty"
			}
			if _, err := fmt.Fprintf(cmd.OutOrStdout(), "To: %s\n\n%s\n", to, r.Text(lang)); err != nil {
				return err
			}
			continue
		}
		if err := post.Send(cmd.Context(), t, r); err != nil {
			return fmt.Errorf("to %s: %w", t, err)
		}
		sent = append(sent, t.String())
		if _, err := fmt.Fprintf(cmd.OutOrStdout(), "%s: sent to %s\n", r.Subject(lang), t); err != nil {
			return err
		}
	}
	if opt.dryRun {
		_, err := fmt.Fprintln(cmd.OutOrStdout(), "dry run: nothing was sent")
		return err
	}
	return withArchive(cmd, cfg, func(a *archive.Archive) error {
		return a.Audit(cmd.Context(), archive.AuditEntry{Who: "command", What: "report sent", Site: opt.site, Detail: strings.Join(sent, ", ")})
	})
}
