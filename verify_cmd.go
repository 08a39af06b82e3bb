package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/spf13/cobra"

	"ddkk-stats/archive"
	"ddkk-stats/counter"
	"ddkk-stats/parser"
	"ddkk-stats/tailer"
	"ddkk-stats/verify"
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
its raw rows. It may run at any time, also beside a daemon that is counting.
The daemon does the same by VERIFY_CRON.

It prints what became of the lines of each segment, each key that differs (100
of a site at most), and ends with status 1 if there are any, or if something
could not be verified. Without REDIS_ADDR only the archive is verified: the
embedded store can be reached by the daemon alone.

--repair rebuilds sites that differ, and sums of days, and verifies them again.
A site is left as it is when a rebuild would lose lines.`,
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
		if scope.Site, ok = v.cfg.SiteOf(opt.site); !ok {
			return fmt.Errorf("verify: %q is no site, or not one of SITES", opt.site)
		}
	}
	ctx, out := cmd.Context(), cmd.OutOrStdout()
	r, err := v.verify(ctx, secret, scope)
	if err != nil {
		return err
	}
	if opt.repair && r.Differences > 0 {
		if err := v.repair(ctx, cmd.ErrOrStderr(), r); err != nil {
			return err
		}
		if r, err = v.verify(ctx, secret, scope); err != nil {
			return err
		}
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
func (v *vault) verify(ctx context.Context, secret []byte, scope verify.Scope) (*verify.Report, error) {
	a, err := v.open(ctx)
	if err != nil {
		return nil, err
	}
	opt := verify.Options{
		Archive: a, Keys: v.keys, Location: v.cfg.Timezone, Logger: v.log,
		MaxPages: v.cfg.MaxPagesPerSite, MaxEvents: archive.DefaultMaxEvents, MaxReferrers: archive.DefaultMaxReferrers,
		MaxEndpoints: v.cfg.APIMaxEndpoints, MaxUsers: v.cfg.APIMaxUsers,
		IDWindow: counter.DefaultIDWindow, DedupeWindow: v.cfg.Dedupe.For, UVSetTTL: v.cfg.UVSetTTL,
	}
	if v.rdb != nil {
		opt.Dump = counter.NewDump(v.rdb, v.keys)
	}
	for _, in := range v.cfg.logs() {
		p, err := parser.New(v.cfg.parserOf(in, secret))
		if err != nil {
			return nil, fmt.Errorf("make parser: %w", err)
		}
		opt.Logs = append(opt.Logs, verify.Log{Parser: p, List: func(context.Context) ([]verify.Segment, error) {
			files, err := tailer.List(v.listing(in))
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

// repair sums up again the days, and rebuilds the sites, that differ. Sites
// whose counted segments are not to be had any more stay as they are: a rebuild
// would lose what those counted.
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
		if len(s.Lacking) > 0 {
			fmt.Fprintf(out, "%s is not rebuilt: %d counted segments are neither on this disk nor archived; bring them back or archive them first\n",
				s.Site, len(s.Lacking))
			continue
		}
		if v.rdb == nil {
			continue
		}
		fmt.Fprintf(out, "%s: %d differences; rebuilding it\n", s.Site, s.Differences)
		if _, err := v.rebuild(ctx, s.Site, newBar(out, "rebuilding "+s.Site)); err != nil {
			return fmt.Errorf("rebuild %s: %w", s.Site, err)
		}
	}
	return nil
}

// verifier is the daemon's own verification, and how its last one went as
// metrics. Make one with newVerifier.
type verifier struct {
	s           *server
	differences atomic.Int64
	problems    atomic.Int64
	success     atomic.Int64 // Unix seconds; 0: not since the start
}

func newVerifier(s *server) *verifier { return &verifier{s: s} }

var (
	descVerifyDiffers  = desc("verify_differences", "Numbers that the last verification found wrong.")
	descVerifyProblems = desc("verify_problems", "What the last verification could not verify, such as segments that are neither on disk nor archived.")
	descVerifySuccess  = desc("verify_last_success_timestamp_seconds", "When a verification last ended without any difference; 0: not since the start.")
)

// Describe implements prometheus.Collector.
func (v *verifier) Describe(ch chan<- *prometheus.Desc) {
	ch <- descVerifyDiffers
	ch <- descVerifyProblems
	ch <- descVerifySuccess
}

// Collect implements prometheus.Collector.
func (v *verifier) Collect(ch chan<- prometheus.Metric) {
	gauge(ch, descVerifyDiffers, float64(v.differences.Load()))
	gauge(ch, descVerifyProblems, float64(v.problems.Load()))
	gauge(ch, descVerifySuccess, float64(v.success.Load()))
}

// done notes a report.
func (v *verifier) done(r *verify.Report) {
	v.differences.Store(int64(r.Differences))
	v.problems.Store(int64(r.Problems))
	if r.OK() {
		v.success.Store(time.Now().Unix())
	}
}

// verify is the weekly verification.
func (v *verifier) verify(ctx context.Context) {
	s := v.s
	if _, err := s.counting.get(ctx); err != nil {
		return // the stop came first
	}
	r, err := s.vault.verify(ctx, s.secret, verify.Scope{})
	if err != nil {
		if !errors.Is(err, context.Canceled) {
			s.log.Error("verification failed; it is tried again at its next time", "err", err)
		}
		return
	}
	v.done(r)
	for _, site := range r.Sites {
		for _, d := range site.Shown {
			s.log.Error("a number is wrong; `ddkk-stats verify --repair` mends it", "site", site.Site, "key", d.Key, "have", d.Have, "want", d.Want)
		}
		for _, p := range site.Problems {
			s.log.Error("a site cannot be verified", "site", site.Site, "problem", p)
		}
		for id, off := range site.Lacking {
			s.log.Error("a counted segment is neither on disk nor archived", "site", site.Site, "segment", id, "counted", off)
		}
	}
	s.log.Info("verified", "sites", len(r.Sites), "segments", len(r.Segments), "lines", r.Total.Lines,
		"differences", r.Differences, "problems", r.Problems, "seconds", r.Seconds)
}
