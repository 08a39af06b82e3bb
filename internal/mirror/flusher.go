package mirror

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"ddkk-stats/archive"
	"ddkk-stats/counter"
)

// Counters is the mirror's part in Redis; a *counter.Mirror is one.
type Counters interface {
	Sites(ctx context.Context) ([]string, error)
	State(ctx context.Context, site string) (counter.MirrorState, error)
	Mine(nonce string) bool
	Take(ctx context.Context, site string, s *counter.MirrorState) (pages int64, v counter.Verdict, err error)
	Changes(ctx context.Context, site string, seq int64) ([]counter.PageChange, error)
	Done(ctx context.Context, site, life string, seq int64, nonce string, sink bool) error
	Begin(ctx context.Context, site, old string) (life string, v counter.Verdict, err error)
	Fill(ctx context.Context, site, life string, sums []counter.PageTotal) (counter.Verdict, error)
	Open(ctx context.Context, site, life string) (counter.Verdict, error)
	SinkPages(ctx context.Context, site string, pages []string) error
	SinkNamed(ctx context.Context, site string) error
}

// Store is page_counts; an *archive.Archive is one.
type Store interface {
	ApplyFlush(ctx context.Context, f *archive.Flush) (rows int, err error)
	ForgetFlushes(ctx context.Context, site string, last int64) error
	BeginLife(ctx context.Context, site, life string) error
	Read() *archive.Reader
}

// Options of a Flusher. All but Stale are required.
type Options struct {
	Counters Counters
	// Store opens the database; it may be away.
	Store  func(ctx context.Context) (Store, error)
	Slot   int  // of page_counts, this flusher's own
	Sink   bool // changed pages are to be sent to a sink, too
	Logger *slog.Logger
	Now    func() time.Time
	// Stale tells that a site is being counted anew: its totals are less than
	// they will be. nil: none is.
	Stale func(site string) bool
}

// Stats is what a Flusher did since it was made.
type Stats struct {
	Flushes     int64 // takes that went into SQL
	Pages       int64 // changed pages that were looked at
	Rows        int64 // that were written
	Refills     int64 // lives that were begun
	Failures    int64 // runs that failed
	Took        time.Duration
	LastSuccess time.Time // zero: none
}

// Flusher brings page_counts up to date. Make one with New.
type Flusher struct {
	opt Options
	log *slog.Logger

	turn    sync.Mutex                  // held by Flush and Rebuild
	checked map[string]string           // site -> life that was compared with SQL
	seen    map[string]map[int64]string // site -> takes of others at the last run

	mu    sync.Mutex
	stats Stats
}

// New makes a Flusher; it starts nothing.
func New(opt Options) *Flusher {
	if opt.Stale == nil {
		opt.Stale = func(string) bool { return false }
	}
	return &Flusher{opt: opt, log: opt.Logger, checked: map[string]string{}, seen: map[string]map[int64]string{}}
}

// Stats tells what was done. Any goroutine.
func (f *Flusher) Stats() Stats {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.stats
}

func (f *Flusher) count(change func(*Stats)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change(&f.stats)
}

// Flush adds what changed of all sites to page_counts. It may be ended, and
// killed, anywhere.
func (f *Flusher) Flush(ctx context.Context) error {
	f.turn.Lock()
	defer f.turn.Unlock()
	start := f.opt.Now()
	err := f.flush(ctx)
	f.count(func(s *Stats) {
		s.Took += f.opt.Now().Sub(start)
		if err != nil {
			s.Failures++
		} else {
			s.LastSuccess = f.opt.Now()
		}
	})
	return err
}

func (f *Flusher) flush(ctx context.Context) error {
	store, err := f.opt.Store(ctx)
	if err != nil {
		return err
	}
	sites, err := f.opt.Counters.Sites(ctx)
	if err != nil {
		return err
	}
	for _, name := range sites {
		if f.opt.Stale(name) {
			continue
		}
		s := &site{Flusher: f, name: name, store: store}
		if err := s.flush(ctx); err != nil {
			return fmt.Errorf("mirror %s: %w", name, err)
		}
	}
	return nil
}

// FlushSite is Flush of one site.
func (f *Flusher) FlushSite(ctx context.Context, name string) error {
	return f.one(ctx, name, func(s *site) error { return s.flush(ctx) })
}

// one does something with one site.
func (f *Flusher) one(ctx context.Context, name string, do func(*site) error) error {
	f.turn.Lock()
	defer f.turn.Unlock()
	store, err := f.opt.Store(ctx)
	if err != nil {
		return err
	}
	if err := do(&site{Flusher: f, name: name, store: store}); err != nil {
		return fmt.Errorf("mirror %s: %w", name, err)
	}
	return nil
}

// ErrBusy says that somebody else is filling a site's mirror, or its counters
// are being rebuilt.
var ErrBusy = errors.New("it is being filled by another process, or its counters are being rebuilt; try again in a minute")

// Rebuild begins the mirror of a site anew and brings it up to date: whatever
// page_counts has of the site, afterwards it has the totals.
func (f *Flusher) Rebuild(ctx context.Context, name string) error {
	return f.one(ctx, name, func(s *site) error {
		ok, err := s.refill(ctx, counter.AnyLife)
		if err != nil {
			return err
		}
		if !ok {
			return ErrBusy
		}
		return s.flush(ctx)
	})
}
