package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/schollz/progressbar/v3"
	"github.com/spf13/cobra"

	"ddkk-stats/archive"
	"ddkk-stats/counter"
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
	ruled          bool // of a rule: its own command knows which days, and what force may mean
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
		r := &recounting{v: v, opt: opt, secret: secret, from: from, to: to, out: cmd.OutOrStdout(), progress: cmd.ErrOrStderr()}
		return r.run(cmd.Context())
	})
}

// recounting is one run of the command.
type recounting struct {
	v             *vault.Vault
	opt           recountOptions
	secret        []byte
	from, to      parser.Day
	out, progress io.Writer

	archive *archive.Archive
	joined  []string // sites that aliases join the one asked for with
	logs    []archive.Source
	calls   []archive.Source // of API calls; nil: SITE_LOG is not set
	tails   tails
}

func (r *recounting) run(ctx context.Context) (err error) {
	if r.archive, err = r.v.Open(ctx); err != nil {
		return err
	}
	r.joined = joinedSites(r.v.Cfg().SiteAliases, &r.v.Cfg().Rules, r.opt.site)
	if err := r.readLogs(ctx); err != nil {
		return err
	}
	rebuilds, err := r.toRebuild(ctx)
	if err != nil {
		return err
	}
	before, err := r.shown(ctx, rebuilds)
	if err != nil {
		return err
	}
	done, err := r.recount(ctx)
	if err != nil {
		return err
	}
	if r.opt.dryRun {
		return r.report(&done, shown{}, shown{})
	}
	if err := r.archive.NotePending(ctx, rebuilds); err != nil {
		return err
	}
	counted, err := r.rebuild(ctx)
	if err != nil {
		return err
	}
	after, err := r.shown(ctx, rebuilds)
	if err != nil {
		return err
	}
	if err := r.report(&done, before, after); err != nil || counted {
		return err
	}
	_, err = fmt.Fprintln(r.out, "the daemon has not counted again all that is not archived yet, so the last days are not complete: does it run, with the same settings?")
	return err
}

// joinedSites are the sites that views of a site may have come from or gone to.
func joinedSites(aliases map[string]string, rules *parser.Rules, site string) []string {
	joined := map[string]bool{}
	for i := range rules.All {
		switch r := &rules.All[i]; {
		case r.Kind != parser.RuleRename:
		case r.To == site:
			joined[r.Site] = true
		case r.Site == site:
			joined[r.To] = true
		}
	}
	for host, to := range aliases {
		if to == site {
			joined[host] = true
		}
		if host == site {
			joined[to] = true
		}
	}
	return slices.Sorted(maps.Keys(joined))
}

// recount counts the archive again, after others that archive.
func (r *recounting) recount(ctx context.Context) (archive.Recounted, error) {
	if r.opt.facets {
		r.calls = nil // they have none
	}
	rows, err := parser.New(r.v.Cfg().Parser(parser.FormatV1, r.secret))
	if err != nil {
		return archive.Recounted{}, fmt.Errorf("make parser: %w", err)
	}
	q := archive.Recounting{From: r.from, To: r.to, Site: r.opt.site, Joined: r.joined, Logs: r.logs, Calls: r.calls, Rows: rows,
		Facets: r.opt.facets, Force: r.opt.force, DryRun: r.opt.dryRun, Progress: shareBar(r.progress, "recounting")}
	var done archive.Recounted
	err = jobs.InTurn(ctx, r.v, 0, func() (err error) {
		done, err = r.archive.Recount(ctx, q)
		return err
	})
	return done, err
}

// toRebuild are the sites whose lines that are not archived yet may have been
// counted by other rules; rebuilding must lose nothing of any site.
func (r *recounting) toRebuild(ctx context.Context) ([]string, error) {
	sites := map[string]bool{}
	if r.opt.site != "" {
		sites[r.opt.site] = true
		for _, s := range r.joined {
			sites[s] = true
		}
	} else {
		for s := range r.tails.sites {
			sites[s] = true
		}
	}
	if r.v.Rdb == nil {
		return slices.Sorted(maps.Keys(sites)), nil
	}
	known, err := r.v.Rdb.SMembers(ctx, r.v.Keys.Sites()).Result()
	if err != nil {
		return nil, fmt.Errorf("read sites: %w", err)
	}
	for _, s := range known {
		if r.opt.site != "" && !sites[s] {
			continue
		}
		if (!r.opt.force || r.opt.ruled) && !r.opt.dryRun {
			if err := jobs.Complete(ctx, r.v, s); err != nil {
				return nil, fmt.Errorf("recount: %s: %w", s, err)
			}
		}
		offsets, err := counter.Offsets(ctx, r.v.Rdb, r.v.Keys, s)
		if err != nil {
			return nil, err
		}
		for id, n := range offsets {
			if end, ok := r.tails.begin[id]; ok && n > end {
				sites[s] = true
			}
		}
	}
	if r.opt.site != "" { // those that nobody ever counted need no rebuild
		maps.DeleteFunc(sites, func(s string, _ bool) bool { return r.tails.sites[s] == nil && !slices.Contains(known, s) })
	}
	return slices.Sorted(maps.Keys(sites)), nil
}

// rebuild makes the numbers appear, also those of an earlier recount that was
// killed before it came to that. It tells whether the daemons have counted
// again what is not archived.
func (r *recounting) rebuild(ctx context.Context) (counted bool, err error) {
	sites, err := r.archive.PendingImports(ctx)
	if err != nil {
		return false, err
	}
	if r.v.Rdb == nil {
		if len(sites) > 0 {
			_, err = fmt.Fprintln(r.out, "REDIS_ADDR is not set: a daemon with the embedded store shows the result after its next start")
		}
		for _, s := range sites {
			err = errors.Join(err, r.archive.EndImport(ctx, s))
		}
		return true, err
	}
	for _, s := range sites {
		if _, err := r.v.Rebuild(ctx, s, newBar(r.progress, "rebuilding "+s)); err != nil {
			return false, fmt.Errorf("rebuild %s: %w; the archive is recounted: run the same command again", s, err)
		}
		if err := r.archive.EndImport(ctx, s); err != nil {
			return false, err
		}
	}
	return r.await(ctx, sites)
}

// noticed is how long a daemon may need to notice a rebuild and to count what
// is not archived; as long as it counts, it is waited for.
const noticed = 40 * time.Second

// await waits until the daemons have counted what was in the log before.
func (r *recounting) await(ctx context.Context, sites []string) (bool, error) {
	last, since := int64(-1), time.Now()
	for {
		missing, err := r.missing(ctx, sites)
		if err != nil || missing == 0 {
			return err == nil, err
		}
		if missing != last {
			last, since = missing, time.Now()
		}
		if time.Since(since) > noticed {
			return false, nil
		}
		if err := pause(ctx, 100*time.Millisecond); err != nil {
			return false, err
		}
	}
}

// missing is how many bytes of the log are not counted again yet.
func (r *recounting) missing(ctx context.Context, sites []string) (n int64, err error) {
	for _, s := range sites {
		if len(r.tails.sites[s]) == 0 {
			continue
		}
		offsets, err := counter.Offsets(ctx, r.v.Rdb, r.v.Keys, s)
		if err != nil {
			return 0, err
		}
		for id, end := range r.tails.sites[s] {
			n += max(end-offsets[id], 0)
		}
	}
	return n, nil
}

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
