package daemon

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"ddkk-stats/counter"
	"ddkk-stats/internal/vault"
	"ddkk-stats/queryapi"
)

// restores runs the restores that the API asks for, one at a time. Who asked
// may go away; run ends what it has begun.
type restores struct {
	// known lists the sites that the archive has.
	known   func(ctx context.Context) ([]string, error)
	rebuild func(ctx context.Context, site string, progress func(rows int64)) (counter.Restored, error)
	log     *slog.Logger

	failures atomic.Int64

	jobs  chan *restoreJob
	ended chan struct{} // closed when run has returned

	mu      sync.Mutex
	last    *restoreJob // the one that runs, else the last one; nil: none yet
	running bool
}

// restoreJob is one restore.
type restoreJob struct {
	site    string
	started time.Time
	rows    atomic.Int64
	over    chan struct{} // closed when the rest is set
	ended   time.Time
	done    counter.Restored
	err     error
}

func newRestores(v *vault.Vault) *restores {
	return &restores{
		known: v.ArchivedSites, rebuild: v.Rebuild, log: v.Log,
		jobs: make(chan *restoreJob), ended: make(chan struct{}),
	}
}

// run does the restores until ctx ends. One that is under way then is broken
// off: its site stays fenced off and is rebuilt at the next start.
func (r *restores) run(ctx context.Context) {
	defer close(r.ended)
	for {
		select {
		case <-ctx.Done():
			return
		case j := <-r.jobs:
			r.do(ctx, j)
		}
	}
}

func (r *restores) do(ctx context.Context, j *restoreJob) {
	r.log.Info("restoring, as the API was asked to", "site", j.site)
	j.done, j.err = r.rebuild(ctx, j.site, j.rows.Store)
	j.ended = time.Now()
	if j.err != nil && ctx.Err() != nil {
		j.err = fmt.Errorf("%w: %w", queryapi.ErrEnding, j.err)
	}
	if j.err != nil && ctx.Err() == nil {
		r.failures.Add(1)
	}
	if j.err == nil {
		r.log.Info("restored", "site", j.site, "pages", j.done.Pages, "days", j.done.Days, "segments", j.done.Segments, "took", j.ended.Sub(j.started))
	}
	r.mu.Lock()
	r.running = false
	r.mu.Unlock()
	close(j.over)
}

// askTimeout bounds the question whether the archive knows a site.
const askTimeout = 10 * time.Second

// Restore implements queryapi.Restorer.
func (r *restores) Restore(ctx context.Context, site string) (counter.Restored, error) {
	var none counter.Restored
	asking, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	sites, err := r.known(asking)
	if err != nil {
		return none, fmt.Errorf("%w: %w", queryapi.ErrArchiveAway, err)
	}
	if !slices.Contains(sites, site) {
		return none, queryapi.ErrUnknownSite
	}
	j, err := r.claim(site)
	if err != nil {
		return none, err
	}
	select {
	case r.jobs <- j:
	case <-r.ended:
		r.give(j)
		return none, queryapi.ErrEnding
	}
	select {
	case <-j.over:
		if j.err != nil {
			return none, fmt.Errorf("restore %s: %w", site, j.err)
		}
		return j.done, nil
	case <-ctx.Done():
		return none, ctx.Err()
	}
}

// claim makes a job if none runs.
func (r *restores) claim(site string) (*restoreJob, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.running {
		return nil, queryapi.ErrRestoring
	}
	r.running = true
	r.last = &restoreJob{site: site, started: time.Now(), over: make(chan struct{})}
	return r.last, nil
}

// give takes back a claim that nobody will see to.
func (r *restores) give(j *restoreJob) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.running, j.ended, j.err = false, time.Now(), queryapi.ErrEnding
}

// State implements queryapi.Restorer.
func (r *restores) State() queryapi.RestoreState {
	r.mu.Lock()
	defer r.mu.Unlock()
	j := r.last
	if j == nil {
		return queryapi.RestoreState{}
	}
	st := queryapi.RestoreState{Running: r.running, Site: j.site, Rows: j.rows.Load(), Started: j.started}
	if !r.running { // the rest was set before running was
		st.Ended, st.Done, st.Failed = j.ended, j.done, j.err != nil
	}
	return st
}
