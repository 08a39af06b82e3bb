package archive

import (
	"context"
	"crypto/tls"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"sync/atomic"
	"time"

	"ddkk-stats/parser"
)

// Defaults of Options.
const (
	DefaultMaxPages = 100_000

	DefaultMaxPagesEver = 500_000
	DefaultMaxEvents    = 10_000
	// DefaultMaxEndpoints and DefaultMaxUsers are of a site's API.
	DefaultMaxEndpoints = 500
	DefaultMaxUsers     = 1000
	DefaultPatience     = 10 * time.Minute
	DefaultConnections  = 8
	// DefaultIDWindow is how long a view id is remembered.
	DefaultIDWindow = 10 * time.Minute
	// DefaultChunkRows bounds a transaction: the memory of the duplicate rules
	// and what a Galera or TiDB cluster must take at once, against the price of
	// a commit.
	DefaultChunkRows = 250_000
)

// IPMode says how much of an address is kept in a raw row.
type IPMode uint8

const (
	IPFull   IPMode = iota // the whole address
	IPMasked               // IPv4 to /24, IPv6 to /48
	IPNone                 // nothing
)

// ParseIPMode reads the value of IP_MODE.
func ParseIPMode(s string) (IPMode, error) {
	switch s {
	case "full", "":
		return IPFull, nil
	case "masked":
		return IPMasked, nil
	case "none":
		return IPNone, nil
	}
	return 0, fmt.Errorf("parse IP mode %q: use full, masked or none", s)
}

// Options says how to archive. The zero value is usable.
type Options struct {
	Location *time.Location // where days begin; nil: UTC. Must be the parser's
	Logger   *slog.Logger   // nil discards
	Now      func() time.Time
	Clocks   []Clock // of others, that must agree before something is deleted

	RawRetentionDays int // days that raw rows are kept, today not counted; 0: for ever
	IPMode           IPMode
	MaxPages         int // distinct pages of a site and day that keep their name
	MaxPagesEver     int // distinct pages of a site on all of its days
	MaxEvents        int // distinct event keys of a site and day, all levels together
	MaxEndpoints     int // distinct endpoints of an API and day that nobody configured
	MaxUsers         int // distinct users of an API and day

	// FacetCaps are how many names of each facet a site and day keep; those of
	// parser.Facets.
	FacetCaps [parser.NumFacets]int

	Uniques parser.Uniques // of weeks and months that are over; the parsers' must agree

	IDWindow     time.Duration                   // see parser.Hit.ViewID
	DedupeWindow func(site string) time.Duration // DEDUPE_WINDOW; nil or 0: off

	// Patience is how long MySQL may take to say anything; DefaultPatience.
	Patience time.Duration
	// TLS of connections to MySQL; nil: as the DSN says.
	TLS *tls.Config
	// Connections to MySQL at most; DefaultConnections. Two are the least.
	Connections int

	Statements func(Statement) // is told of each that ended; nil: nobody is

	ChunkRows int // raw rows of one transaction
	Workers   int // days that are rolled up side by side; 2
}

