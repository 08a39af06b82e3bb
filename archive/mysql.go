package archive

import (
	"context"
	"crypto/tls"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"sync/atomic"
	"text/template"
	"time"

	"github.com/go-sql-driver/mysql"
	"github.com/pressly/goose/v3"
)

// mysqlDialect is MySQL, MariaDB and what speaks their protocol.
type mysqlDialect struct {
	db       *sql.DB
	database string
	log      *slog.Logger
	inserts  atomic.Bool              // the server refuses LOAD DATA LOCAL
	infiles  atomic.Bool              // it took one
	held     atomic.Pointer[sql.Conn] // of the lock on archiving; nil: it is not ours
}

// openMySQL connects with settings of our own where others would be wrong: the
// names are binary, times are text in UTC, and a backslash is an escape.
func (st *store) openMySQL(ctx context.Context, dsn string) error {
	cfg, err := mysql.ParseDSN(dsn)
	if err != nil {
		return fmt.Errorf("read MYSQL_DSN: %w", err)
	}
	cfg.ParseTime = false
	cfg.InterpolateParams = true
	cfg.MultiStatements = false
	cfg.AllowAllFiles = false
	cfg.ClientFoundRows = true
	cfg.Collation = "utf8mb4_bin"
	cfg.Logger = driverLog{st.log}
	withTLS(cfg, st.opt.TLS)
	// A statement may take minutes. One without any answer for longer goes to a
	// server that is not there any more: a firewall or a failover forgot the
	// connection, and nobody would ever tell.
	cfg.ReadTimeout, cfg.WriteTimeout = st.opt.Patience, st.opt.Patience
	if cfg.Timeout == 0 {
		cfg.Timeout = dialLimit
	}
	if cfg.Params == nil {
		cfg.Params = map[string]string{}
	}
	cfg.Params["time_zone"] = "'+00:00'"
	cfg.Params["sql_mode"] = "'STRICT_TRANS_TABLES,NO_ENGINE_SUBSTITUTION'"
	c, err := mysql.NewConnector(cfg)
	if err != nil {
		return fmt.Errorf("read MYSQL_DSN: %w", err)
	}
	st.db = sql.OpenDB(st.watch(c))
	st.db.SetMaxOpenConns(st.opt.Connections)
	st.db.SetMaxIdleConns((st.opt.Connections + 1) / 2)
	st.db.SetConnMaxIdleTime(idleLimit)
	st.reads = st.db
	// Changing a large table takes as long as it takes.
	slow := cfg.Clone()
	slow.ReadTimeout, slow.WriteTimeout = migrationLimit, migrationLimit
	if c, err = mysql.NewConnector(slow); err != nil {
		return fmt.Errorf("read MYSQL_DSN: %w", err)
	}
	st.migrations = sql.OpenDB(c)
	st.migrations.SetMaxOpenConns(1)
	st.dialect = &mysqlDialect{db: st.db, database: cfg.DBName, log: st.log}
	return st.reach(ctx)
}

// withTLS has a connection made by TLS; nil: as the DSN says.
func withTLS(cfg *mysql.Config, secure *tls.Config) {
	if secure != nil {
		cfg.TLS = secure.Clone()
	}
}

const (
	// dialLimit is how long a connection may take, where the DSN says nothing.
	dialLimit = 10 * time.Second
	// migrationLimit is how long one change of a table may take.
	migrationLimit = 12 * time.Hour
	// idleLimit: what was not used for so long is closed, before somebody on the
	// way forgets it.
	idleLimit = time.Minute
	// reachLimit is how long a server may take to say that it is there.
	reachLimit = 10 * time.Second
)

// reach makes sure that the database answers at all, which it does quickly. A
// connection that does not is given up for a fresh one.
func (st *store) reach(ctx context.Context) error {
	if st.Replaced() {
		return ErrReplaced
	}
	var err error
	for range 2 {
		one, cancel := context.WithTimeout(ctx, min(reachLimit, st.opt.Patience))
		err = st.db.PingContext(one)
		cancel()
		if err == nil || ctx.Err() != nil {
			break
		}
	}
	if err != nil {
		return fmt.Errorf("reach the database: %w", err)
	}
	return nil
}

// driverLog takes what the driver says beside the errors that it returns.
type driverLog struct{ log *slog.Logger }

func (d driverLog) Print(v ...any) { d.log.Debug("mysql driver", "says", fmt.Sprint(v...)) }

func (*mysqlDialect) goose() goose.Dialect { return goose.DialectMySQL }

func (*mysqlDialect) words() template.FuncMap {
	const engine = "ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin"
	return template.FuncMap{
		"bytes": sizedWord("VARBINARY(%d)"), "fixed": sizedWord("BINARY(%d)"),
		"ascii":     sizedWord("CHAR(%d) CHARACTER SET ascii COLLATE ascii_bin"),
		"ascii_var": sizedWord("VARCHAR(%d) CHARACTER SET ascii COLLATE ascii_bin"),
		"small":     fixedWord("TINYINT"), "int": fixedWord("INT UNSIGNED"), "count": fixedWord("BIGINT"),
		"time": fixedWord("DATETIME(3)"), "date": fixedWord("DATE"),
		"serial": fixedWord("INT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY"),
		"table":  fixedWord(engine), "rows": fixedWord(engine), "ignore": fixedWord("IGNORE"),
		"by_day": fixedWord("\nPARTITION BY RANGE COLUMNS(date) (PARTITION " + guardPartition + " VALUES LESS THAN (MAXVALUE))"),
	}
}

