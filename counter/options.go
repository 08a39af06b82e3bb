package counter

import (
	"context"
	"log/slog"
	"time"

	"github.com/redis/go-redis/v9"

	"ddkk-stats/parser"
)

// Options of an Ingester. Zero values take the defaults named behind them.
type Options struct {
	Redis    redis.UniversalClient
	Keys     Keys
	Embedded bool // the in-process server: no shebang in scripts

	Location *time.Location   // of the days; time.Local
	Now      func() time.Time // time.Now
	Logger   *slog.Logger     // slog.Default()

	BatchSize     int           // writes of one script at most, about; 3000: a few milliseconds of Redis
	BatchInterval time.Duration // least time between two commits at the live edge; 2 ms
	MaxPages      int           // distinct pages of a site and day; 100000
	MaxPagesEver  int           // distinct pages of a site; 500000
	MaxEvents     int           // distinct event keys of a site and day; 10000
	// FacetCaps are how many names of each facet a site and day keep; those of
	// parser.Facets.
	FacetCaps    [parser.NumFacets]int
	MaxSites     int           // 10000
	MaxEndpoints int           // distinct endpoints of a site's API and day that nobody configured; 500
	MaxUsers     int           // distinct users of a site's API and day; 1000
	UVSetTTL     time.Duration // how long visitors of a day are remembered; 72 h
	IDWindow     time.Duration // how long a view id is remembered; 10 min
	// Uniques says in which terms visitors are told again; the parsers' must agree.
	Uniques parser.Uniques
	// DedupeWindow is the time in which the same address and page count once
	// for a site; nil or 0: off.
	DedupeWindow func(site string) time.Duration

	Forgotten []string // sites that were deleted: what an earlier run knew of them is nothing

	Progress string        // file that remembers how far each segment is; "": none
	Sync     bool          // make the log durable before its lines are committed
	Grace    time.Duration // how long a stop may take to commit what is in hand; 3 s
	Audit    time.Duration // how often all checkpoints are compared with ours; 30 s
	// Scrub is how often all numbers of all sites are compared with each other; 30 s.
	// Less than nothing, or Embedded: never, as no key of that store gets lost.
	Scrub time.Duration

	// Stale is told when a site's numbers in Redis cannot be trusted and when
	// they can again. May be nil.
	Stale func(site string, stale bool)
	// Committed is told the life of a site's keys and how many scripts had run for
	// it when it was learned, and after each commit: who finds less in Redis reads
	// an old one. May be nil.
	Committed func(site, epoch string, scripts int64)
	// Waits is told when counting begins to wait for Redis and when it goes on: the
	// numbers are old meanwhile, though Redis may answer reads. May be nil.
	Waits func(bool)
	// Reading tells that somebody reads the numbers, and is not to wait for
	// long scripts; nil: nobody does.
	Reading func() bool
	// Archive is where sites come back from whose keys are gone; nil: there is
	// none, and the log is all there is.
	Archive Archive
}

// Defaults of Options.
const (
	DefaultMaxEndpoints = 500
	DefaultMaxUsers     = 1000
)

// Archive is what a rebuild needs of the archive. Any goroutine.
type Archive interface {
	// Sites are those that the archive has counts of; Knows asks for one.
	Sites() []string
	Knows(site string) bool
	// Visitors are how many came to a site on all of its days.
	Visitors(site string) int64
	// Covers tells whether a segment is archived.
	Covers(segment string) bool
	// Lacking returns those of the sites whose checkpoints lack lines that are
	// archived, of segments that are not here any more: Redis lost them. Unlike
	// the above it may take long, and fail; it learns what the archive has, so
	// that Covers knows what this answer rests on.
	Lacking(ctx context.Context, stands []Stand, here map[string]bool) ([]string, error)
	// Reachable tells whether it can be read now, and learns what it has.
	Reachable(ctx context.Context) error
	// Restore writes back what the archive has of a site, while its epoch
	// fences off every other writer, and returns the segments that this
	// covers, with their sizes.
	Restore(ctx context.Context, site string) (map[string]int64, error)
}

func (o *Options) defaults() {
	def := func(v *int, d int) {
		if *v == 0 {
			*v = d
		}
	}
	dur := func(v *time.Duration, d time.Duration) {
		if *v == 0 {
			*v = d
		}
	}
	def(&o.BatchSize, 3000)
	def(&o.MaxPages, 100_000)
	def(&o.MaxPagesEver, 500_000)
	def(&o.MaxEvents, 10_000)
	for f := range parser.NumFacets {
		def(&o.FacetCaps[f], f.Spec().Cap)
	}
	def(&o.MaxSites, 10_000)
	def(&o.MaxEndpoints, DefaultMaxEndpoints)
	def(&o.MaxUsers, DefaultMaxUsers)
	dur(&o.BatchInterval, 2*time.Millisecond)
	dur(&o.UVSetTTL, 72*time.Hour)
	dur(&o.IDWindow, DefaultIDWindow)
	dur(&o.Grace, 3*time.Second)
	dur(&o.Audit, 30*time.Second)
	dur(&o.Scrub, 30*time.Second)
	if o.Embedded {
		o.Scrub = -1
	}
	if o.Location == nil {
		o.Location = time.Local
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	if o.DedupeWindow == nil {
		o.DedupeWindow = func(string) time.Duration { return 0 }
	}
	if o.Stale == nil {
		o.Stale = func(string, bool) {}
	}
	if o.Committed == nil {
		o.Committed = func(string, string, int64) {}
	}
	if o.Waits == nil {
		o.Waits = func(bool) {}
	}
	if o.Reading == nil {
		o.Reading = func() bool { return false }
	}
}

// limited puts other limits into the options and returns the caps that follow.
func (o *Options) limited(l Limits) caps {
	o.MaxPages, o.MaxPagesEver, o.MaxSites, o.MaxEndpoints, o.MaxUsers = l.MaxPages, l.MaxPagesEver, l.MaxSites, l.MaxEndpoints, l.MaxUsers
	o.DedupeWindow = l.DedupeWindow
	o.defaults()
	return o.caps()
}
