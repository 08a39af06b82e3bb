package sim

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/redis/go-redis/v9"

	"ddkk-stats/archive"
	"ddkk-stats/counter"
	"ddkk-stats/internal/vault"
	"ddkk-stats/parser"
	"ddkk-stats/tailer"
)

// keeper is the archive as one life of a daemon has it: the real one on SQLite,
// which all hosts share as they share a MySQL, opened and asked as the server does.
type keeper struct {
	vault.Known
	w    *world
	host *host
	rdb  redis.UniversalClient
	keys counter.Keys

	opening chan struct{}    // has one element while somebody does; time goes by, which it does not while one waits for a sync.Mutex
	archive *archive.Archive // nil until it could be opened
}

func newKeeper(w *world, h *host, rdb redis.UniversalClient) *keeper {
	return &keeper{w: w, host: h, rdb: rdb, keys: counter.NewKeys(counter.DefaultPrefix, false), opening: make(chan struct{}, 1)}
}

var errAway = errors.New("the archive does not answer")

// template is an empty archive: making one costs as much as a schedule.
type template []byte

func newTemplate() (template, error) {
	dir, err := os.MkdirTemp(tempDir(), "sim")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "archive.db")
	a, err := archive.Open(context.Background(), "", path, archive.Options{})
	if err != nil {
		return nil, err
	}
	if err := a.Close(); err != nil {
		return nil, err
	}
	return os.ReadFile(path)
}

func (k *keeper) open(ctx context.Context) (*archive.Archive, error) {
	if k.w.archiveAway() {
		return nil, errAway
	}
	k.opening <- struct{}{}
	defer func() { <-k.opening }()
	if k.archive != nil {
		return k.archive, nil
	}
	opt := archive.Options{Location: k.w.ledger.loc, Logger: k.w.log, Now: k.host.now, MaxPages: k.w.sch.caps(), MaxEvents: k.w.sch.caps(), ChunkRows: 7, DedupeWindow: k.w.window, Uniques: k.w.sch.Uniques}
	opt.FacetCaps[parser.Referrer] = k.w.sch.caps()
	if opt.RawRetentionDays = k.w.sch.KeepRaw; opt.RawRetentionDays > 0 {
		opt.Clocks = []archive.Clock{{Name: "Redis", Now: func(ctx context.Context) (time.Time, error) { return k.rdb.Time(ctx).Result() }}}
	}
	a, err := archive.Open(ctx, "", k.w.archivePath(), opt)
	if err != nil {
		return nil, err
	}
	a.Every(max(k.w.sch.Every, 1))
	k.archive = a
	return a, nil
}

func (k *keeper) close() error {
	k.opening <- struct{}{}
	defer func() { <-k.opening }()
	if k.archive == nil {
		return nil
	}
	return k.archive.Close()
}

func (k *keeper) learn(ctx context.Context) error {
	a, err := k.open(ctx)
	if err != nil {
		return err
	}
	return k.Look(ctx, a)
}

// learns is how often the archive is asked what it has.
const learns = 10 * time.Second

