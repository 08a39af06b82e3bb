package daemon

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"ddkk-stats/internal/jobs"
	"ddkk-stats/internal/vault"
	"ddkk-stats/internal/verify"
	"ddkk-stats/queryapi"
)

// verifier runs the daemon's verifications, one at a time: those that VERIFY_CRON
// begins and those that the API asks for; and tells as metrics how the last one
// went. Make one with newVerifier; run does what Start has asked for.
type verifier struct {
	// ready waits until there is something to verify.
	ready func(ctx context.Context) error
	check func(ctx context.Context, scope verify.Scope, progress func(verify.Progress)) (*verify.Report, error)
	note  func(ctx context.Context, r *verify.Report, whole bool) (vault.VerifyNote, error)
	log   *slog.Logger

	differences atomic.Int64
	problems    atomic.Int64
	success     atomic.Int64 // Unix seconds; 0: never

	jobs chan *verifyJob // has room for the one that is claimed

	mu      sync.Mutex
	last    *verifyJob // the one that runs, else the last one; nil: none yet
	running bool
	ended   bool  // run has returned
	taken   int64 // when the verification was that metrics tell of
}

// verifyJob is one verification.
type verifyJob struct {
	scope   verify.Scope
	started time.Time
	far     atomic.Pointer[verify.Progress] // nil: it has not begun
	over    chan struct{}                   // closed when the rest is set
	stopped time.Time
	report  *verify.Report
	err     error
}

func newVerifier(s *server) *verifier {
	return &verifier{
		ready: func(ctx context.Context) error {
			_, err := s.counting.get(ctx)
			return err
		},
		check: func(ctx context.Context, scope verify.Scope, progress func(verify.Progress)) (*verify.Report, error) {
			return jobs.Verify(ctx, s.vault, s.secret, scope, progress)
		},
		note: s.vault.NoteVerified, log: s.log, jobs: make(chan *verifyJob, 1),
	}
}

// run does the verifications that the API asks for until ctx ends.
func (v *verifier) run(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			v.end()
			return
		case j := <-v.jobs:
			v.do(ctx, j)
		}
	}
}

// end refuses what comes, and what came and was not begun.
func (v *verifier) end() {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.ended = true
	select {
	case j := <-v.jobs:
		j.err, j.stopped, v.running = queryapi.ErrEnding, time.Now(), false
		close(j.over)
	default:
	}
}

// Start implements queryapi.Verifier.
func (v *verifier) Start(site string, days int) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	j, err := v.claim(verify.Scope{Site: site, Days: days})
	if err == nil {
		v.jobs <- j
	}
	return err
}

// claim makes a job if none runs. The caller holds mu.
func (v *verifier) claim(scope verify.Scope) (*verifyJob, error) {
	switch {
	case v.ended:
		return nil, queryapi.ErrEnding
	case v.running:
		return nil, queryapi.ErrVerifying
	}
	v.running = true
	v.last = &verifyJob{scope: scope, started: time.Now(), over: make(chan struct{})}
	return v.last, nil
}

// State implements queryapi.Verifier.
func (v *verifier) State() queryapi.VerifyState {
	v.mu.Lock()
	defer v.mu.Unlock()
	j := v.last
	if j == nil {
		return queryapi.VerifyState{}
	}
	st := queryapi.VerifyState{Running: v.running, Site: j.scope.Site, Started: j.started}
	if p := j.far.Load(); p != nil {
		st.Sites, st.SitesDone, st.Now, st.Lines = p.Sites, p.Done, p.Now, p.Lines
	}
	if v.running { // else the rest was set before running was
		return st
	}
	st.Ended = j.stopped
	if j.err != nil {
		st.Failed = j.err.Error()
	} else {
		st.Report = j.report
	}
	return st
}

// verify is the weekly verification. One that the API asked for ends first.
func (v *verifier) verify(ctx context.Context) error {
	for {
		v.mu.Lock()
		j, err := v.claim(verify.Scope{})
		running := v.last
		v.mu.Unlock()
		switch {
		case err == nil:
			v.do(ctx, j)
			return j.err
		case !errors.Is(err, queryapi.ErrVerifying):
			return nil // the stop came first
		}
		select {
		case <-running.over:
		case <-ctx.Done():
			return nil
		}
	}
}

// do runs a job that was claimed.
func (v *verifier) do(ctx context.Context, j *verifyJob) {
	j.report, j.err = v.attempt(ctx, j)
	j.stopped = time.Now()
	if j.err != nil && ctx.Err() != nil {
		j.err = queryapi.ErrEnding
	}
	switch {
	case j.err == nil:
		v.done(ctx, j.report, j.scope == verify.Scope{})
		v.tell(j.report)
	case ctx.Err() == nil:
		v.log.Error("verification failed; try again, or wait for its next time", "err", j.err)
	}
	v.mu.Lock()
	v.running = false
	v.mu.Unlock()
	close(j.over)
}

func (v *verifier) attempt(ctx context.Context, j *verifyJob) (*verify.Report, error) {
	if err := v.ready(ctx); err != nil {
		return nil, err
	}
	return v.check(ctx, j.scope, func(p verify.Progress) { j.far.Store(&p) })
}

// done notes a report.
func (v *verifier) done(ctx context.Context, r *verify.Report, whole bool) {
	note, err := v.note(ctx, r, whole)
	if err != nil {
		v.log.Warn("cannot keep how the verification went; a restart forgets it", "err", err)
	}
	v.take(note)
}

// take has metrics and alerts tell of a verification, of this life or of an
// earlier one, or by hand.
func (v *verifier) take(n vault.VerifyNote) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if n.At < v.taken {
		return // it was read before a newer one was noted
	}
	v.taken = n.At
	v.differences.Store(n.Differences)
	v.problems.Store(n.Problems)
	v.success.Store(n.Success)
}

// tell logs a report.
func (v *verifier) tell(r *verify.Report) {
	for _, site := range r.Sites {
		for _, d := range site.Shown {
			v.log.Error("a number is wrong; `ddkk-stats verify --repair` mends it", "site", site.Site, "key", d.Key, "have", d.Have, "want", d.Want)
		}
		for _, p := range site.Problems {
			v.log.Error("a site cannot be verified", "site", site.Site, "problem", p)
		}
		for id, off := range site.Lacking {
			v.log.Error("a counted segment is neither on disk nor archived", "site", site.Site, "segment", id, "counted", off)
		}
	}
	v.log.Info("verified", "sites", len(r.Sites), "segments", len(r.Segments), "lines", r.Total.Lines,
		"differences", r.Differences, "problems", r.Problems, "seconds", r.Seconds)
}

var (
	descVerifyDiffers  = desc("verify_differences", "Numbers that the last verification found wrong.")
	descVerifyProblems = desc("verify_problems", "What the last verification could not verify, such as segments that are neither on disk nor archived.")
	descVerifySuccess  = desc("verify_last_success_timestamp_seconds", "When a verification of everything last ended without any difference, also before a restart or by hand; 0: never.")
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
