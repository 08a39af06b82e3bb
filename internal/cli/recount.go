package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/schollz/progressbar/v3"
	"github.com/spf13/cobra"

	"ddkk-stats/internal/config"
	"ddkk-stats/internal/jobs"
	"ddkk-stats/internal/vault"
	"ddkk-stats/parser"
)

// recountOptions are what a person asks for.
type recountOptions struct {
	site, from, to string
	days           int
	dryRun, force  bool
	facets         bool
}

func recountCommand(load func() (*config.Config, error)) *cobra.Command {
	var opt recountOptions
	cmd := &cobra.Command{
		Use:   "recount",
		Short: "Recount past days with the current rules",
		Long: `Counts days again, by the bot list, SITE_ALIASES, SITES, page rules, BLOCK_IPS,
BLOCK_PATHS, SELF_IPS, DEDUPE_WINDOW and REFERER_CHECK as they are set now, API
calls by API_ROUTES, API_SITE, API_USER_ARG, API_FAILED_FROM, API_MAX_ENDPOINTS
and API_MAX_USERS, and puts the result in the place of what was counted. Restart
the daemon with the new settings first; it may count meanwhile.

Segments of the log that are still on the disk, compressed or not, are read
again. Of others the raw rows in the archive are judged by what they hold: what
earlier rules skipped or took for duplicates does not come back, and the summary
tells what could not be told. Days whose raw rows are deleted are refused;
--force leaves those as they are and counts the others, but their pages get the names
that they have now (PAGE_ALIASES, PAGE_SLASH), and their sums add up. So do pages of
which an earlier counter's numbers were imported.

API calls have no raw rows: where a segment of SITE_LOG is gone that may hold
calls of a day, that day's calls stay as they are, and the summary names it.

--facets judges raw rows alone: browsers, systems, devices, channels, and what else
they tell of FACETS, get into rows of before, and what FACETS leaves out is taken out
of them. No view comes, goes or moves.

It may be killed and run again. What is not archived yet is counted again by the
daemon. --from and --to are inclusive.`,
		Example: `  ddkk-stats recount --days 7 --dry-run
  ddkk-stats recount --days 90 --facets
  ddkk-stats recount --from 2026-11-01 --to 2026-11-15 --site ddkk.com`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := load()
			if err != nil {
				return err
			}
			return recount(cmd, cfg, opt)
		},
	}
	f := cmd.Flags()
	f.IntVar(&opt.days, "days", 0, "so many days back, and today")
	f.StringVar(&opt.from, "from", "", "the first day, as 2026-11-01")
	f.StringVar(&opt.to, "to", "", "the last day (default today)")
	f.StringVar(&opt.site, "site", "", "this site, and those that SITE_ALIASES join it with (default every site)")
	f.BoolVar(&opt.dryRun, "dry-run", false, "say what would change, and change nothing")
	f.BoolVar(&opt.facets, "facets", false, "fill in what raw rows tell of FACETS and GEOIP_DB, and change nothing else")
	f.BoolVar(&opt.force, "force", false, "go on although days or segments lack what they could be counted again from")
	return cmd
}

// span is what days are asked for.
func (o *recountOptions) span(now time.Time) (from, to parser.Day, err error) {
	to = parser.DayOf(now)
	if o.to != "" {
		if to, err = recountDay("--to", o.to); err != nil {
			return 0, 0, err
		}
	}
	switch {
	case o.from != "" && o.days != 0:
		return 0, 0, errors.New("recount: give --days or --from, not both")
	case o.from != "":
		from, err = recountDay("--from", o.from)
	case o.days > 0 && o.to != "":
		return 0, 0, errors.New("recount: --to goes with --from; --days ends today")
	case o.days > 0:
		from = parser.DayOf(now.AddDate(0, 0, -o.days))
	default:
		return 0, 0, errors.New("recount: say which days, with --days=7 or --from=2026-11-01 --to=2026-11-15")
	}
	if err == nil && from > to {
		err = fmt.Errorf("recount: --from=%s is after the last day, %d", o.from, to)
	}
	return from, to, err
}

func recountDay(flag, text string) (parser.Day, error) {
	at, err := time.Parse(time.DateOnly, text)
	if err != nil {
		return 0, fmt.Errorf("recount: %s=%s: use a day such as 2026-11-01", flag, text)
	}
	return parser.DayOf(at), nil
}

var errNothingArchived = errors.New("recount: nothing is archived yet: there is no archive.db in DATA_DIR, and MYSQL_DSN is not set. What is not archived is counted by the rules of now at a rebuild: ddkk-stats restore-from-mysql")

func recount(cmd *cobra.Command, cfg *config.Config, opt recountOptions) error {
	from, to, err := opt.span(time.Now().In(cfg.Timezone))
	if err != nil {
		return err
	}
	if cfg.MySQLDSN == "" {
		if _, err := os.Stat(filepath.Join(cfg.DataDir, "archive.db")); errors.Is(err, os.ErrNotExist) {
			return errNothingArchived
		}
	}
	if opt.site != "" {
		site, ok := parser.NormalizeSite(opt.site)
		if !ok {
			return fmt.Errorf("recount: --site=%s is no host name", opt.site)
		}
		opt.site = site
	}
	return withVault(cmd, cfg, func(v *vault.Vault, secret []byte) error {
		r := &recounting{Recount: jobs.Recount{V: v, Secret: secret, From: from, To: to, Site: opt.site, DryRun: opt.dryRun, Force: opt.force, Facets: opt.facets},
			out: cmd.OutOrStdout(), progress: cmd.ErrOrStderr()}
		return r.run(cmd.Context())
	})
}

// recounting is one run of the command.
type recounting struct {
	jobs.Recount
	out, progress io.Writer
}

func (r *recounting) run(ctx context.Context) error {
	r.Show = func(what string) func(done, total int64) { return shareBar(r.progress, what) }
	r.Embedded = func() error {
		_, err := fmt.Fprintln(r.out, "REDIS_ADDR is not set: a daemon with the embedded store shows the result after its next start")
		return err
	}
	done, err := r.Run(ctx)
	if err != nil {
		return err
	}
	if err := r.report(&done); err != nil || r.DryRun || done.Counted {
		return err
	}
	_, err = fmt.Fprintln(r.out, "the daemon has not counted again all that is not archived yet, so the last days are not complete: does it run, with the same settings?")
	return err
}

func dayText(d parser.Day) string { return d.Date(time.UTC).Format(time.DateOnly) }

// shareBar shows how much is done on a terminal as a bar, and elsewhere as a
// line every few seconds.
func shareBar(w io.Writer, what string) func(done, total int64) {
	if f, ok := terminal(w); ok {
		var bar *progressbar.ProgressBar
		return func(done, total int64) {
			if bar == nil {
				bar = progressbar.NewOptions64(total, progressbar.OptionSetWriter(f), progressbar.OptionSetDescription(what),
					progressbar.OptionShowCount(), progressbar.OptionShowIts(), progressbar.OptionThrottle(100*time.Millisecond))
			}
			bar.ChangeMax64(total)
			if err := bar.Set64(done); err != nil {
				fmt.Fprintln(w, what, done, "of", total, "lines")
			}
		}
	}
	last := time.Now()
	return func(done, total int64) {
		if now := time.Now(); now.Sub(last) >= 5*time.Second {
			last = now
			fmt.Fprintln(w, what+":", done, "of", total, "lines")
		}
	}
}
