package jobs

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"ddkk-stats/archive"
	"ddkk-stats/counter"
	"ddkk-stats/internal/config"
	"ddkk-stats/internal/vault"
	"ddkk-stats/parser"
)

// Recount counts days again by the rules of now: those in the archive, and what the
// daemons have counted behind it.
type Recount struct {
	V        *vault.Vault
	Secret   []byte
	From, To parser.Day
	Site     string // this one, and those that aliases join it with; "": all
	DryRun   bool
	Force    bool // go on although days or segments lack what they could be counted again from
	Facets   bool // fill in what raw rows tell of facets, and change nothing else
	// Ruled is a recount for a rule, which knows its days, and what Force may mean.
	Ruled bool
	// Suppose is a rule that a dry run goes by, and that nobody has made yet; nil: none.
	Suppose *parser.Rule

	// Show makes what is told how much of something is done; nil: nobody is told.
	Show func(what string) func(done, total int64)
	// Embedded is called where the daemon's store is embedded, so that it shows the
	// result after its next start; nil: this is that daemon.
	Embedded func() error

	archive *archive.Archive
	joined  []string // sites that aliases join the one asked for with
	logs    []archive.Source
	calls   []archive.Source // of API calls; nil: SITE_LOG is not set
	tails   Tails
}

// RecountResult is what a recount came to.
type RecountResult struct {
	archive.Recounted
	Before, After Shown // what Redis shows of days that are not wholly archived
	Tails         Tails
	Counted       bool // the daemons have counted again what is not archived
}

func (r *Recount) cfg() *config.Config {
	if r.Suppose == nil {
		return r.V.Cfg()
	}
	rules := r.V.Cfg().Rules
	rules.All = append(slices.Clip(rules.All), *r.Suppose)
	return r.V.Cfg().WithRules(rules)
}

func (r *Recount) show(what string) func(done, total int64) {
	if r.Show == nil {
		return func(int64, int64) {}
	}
	return r.Show(what)
}

// Run does it. It may be killed and run again.
func (r *Recount) Run(ctx context.Context) (out RecountResult, err error) {
	if r.archive, err = r.V.Open(ctx); err != nil {
		return out, err
	}
	r.joined = joinedSites(r.cfg().SiteAliases, &r.cfg().Rules, r.Site)
	if err := r.readLogs(ctx); err != nil {
		return out, err
	}
	out.Tails = r.tails
	rebuilds, err := r.toRebuild(ctx)
	if err != nil {
		return out, err
	}
	if out.Before, err = r.shown(ctx, rebuilds); err != nil {
		return out, err
	}
	if out.Recounted, err = r.recount(ctx); err != nil || r.DryRun {
		out.Before = Shown{}
		return out, err
	}
	if err := r.archive.NotePending(ctx, rebuilds); err != nil {
		return out, err
	}
	if out.Counted, err = r.rebuild(ctx); err != nil {
		return out, err
	}
	out.After, err = r.shown(ctx, rebuilds)
	return out, err
}

