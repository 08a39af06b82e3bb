package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"ddkk-stats/archive"
	"ddkk-stats/counter"
	"ddkk-stats/internal/config"
	"ddkk-stats/internal/importer"
	"ddkk-stats/internal/vault"
	"ddkk-stats/parser"
)

// historyOptions are what a person asks for.
type historyOptions struct {
	countsOptions
	until string
}

// historyCommands are what their files are and how one gets them.
var historyCommands = map[string]string{
	"goatcounter": "from GoatCounter's CSV export (Settings, Export), also gzipped",
	"umami":       "from Umami's data export: the zip, or its website_event.csv",
	"plausible":   "from Plausible's CSV export: the zip, or imported_visitors and imported_pages",
	"matomo":      "from CSV reports of Matomo: days with their views, pages with their views",
	"ga":          "from CSV reports of Google Analytics: days with their views, pages with their views",
}

func historyCommand(load func() (*config.Config, error), format string) *cobra.Command {
	var opt historyOptions
	cmd := &cobra.Command{
		Use:   format + " FILE...",
		Short: historyCommands[format],
		Long: "Reads the history of one site " + historyCommands[format] + `.

It is kept as a base with its days: added to totals as other bases are, and shown in
histories beside the days that were counted here, never in them. All FILEs together are
what the source (--source) has of the site; setting again replaces it, and undo takes it
back. Days from the first one on that was counted here are left out, so that no view is
there twice (--until).`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			cfg, err := load()
			if err != nil {
				return err
			}
			return runHistory(cmd, cfg, &opt, func(c *countsRun, site string) (*importer.History, error) {
				return importer.ReadHistory(args, importer.HistoryOptions{Format: format, Site: site, Naming: c.naming, Zone: cfg.Timezone})
			})
		},
	}
	opt.flags(cmd, format)
	cmd.Flags().StringVar(&opt.site, "site", "", "the site, such as ddkk.com")
	cmd.Flags().StringVar(&opt.until, "until", "", "the last day that is taken (default the one before the first that was counted here)")
	return cmd
}

func historyUndoCommand(load func() (*config.Config, error)) *cobra.Command {
	var opt historyOptions
	cmd := &cobra.Command{
		Use:     "undo --source NAME --site SITE",
		Short:   "take back what a source has set of a site: its days and its totals",
		Example: "  ddkk-stats import-counts undo --source plausible --site ddkk.com",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := load()
			if err != nil {
				return err
			}
			return runHistory(cmd, cfg, &opt, nil)
		},
	}
	opt.flags(cmd, "")
	cmd.Flags().StringVar(&opt.site, "site", "", "the site, such as ddkk.com")
	return cmd
}

// runHistory reads a history and keeps it; read nil: there is none any more.
func runHistory(cmd *cobra.Command, cfg *config.Config, opt *historyOptions, read func(c *countsRun, site string) (*importer.History, error)) error {
	if opt.source == "" || len(opt.source) > 100 {
		return errors.New("import-counts: --source: use a name of up to 100 bytes")
	}
	run := func(v *vault.Vault) error {
		c := &countsRun{v: v, cmd: cmd, naming: naming(v.Cfg())}
		site, ok := c.naming.Site(opt.site)
		if !ok {
			return fmt.Errorf("import-counts: --site=%s: say which site, such as --site=ddkk.com; it must be one of SITES", opt.site)
		}
		h := &importer.History{}
		if read != nil {
			var err error
			if h, err = read(c, site); err != nil {
				return fmt.Errorf("import-counts: %w", err)
			}
		}
		return c.setHistory(cmd.Context(), opt, site, h)
	}
	if opt.dryRun {
		return withPeek(cmd, cfg, run)
	}
	return withVault(cmd, cfg, func(v *vault.Vault, _ []byte) error { return run(v) })
}

// setHistory keeps a history, all of it or nothing, and shows its totals.
func (c *countsRun) setHistory(ctx context.Context, opt *historyOptions, site string, h *importer.History) error {
	a, err := c.v.Open(ctx)
	if err != nil {
		return err
	}
	cut := importer.Cut{}
	if len(h.Days) > 0 {
		until, err := c.until(ctx, a, opt, site)
		if err != nil {
			return err
		}
		cut = h.Until(until)
	}
	totals, days := kept(h)
	if err := printHistory(c.cmd.OutOrStdout(), site, opt.source, h, totals, cut); err != nil {
		return err
	}
	if opt.dryRun {
		_, err := fmt.Fprintln(c.cmd.OutOrStdout(), "dry run: nothing was changed")
		return err
	}
	before, err := vault.SumOfSources(ctx, a, site)
	if err != nil {
		return err
	}
	if err := a.SetHistory(ctx, opt.source, site, totals, days); err != nil {
		return err
	}
	what := "history set"
	if len(h.Days) == 0 {
		what = "history taken back"
	}
	if err := a.Audit(ctx, archive.AuditEntry{Who: "command", What: what, Site: site, Detail: fmt.Sprintf("source %s, %d days and pages", opt.source, len(days))}); err != nil {
		return err
	}
	var gone []archive.Baseline // as far as no source has them now; show writes what they have after it
	for _, b := range before {
		gone = append(gone, archive.Baseline{Site: site, Page: b.Page})
	}
	return c.show(ctx, []string{site}, gone)
}

