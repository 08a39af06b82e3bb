package archive

import (
	"context"
	"database/sql"
	"text/template"
	"time"

	"github.com/pressly/goose/v3"

	"ddkk-stats/parser"
)

// dialect is what differs between the databases.
type dialect interface {
	goose() goose.Dialect
	words() template.FuncMap

	// bytes makes a value of a column with {{bytes}} of b, as a copy.
	bytes(b []byte) any
	// forUpdate is the clause that locks the rows of a SELECT.
	forUpdate() string
	// onConflict begins the clause that adds to a row that is there already,
	// and added names the new value of a column in it.
	onConflict(key string) string
	added(column string) string

	// insert begins an INSERT of a transaction that is taken back when it fails.
	insert() string
	// ignore is the word after INSERT that passes over rows that are there.
	ignore() string

	// level is the isolation of writing transactions: statements must see what
	// was committed before them.
	level() sql.IsolationLevel
	// snapshotLevel makes all reads of a transaction see the same moment.
	snapshotLevel() sql.IsolationLevel
	// retryable reports whether a transaction that failed so may be run again.
	retryable(err error) bool
	// alreadyThere tells that a column or an index was not added since there is one: a
	// migration was ended half way, and MySQL keeps what it did.
	alreadyThere(err error) bool
	// lock takes a lock that one host at a time holds, waiting for it or not.
	// ok tells whether it was had.
	lock(ctx context.Context, name string, wait bool) (unlock func() error, ok bool, err error)

	// now is the time by the database's own clock; false: it has none.
	now(ctx context.Context) (time.Time, bool, error)

	// prepare makes room for raw rows from first on, and for the days ahead.
	prepare(ctx context.Context, first, today parser.Day) error
	// drop deletes what can be deleted quickly of the raw rows before floor.
	drop(ctx context.Context, floor parser.Day) error
	// load stores all rows of s as raw rows of a segment, in tx.
	load(ctx context.Context, tx *sql.Tx, s *scan, segment int64) error
	// loadNames stores all rows of w, none of which is there yet, in a quicker way
	// than by INSERT; false: there is none.
	loadNames(ctx context.Context, tx *sql.Tx, w *nameRows, r rawRows) (bool, error)
}