// Lacks tells whether lines of a site in the logs here are not archived yet.
func (r *Recount) Lacks(ctx context.Context, site string) (_ bool, err error) {
	if r.archive, err = r.V.Open(ctx); err != nil {
		return false, err
	}
	if err := r.readLogs(ctx); err != nil {
		return false, err
	}
	return len(r.tails.sites[site]) > 0, nil
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
func (r *Recount) recount(ctx context.Context) (archive.Recounted, error) {
	if r.Facets {
		r.calls = nil // they have none
	}
	rows, err := parser.New(r.cfg().Parser(parser.FormatV1, r.Secret))
	if err != nil {
		return archive.Recounted{}, fmt.Errorf("make parser: %w", err)
	}
	q := archive.Recounting{From: r.From, To: r.To, Site: r.Site, Joined: r.joined, Logs: r.logs, Calls: r.calls, Rows: rows,
		Facets: r.Facets, Force: r.Force, DryRun: r.DryRun, Progress: r.show("recounting")}
	var done archive.Recounted
	err = InTurn(ctx, r.V, 0, func() (err error) {
		done, err = r.archive.Recount(ctx, q)
		return err
	})
	return done, err
}

// toRebuild are the sites whose lines that are not archived yet may have been
// counted by other rules; rebuilding must lose nothing of any site.
func (r *Recount) toRebuild(ctx context.Context) ([]string, error) {
	sites := map[string]bool{}
	if r.Site != "" {
		sites[r.Site] = true
		for _, s := range r.joined {
			sites[s] = true
		}
	} else {
		for s := range r.tails.sites {
			sites[s] = true
		}
	}
	if r.V.Rdb == nil {
		return slices.Sorted(maps.Keys(sites)), nil
	}
	known, err := r.V.Rdb.SMembers(ctx, r.V.Keys.Sites()).Result()
	if err != nil {
		return nil, fmt.Errorf("read sites: %w", err)
	}
	for _, s := range known {
		if r.Site != "" && !sites[s] {
			continue
		}
		if (!r.Force || r.Ruled) && !r.DryRun {
			if err := Complete(ctx, r.V, s); err != nil {
				return nil, fmt.Errorf("recount: %s: %w", s, err)
			}
		}
		offsets, err := counter.Offsets(ctx, r.V.Rdb, r.V.Keys, s)
		if err != nil {
			return nil, err
		}
		for id, n := range offsets {
			if end, ok := r.tails.begin[id]; ok && n > end {
				sites[s] = true
			}
		}
	}
	if r.Site != "" { // those that nobody ever counted need no rebuild
		maps.DeleteFunc(sites, func(s string, _ bool) bool { return r.tails.sites[s] == nil && !slices.Contains(known, s) })
	}
	return slices.Sorted(maps.Keys(sites)), nil
}

// rebuild makes the numbers appear, also those of an earlier recount that was
// killed before it came to that. It tells whether the daemons have counted
// again what is not archived.
func (r *Recount) rebuild(ctx context.Context) (counted bool, err error) {
	sites, err := r.archive.PendingImports(ctx)
	if err != nil {
		return false, err
	}
	if r.V.Rdb == nil {
		if len(sites) > 0 && r.Embedded != nil {
			err = r.Embedded()
		}
		for _, s := range sites {
			err = errors.Join(err, r.archive.EndImport(ctx, s))
		}
		return true, err
	}
	for _, s := range sites {
		if _, err := r.V.Rebuild(ctx, s, rowsOf(r.show("rebuilding "+s))); err != nil {
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
func (r *Recount) await(ctx context.Context, sites []string) (bool, error) {
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
func (r *Recount) missing(ctx context.Context, sites []string) (n int64, err error) {
	for _, s := range sites {
		if len(r.tails.sites[s]) == 0 {
			continue
		}
		offsets, err := counter.Offsets(ctx, r.V.Rdb, r.V.Keys, s)
		if err != nil {
			return 0, err
		}
		for id, end := range r.tails.sites[s] {
			n += max(end-offsets[id], 0)
		}
	}
	return n, nil
}

// rowsOf shows rows, of which nobody knows how many there are.
func rowsOf(show func(done, total int64)) func(rows int64) {
	return func(rows int64) { show(rows, -1) }
}

// firstRuled is the first day that a rule without a beginning is about.
const firstRuled parser.Day = 20000101

// DaysOf are the days that a rule is about.
func DaysOf(rule *parser.Rule, loc *time.Location) (from, to parser.Day) {
	from, to = firstRuled, parser.DayOf(time.Now().In(loc).AddDate(0, 0, 1))
	if rule.From > 0 {
		from = parser.DayOf(time.UnixMilli(rule.From).In(loc))
	}
	if rule.Until > 0 {
		to = parser.DayOf(time.UnixMilli(rule.Until - 1).In(loc))
	}
	return from, to
}

// pause waits, or until ctx ends.
func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}
