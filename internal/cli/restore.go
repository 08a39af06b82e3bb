package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/schollz/progressbar/v3"
	"github.com/spf13/cobra"

	"ddkk-stats/internal/config"
	"ddkk-stats/internal/jobs"
	"ddkk-stats/internal/plain"
	"ddkk-stats/internal/vault"
)

// restoreOptions are what a person asks for.
type restoreOptions struct {
	site      string
	onlyPages bool
	force     bool
	days      int
}

func restoreCommand(load func() (*config.Config, error)) *cobra.Command {
	var opt restoreOptions
	cmd := &cobra.Command{
		Use:   "restore-from-mysql",
		Short: "Rebuild a site's numbers in Redis from the archive and the log",
		Long: `Rebuilds a site in Redis (all sites without --site): what the archive has is
written back, archived segments are marked as counted, and the daemons count
the rest of the log again. The result is what was there before, to the last
view. The site is fenced off meanwhile: new views wait in the log and are
neither lost nor counted twice. It may be killed and run again.

A restore always makes the whole site right, since its totals, days and pages
come from the same lines. --only-pages and --days only narrow what is reported.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := load()
			if err != nil {
				return err
			}
			return restoreSites(cmd, cfg, opt)
		},
	}
	f := cmd.Flags()
	f.StringVar(&opt.site, "site", "", "the site, such as ddkk.com (default every archived site)")
	f.BoolVar(&opt.onlyPages, "only-pages", false, "report pages alone")
	f.BoolVar(&opt.force, "force", false, "restore also what lacks segments here: on another host's disk, or lost")
	f.IntVar(&opt.days, "days", 0, "report so many days back")
	return cmd
}

var errNeedsRedis = errors.New("restore-from-mysql: REDIS_ADDR is not set. The embedded store is restored by the daemon itself, at each start")

func restoreSites(cmd *cobra.Command, cfg *config.Config, opt restoreOptions) error {
	if len(cfg.Redis.Addrs) == 0 {
		return errNeedsRedis
	}
	return withVault(cmd, cfg, func(v *vault.Vault, _ []byte) error {
		ctx := cmd.Context()
		sites, err := sitesToRestore(ctx, v, opt.site)
		if err != nil {
			return err
		}
		for _, site := range sites {
			if err := restoreOne(ctx, v, cmd.OutOrStdout(), cmd.ErrOrStderr(), site, opt); err != nil {
				return fmt.Errorf("restore %s: %w", site, err)
			}
		}
		return printToCount(ctx, v, cmd.OutOrStdout())
	})
}

func sitesToRestore(ctx context.Context, v *vault.Vault, asked string) ([]string, error) {
	if asked != "" {
		site, ok := v.Cfg().SiteOf(asked)
		if !ok {
			return nil, fmt.Errorf("restore: %q is no site, or not one of SITES", asked)
		}
		return []string{site}, nil
	}
	a, err := v.Open(ctx)
	if err != nil {
		return nil, err
	}
	sites, err := a.Read().Sites(ctx)
	if err == nil && len(sites) == 0 {
		err = errors.New("restore: the archive is empty; nothing was changed")
	}
	return sites, err
}

// restoreOne rebuilds one site and prints what came back.
func restoreOne(ctx context.Context, v *vault.Vault, out, progress io.Writer, site string, opt restoreOptions) error {
	if !opt.force {
		if err := jobs.Complete(ctx, v, site); err != nil {
			return err
		}
	}
	done, err := v.Rebuild(ctx, site, newBar(progress, "restoring "+site))
	endBar(progress)
	if err != nil {
		return err
	}
	if opt.onlyPages {
		_, err = fmt.Fprintf(out, "%s: %d pages, %d in hot lists, in %.2f s\n", site, done.Pages, done.HotPages, done.Took.Seconds())
		return err
	}
	days := done.Days
	if opt.days > 0 {
		days = min(days, int64(opt.days))
	}
	if done.SitePV == 0 && days == 0 {
		_, err = fmt.Fprintf(out, "%s: the archive has no view of it yet; all of it comes from the log, in %.2f s\n", site, done.Took.Seconds())
		return err
	}
	_, err = fmt.Fprintf(out, "%s: site PV %d, site UV %d, %d pages, %d in hot lists, %d days, %d archived segments, in %.2f s\n",
		site, done.SitePV, done.SiteUV, done.Pages, done.HotPages, days, done.Segments, done.Took.Seconds())
	return err
}

// printToCount says what the archive does not have: the numbers lack it until a
// daemon has counted it.
func printToCount(ctx context.Context, v *vault.Vault, out io.Writer) error {
	left, err := jobs.Remaining(ctx, v, time.Now())
	if err != nil {
		return fmt.Errorf("restored, but what the log still has cannot be told: %w", err)
	}
	if len(left) == 0 {
		_, err = fmt.Fprintln(out, "the log here has no line that is not archived; reads are stale until a daemon has looked")
		return err
	}
	if _, err := fmt.Fprintf(out, "still to come: %d lines of the log, of all sites, in %d segments. A daemon counts them now, or when it is started; until then the numbers lack them and reads say stale\n", jobs.LinesOf(left), len(left)); err != nil {
		return err
	}
	return printRemaining(out, left, v.Cfg())
}

// newBar shows rows on a terminal as a bar, and elsewhere as a line every few
// seconds.
func newBar(w io.Writer, what string) func(rows int64) {
	if f, ok := terminal(w); ok {
		bar := progressbar.NewOptions64(-1, progressbar.OptionSetWriter(f), progressbar.OptionSetDescription(what),
			progressbar.OptionShowCount(), progressbar.OptionShowIts(), progressbar.OptionThrottle(100*time.Millisecond))
		return func(rows int64) {
			if err := bar.Set64(rows); err != nil {
				fmt.Fprintln(w, what, rows, "rows")
			}
		}
	}
	last := time.Now()
	return func(rows int64) {
		if now := time.Now(); now.Sub(last) >= 5*time.Second {
			last = now
			fmt.Fprintln(w, what+":", rows, "rows")
		}
	}
}

// endBar ends the line that a bar of newBar is in.
func endBar(w io.Writer) {
	if f, ok := terminal(w); ok {
		fmt.Fprintln(f)
	}
}

// terminal is the one that w writes to, if that is one: bars are drawn on it as it is.
func terminal(w io.Writer) (*os.File, bool) {
	if p, ok := w.(*plain.Writer); ok {
		w = p.To
	}
	f, ok := w.(*os.File)
	if !ok {
		return nil, false
	}
	fi, err := f.Stat()
	return f, err == nil && fi.Mode()&os.ModeCharDevice != 0
}