func (o *Options) setDefaults() {
	if o.Location == nil {
		o.Location = time.UTC
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.DedupeWindow == nil {
		o.DedupeWindow = func(string) time.Duration { return 0 }
	}
	if o.IDWindow <= 0 {
		o.IDWindow = DefaultIDWindow
	}
	if o.Patience <= 0 {
		o.Patience = DefaultPatience
	}
	for _, d := range []struct {
		v   *int
		def int
	}{{&o.MaxPages, DefaultMaxPages}, {&o.MaxPagesEver, DefaultMaxPagesEver}, {&o.MaxEvents, DefaultMaxEvents},
		{&o.MaxEndpoints, DefaultMaxEndpoints}, {&o.MaxUsers, DefaultMaxUsers}, {&o.ChunkRows, DefaultChunkRows}, {&o.Workers, 2}, {&o.Connections, DefaultConnections}} {
		if *d.v <= 0 {
			*d.v = d.def
		}
	}
	for f := range parser.NumFacets {
		if o.FacetCaps[f] <= 0 {
			o.FacetCaps[f] = f.Spec().Cap
		}
	}
}

// Archive is an open archive. Its methods may be called by any goroutine; they are
// grouped by subject.
type Archive struct {
	*store
	*clocks
	*rollups
	*cycles
	*recounts
	*baselines
	*imports
	*pageCounts
	*notes
	*ruleBook
	*people
	*transfers
}

// newArchive makes an archive over a store.
func newArchive(st *store) *Archive {
	a := &Archive{store: st, clocks: &clocks{st}, rollups: &rollups{st, rowsPerPass},
		baselines: &baselines{st}, imports: &imports{st}, pageCounts: &pageCounts{st}, notes: &notes{st}, ruleBook: &ruleBook{st}, people: &people{st}}
	a.cycles = &cycles{store: st, clocks: a.clocks, rollups: a.rollups, maxFresh: maxFresh, torn: map[string]int64{}}
	a.recounts = &recounts{st, a.cycles, a.rollups}
	a.transfers = &transfers{st, a.rollups}
	return a
}

// store is the open database, and what all subjects do with it.
type store struct {
	opt     Options
	log     *slog.Logger
	dialect dialect
	db      *sql.DB // writes
	reads   *sql.DB // the same as db on MySQL
	// migrations changes tables, while the archive is opened; nil: db does.
	migrations *sql.DB
	watcher    *watcher
	pause      func(context.Context, time.Duration) error

	rawDays *atomic.Int64
	usual   *atomic.Int64            // days from one cycle to the next
	judged  *atomic.Pointer[Options] // opt, with what Judge changed
}

// Rules are the options that may change while an archive is open.
type Rules struct {
	MaxPages, MaxPagesEver, MaxEndpoints, MaxUsers int
	DedupeWindow                                   func(site string) time.Duration
}

// Judge has the archive go on by other rules; see Options, whose defaults zeros
// take. A cycle, a sum or a reading that is under way may end by the old ones.
func (st *store) Judge(r Rules) {
	opt := st.opt
	opt.MaxPages, opt.MaxPagesEver, opt.MaxEndpoints, opt.MaxUsers, opt.DedupeWindow = r.MaxPages, r.MaxPagesEver, r.MaxEndpoints, r.MaxUsers, r.DedupeWindow
	opt.setDefaults()
	st.judged.Store(&opt)
}

// options are those that it was opened with, and the rules of now.
func (st *store) options() *Options { return st.judged.Load() }

// KeepRaw sets for how many days raw rows are kept from now on, in place of
// Options.RawRetentionDays; 0: for ever.
func (st *store) KeepRaw(days int) { st.rawDays.Store(int64(days)) }

// Every sets how many days usually lie between two cycles; 1. What a cycle that
// comes much later would delete waits for Confirm.
func (st *store) Every(days int) { st.usual.Store(int64(days)) }

// Open connects to MySQL or MariaDB, or where dsn is empty to an SQLite file
// that is made if it does not exist, and brings the tables up to date. It
// starts nothing.
func Open(ctx context.Context, dsn, sqlitePath string, opt Options) (*Archive, error) {
	opt.setDefaults()
	a := newArchive(&store{opt: opt, log: opt.Logger, pause: pause, rawDays: &atomic.Int64{}, usual: &atomic.Int64{}, judged: &atomic.Pointer[Options]{}})
	a.watcher = &watcher{tell: opt.Statements, log: opt.Logger, now: time.Now, said: map[string]time.Time{}}
	a.judged.Store(&a.opt)
	a.KeepRaw(opt.RawRetentionDays)
	if err := a.connect(ctx, dsn, sqlitePath); err != nil {
		return nil, errors.Join(fmt.Errorf("open archive: %w", err), a.Close())
	}
	return a, nil
}

func (st *store) connect(ctx context.Context, dsn, sqlitePath string) (err error) {
	if dsn != "" {
		err = st.openMySQL(ctx, dsn)
	} else {
		err = st.openSQLite(ctx, sqlitePath)
	}
	if err != nil {
		return err
	}
	unlock, _, err := st.dialect.lock(ctx, "migrate", true)
	if err != nil {
		return err
	}
	err = st.migrate(ctx)
	if st.migrations != nil {
		err = errors.Join(err, st.migrations.Close())
	}
	return errors.Join(err, unlock())
}

// Close closes the connections.
func (st *store) Close() error {
	var errs []error
	if st.reads != nil && st.reads != st.db {
		errs = append(errs, st.reads.Close())
	}
	if st.db != nil {
		errs = append(errs, st.db.Close())
	}
	return errors.Join(errs...)
}

// beside asks while a transaction is under way. Where there are no more connections
// than the lock's and the transaction's, the lock's answers: it has nothing else to do.
func (st *store) beside() querier {
	if m, ok := st.dialect.(*mysqlDialect); ok && st.opt.Connections < 3 {
		if c := m.held.Load(); c != nil {
			return c
		}
	}
	return st.reads
}

// Replaced tells whether the file that was opened is not in its place any more, as
// after somebody restored a backup under the daemon: the archive must be opened
// again. Of MySQL it is always false.
func (st *store) Replaced() bool {
	d, ok := st.dialect.(*sqliteDialect)
	return ok && d.replaced()
}

// Abandon closes an archive whose file was replaced. Its write-ahead log has the
// name that the new file's would have: SQLite leaves it where the file was moved,
// and would take it for the new one's.
func (st *store) Abandon() error {
	d, ok := st.dialect.(*sqliteDialect)
	if !ok {
		return st.Close()
	}
	var ours []string
	for _, end := range []string{"-wal", "-shm"} {
		if now, err := os.Stat(d.path + end); err == nil && d.logs[end] != nil && os.SameFile(now, d.logs[end]) {
			ours = append(ours, d.path+end)
		}
	}
	err := st.Close()
	for _, name := range ours {
		if rerr := os.Remove(name); rerr != nil && !errors.Is(rerr, fs.ErrNotExist) {
			err = errors.Join(err, rerr)
		}
	}
	return err
}

// ErrReplaced says that nothing was archived, since the file is not in its place.
var ErrReplaced = errors.New("archive.db was replaced or removed while it was open; it is opened again")

// Ping reports whether the database answers.
func (st *store) Ping(ctx context.Context) error {
	if err := st.reads.PingContext(ctx); err != nil {
		return fmt.Errorf("ask the archive: %w", err)
	}
	return nil
}

func (st *store) today() parser.Day { return parser.DayOf(st.opt.Now().In(st.opt.Location)) }

// pause waits, or ends with ctx.
func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}
