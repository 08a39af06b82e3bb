package archive

import (
	"context"
	"crypto/tls"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"time"

	"github.com/go-sql-driver/mysql"
)

// Look is what Probe saw.
type Look struct {
	Now     time.Time // by MySQL's clock; zero of SQLite
	Trouble string    // see ClockTrouble; empty where there are no tables yet
}

// Probe looks whether an archive can be used, and changes nothing; see Options.TLS.
func Probe(ctx context.Context, dsn string, secure *tls.Config, sqlitePath string) (look Look, err error) {
	db, err := probed(dsn, secure, sqlitePath)
	if err != nil {
		return look, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	if dsn != "" {
		var seconds int64
		if err := db.QueryRowContext(ctx, "SELECT UNIX_TIMESTAMP()").Scan(&seconds); err != nil {
			return look, err
		}
		look.Now = time.Unix(seconds, 0)
		var tables int
		err := db.QueryRowContext(ctx, "SELECT COUNT(*) FROM information_schema.tables WHERE table_schema = DATABASE() AND table_name = 'meta'").Scan(&tables)
		if err != nil || tables == 0 {
			return look, err
		}
	} else {
		var tables int
		if err := db.QueryRowContext(ctx, "SELECT COUNT(*) FROM sqlite_master WHERE name = 'meta'").Scan(&tables); err != nil || tables == 0 {
			return look, err
		}
	}
	err = db.QueryRowContext(ctx, "SELECT value FROM meta WHERE name = 'clock_trouble'").Scan(&look.Trouble)
	if errors.Is(err, sql.ErrNoRows) {
		err = nil
	}
	return look, err
}

func probed(dsn string, secure *tls.Config, path string) (*sql.DB, error) {
	if dsn == "" {
		return sql.Open("sqlite", (&url.URL{Scheme: "file", Path: path}).String()+"?mode=ro&_pragma=busy_timeout(500)")
	}
	cfg, err := mysql.ParseDSN(dsn)
	if err != nil {
		return nil, errors.New("read MYSQL_DSN: it is not of the form user:password@tcp(host:3306)/database")
	}
	withTLS(cfg, secure)
	cfg.Timeout, cfg.ReadTimeout, cfg.WriteTimeout = reachLimit, reachLimit, reachLimit
	c, err := mysql.NewConnector(cfg)
	if err != nil {
		return nil, fmt.Errorf("read MYSQL_DSN: %w", err)
	}
	return sql.OpenDB(c), nil
}
