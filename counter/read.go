package counter

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"sync"
	"sync/atomic"
	"time"

	"github.com/maypok86/otter/v2"
	"github.com/redis/go-redis/v9"

	"ddkk-stats/parser"
)

// Defaults of ReaderOptions.
const (
	// DefaultReadCache holds the last known values of about as many pages as a
	// busy small site has; at some 400 bytes each it stays below 8 MB.
	DefaultReadCache = 20_000
	// DefaultReadTimeout bounds one read: a reader of a page rather sees the
	// number of a moment ago than waits for a Redis that hangs.
	DefaultReadTimeout = 250 * time.Millisecond
	// DefaultRetryAfter is how long a Redis that failed is left alone before
	// one read tries it again.
	DefaultRetryAfter = 250 * time.Millisecond
	// MaxHotPages is the longest hot list that one read may ask for.
	MaxHotPages = 100

	// freshGrace times FreshFor is the age of a value that may be answered
	// while another read is fetching it.
	freshGrace = 4
)

// ErrBadQuery is wrapped by the errors of a Query that cannot be read: an
// unknown period, or a limit out of range. Nothing else fails a read.
var ErrBadQuery = errors.New("bad query")

// ReaderOptions configures a Reader; the zero value is usable.
type ReaderOptions struct {
	Location *time.Location   // the zone in which "today" is taken; nil: time.Local
	Now      func() time.Time // nil: time.Now
	// CacheSize is the number of sites, pages and lists whose last values are
	// remembered; 0: DefaultReadCache.
	CacheSize int
	// FreshFor is how long a value that was just read is answered again
	// without asking Redis. 0: always ask. A few milliseconds spare Redis the
	// same read hundreds of times under load and nobody can see them. While one
	// read fetches an expired value, others get it up to four times as old.
	// A value is as good as just read while its site's version, looked at as
	// often, stays the same. Reads with Query.Fresh are not affected.
	FreshFor time.Duration
	// Timeout bounds a read; 0: DefaultReadTimeout. The client must have
	// ContextTimeoutEnabled for it to hold against a server that hangs.
	Timeout time.Duration
	// RetryAfter is how long Redis is left alone after a failure; 0:
	// DefaultRetryAfter.
	RetryAfter time.Duration
	// Uniques says which of TermFields are counted.
	Uniques parser.Uniques
}

// Query says what to read of one site. The zero value of a part means "not
// asked for", and what is not asked for is not read.
type Query struct {
	Site   string
	Page   string   // for FieldPagePV and FieldPageUV
	Fields Fields   // scalars and hot lists
	Limit  int      // length of the hot lists, 1 to MaxHotPages; 0: 10
	Pages  []string // pages whose views to read, answered in this order
	// Fresh asks Redis whatever FreshFor says: for readers who know that
	// something was counted just now.
	Fresh bool
}

// SiteStats are the scalar numbers of a site and of one of its pages. Those that
// were not asked for are zero.
type SiteStats struct {
	SitePV, SiteUV           int64 // totals
	SitePVToday, SiteUVToday int64 // today, in the reader's zone
	PagePV, PageUV           int64 // totals
	SiteOnline               int64 // visitors of the last OnlineWindow
	// Visitors of this week and month; -1: not known.
	SiteUVWeek, SiteUVMonth, PageUVWeek, PageUVMonth int64
	// Stale says that Redis could not be asked (or the site is being rebuilt)
	// and these are the last known values, or zeros; or that what was asked for
	// lacks lines that the totals have, or that are still to be counted again.
	Stale bool
}

// PageCount is one line of a hot list.
type PageCount struct {
	Page string
	PV   int64
}

// Answer is what Read found. It may be used again for the next Read, which
// then reuses its slices.
type Answer struct {
	SiteStats
	Pages []int64                 // in the order of Query.Pages
	Hot   [NumPeriods][]PageCount // by Period; the lists must not be changed
}

func (a *Answer) reset() {
	*a = Answer{Pages: a.Pages[:0]}
}

// Reader reads the counters. It never fails because Redis does: then it
// answers the last known values and says so (Stale). It is safe for
// concurrent use and starts no goroutine.
type Reader struct {
	asking
	dayReads
	callReads
}

// asking is how Redis is asked: in lanes, each with a breaker; and what is answered
// without it: what was read last, what is known to be unchanged.
type asking struct {
	rdb  redis.UniversalClient
	keys Keys
	opt  ReaderOptions

	cache       *otter.Cache[lastKey, *last]
	generations atomic.Uint64 // the last one given; see learned
	asked       atomic.Int64  // when Redis was asked last, in Unix nanoseconds
	lanes       []lane
	slows       [slowLanes]readBreaker
	committed   sync.Map // site -> *commits, as counting knows them
	seed        maphash.Seed

	waits atomic.Bool // counting waits for Redis

	mu    sync.Mutex // serialises changes of stale
	stale atomic.Pointer[map[string]struct{}]
}

// dayReads read numbers by day.
type dayReads struct{ *asking }

// callReads read the calls of APIs.
type callReads struct {
	*asking
	reports keptCalls
}

// busyFor is how long after a question to Redis others are expected.
const busyFor = time.Second

