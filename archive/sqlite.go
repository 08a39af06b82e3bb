package archive

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"syscall"
	"text/template"
	"time"

	"github.com/pressly/goose/v3"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"ddkk-stats/parser"
)

// sqliteDialect is the embedded database.
type sqliteDialect struct {
	db    *sql.DB
	path  string
	file  os.FileInfo            // that was opened
	logs  map[string]os.FileInfo // what SQLite keeps beside it, by the end of its name
	pause func(context.Context, time.Duration) error
}

// openSQLite opens two pools: one connection that writes, whose transactions
// take the write lock at once, and some that read beside it.
func (st *store) openSQLite(ctx context.Context, path string) error {
	path, err := filepath.Abs(path)
	if err != nil {
		return fmt.Errorf("find SQLite file: %w", err)
	}
	// Made before SQLite does, which would let others read it; its other files
	// take their mode from this one.
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return fmt.Errorf("open SQLite: %w; is DATA_DIR there and writable?", err)
	}
	there, err := f.Stat()
	if err = errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("open SQLite: %w", err)
	}
	pragmas := url.Values{"_pragma": {
		"busy_timeout(500)", "journal_mode(WAL)", "synchronous(FULL)", "cache_size(-16000)", "temp_store(FILE)",
	}}
	file := (&url.URL{Scheme: "file", Path: path}).String() + "?" + pragmas.Encode()
	known, err := sql.Open("sqlite", file) // connects nowhere; it knows the driver
	if err != nil {
		return fmt.Errorf("open SQLite: %w", err)
	}
	engine := known.Driver()
	if err := known.Close(); err != nil {
		return fmt.Errorf("open SQLite: %w", err)
	}
	st.db = sql.OpenDB(st.watch(namedConnector{engine, file + "&_txlock=immediate"}))
	st.db.SetMaxOpenConns(1)
	st.reads = sql.OpenDB(st.watch(namedConnector{engine, file}))
	st.reads.SetMaxOpenConns(8)
	st.dialect = &sqliteDialect{db: st.db, path: path, file: there, pause: st.pause}
	var tables int // a first read: it makes the files beside it
	if err := st.db.QueryRowContext(ctx, "SELECT COUNT(*) FROM sqlite_master").Scan(&tables); err != nil {
		return fmt.Errorf("open SQLite %s: %w; is DATA_DIR there and writable?", path, err)
	}
	logs := map[string]os.FileInfo{}
	for _, end := range []string{"-wal", "-shm"} {
		if fi, err := os.Stat(path + end); err == nil {
			logs[end] = fi
		}
	}
	st.dialect.(*sqliteDialect).logs = logs
	return nil
}

func (*sqliteDialect) goose() goose.Dialect { return goose.DialectSQLite3 }

func (*sqliteDialect) words() template.FuncMap {
	text := func(int) string { return "TEXT" }
	return template.FuncMap{
		"bytes": text, "ascii": text, "ascii_var": text, "fixed": func(int) string { return "BLOB" },
		"small": fixedWord("INTEGER"), "int": fixedWord("INTEGER"), "count": fixedWord("INTEGER"),
		"time": fixedWord("TEXT"), "date": fixedWord("TEXT"),
		"serial": fixedWord("INTEGER PRIMARY KEY AUTOINCREMENT"),
		"table":  fixedWord("WITHOUT ROWID"), "rows": fixedWord(""), "ignore": fixedWord("OR IGNORE"),
		"by_day": fixedWord(""),
	}
}

// bytes are text that may hold anything: it is compared byte by byte, and finds
// what a user writes in quotes.
func (*sqliteDialect) bytes(b []byte) any                { return string(b) }
func (*sqliteDialect) forUpdate() string                 { return "" }
func (*sqliteDialect) level() sql.IsolationLevel         { return sql.LevelDefault }
func (*sqliteDialect) snapshotLevel() sql.IsolationLevel { return sql.LevelDefault }

func (*sqliteDialect) onConflict(key string) string {
	return " ON CONFLICT (" + key + ") DO UPDATE SET "
}

// insert spares SQLite the copies of pages by which it would take back one statement of
// many rows.
func (*sqliteDialect) insert() string             { return "INSERT OR FAIL" }
func (*sqliteDialect) ignore() string             { return "OR IGNORE" }
func (*sqliteDialect) added(column string) string { return "excluded." + column }

func (*sqliteDialect) retryable(err error) bool {
	var e *sqlite.Error
	if !errors.As(err, &e) {
		return false
	}
	code := e.Code() & 0xff
	return code == sqlite3.SQLITE_BUSY || code == sqlite3.SQLITE_LOCKED
}

// alreadyThere never happens: a migration is one transaction.
func (*sqliteDialect) alreadyThere(error) bool { return false }

// replaced tells whether another file lies where ours did, or none: what is
// written would go into one that nobody sees.
func (d *sqliteDialect) replaced() bool {
	now, err := os.Stat(d.path)
	return errors.Is(err, fs.ErrNotExist) || err == nil && !os.SameFile(now, d.file)
}

// lockWait is how long a lock is waited for.
const lockWait = time.Minute

// lock locks a file beside the database; it is free again when the process
// ends, however that happens.
func (d *sqliteDialect) lock(ctx context.Context, name string, wait bool) (func() error, bool, error) {
	f, err := os.OpenFile(d.path+"."+name+".lock", os.O_CREATE|os.O_RDWR, 0o640)
	if err != nil {
		return nil, false, fmt.Errorf("lock the archive: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, lockWait)
	defer cancel()
	for {
		err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if !wait || !errors.Is(err, syscall.EWOULDBLOCK) {
			break
		}
		if err = d.pause(ctx, 50*time.Millisecond); err != nil {
			break
		}
	}
	switch {
	case errors.Is(err, syscall.EWOULDBLOCK):
		return func() error { return nil }, false, f.Close()
	case err != nil:
		return nil, false, errors.Join(fmt.Errorf("lock the archive: %w", err), f.Close())
	}
	return f.Close, true, nil
}

// now is this host's.
func (*sqliteDialect) now(context.Context) (time.Time, bool, error) { return time.Time{}, false, nil }

// prepare has nothing to do: there are no partitions.
func (*sqliteDialect) prepare(context.Context, parser.Day, parser.Day) error { return nil }
func (*sqliteDialect) drop(context.Context, parser.Day) error                { return nil }

// sqliteInsertRows: more rows in a statement win little.
const sqliteInsertRows = 40

func (d *sqliteDialect) load(ctx context.Context, tx *sql.Tx, s *scan, segment int64) error {
	return insertRows(ctx, tx, s, segment, d, sqliteInsertRows)
}

func (*sqliteDialect) loadNames(context.Context, *sql.Tx, *nameRows, rawRows) (bool, error) {
	return false, nil
}
