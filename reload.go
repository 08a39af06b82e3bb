package main

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"os"
	"reflect"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"ddkk-stats/archive"
	"ddkk-stats/counter"
	"ddkk-stats/queryapi"
)

// reloader puts changed settings into force while the daemon runs: on SIGHUP,
// and when the configuration file has changed. It owns no goroutine: run is
// called by one.
type reloader struct {
	s     *server
	load  func() (*Config, error)
	level *slog.LevelVar
	jobs  *timetable // set before run
	watch *fileWatch
	tick  func() (<-chan time.Time, func()) // looks at the file

	// applying is held while settings change, and by the beginning of counting,
	// which must not miss a change.
	applying sync.Mutex

	failed atomic.Bool  // the last reload did
	done   atomic.Int64 // when the last one went well, Unix seconds; 0: not since the start
}

// lookEvery is how often the configuration file is looked at: one stat(2). The
// kernel's change notices are not used: they are bound to a file or folder that
// editors, container runtimes and symlinked deployments replace.
const lookEvery = time.Second

func newReloader(s *server, load func() (*Config, error), level *slog.LevelVar) *reloader {
	return &reloader{
		s: s, load: load, level: level, watch: newFileWatch(cmp.Or(s.cfg().File, DefaultConfigFile), os.Stat),
		tick: func() (<-chan time.Time, func()) {
			t := time.NewTicker(lookEvery)
			return t.C, t.Stop
		},
	}
}

// run reloads when it is told to until ctx ends.
func (r *reloader) run(ctx context.Context, hup <-chan os.Signal) {
	tick, stop := r.tick()
	defer stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-hup:
			r.watch.seen()
			r.reload("SIGHUP")
		case <-tick:
			if r.watch.changed() {
				r.reload("the file changed")
			}
		}
	}
}

// reload reads the settings again. Whatever is wrong with them, the old ones
// stay in force, all of them.
func (r *reloader) reload(why string) {
	r.s.notify.reloading()
	defer r.s.notify.ready()
	if err := r.tryReload(why); err != nil {
		r.failed.Store(true)
		r.s.log.Error("settings are not reloaded; those before stay in force", "because", why, "err", err)
		return
	}
	r.failed.Store(false)
	r.done.Store(time.Now().Unix())
}

func (r *reloader) tryReload(why string) error {
	read, err := r.load()
	if err != nil {
		return err
	}
	r.applying.Lock()
	defer r.applying.Unlock()
	old := r.s.cfg()
	if old.File != "" && read.File == "" {
		return fmt.Errorf("%s is gone", old.File)
	}
	merged, err := old.Reloaded(read)
	if err != nil {
		return err
	}
	changed, restart := names(old.Diff(read))
	if len(restart) > 0 {
		r.s.log.Warn("these settings changed and need a restart; until then they stay as they were", "settings", strings.Join(restart, " "))
	}
	if len(changed) == 0 {
		r.s.log.Info("settings reloaded: nothing to change", "because", why)
		return nil
	}
	if err := r.apply(old, merged); err != nil {
		return err
	}
	r.s.log.Info("settings reloaded", "because", why, "settings", strings.Join(changed, " "))
	for _, w := range merged.Warnings() {
		r.s.log.Warn(w)
	}
	return nil
}

// names parts the names of changes by whether they take effect now.
func names(changes []Change) (now, restart []string) {
	for _, c := range changes {
		if c.Reloadable {
			now = append(now, c.Name)
		} else {
			restart = append(restart, c.Name)
		}
	}
	return now, restart
}

// apply puts a configuration into force. What can fail comes first.
func (r *reloader) apply(old, cfg *Config) error {
	s := r.s
	in := s.counting.in.Load()
	var rules counter.Rules
	if in != nil {
		var err error
		if rules, err = s.changedRules(old, cfg); err != nil {
			return err
		}
	}
	if err := s.http.SetAccess(cfg.access()); err != nil {
		return err
	}
	s.live.now.Store(cfg)
	r.level.Set(cfg.LogLevel)
	if r.jobs != nil {
		r.jobs.apply(cfg)
	}
	if in == nil {
		return nil // it begins by the new rules: see beginCounting
	}
	return in.Apply(rules)
}

// changedRules are what counting has to do otherwise from now on.
func (s *server) changedRules(old, cfg *Config) (r counter.Rules, err error) {
	if old.BatchSize != cfg.BatchSize {
		r.BatchSize = cfg.BatchSize
	}
	r.BatchInterval = cfg.BatchInterval
	if !old.sameLimits(cfg) {
		l := cfg.limits()
		r.Limits = &l
	}
	if !sameRules(old, cfg) {
		r.Parsers, err = s.parsers(cfg)
	}
	return r, err
}

// sameRules tells whether two configurations make the same of a line.
func sameRules(a, b *Config) bool {
	for _, in := range a.logs() {
		if !reflect.DeepEqual(a.parserOf(in, nil), b.parserOf(in, nil)) {
			return false
		}
	}
	return true
}

// limits are the rules that the parser cannot apply alone.
func (c *Config) limits() counter.Limits {
	return counter.Limits{
		MaxPages: c.MaxPagesPerSite, MaxSites: c.MaxSites, MaxEndpoints: c.APIMaxEndpoints, MaxUsers: c.APIMaxUsers,
		DedupeWindow: c.Dedupe.For,
	}
}

func (c *Config) sameLimits(other *Config) bool {
	return c.MaxPagesPerSite == other.MaxPagesPerSite && c.MaxSites == other.MaxSites &&
		c.APIMaxEndpoints == other.APIMaxEndpoints && c.APIMaxUsers == other.APIMaxUsers && reflect.DeepEqual(c.Dedupe, other.Dedupe)
}

// archiveRules are the same for what is archived.
func (c *Config) archiveRules() archive.Rules {
	return archive.Rules{MaxPages: c.MaxPagesPerSite, MaxEndpoints: c.APIMaxEndpoints, MaxUsers: c.APIMaxUsers, DedupeWindow: c.Dedupe.For}
}

// beginCounting makes the ingester known. Settings that were reloaded since it
// was made reach it now, and later ones by reload.
func (s *server) beginCounting(in *counter.Ingester, made *Config) error {
	if s.reload != nil {
		s.reload.applying.Lock()
		defer s.reload.applying.Unlock()
	}
	if now := s.cfg(); now != made {
		rules, err := s.changedRules(made, now)
		if err != nil {
			return err
		}
		if err := in.Apply(rules); err != nil {
			return fmt.Errorf("count by reloaded settings: %w", err)
		}
	}
	s.counting.begin(in)
	return nil
}

// access is who may ask the API.
func (c *Config) access() queryapi.Access {
	return queryapi.Access{
		CORSOrigins: c.CORSOrigins, AdminToken: string(c.AdminToken), TrustedProxies: c.TrustedProxies,
		APILimit:       queryapi.Limit{Rate: float64(c.APIRate), Burst: c.APIBurst},
		BeaconLimit:    queryapi.Limit{Rate: float64(c.BeaconRate), Burst: c.BeaconBurst},
		ConnsPerClient: c.ClientConnections,
	}
}
