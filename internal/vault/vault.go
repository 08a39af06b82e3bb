package vault

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"ddkk-stats/archive"
	"ddkk-stats/counter"
	"ddkk-stats/internal/config"
	"ddkk-stats/internal/options"
	"ddkk-stats/parser"
)

var ErrArchiveClosed = errors.New("it could not be opened yet")

// Opened is the archive if it is open: requests do not wait for MySQL to come
// back, which keepLearning sees to.
func (v *Vault) Opened() (*archive.Archive, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.archive == nil {
		return nil, ErrArchiveClosed
	}
	return v.archive, nil
}

// ArchivedSites asks the archive for its sites now: what keepLearning knows
// may be a minute old.
func (v *Vault) ArchivedSites(ctx context.Context) ([]string, error) {
	a, err := v.Opened()
	if err != nil {
		return nil, err
	}
	return a.Read().Sites(ctx)
}

// Vault is the archive as counting, restoring and the schedule see it. It opens
// when MySQL answers for the first time, and what counting has to know of it
// is kept in memory: MySQL may be down for a day and nothing waits for it.
type Vault struct {
	live *config.Live
	Rdb  redis.UniversalClient
	Keys counter.Keys
	Log  *slog.Logger

	opening sync.Mutex // held while the archive is being opened, which may take long
	ruling  sync.Mutex // held while rules are learnt

	Known

	mu      sync.Mutex
	archive *archive.Archive       // nil until it could be opened
	clock   string                 // what the last cycle found wrong with the clock
	away    bool                   // the archive could not be asked the last time
	jobs    map[string]archive.Job // of this host; nil: not known yet

	// Ruled puts a configuration with other rules into force, when they were learnt, and tells
	// when that is done; nil: it is stored, and that is all.
	Ruled      func(ctx context.Context, r parser.Rules) error
	Verified   func(VerifyNote)        // is told what is remembered of the last verification; may be nil
	Statements func(archive.Statement) // is told of each statement; set before Open; may be nil
}

func New(live *config.Live, rdb redis.UniversalClient, keys counter.Keys, log *slog.Logger) *Vault {
	return &Vault{live: live, Rdb: rdb, Keys: keys, Log: log}
}

// Cfg is the configuration in force.
func (v *Vault) Cfg() *config.Config { return v.live.Get() }

// Open opens MySQL, or SQLite in DATA_DIR, if that was not done yet.
func (v *Vault) Open(ctx context.Context) (*archive.Archive, error) {
	v.opening.Lock()
	defer v.opening.Unlock()
	if a, err := v.Opened(); err == nil && !a.Replaced() {
		a.Judge(options.ArchiveRules(v.Cfg())) // they may have changed since
		return a, nil
	} else if err == nil {
		if err := v.giveUp(a); err != nil {
			return nil, err
		}
	}
	mode, err := archive.ParseIPMode(v.Cfg().IPMode)
	if err != nil {
		return nil, err
	}
	a, err := archive.Open(ctx, string(v.Cfg().MySQLDSN), filepath.Join(v.Cfg().DataDir, "archive.db"), archive.Options{
		Location: v.Cfg().Timezone, Logger: v.Log, RawRetentionDays: v.Cfg().RawRetentionDays, Uniques: v.Cfg().Uniques, IPMode: mode,
		TLS: v.Cfg().MySQLTLS, Connections: v.Cfg().MySQLConnections, Patience: v.Cfg().MySQLTimeout,
		MaxEndpoints: v.Cfg().APIMaxEndpoints, MaxUsers: v.Cfg().APIMaxUsers, Statements: v.Statements,
		Clocks: v.clocks(), MaxPages: v.Cfg().MaxPagesPerSite, MaxPagesEver: v.Cfg().MaxPagesEver, IDWindow: counter.DefaultIDWindow, DedupeWindow: v.Cfg().Dedupe.For,
	})
	if err != nil {
		return nil, err
	}
	a.Every(v.Cfg().ArchiveCron.Days(time.Now()))
	v.mu.Lock()
	defer v.mu.Unlock()
	v.archive = a
	return a, nil
}