func (k *keeper) keepLearning(ctx context.Context) {
	t := time.NewTicker(learns)
	defer t.Stop()
	for {
		if err := k.learn(ctx); err != nil {
			k.w.log.Info("the archive is not learned", "err", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
	}
}

// Reachable implements counter.Archive, as do the others.
func (k *keeper) Reachable(ctx context.Context) error { return k.learn(ctx) }

func (k *keeper) Lacking(ctx context.Context, stands []counter.Stand, here map[string]bool) ([]string, error) {
	if err := k.learn(ctx); err != nil {
		return nil, err
	}
	a, err := k.open(ctx)
	if err != nil {
		return nil, err
	}
	return vault.Lacking(ctx, a, stands, here)
}

func (k *keeper) Restore(ctx context.Context, site string) (segments map[string]int64, err error) {
	a, err := k.open(ctx)
	if err != nil {
		return nil, err
	}
	s, err := a.Snapshot(ctx, site)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	r := counter.Restorer{Redis: k.rdb, Keys: k.keys, Location: k.w.ledger.loc, Now: k.host.now, UVSetTTL: 72 * time.Hour, Uniques: k.w.sch.Uniques,
		Widths: func(string) map[string]time.Duration {
			return map[string]time.Duration{counter.RuleID: counter.DefaultIDWindow, counter.RuleWindow: k.w.window("")}
		}}
	segments, done, err := r.Restore(ctx, vault.History{Snapshot: s}, site)
	if err == nil && done.SitePV > 0 {
		k.w.strike("site restored from the archive")
	}
	return segments, err
}

// cycle archives what is rotated and quiet, and deletes what is archived and old.
// read, unless nil, is asked before each read of a segment.
func (k *keeper) cycle(ctx context.Context, h *host, read func() error) error {
	a, err := k.open(ctx)
	if err != nil {
		return err
	}
	var sources []archive.Source
	for _, l := range k.w.readings(h) {
		p, err := k.w.parsers.of(k.w, l)
		if err != nil {
			return err
		}
		at, err := k.w.parsers.timeOf(k.w, l)
		if err != nil {
			return err
		}
		files, err := tailer.List(tailer.Options{Path: l.path, Time: at, Identify: identify(l), Logger: k.w.log})
		if err != nil {
			return err
		}
		src := archive.Source{Name: l.path, Parser: p}
		for _, f := range files {
			if f.Live || !k.old(f, quiet) {
				continue
			}
			size, err := f.Size(ctx)
			if err != nil {
				return err
			}
			src.Segments = append(src.Segments, closedSegment{f, size, read})
		}
		sources = append(sources, src)
	}
	sum, err := a.Run(ctx, sources...)
	if err != nil {
		return err
	}
	if sum.Rows > 0 {
		k.w.strike("segments archived")
	}
	if err := k.learn(ctx); err != nil {
		return err
	}
	return k.deleteOld(ctx, a, h)
}

// confirm is "archive --confirm": an operator looked at the clock.
func (k *keeper) confirm() error {
	a, err := k.open(context.Background())
	if err != nil {
		return err
	}
	return a.Confirm(context.Background())
}

// old tells that a file was not written for a while. One of the future was written by
// a clock that was ahead, so not since it is right.
func (k *keeper) old(f tailer.File, than time.Duration) bool {
	age := k.host.now().Sub(f.LastWrite)
	return age >= than || age < -time.Minute
}

// keepFor is LOG_RETENTION.
const keepFor = 3 * time.Second

func (k *keeper) deleteOld(ctx context.Context, a *archive.Archive, h *host) error {
	archived, err := a.ArchivedSegments(ctx)
	if err != nil {
		return err
	}
	wanted, err := k.wanted(archived, h)
	if err != nil {
		return err
	}
	for _, l := range k.w.readings(h) {
		at, err := k.w.parsers.timeOf(k.w, l)
		if err != nil {
			return err
		}
		files, err := tailer.List(tailer.Options{Path: l.path, Time: at, Identify: identify(l), Logger: k.w.log})
		if err != nil {
			return err
		}
		for _, f := range files {
			whole, ok := archived[f.ID]
			if f.Live || !ok || whole.Voided || !k.old(f, keepFor) || wanted[f.Name] { // undoing a rule needs what it took out
				continue
			}
			if size, err := f.Size(ctx); err != nil || size != whole.Size {
				continue
			}
			if err := os.Remove(f.Name); err != nil {
				return err
			}
			k.w.ledger.deleted.Store(true)
			k.w.strike("archived segment deleted")
		}
	}
	return nil
}

// wanted are the files of which a reading is not archived as far as another.
func (k *keeper) wanted(archived map[string]archive.ArchivedSegment, h *host) (map[string]bool, error) {
	wanted, sizes := map[string]bool{}, map[string]int64{}
	for _, l := range k.w.readings(h) {
		at, err := k.w.parsers.timeOf(k.w, l)
		if err != nil {
			return nil, err
		}
		files, err := tailer.List(tailer.Options{Path: l.path, Time: at, Identify: identify(l), Logger: k.w.log})
		if err != nil {
			return nil, err
		}
		for _, f := range files {
			whole, ok := archived[f.ID]
			size, again := sizes[f.Name]
			wanted[f.Name] = wanted[f.Name] || !ok || again && size != whole.Size
			sizes[f.Name] = whole.Size
		}
	}
	return wanted, nil
}

// closedSegment is a file as the archive reads it.
type closedSegment struct {
	file tailer.File
	size int64
	read func() error
}

func (s closedSegment) ID() string   { return s.file.ID }
func (s closedSegment) Name() string { return s.file.Name }
func (s closedSegment) Size() int64  { return s.size }

func (s closedSegment) Open(ctx context.Context, from int64) (io.ReadCloser, error) {
	r, err := s.file.Open(ctx, from)
	if err != nil || s.read == nil {
		return r, err
	}
	return &trippedReader{r, s.read}, nil
}

// trippedReader reads a few bytes at once, so that it may fail anywhere.
type trippedReader struct {
	io.ReadCloser
	read func() error
}

func (r *trippedReader) Read(p []byte) (int, error) {
	if err := r.read(); err != nil {
		return 0, err
	}
	return r.ReadCloser.Read(p[:min(len(p), 700)])
}

var errCut = fmt.Errorf("read segment: %w", errAway)
