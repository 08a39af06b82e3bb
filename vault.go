package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"ddkk-stats/archive"
	"ddkk-stats/counter"
	vaults "ddkk-stats/internal/vault"
)

// vault is the archive as counting, restoring and the schedule see it. It opens
// when MySQL answers for the first time, and what counting has to know of it
// is kept in memory: MySQL may be down for a day and nothing waits for it.
type vault struct {
	live *liveConfig
	rdb  redis.UniversalClient
	keys counter.Keys
	log  *slog.Logger

	opening sync.Mutex // held while the archive is being opened, which may take long

	mu       sync.Mutex
	archive  *archive.Archive // nil until it could be opened
	sites    map[string]bool
	segments map[string]bool
	clock    string                 // what the last cycle found wrong with the clock
	jobs     map[string]archive.Job // of this host; nil: not known yet

	verified func(verifyNote) // is told what is remembered of the last verification; may be nil
}

func newVault(live *liveConfig, rdb redis.UniversalClient, keys counter.Keys, log *slog.Logger) *vault {
	return &vault{live: live, rdb: rdb, keys: keys, log: log}
}

// cfg is the configuration in force.
func (v *vault) cfg() *Config { return v.live.get() }

// open opens MySQL, or SQLite in DATA_DIR, if that was not done yet.
func (v *vault) open(ctx context.Context) (*archive.Archive, error) {
	v.opening.Lock()
	defer v.opening.Unlock()
	if a, err := v.opened(); err == nil && !a.Replaced() {
		a.Judge(v.cfg().archiveRules()) // they may have changed since
		return a, nil
	} else if err == nil {
		if err := v.giveUp(a); err != nil {
			return nil, err
		}
	}
	mode, err := archive.ParseIPMode(v.cfg().IPMode)
	if err != nil {
		return nil, err
	}
	a, err := archive.Open(ctx, string(v.cfg().MySQLDSN), filepath.Join(v.cfg().DataDir, "archive.db"), archive.Options{
		Location: v.cfg().Timezone, Logger: v.log, RawRetentionDays: v.cfg().RawRetentionDays, IPMode: mode,
		Connections: v.cfg().MySQLConnections, Patience: v.cfg().MySQLTimeout,
		MaxEndpoints: v.cfg().APIMaxEndpoints, MaxUsers: v.cfg().APIMaxUsers,
		Clocks: v.clocks(), MaxPages: v.cfg().MaxPagesPerSite, IDWindow: counter.DefaultIDWindow, DedupeWindow: v.cfg().Dedupe.For,
	})
	if err != nil {
		return nil, err
	}
	a.Every(v.cfg().ArchiveCron.days(time.Now()))
	v.mu.Lock()
	defer v.mu.Unlock()
	v.archive = a
	return a, nil
}

// giveUp closes an archive whose file is not in its place any more. Nothing is
// made anew where there is none: it may come back.
func (v *vault) giveUp(a *archive.Archive) error {
	path := filepath.Join(v.cfg().DataDir, "archive.db")
	if _, err := os.Stat(path); err != nil {
		return fmt.Errorf("open archive: it was removed while it was open: %w; put it back, or restart the daemon to begin a new one", err)
	}
	v.log.Error("archive.db was replaced while it was open; what was archived since went into the old one. The new one is used from now on, and what it lacks is archived again", "file", path)
	v.mu.Lock()
	v.archive = nil
	v.mu.Unlock()
	// Before the new one is opened: the old one's write-ahead log has the same name.
	if err := a.Abandon(); err != nil {
		v.log.Warn("cannot close the old archive", "err", err)
	}
	return nil
}

// clocks are those that the archive compares its own with.
func (v *vault) clocks() []archive.Clock {
	if v.rdb == nil || len(v.cfg().RedisAddrs) == 0 { // the embedded store has this host's
		return nil
	}
	return []archive.Clock{{Name: "Redis", Now: func(ctx context.Context) (time.Time, error) {
		ctx, cancel := context.WithTimeout(ctx, clockTimeout)
		defer cancel()
		return v.rdb.Time(ctx).Result()
	}}}
}

// clockTimeout bounds the question to Redis.
const clockTimeout = 5 * time.Second

// visitorSecret is the secret as Redis, where there is one, and the archive
// keep it.
func (v *vault) visitorSecret(ctx context.Context) ([]byte, error) {
	var keepers []secretKeeper
	if v.rdb != nil {
		keepers = append(keepers, secretKeeper{whereRedis, func(ctx context.Context, mine string) (string, error) {
			return counter.ShareSecret(ctx, v.rdb, v.keys, mine)
		}})
	}
	keepers = append(keepers, secretKeeper{whereArchive, func(ctx context.Context, mine string) (string, error) {
		a, err := v.open(ctx)
		if err != nil {
			return "", err
		}
		return a.ShareSecret(ctx, mine)
	}})
	return visitorSecret(ctx, v.cfg(), v.log, keepers...)
}

// close closes what was opened.
func (v *vault) close() error {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.archive == nil {
		return nil
	}
	return v.archive.Close()
}