// giveUp closes an archive whose file is not in its place any more. Nothing is
// made anew where there is none: it may come back.
func (v *Vault) giveUp(a *archive.Archive) error {
	path := filepath.Join(v.Cfg().DataDir, "archive.db")
	if _, err := os.Stat(path); err != nil {
		return fmt.Errorf("open archive: it was removed while it was open: %w; put it back, or restart the daemon to begin a new one", err)
	}
	v.Log.Error("archive.db was replaced while it was open; what was archived since went into the old one. The new one is used from now on, and what it lacks is archived again", "file", path)
	v.mu.Lock()
	v.archive = nil
	v.mu.Unlock()
	// Before the new one is opened: the old one's write-ahead log has the same name.
	if err := a.Abandon(); err != nil {
		v.Log.Warn("cannot close the old archive", "err", err)
	}
	return nil
}

// clocks are those that the archive compares its own with.
func (v *Vault) clocks() []archive.Clock {
	if v.Rdb == nil || len(v.Cfg().Redis.Addrs) == 0 { // the embedded store has this host's
		return nil
	}
	return []archive.Clock{{Name: "Redis", Now: func(ctx context.Context) (time.Time, error) {
		ctx, cancel := context.WithTimeout(ctx, clockTimeout)
		defer cancel()
		return v.Rdb.Time(ctx).Result()
	}}}
}

// clockTimeout bounds the question to Redis.
const clockTimeout = 5 * time.Second

// VisitorSecret is the secret as Redis, where there is one, and the archive
// keep it.
func (v *Vault) VisitorSecret(ctx context.Context) ([]byte, error) {
	var keepers []secretKeeper
	if v.Rdb != nil {
		keepers = append(keepers, secretKeeper{WhereRedis, func(ctx context.Context, mine string) (string, error) {
			return counter.ShareSecret(ctx, v.Rdb, v.Keys, mine)
		}})
	}
	keepers = append(keepers, secretKeeper{WhereArchive, func(ctx context.Context, mine string) (string, error) {
		a, err := v.Open(ctx)
		if err != nil {
			return "", err
		}
		return a.ShareSecret(ctx, mine)
	}})
	return visitorSecret(ctx, v.Cfg(), v.Log, keepers...)
}

// Close closes what was opened.
func (v *Vault) Close() error {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.archive == nil {
		return nil
	}
	return v.archive.Close()
}

// Learn reads which sites and segments the archive has.
func (v *Vault) Learn(ctx context.Context) error {
	err := v.learn(ctx)
	if err == nil || ctx.Err() == nil {
		v.mu.Lock()
		v.away = err != nil
		v.mu.Unlock()
	}
	return err
}

// Away tells that the archive did not answer when it was asked last.
func (v *Vault) Away() bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.away
}

func (v *Vault) learn(ctx context.Context) error {
	a, err := v.Open(ctx)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, learnLimit)
	defer cancel()
	if err := v.Look(ctx, a); err != nil {
		return err
	}
	if err := v.learnRules(ctx, a); err != nil {
		return err
	}
	clock, err := a.ClockTrouble(ctx)
	if err != nil {
		return err
	}
	v.mu.Lock()
	v.clock = clock
	v.mu.Unlock()
	return v.learnJobs(ctx, a)
}

// learnEvery is how often the archive is asked what it has: another host may
// have archived something.
const learnEvery = time.Minute

// learnLimit bounds one such look.
const learnLimit = 30 * time.Second

