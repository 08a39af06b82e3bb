package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	_ "github.com/go-sql-driver/mysql" // the protocol of MariaDB
)

// mariaDB is a real MariaDB with LOAD DATA LOCAL on, as the manual asks for,
// and an empty database.
type mariaDB struct {
	*process
	dsn string
}

func (b *bench) startMariaDB(ctx context.Context) (*mariaDB, error) {
	install, err := program("mariadb-install-db")
	if err != nil {
		return nil, err
	}
	server, err := program("mariadbd")
	if err != nil {
		return nil, err
	}
	dir, err := b.folder("mariadb")
	if err != nil {
		return nil, err
	}
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	data := filepath.Join(dir, "data")
	var user []string
	if os.Getuid() == 0 {
		user = []string{"--user=root"} // it refuses root unless told
	}
	args := append([]string{"--no-defaults", "--datadir=" + data, "--auth-root-authentication-method=normal",
		"--skip-test-db", "--skip-name-resolve"}, user...)
	if _, _, err := b.output(ctx, dir, install, args...); err != nil {
		return nil, err
	}
	args = append([]string{"--no-defaults", "--datadir=" + data, "--socket=" + filepath.Join(dir, "db.sock"),
		"--pid-file=" + filepath.Join(dir, "db.pid"), "--port=" + port, "--bind-address=127.0.0.1", "--local-infile=1",
		"--innodb-buffer-pool-size=512M", "--innodb-log-file-size=256M", "--performance-schema=0", "--skip-log-bin"}, user...)
	p, err := b.start(dir, "mariadb", nil, server, args...)
	if err != nil {
		return nil, err
	}
	m := &mariaDB{process: p, dsn: fmt.Sprintf("root@tcp(127.0.0.1:%s)/ddkk", port)}
	if err := m.create(ctx, port); err != nil {
		return nil, errors.Join(err, m.stop())
	}
	return m, nil
}

// create waits for the server and makes the database.
func (m *mariaDB) create(ctx context.Context, port string) (err error) {
	db, err := sql.Open("mysql", fmt.Sprintf("root@tcp(127.0.0.1:%s)/", port))
	if err != nil {
		return fmt.Errorf("connect to MariaDB: %w", err)
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	if err := m.await(ctx, 30*time.Second, func() error { return db.PingContext(ctx) }); err != nil {
		return err
	}
	if _, err := db.ExecContext(ctx, "CREATE DATABASE ddkk CHARACTER SET utf8mb4 COLLATE utf8mb4_bin"); err != nil {
		return fmt.Errorf("create the database: %w", err)
	}
	return nil
}
