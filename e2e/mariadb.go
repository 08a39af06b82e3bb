package e2e

import (
	"database/sql"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"

	_ "github.com/go-sql-driver/mysql" // the protocol of MariaDB
)

// MariaDB is a real mariadbd in a folder of its own, with LOAD DATA LOCAL on,
// as the manual asks for.
type MariaDB struct {
	*process
	Addr string // 127.0.0.1:port
	Dir  string
}

// StartMariaDB makes a data folder, which takes some seconds, and starts the
// server. Further arguments go to its command line.
func StartMariaDB(t testing.TB, args ...string) *MariaDB {
	t.Helper()
	m := newMariaDB(t, args...)
	m.Start()
	return m
}

// newMariaDB is StartMariaDB without the start.
func newMariaDB(t testing.TB, args ...string) *MariaDB {
	t.Helper()
	dir, port := TempDir(t), FreePort(t)
	data := filepath.Join(dir, "data")
	installMariaDB(t, data)
	all := append([]string{
		"--no-defaults", "--datadir=" + data, "--socket=" + filepath.Join(dir, "db.sock"),
		"--pid-file=" + filepath.Join(dir, "db.pid"), "--port=" + strconv.Itoa(port),
		"--bind-address=127.0.0.1", "--skip-networking=0", "--local-infile=1",
		// Small: several of these run beside each other.
		"--innodb-buffer-pool-size=64M", "--innodb-log-file-size=32M", "--performance-schema=0",
		"--skip-log-bin",
	}, asUser()...)
	return &MariaDB{
		process: newProcess(t, "mariadb", program(t, "mariadbd"), append(all, args...)...),
		Addr:    net.JoinHostPort("127.0.0.1", strconv.Itoa(port)),
		Dir:     dir,
	}
}

// asUser: the server refuses to run as root unless told to.
func asUser() []string {
	if os.Getuid() != 0 {
		return nil
	}
	return []string{"--user=root"}
}

func installMariaDB(t testing.TB, data string) {
	t.Helper()
	args := append([]string{
		"--no-defaults", "--datadir=" + data, "--tmpdir=" + data, "--auth-root-authentication-method=normal",
		"--skip-test-db", "--skip-name-resolve",
	}, asUser()...)
	if out, err := exec.Command(program(t, "mariadb-install-db"), args...).CombinedOutput(); err != nil {
		t.Fatalf("make a data folder for mariadb: %v\n%s", err, out)
	}
}

// Start starts the server on its folder and waits until it answers.
func (m *MariaDB) Start() {
	m.t.Helper()
	m.start()
	db, err := sql.Open("mysql", m.DSN(""))
	if err != nil {
		m.t.Fatalf("connect to mariadb: %v", err)
	}
	defer m.close(db)
	m.waitReady(60*time.Second, db.Ping)
}

// Kill is kill -9.
func (m *MariaDB) Kill() { m.kill() }

// Stop stops the server as its service would.
func (m *MariaDB) Stop() {
	m.t.Helper()
	if _, err := m.terminate(syscall.SIGTERM, stopLimit); err != nil {
		m.t.Errorf("mariadb stopped with %v", err)
	}
}

// DSN is the data source name of a database, as MYSQL_DSN takes it.
func (m *MariaDB) DSN(database string) string {
	return fmt.Sprintf("root@tcp(%s)/%s?parseTime=true&timeout=5s", m.Addr, database)
}

// Create makes an empty database and returns its DSN.
func (m *MariaDB) Create(database string) string {
	m.t.Helper()
	db := m.Open(m.t, "")
	if _, err := db.Exec("CREATE DATABASE `" + database + "` CHARACTER SET utf8mb4 COLLATE utf8mb4_bin"); err != nil {
		m.t.Fatalf("create database %s: %v", database, err)
	}
	return m.DSN(database)
}

// Open connects to a database; the connection is closed after the test.
func (m *MariaDB) Open(t testing.TB, database string) *sql.DB {
	t.Helper()
	db, err := sql.Open("mysql", m.DSN(database))
	if err != nil {
		t.Fatalf("connect to mariadb: %v", err)
	}
	t.Cleanup(func() { m.close(db) })
	return db
}

func (m *MariaDB) close(db *sql.DB) {
	if err := db.Close(); err != nil {
		m.t.Errorf("close the connection to mariadb: %v", err)
	}
}