// until is the last day that is taken: what was counted here is not counted again.
func (c *countsRun) until(ctx context.Context, a *archive.Archive, opt *historyOptions, site string) (time.Time, error) {
	if opt.until != "" {
		t, err := time.Parse(time.DateOnly, opt.until)
		if err != nil {
			return t, fmt.Errorf("import-counts: --until %q is no day such as 2026-11-30", opt.until)
		}
		return t, nil
	}
	y, m, d := time.Now().In(c.v.Cfg().Timezone).Date()
	today := time.Date(y, m, d, 0, 0, 0, 0, time.UTC)
	first, err := a.Read().FirstDay(ctx, site)
	if err != nil {
		return today, err
	}
	day := today
	if first != 0 {
		day = first.Date(time.UTC)
	}
	if c.v.Rdb == nil {
		if first == 0 {
			return today, errors.New("import-counts: which day was counted first here is known to the daemon's own store alone; say --until: the day before it")
		}
		return day.AddDate(0, 0, -1), nil
	}
	r, err := counter.NewReader(c.v.Rdb, c.v.Keys, counter.ReaderOptions{Location: c.v.Cfg().Timezone})
	if err != nil {
		return today, err
	}
	live := r.Days(ctx, site, parser.DayOf(day.AddDate(0, -3, 0)), parser.DayOf(today))
	if live.Stale {
		return today, errors.New("import-counts: Redis does not tell which day was counted first here; try again, or say --until: the day before it")
	}
	for _, x := range live.Days {
		if at := x.Day.Date(time.UTC); x.PV > 0 && at.Before(day) {
			day = at
		}
	}
	return day.AddDate(0, 0, -1), nil
}

// kept is a history as the archive keeps it: totals of pages and of the site, and their days.
func kept(h *importer.History) (totals []archive.Baseline, days []archive.BaseDay) {
	for _, d := range h.Days {
		if n := len(totals); n == 0 || totals[n-1].Page != d.Page {
			totals = append(totals, archive.Baseline{Page: d.Page})
		}
		t := &totals[len(totals)-1]
		t.PV, t.UV = t.PV+d.PV, t.UV+d.UV
		if !d.Date.IsZero() {
			days = append(days, archive.BaseDay{Page: d.Page, Day: parser.DayOf(d.Date), PV: d.PV, UV: d.UV})
		}
	}
	return totals, days
}

func printHistory(w io.Writer, site, source string, h *importer.History, totals []archive.Baseline, cut importer.Cut) error {
	var b strings.Builder
	if len(h.Days) == 0 && cut.Days == 0 {
		fmt.Fprintf(&b, "%s: %s has nothing of it any more\n", site, source)
	} else {
		first, last, pages := time.Time{}, time.Time{}, 0
		var sum archive.Baseline
		for _, t := range totals {
			if t.Page == "" {
				sum = t
			} else {
				pages++
			}
		}
		for _, d := range h.Days {
			if d.Page == "" && !d.Date.IsZero() {
				if first.IsZero() {
					first = d.Date
				}
				last = d.Date
			}
		}
		fmt.Fprintf(&b, "%s: %d views and %d visitors, %d pages", site, sum.PV, sum.UV, pages)
		if !first.IsZero() {
			fmt.Fprintf(&b, ", from %s to %s", first.Format(time.DateOnly), last.Format(time.DateOnly))
		}
		fmt.Fprintln(&b)
	}
	if cut.Days > 0 {
		fmt.Fprintf(&b, "left out: %d views of %d days after %s, which were counted here, or are after --until\n", cut.PV, cut.Days, cut.Until.Format(time.DateOnly))
	}
	for _, why := range slices.Sorted(maps.Keys(h.Skipped)) {
		fmt.Fprintf(&b, "left out: %d %s\n", h.Skipped[why], why)
	}
	_, err := fmt.Fprint(w, b.String())
	return err
}