// Busy tells whether Redis was asked within the last second. Any goroutine.
func (r *asking) Busy() bool {
	return r.opt.Now().UnixNano()-r.asked.Load() < int64(busyFor)
}

// NewReader makes a Reader over rdb. It asks nothing yet, so that it can be
// made while Redis is down.
func NewReader(rdb redis.UniversalClient, keys Keys, opt ReaderOptions) (*Reader, error) {
	if opt.Location == nil {
		opt.Location = time.Local
	}
	if opt.Now == nil {
		opt.Now = time.Now
	}
	if opt.CacheSize <= 0 {
		opt.CacheSize = DefaultReadCache
	}
	if opt.Timeout <= 0 {
		opt.Timeout = DefaultReadTimeout
	}
	if opt.RetryAfter <= 0 {
		opt.RetryAfter = DefaultRetryAfter
	}
	cache, err := otter.New(&otter.Options[lastKey, *last]{
		MaximumSize: opt.CacheSize,
		// Maintenance runs in the caller: there is no goroutine to wait for.
		Executor: func(fn func()) { fn() },
	})
	if err != nil {
		return nil, fmt.Errorf("make cache of last known values: %w", err)
	}
	r := &Reader{asking: asking{rdb: rdb, keys: keys, opt: opt, cache: cache, seed: maphash.MakeSeed()}}
	r.dayReads, r.callReads = dayReads{&r.asking}, callReads{asking: &r.asking}
	r.lanes = make([]lane, lanesFor(keys))
	r.stale.Store(&map[string]struct{}{})
	return r, nil
}

// MarkStale declares that a site is being rebuilt (on), or that it is whole
// again. While it is on, reads of the site answer the last known values and
// do not look at the half-built keys.
func (r *asking) MarkStale(site string, on bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	old := *r.stale.Load()
	next := make(map[string]struct{}, len(old)+1)
	for s := range old {
		next[s] = struct{}{}
	}
	if on {
		next[site] = struct{}{}
	} else {
		delete(next, site)
	}
	r.stale.Store(&next)
}

func (r *asking) markedStale(site string) bool {
	_, ok := (*r.stale.Load())[site]
	return ok
}

// Wait declares that counting waits for Redis (on), or goes on: what Redis has is old
// meanwhile, though it may answer, so all answers are stale.
func (r *asking) Wait(on bool) { r.waits.Store(on) }

// Stale tells whether MarkStale is on for a site.
func (r *asking) Stale(site string) bool { return r.markedStale(site) }

// Read answers q into a, with at most one round trip. An error means that q
// is wrong and wraps ErrBadQuery; trouble with Redis is told by a.Stale.
func (r *Reader) Read(ctx context.Context, q *Query, a *Answer) error {
	err := r.read(ctx, q, a)
	a.Stale = a.Stale || r.waits.Load()
	return err
}

func (r *Reader) read(ctx context.Context, q *Query, a *Answer) error {
	if err := q.check(); err != nil {
		return err
	}
	a.reset()
	now := r.opt.Now().In(r.opt.Location)
	if r.markedStale(q.Site) {
		r.recall(q, a, now)
		a.Stale = true
		return nil
	}
	if r.opt.FreshFor > 0 && !q.Fresh {
		ok, done := r.fromMemory(q, a, now)
		if ok {
			return nil
		}
		if done != nil {
			defer done()
		}
		a.reset()
	}
	if r.ask(ctx, q, a, now) {
		return nil
	}
	a.reset()
	r.recall(q, a, now)
	a.Stale = true
	return nil
}

func (q *Query) check() error {
	switch {
	case q.Site == "":
		return fmt.Errorf("%w: no site", ErrBadQuery)
	case q.Limit < 0 || q.Limit > MaxHotPages:
		return fmt.Errorf("%w: limit %d is not within 1 and %d", ErrBadQuery, q.Limit, MaxHotPages)
	}
	return nil
}

func (q *Query) limit() int {
	if q.Limit == 0 {
		return 10
	}
	return q.Limit
}

// Stats reads the scalar fields in want of a site and a page.
func (r *Reader) Stats(ctx context.Context, site, page string, want Fields) (SiteStats, error) {
	var a Answer
	err := r.Read(ctx, &Query{Site: site, Page: page, Fields: want & ScalarFields}, &a)
	return a.SiteStats, err
}

// Pages reads the views of pages, in their order, with one MGET.
func (r *Reader) Pages(ctx context.Context, site string, pages []string) (pv []int64, stale bool, err error) {
	var a Answer
	err = r.Read(ctx, &Query{Site: site, Pages: pages}, &a)
	return a.Pages, a.Stale, err
}

// Hot reads the most viewed pages of a period, the first one first; pages
// with as many views as each other come in no particular order.
func (r *Reader) Hot(ctx context.Context, site string, period Period, limit int) (hot []PageCount, stale bool, err error) {
	if period >= NumPeriods {
		return nil, false, fmt.Errorf("%w: unknown period %d", ErrBadQuery, period)
	}
	if limit < 1 {
		return nil, false, fmt.Errorf("%w: limit %d is not within 1 and %d", ErrBadQuery, limit, MaxHotPages)
	}
	var a Answer
	err = r.Read(ctx, &Query{Site: site, Fields: period.Field(), Limit: limit}, &a)
	return a.Hot[period], a.Stale, err
}