// bytes are sent as binary strings, which no character set touches.
func (*mysqlDialect) bytes(b []byte) any                { return append(make([]byte, 0, len(b)), b...) }
func (*mysqlDialect) forUpdate() string                 { return " FOR UPDATE" }
func (*mysqlDialect) level() sql.IsolationLevel         { return sql.LevelReadCommitted }
func (*mysqlDialect) snapshotLevel() sql.IsolationLevel { return sql.LevelRepeatableRead }

// onConflict uses VALUES(), which MySQL calls deprecated: its successor is not
// known to MariaDB.
func (*mysqlDialect) onConflict(string) string   { return " ON DUPLICATE KEY UPDATE " }
func (*mysqlDialect) insert() string             { return "INSERT" }
func (*mysqlDialect) ignore() string             { return "IGNORE" }
func (*mysqlDialect) added(column string) string { return "VALUES(" + column + ")" }

// Errors after which a whole transaction may be run again.
const (
	errLockWait        = 1205
	errDeadlock        = 1213 // on Galera also at COMMIT: another node came first
	errRecordChanged   = 1020 // MariaDB's snapshot isolation
	errNodeNotReady    = 1047 // Galera: WSREP has not yet prepared node
	errShutdown        = 1053
	errQueryKilled     = 1317 // the server is being stopped
	errPartitionGone   = 1507 // DROP PARTITION of one that is not there
	errPartitionExists = 1517
	errColumnExists    = 1060
	errIndexExists     = 1061
	errLoadNotAllowed  = 1148 // MySQL 5.7 and MariaDB: local_infile is off
	errLoadDisabled    = 3948 // MySQL 8: the same
	errMariaDBLoad     = 4166 // MariaDB 10.11: the same
)

func (*mysqlDialect) retryable(err error) bool {
	var e *mysql.MySQLError
	if errors.As(err, &e) {
		switch e.Number {
		case errLockWait, errDeadlock, errRecordChanged, errNodeNotReady, errShutdown, errQueryKilled:
			return true
		}
		return false
	}
	return lostConnection(err)
}

func (*mysqlDialect) alreadyThere(err error) bool {
	var e *mysql.MySQLError
	return errors.As(err, &e) && (e.Number == errColumnExists || e.Number == errIndexExists)
}

// lostConnection tells errors of the connection from those of whoever fed it:
// the reader of a segment marks its own.
func lostConnection(err error) bool {
	var own *segmentError
	if errors.As(err, &own) {
		return false
	}
	var n net.Error
	return errors.Is(err, driver.ErrBadConn) || errors.Is(err, mysql.ErrInvalidConn) ||
		errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.As(err, &n)
}

// lock takes a named lock on a connection of its own, which holds it until it
// is closed. Servers that know no such lock (some clusters) let everybody
// have it: it saves work in vain and is not needed to be right.
func (d *mysqlDialect) lock(ctx context.Context, name string, wait bool) (func() error, bool, error) {
	c, err := d.db.Conn(ctx)
	if err != nil {
		return nil, false, fmt.Errorf("connect to MySQL: %w", err)
	}
	seconds := 0
	if wait {
		seconds = 60
	}
	var got sql.NullInt64
	full := lockName(d.database, name)
	if err := c.QueryRowContext(ctx, "SELECT GET_LOCK(?, ?)", full, seconds).Scan(&got); err != nil {
		if lostConnection(err) || ctx.Err() != nil {
			return nil, false, errors.Join(fmt.Errorf("lock the archive: %w", err), c.Close())
		}
		d.log.Warn("the server has no locks; two hosts may do the same work", "err", err)
		return func() error { return nil }, true, c.Close()
	}
	if got.Valid && got.Int64 == 0 {
		return func() error { return nil }, false, c.Close()
	}
	if name == lockArchive {
		d.held.Store(c)
	}
	return func() error {
		d.held.CompareAndSwap(c, nil)
		// The context may be over by now, and the lock must go all the same.
		end, cancel := context.WithTimeout(context.WithoutCancel(ctx), reachLimit)
		defer cancel()
		_, err := c.ExecContext(end, "DO RELEASE_LOCK(?)", full)
		if err != nil && (lostConnection(err) || end.Err() != nil) {
			err = nil // and with the connection, the lock
		}
		if cerr := c.Close(); cerr != nil && !errors.Is(cerr, sql.ErrConnDone) {
			err = errors.Join(err, cerr)
		}
		return err
	}, true, nil
}

func (d *mysqlDialect) now(ctx context.Context) (time.Time, bool, error) {
	var seconds int64
	if err := d.db.QueryRowContext(ctx, "SELECT UNIX_TIMESTAMP()").Scan(&seconds); err != nil {
		return time.Time{}, false, err
	}
	return time.Unix(seconds, 0), true, nil
}

// lockName is short enough for MySQL, which allows 64 characters.
func lockName(database, name string) string {
	if len(database) > 40 {
		database = database[:40]
	}
	return "ddkk-" + name + ":" + database
}
