package daemon

import (
	"context"
	"errors"
	"log/slog"
	"testing"

	"ddkk-stats/counter"
	"ddkk-stats/internal/jobs/jobstest"
	"ddkk-stats/internal/vault"
	"ddkk-stats/queryapi"
)

// TestRestores: a restore of the archive into Redis, through the owner of the
// API's restores.
func TestRestores(t *testing.T) {
	r := jobstest.NewArchived(t, "2026-01-02", "2026-11-21")
	jobs := newRestores(r.Vault)
	if _, err := jobs.Restore(t.Context(), "b.example"); !errors.Is(err, queryapi.ErrUnknownSite) {
		t.Errorf("unknown site: error %v", err)
	}
	stop := startRestores(t, jobs)
	done, err := jobs.Restore(t.Context(), "a.example")
	if err != nil {
		t.Fatal(err)
	}
	if done.SitePV != 6 || done.SiteUV != 6 || done.Pages != 2 || done.Days != 2 || done.Segments != 1 || done.Took <= 0 {
		t.Errorf("restored %+v", done)
	}
	if got, err := r.Redis.Get(r.Keys.SitePV("a.example")); got != "6" || err != nil {
		t.Errorf("site PV %q, %v", got, err)
	}
	if st := jobs.State(); st.Running || st.Failed || st.Site != "a.example" || st.Done != done || st.Rows == 0 || st.Ended.Before(st.Started) {
		t.Errorf("state %+v", st)
	}
	stop()
	if _, err := jobs.Restore(t.Context(), "a.example"); !errors.Is(err, queryapi.ErrEnding) {
		t.Errorf("after the end: error %v", err)
	}
}

// startRestores runs the owner until the function that it returns is called,
// which waits for its end.
func startRestores(t *testing.T, r *restores) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	go r.run(ctx)
	stop = func() { cancel(); <-r.ended }
	t.Cleanup(stop)
	return stop
}

func TestRestoresOneAtATime(t *testing.T) {
	begun, release := make(chan func(int64)), make(chan error)
	jobs := &restores{
		log: slog.New(slog.DiscardHandler), jobs: make(chan *restoreJob), ended: make(chan struct{}),
		known: func(context.Context) ([]string, error) { return []string{"a.example"}, nil },
		rebuild: func(ctx context.Context, _ string, progress func(int64)) (counter.Restored, error) {
			begun <- progress
			select {
			case err := <-release:
				return counter.Restored{Pages: 1}, err
			case <-ctx.Done():
				return counter.Restored{}, ctx.Err()
			}
		},
	}
	stop := startRestores(t, jobs)
	if st := jobs.State(); st != (queryapi.RestoreState{}) {
		t.Errorf("before: %+v", st)
	}
	ask := func(ctx context.Context) <-chan error {
		answer := make(chan error, 1)
		go func() {
			_, err := jobs.Restore(ctx, "a.example")
			answer <- err
		}()
		return answer
	}
	client, goAway := context.WithCancel(t.Context())
	first := ask(client)
	(<-begun)(42)
	if st := jobs.State(); !st.Running || st.Rows != 42 || !st.Ended.IsZero() {
		t.Errorf("meanwhile: %+v", st)
	}
	if err := <-ask(t.Context()); !errors.Is(err, queryapi.ErrRestoring) {
		t.Errorf("a second one: error %v", err)
	}
	goAway()
	if err := <-first; !errors.Is(err, context.Canceled) {
		t.Errorf("who went away: error %v", err)
	}
	if !jobs.State().Running {
		t.Error("the restore ended with its client")
	}
	jobs.mu.Lock()
	over := jobs.last.over
	jobs.mu.Unlock()
	release <- errors.New("disk")
	<-over
	if st := jobs.State(); st.Running || !st.Failed {
		t.Errorf("after a failure: %+v", st)
	}

	second := ask(t.Context())
	<-begun
	release <- nil
	if err := <-second; err != nil {
		t.Errorf("the next one: %v", err)
	}
	third := ask(t.Context())
	<-begun
	stop()
	if err := <-third; !errors.Is(err, queryapi.ErrEnding) {
		t.Errorf("at the end: error %v", err)
	}
	jobs.known = func(context.Context) ([]string, error) { return nil, vault.ErrArchiveClosed }
	if err := <-ask(t.Context()); !errors.Is(err, queryapi.ErrArchiveAway) {
		t.Errorf("without an archive: error %v", err)
	}
}
