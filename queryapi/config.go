package queryapi

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"net/http"
	"net/netip"
	"time"

	"ddkk-stats/counter"
	"ddkk-stats/queryapi/edge"
)

// Reader reads counters; a *counter.Reader is one. Its error means that the
// query is wrong: a store that does not answer is told by Answer.Stale.
type Reader interface {
	Read(ctx context.Context, q *counter.Query, a *counter.Answer) error
}

// Record is a request to the built-in beacon, as it goes into the log. The
// byte slices belong to the request: they are valid during Append only.
type Record struct {
	Time               time.Time
	Addr               netip.Addr // client address, v4-in-v6 unmapped
	Host               []byte     // Host header
	Method             string
	URI                []byte // request target as the client wrote it
	Status             int
	Referer, UserAgent []byte
	SecPurpose, SecGPC []byte
	Language           []byte // Accept-Language
	RequestTime        time.Duration
	BodyBytes          int
}

// Beacon is the log behind the built-in pixel. Append returns when the line
// is in the log, and the position just after it; an error means that it is
// not. It must not keep the record's slices.
type Beacon interface {
	Append(ctx context.Context, r *Record) (segment string, end int64, err error)
}

// Waiter tells when something that is in the log has been counted.
type Waiter interface {
	// WaitCounted returns nil once the segment is counted up to end.
	WaitCounted(ctx context.Context, segment string, end int64) error
	// WaitView returns nil once a view with this id was counted (or was a
	// short while ago).
	WaitView(ctx context.Context, viewID string) error
}

// Defaults of Config.
const (
	DefaultConcurrency = 8192
	// DefaultCountWait bounds the wait of action "count" for its own view.
	DefaultCountWait = time.Second
	// DefaultViewWait bounds the wait of a read for the reader's own view: the
	// reader rather sees a number without it than waits longer.
	DefaultViewWait = 250 * time.Millisecond
	// maxWaiting bounds the requests that wait at the same time; the others
	// answer what is known, so that made-up view ids cannot fill the server.
	maxWaiting = 1024
)

// Config is what a Server needs. Fields without a comment about their
// absence are required.
type Config struct {
	Reader Reader
	Beacon Beacon
	Waiter Waiter

	// NormalizePage and NormalizeSite are the parser's, so that a read finds
	// what was counted. NormalizeSite is false for what is no site and for
	// sites outside SITES. They must not keep raw.
	NormalizePage func(site string, raw []byte) string
	NormalizeSite func(raw string) (site string, ok bool)
	// RefererCheck says whether the parser skips views whose Referer is of
	// another site than theirs; nil: never.
	RefererCheck func() bool

	// TermFields are the visitors of a week and a month that are counted (UNIQUES): the
	// others are answered where they are asked for by name, as not known.
	TermFields counter.Fields

	// Series answers past days and EventKey makes the key of an event's levels,
	// as the parser does; Restorer rebuilds sites. Without them their routes
	// answer 404.
	Series   Series
	EventKey func(levels ...string) string
	Restorer Restorer
	// Calls answers about the calls of sites' APIs. Without it its routes
	// answer 404 with CodeNoSiteLog.
	Calls Calls
	// Requests answers about the requests of sites' own logs, as Calls does.
	Requests Requests
	// What the dashboard shows; without them their routes answer 404.
	Facts     Facts
	Views     Views
	Explorer  Explorer
	Report    func(context.Context) Report // how the daemon is
	Verifier  Verifier
	Baselines Baselines
	// Voider takes views out of the numbers; it goes with Explorer.
	Voider Voider
	// People are those to whom the owner gave tokens; nil: nobody.
	People People
	// Title is what readers' browsers call a page, empty where none told; nil: no page
	// has a title. It is a stranger's text.
	Title func(ctx context.Context, site, page string) string
	// Ranking lists pages by views; nil: its route answers 404.
	Ranking Ranking
	// Location is where days begin; nil: UTC.
	Location *time.Location

	// QuietHosts are those on which the widget sends no beacons: their views are counted
	// from their own log; nil: none.
	QuietHosts func() []string

	// Static holds the builds of the widget, its versions and demo/.
	Static fs.FS
	Logger *slog.Logger

	// Health and Ready answer /healthz and /readyz: nil, or why not. Their
	// messages are public. A nil function is always well.
	Health func(context.Context) error
	Ready  func(context.Context) (states []string, err error) // states: those that keep nobody from being served
	// StaleReason names why numbers of a site were stale just now; a site "" is none in
	// particular. nil: no reason is given.
	StaleReason func(site string) string
	// Metrics answers /metrics under the admin rule; nil: 404.
	Metrics http.Handler
	// Observe is told about every request that met a route; may be nil.
	Observe func(route string, status int, took time.Duration)

	// EndedSessions is the file that keeps logouts over a restart; empty: none does.
	EndedSessions string
	// PublicSites have a page and a badge that anybody may see.
	PublicSites []string
	// Access is what may change later; the server keeps it in a place of its own.
	edge.Access

	Concurrency int // connections of all clients; 0: DefaultConcurrency
	// How long a request may take to arrive whole, an answer to be taken, and a
	// connection to be idle; 0: 10 s, 10 s, 75 s.
	ReadTimeout, WriteTimeout, IdleTimeout time.Duration
	CountWait                              time.Duration    // 0: DefaultCountWait
	ViewWait                               time.Duration    // 0: DefaultViewWait
	Now                                    func() time.Time // nil: time.Now
}

func (c *Config) withDefaults() (Config, error) {
	d := *c
	var errs []error
	need := func(ok bool, name string) {
		if !ok {
			errs = append(errs, errors.New("query API needs "+name))
		}
	}
	need(d.Reader != nil, "Reader")
	need(d.Beacon != nil, "Beacon")
	need(d.Waiter != nil, "Waiter")
	need(d.NormalizePage != nil, "NormalizePage")
	need(d.NormalizeSite != nil, "NormalizeSite")
	need(d.Static != nil, "Static")
	need(d.Logger != nil, "Logger")
	need(d.Series == nil || d.EventKey != nil, "EventKey")
	if d.Location == nil {
		d.Location = time.UTC
	}
	well := func(context.Context) error { return nil }
	if d.Health == nil {
		d.Health = well
	}
	if d.Ready == nil {
		d.Ready = func(context.Context) ([]string, error) { return nil, nil }
	}
	if d.Title == nil {
		d.Title = func(context.Context, string, string) string { return "" }
	}
	if d.People == nil {
		d.People = nobody{}
	}
	if d.RefererCheck == nil {
		d.RefererCheck = func() bool { return false }
	}
	if d.Observe == nil {
		d.Observe = func(string, int, time.Duration) {}
	}
	if d.Concurrency <= 0 {
		d.Concurrency = DefaultConcurrency
	}
	for _, t := range []struct {
		v   *time.Duration
		def time.Duration
	}{{&d.ReadTimeout, readTimeout}, {&d.WriteTimeout, writeTimeout}, {&d.IdleTimeout, idleTimeout}} {
		if *t.v <= 0 {
			*t.v = t.def
		}
	}
	if d.CountWait <= 0 {
		d.CountWait = DefaultCountWait
	}
	if d.ViewWait <= 0 {
		d.ViewWait = DefaultViewWait
	}
	if d.Now == nil {
		d.Now = time.Now
	}
	return d, errors.Join(errs...)
}
