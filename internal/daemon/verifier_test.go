package daemon

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"time"

	"ddkk-stats/internal/vault"
	"ddkk-stats/internal/verify"
	"ddkk-stats/queryapi"
)

// verifyRig is a verifier whose runs a test holds and ends.
type verifyRig struct {
	*verifier
	t      *testing.T
	begun  chan verify.Scope
	result chan error // ends the run; nil: with report
	report *verify.Report
	stop   context.CancelFunc
	over   chan struct{} // closed when run has returned
}

func newVerifyRig(t *testing.T) *verifyRig {
	r := &verifyRig{t: t, begun: make(chan verify.Scope), result: make(chan error), over: make(chan struct{}), report: &verify.Report{}}
	check := func(ctx context.Context, scope verify.Scope, progress func(verify.Progress)) (*verify.Report, error) {
		progress(verify.Progress{Sites: 2, Done: 1, Now: "segment x", Lines: 5})
		r.begun <- scope
		select {
		case err := <-r.result:
			if err != nil {
				return nil, err
			}
			return r.report, nil
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	r.verifier = &verifier{ready: func(context.Context) error { return nil }, check: check,
		note: func(_ context.Context, rep *verify.Report, whole bool) (vault.VerifyNote, error) {
			return vault.VerifyNote{Differences: r.differences.Load(), Problems: r.problems.Load(), Success: r.success.Load()}.With(rep, whole, time.Now()), nil
		},
		log: slog.New(slog.DiscardHandler), jobs: make(chan *verifyJob, 1)}
	ctx, stop := context.WithCancel(t.Context())
	r.stop = stop
	go func() {
		defer close(r.over)
		r.run(ctx)
	}()
	t.Cleanup(func() {
		stop()
		<-r.over
	})
	return r
}

// ends ends the run and waits until that is known.
func (r *verifyRig) ends(err error) queryapi.VerifyState {
	r.mu.Lock()
	j := r.last
	r.mu.Unlock()
	r.result <- err
	<-j.over
	return r.State()
}

func (r *verifyRig) start(site string, days int) {
	r.t.Helper()
	if err := r.Start(site, days); err != nil {
		r.t.Fatal(err)
	}
	if got := <-r.begun; got != (verify.Scope{Site: site, Days: days}) {
		r.t.Fatalf("begun: %+v", got)
	}
}

func (r *verifyRig) wantMetrics(differences, problems int64, success bool) {
	r.t.Helper()
	if d, p, s := r.differences.Load(), r.problems.Load(), r.success.Load() > 0; d != differences || p != problems || s != success {
		r.t.Errorf("metrics are %d differences, %d problems, success %v; want %d, %d, %v", d, p, s, differences, problems, success)
	}
}

func TestVerifyJob(t *testing.T) {
	r := newVerifyRig(t)
	if st := r.State(); st != (queryapi.VerifyState{}) {
		t.Errorf("before the first one: %+v", st)
	}
	r.start("a.example", 7)
	st := r.State()
	if st.Started.IsZero() {
		t.Error("it has no start")
	}
	want := queryapi.VerifyState{Running: true, Site: "a.example", Started: st.Started, Sites: 2, SitesDone: 1, Now: "segment x", Lines: 5}
	if st != want {
		t.Errorf("while it runs: %+v, want %+v", st, want)
	}
	if err := r.Start("", 0); !errors.Is(err, queryapi.ErrVerifying) {
		t.Errorf("a second one: %v", err)
	}
	r.report = &verify.Report{Differences: 3, Sites: []*verify.SiteReport{{Site: "a.example", Differences: 3}}}
	st = r.ends(nil)
	if st.Running || st.Report != r.report || st.Failed != "" || st.Ended.Before(st.Started) {
		t.Errorf("when it has ended: %+v", st)
	}
	r.wantMetrics(3, 0, false)

	r.report = &verify.Report{}
	r.start("b.example", 0)
	r.ends(nil)
	r.wantMetrics(3, 0, false) // another site says nothing of the first
	r.start("", 0)
	r.ends(nil)
	r.wantMetrics(0, 0, true)
	r.start("", 0)
	if st = r.ends(errors.New("no disk")); st.Failed != "no disk" || st.Report != nil || st.Running {
		t.Errorf("a run that failed: %+v", st)
	}
	r.wantMetrics(0, 0, true)
}

// TestVerifyTurns has the scheduled verification wait for the one that runs, and
// neither begin after the stop.
func TestVerifyTurns(t *testing.T) {
	r := newVerifyRig(t)
	r.start("a.example", 0)
	weekly := make(chan struct{})
	go func() {
		defer close(weekly)
		r.verify(t.Context())
	}()
	r.result <- nil
	if got := <-r.begun; got != (verify.Scope{}) {
		t.Errorf("the scheduled one is of %+v", got)
	}
	if err := r.Start("", 0); !errors.Is(err, queryapi.ErrVerifying) {
		t.Errorf("beside the scheduled one: %v", err)
	}
	r.result <- nil
	<-weekly
	r.wantMetrics(0, 0, true)

	r.start("a.example", 0)
	r.stop()
	<-r.over
	if st := r.State(); st.Running || st.Failed != queryapi.ErrEnding.Error() || st.Ended.IsZero() {
		t.Errorf("after the stop: %+v", st)
	}
	if err := r.Start("", 0); !errors.Is(err, queryapi.ErrEnding) {
		t.Errorf("after the stop: %v", err)
	}
	r.verify(t.Context()) // returns at once
}