// learn reads which sites and segments the archive has.
func (v *vault) learn(ctx context.Context) error {
	a, err := v.open(ctx)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, learnLimit)
	defer cancel()
	r := a.Read()
	names, err := r.Sites(ctx)
	if err != nil {
		return fmt.Errorf("read archived sites: %w", err)
	}
	based, err := a.BaselineSites(ctx)
	if err != nil {
		return err
	}
	all, err := r.ArchivedSegments(ctx)
	if err != nil {
		return fmt.Errorf("read archived segments: %w", err)
	}
	clock, err := a.ClockTrouble(ctx)
	if err != nil {
		return err
	}
	sites, segments := map[string]bool{}, map[string]bool{}
	for _, n := range slices.Concat(names, based) {
		sites[n] = true
	}
	for id := range all {
		segments[id] = true
	}
	v.mu.Lock()
	v.sites, v.segments, v.clock = sites, segments, clock
	v.mu.Unlock()
	return v.learnJobs(ctx, a)
}

// learnEvery is how often the archive is asked what it has: another host may
// have archived something.
const learnEvery = time.Minute

// learnLimit bounds one such look.
const learnLimit = 30 * time.Second

// keepLearning learns until ctx ends.
func (v *vault) keepLearning(ctx context.Context) {
	t := time.NewTicker(learnEvery)
	defer t.Stop()
	for failed := false; ; {
		err := v.learn(ctx)
		if err != nil && !failed && ctx.Err() == nil {
			v.log.Error("the archive does not answer; counting goes on, archiving and restoring wait. "+v.hint(), "err", err)
		}
		failed = err != nil
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
	}
}

// hint is what to look at when the archive does not answer.
func (v *vault) hint() string {
	if v.cfg().MySQLDSN != "" {
		return "Is MYSQL_DSN right?"
	}
	return "Is DATA_DIR there, and does all in it belong to this user? `ddkk-stats check` tells"
}

// Sites implements counter.Archive.
func (v *vault) Sites() []string {
	v.mu.Lock()
	defer v.mu.Unlock()
	return slices.Collect(maps.Keys(v.sites))
}

// Knows implements counter.Archive.
func (v *vault) Knows(site string) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.sites[site]
}

// clockTrouble is what the last archive cycle of any host found wrong with the
// clock, as it was learnt last; empty: nothing.
func (v *vault) clockTrouble() string {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.clock
}

// Covers implements counter.Archive.
func (v *vault) Covers(segment string) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.segments[segment]
}

// Lacking implements counter.Archive.
func (v *vault) Lacking(ctx context.Context, stands []counter.Stand, here map[string]bool) ([]string, error) {
	ctx, cancel := context.WithTimeout(ctx, lackingLimit)
	defer cancel()
	a, err := v.open(ctx)
	if err != nil {
		return nil, err
	}
	all := make([]archive.Stand, len(stands))
	for i, s := range stands {
		all[i] = archive.Stand(s)
	}
	return a.Read().Lacking(ctx, all, here)
}

// lackingLimit bounds one look at where all sites end in all segments.
const lackingLimit = 5 * time.Minute

// Reachable implements counter.Archive.
func (v *vault) Reachable(ctx context.Context) error { return v.learn(ctx) }

// Restore implements counter.Archive.
func (v *vault) Restore(ctx context.Context, site string) (map[string]int64, error) {
	last := time.Now()
	segments, _, err := v.restore(ctx, site, func(rows int64) {
		if now := time.Now(); now.Sub(last) >= 5*time.Second {
			last = now
			v.log.Info("restoring", "site", site, "rows", rows)
		}
	})
	return segments, err
}

// restore writes a site back while its epoch fences off every other writer.
func (v *vault) restore(ctx context.Context, site string, progress func(rows int64)) (segments map[string]int64, done counter.Restored, err error) {
	a, err := v.open(ctx)
	if err != nil {
		return nil, done, err
	}
	s, err := a.Snapshot(ctx, site)
	if err != nil {
		return nil, done, err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	r := counter.Restorer{
		Redis: v.rdb, Keys: v.keys, Location: v.cfg().Timezone, Now: time.Now, UVSetTTL: v.cfg().UVSetTTL,
		Widths: func(site string) map[string]time.Duration {
			return map[string]time.Duration{counter.RuleID: counter.DefaultIDWindow, counter.RuleWindow: v.cfg().Dedupe.For(site)}
		},
		Progress: progress,
	}
	if segments, done, err = r.Restore(ctx, vaults.History{Snapshot: s}, site); err != nil {
		return nil, done, err
	}
	return segments, done, v.restoreBase(ctx, site)
}

// rebuild makes a site anew: what is archived is written back, and the daemons
// count the rest of the log.
func (v *vault) rebuild(ctx context.Context, site string, progress func(rows int64)) (done counter.Restored, err error) {
	r := counter.Rebuilder{Redis: v.rdb, Keys: v.keys, Logger: v.log, Ready: v.Reachable,
		Restore: func(ctx context.Context, site string) (segments map[string]int64, err error) {
			segments, done, err = v.restore(ctx, site, progress)
			return segments, err
		}}
	_, err = r.Rebuild(ctx, []string{site})
	return done, err
}