// KeepLearning learns until ctx ends.
func (v *Vault) KeepLearning(ctx context.Context) {
	t := time.NewTicker(learnEvery)
	defer t.Stop()
	for failed := false; ; {
		err := v.Learn(ctx)
		if err != nil && !failed && ctx.Err() == nil {
			v.Log.Error("the archive does not answer; counting continues, archiving and restoring wait. "+v.hint(), "err", err)
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
func (v *Vault) hint() string {
	if v.Cfg().MySQLDSN != "" {
		return "Is MYSQL_DSN right?"
	}
	return "Is DATA_DIR there, and does all in it belong to this user? `ddkk-stats check` tells"
}

// ClockTrouble is what the last archive cycle of any host found wrong with the
// clock, as it was learnt last; empty: nothing.
func (v *Vault) ClockTrouble() string {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.clock
}

// Lacking implements counter.Archive.
func (v *Vault) Lacking(ctx context.Context, stands []counter.Stand, here map[string]bool) ([]string, error) {
	ctx, cancel := context.WithTimeout(ctx, lackingLimit)
	defer cancel()
	// What Covers says next has to be as new as this answer: of a site that lacks
	// lines, the segments that nobody has are asked for.
	if err := v.Learn(ctx); err != nil {
		return nil, err
	}
	a, err := v.Open(ctx)
	if err != nil {
		return nil, err
	}
	return Lacking(ctx, a, stands, here)
}

// lackingLimit bounds one look at where all sites end in all segments.
const lackingLimit = 5 * time.Minute

// Reachable implements counter.Archive.
func (v *Vault) Reachable(ctx context.Context) error { return v.Learn(ctx) }

// Restore implements counter.Archive.
func (v *Vault) Restore(ctx context.Context, site string) (map[string]int64, error) {
	last := time.Now()
	segments, _, err := v.restore(ctx, site, func(rows int64) {
		if now := time.Now(); now.Sub(last) >= 5*time.Second {
			last = now
			v.Log.Info("restoring", "site", site, "rows", rows)
		}
	})
	return segments, err
}

// restore writes a site back while its epoch fences off every other writer.
func (v *Vault) restore(ctx context.Context, site string, progress func(rows int64)) (segments map[string]int64, done counter.Restored, err error) {
	a, err := v.Open(ctx)
	if err != nil {
		return nil, done, err
	}
	s, err := a.Snapshot(ctx, site)
	if err != nil {
		return nil, done, err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	r := counter.Restorer{
		Redis: v.Rdb, Keys: v.Keys, Location: v.Cfg().Timezone, Now: time.Now, UVSetTTL: v.Cfg().UVSetTTL, Uniques: v.Cfg().Uniques,
		Widths: func(site string) map[string]time.Duration {
			return map[string]time.Duration{counter.RuleID: counter.DefaultIDWindow, counter.RuleWindow: v.Cfg().Dedupe.For(site)}
		},
		Progress: progress,
	}
	if segments, done, err = r.Restore(ctx, History{Snapshot: s}, site); err != nil {
		return nil, done, err
	}
	return segments, done, v.RestoreBase(ctx, site)
}

// Rebuild makes a site anew: what is archived is written back, and the daemons
// count the rest of the log.
func (v *Vault) Rebuild(ctx context.Context, site string, progress func(rows int64)) (done counter.Restored, err error) {
	r := counter.Rebuilder{Redis: v.Rdb, Keys: v.Keys, Logger: v.Log, Ready: v.Reachable,
		Restore: func(ctx context.Context, site string) (segments map[string]int64, err error) {
			segments, done, err = v.restore(ctx, site, progress)
			return segments, err
		}}
	_, err = r.Rebuild(ctx, []string{site})
	return done, err
}

// GiveBack deletes what Redis has counted of sites whose places others may have, and tells which.
func (v *Vault) GiveBack(ctx context.Context, sites []string) ([]string, error) {
	r := counter.Rebuilder{Redis: v.Rdb, Keys: v.Keys, Logger: v.Log}
	return r.GiveBack(ctx, sites)
}

// Remove deletes all that Redis has of a site.
func (v *Vault) Remove(ctx context.Context, site string) error {
	r := counter.Rebuilder{Redis: v.Rdb, Keys: v.Keys, Logger: v.Log}
	return r.Remove(ctx, site)
}
