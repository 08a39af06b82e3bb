package daemon

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"ddkk-stats/counter"
	"ddkk-stats/internal/config"
	"ddkk-stats/internal/options"
)

// reloader puts changed settings into force while the daemon runs: on SIGHUP,
// and when the configuration file has changed. It owns no goroutine: run is
// called by one.
type reloader struct {
	s     *server
	load  func() (*config.Config, error)
	level *slog.LevelVar
	jobs  *timetable // set before run
	watch *config.FileWatch
	geoip *config.FileWatch                 // the database that is in force, or would be
	tick  func() (<-chan time.Time, func()) // looks at the files

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

func newReloader(s *server, load func() (*config.Config, error), level *slog.LevelVar) *reloader {
	return &reloader{
		s: s, load: load, level: level, watch: config.NewFileWatch(cmp.Or(s.cfg().File, config.DefaultConfigFile), os.Stat),
		geoip: config.NewFileWatch(s.cfg().GeoIPPath, os.Stat),
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
			r.watch.Seen()
			r.reload("SIGHUP")
		case <-tick:
			switch {
			case r.watch.Changed():
				r.reload("the file changed")
			case r.geoip.Changed():
				r.reload("GEOIP_DB is another file")
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
		r.s.log.Error("cannot reload settings; the previous ones stay in force", "because", why, "err", err)
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
	changed, restart := config.Names(old.Diff(read))
	if len(restart) > 0 {
		r.s.log.Warn("changed settings need a restart; until then the old values stay in force", "settings", strings.Join(restart, " "))
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

// apply puts a configuration into force. What can fail comes first.
func (r *reloader) apply(old, cfg *config.Config) error {
	s := r.s
	if err := onlyLaterViews(old, cfg, time.Now()); err != nil {
		return err
	}
	in := s.counting.in.Load()
	var rules counter.Rules
	if in != nil {
		var err error
		if rules, err = s.changedRules(old, cfg); err != nil {
			return err
		}
	}
	if err := s.http.SetAccess(options.Access(cfg)); err != nil {
		return err
	}
	if old.GeoIPPath != cfg.GeoIPPath {
		r.geoip = config.NewFileWatch(cfg.GeoIPPath, os.Stat)
	}
	s.live.Now.Store(cfg)
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
func (s *server) changedRules(old, cfg *config.Config) (r counter.Rules, err error) {
	if old.BatchSize != cfg.BatchSize {
		r.BatchSize = cfg.BatchSize
	}
	r.BatchInterval = cfg.BatchInterval
	if !options.SameLimits(old, cfg) {
		l := options.Limits(cfg)
		r.Limits = &l
	}
	if !options.SameRules(old, cfg) {
		r.Parsers, err = s.parsers(cfg)
	}
	return r, err
}

// beginCounting makes the ingester known. Settings that were reloaded since it
// was made reach it now, and later ones by reload.
func (s *server) beginCounting(in *counter.Ingester, made *config.Config) error {
	if s.reloader != nil {
		s.reloader.applying.Lock()
		defer s.reloader.applying.Unlock()
	}
	if now := s.cfg(); now != made {
		rules, err := s.changedRules(made, now)
		if err != nil {
			return err
		}
		rules.Applied = func() { s.rules.inForce.Store(now.Rules.Version) }
		if err := in.Apply(rules); err != nil {
			return fmt.Errorf("count by reloaded settings: %w", err)
		}
	} else {
		s.rules.inForce.Store(now.Rules.Version)
	}
	s.counting.begin(in)
	return nil
}
