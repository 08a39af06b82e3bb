package main

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"ddkk-stats/archive"
	"ddkk-stats/counter"
	"ddkk-stats/internal/verify"
	"ddkk-stats/parser"
	"ddkk-stats/tailer"
)

// verifyOptions are what a person asks for.
type verifyOptions struct {
	site   string
	days   int
	json   bool
	repair bool
}

func verifyCommand(load func() (*Config, error)) *cobra.Command {
	var opt verifyOptions
	cmd := &cobra.Command{
		Use:   "verify",
		Short: "Count the log and the archive again and compare with what is shown",
		Long: `Counts again what the log and the archive have, apart from the daemon, and
compares every counter in Redis with it; and compares the archive's sums with
its raw rows, and page_counts with the totals of pages. It may run at any time,
also beside a daemon that is counting. The daemon does the same by VERIFY_CRON.

It prints what became of the lines of each segment, each key that differs (100
of a site at most), and ends with status 1 if there are any, or if something
could not be verified. Without REDIS_ADDR only the archive is verified: the
embedded store can be reached by the daemon alone.

--repair rebuilds sites that differ, sums of days, and page_counts, and verifies
them again. A site is left as it is when a rebuild would lose lines.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := load()
			if err != nil {
				return err
			}
			return withVault(cmd, cfg, func(v *vault, secret []byte) error {
				return verifyNow(cmd, v, secret, opt)
			})
		},
	}
	f := cmd.Flags()
	f.StringVar(&opt.site, "site", "", "the site, such as ddkk.com (default every site)")
	f.IntVar(&opt.days, "days", 0, "add up the raw rows of so many days back (default all)")
	f.BoolVar(&opt.json, "json", false, "print the report as JSON")
	f.BoolVar(&opt.repair, "repair", false, "rebuild what differs and verify again")
	return cmd
}

func verifyNow(cmd *cobra.Command, v *vault, secret []byte, opt verifyOptions) error {
	scope := verify.Scope{Days: opt.days}
	if opt.site != "" {
		var ok bool
		if scope.Site, ok = v.cfg().SiteOf(opt.site); !ok {
			return fmt.Errorf("verify: %q is no site, or not one of SITES", opt.site)
		}
	}
	ctx, out := cmd.Context(), cmd.OutOrStdout()
	r, err := v.verify(ctx, secret, scope, nil)
	if err != nil {
		return err
	}
	if opt.repair && r.Differences > 0 {
		if err := v.repair(ctx, cmd.ErrOrStderr(), r); err != nil {
			return err
		}
		if r, err = v.verify(ctx, secret, scope, nil); err != nil {
			return err
		}
	}
	if _, err := v.noteVerified(ctx, r, scope == verify.Scope{}); err != nil {
		return err
	}
	write := r.Write
	if opt.json {
		write = r.WriteJSON
	}
	if err := write(out); err != nil {
		return err
	}
	if !r.OK() {
		return errQuiet
	}
	return nil
}

// verify counts everything again. Without Redis only the archive is looked at.
// progress is told how far it is; nil: nobody asks.
func (v *vault) verify(ctx context.Context, secret []byte, scope verify.Scope, progress func(verify.Progress)) (*verify.Report, error) {
	a, err := v.open(ctx)
	if err != nil {
		return nil, err
	}
	cfg := v.cfg() // one set of rules for the whole recount
	opt := verify.Options{
		Archive: a, Keys: v.keys, Location: cfg.Timezone, Logger: v.log,
		MaxPages: cfg.MaxPagesPerSite, MaxEvents: archive.DefaultMaxEvents, MaxReferrers: archive.DefaultMaxReferrers,
		MaxEndpoints: cfg.APIMaxEndpoints, MaxUsers: cfg.APIMaxUsers,
		IDWindow: counter.DefaultIDWindow, DedupeWindow: cfg.Dedupe.For, UVSetTTL: cfg.UVSetTTL, Progress: progress,
	}
	if v.rdb != nil {
		opt.Dump = counter.NewDump(v.rdb, v.keys)
		opt.Mirror = counter.NewMirror(v.rdb, v.keys, "verify", false) // it reads only, and runs no script
	}
	for _, in := range cfg.logs() {
		p, err := parser.New(cfg.parserOf(in, secret))
		if err != nil {
			return nil, fmt.Errorf("make parser: %w", err)
		}
		opt.Logs = append(opt.Logs, verify.Log{Parser: p, List: func(context.Context) ([]verify.Segment, error) {
			files, err := v.files(in)
			segments := make([]verify.Segment, len(files))
			for i, f := range files {
				segments[i] = logFile{f}
			}
			return segments, err
		}})
	}
	return verify.New(opt).Run(ctx, scope)
}

// logFile is a segment, the live one too, as verify reads it.
type logFile struct{ file tailer.File }

func (f logFile) ID() string   { return f.file.ID }
func (f logFile) Name() string { return f.file.Name }
func (f logFile) Live() bool   { return f.file.Live }
func (f logFile) Open(ctx context.Context, from int64) (io.ReadCloser, error) {
	return f.file.Open(ctx, from)
}

// repair sums up again the days, and rebuilds the sites, that differ, and the
// mirrors of sites where nothing else does. Sites whose counted segments are not
// to be had any more stay as they are: a rebuild would lose what those counted.
func (v *vault) repair(ctx context.Context, out io.Writer, r *verify.Report) error {
	a, err := v.open(ctx)
	if err != nil {
		return err
	}
	for _, s := range r.Sites {
		if s.Differences == 0 {
			continue
		}
		if err := a.Redo(ctx, s.Site, s.WrongDays); err != nil {
			return err
		}
		if err := a.RedoCalls(ctx, s.Site, s.WrongCallDays); err != nil {
			return err
		}
		if s.Bases > 0 {
			fmt.Fprintf(out, "%s: %d differences of bases in page_counts; summing them up again\n", s.Site, s.Bases)
			if err := a.RedoBases(ctx, s.Site); err != nil {
				return err
			}
		}
		if v.rdb == nil {
			continue
		}
		if err := v.repairSite(ctx, out, s); err != nil {
			return err
		}
	}
	return nil
}

// repairSite mends what differs in Redis and in page_counts. After a rebuild of
// the site the next flush begins its mirror anew, when all is counted again.
func (v *vault) repairSite(ctx context.Context, out io.Writer, s *verify.SiteReport) error {
	switch {
	case s.Differences == s.Mirror+s.Bases:
	case len(s.Lacking) > 0:
		fmt.Fprintf(out, "%s is not rebuilt: %d counted segments are neither on this disk nor archived; bring them back or archive them first\n",
			s.Site, len(s.Lacking))
	default:
		fmt.Fprintf(out, "%s: %d differences; rebuilding it\n", s.Site, s.Differences)
		if _, err := v.rebuild(ctx, s.Site, newBar(out, "rebuilding "+s.Site)); err != nil {
			return fmt.Errorf("rebuild %s: %w", s.Site, err)
		}
		return nil
	}
	if s.Mirror == 0 {
		return nil
	}
	fmt.Fprintf(out, "%s: %d differences in page_counts; rebuilding its mirror\n", s.Site, s.Mirror)
	f, _, err := v.newFlusher(v.rdb, false, nil)
	if err != nil {
		return err
	}
	return f.Rebuild(ctx, s.Site)
}
