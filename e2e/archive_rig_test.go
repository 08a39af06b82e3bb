package e2e

import (
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

// Tests of the archive run against both databases.

// eachArchive runs a test with SQLite and with MariaDB, each with a rig whose
// daemon is not started yet.
func eachArchive(t *testing.T, opts rigOptions, test func(r *rig)) {
	t.Helper()
	t.Parallel() // most of the time they wait, for an audit or a schedule
	t.Run("sqlite", func(t *testing.T) { test(newRig(t, opts)) })
	t.Run("mariadb", func(t *testing.T) {
		m := StartMariaDB(t)
		r := newRig(t, opts)
		r.daemon.Env["MYSQL_DSN"] = m.Create("stats")
		test(r)
	})
}

// segments are the rotated files of the log, oldest first.
func (r *rig) segments() []string {
	r.t.Helper()
	names, err := filepath.Glob(r.log + ".*")
	must(r.t, err)
	slices.Sort(names)
	return names
}

// quieten makes the rotated files old, as if nobody had written to them for an
// hour: only quiet ones are archived.
func (r *rig) quieten() {
	r.t.Helper()
	r.writer.Settle()
	old := time.Now().Add(-time.Hour)
	for i, name := range r.segments() {
		at := old.Add(time.Duration(i) * time.Second)
		must(r.t, os.Chtimes(name, at, at))
	}
}

// archive rotates, and archives all but the live log.
func (r *rig) archive() string {
	r.t.Helper()
	r.rotate()
	r.quieten()
	return r.command("archive")
}

// command runs a command beside the daemon that has to end well.
func (r *rig) command(args ...string) string {
	r.t.Helper()
	out, err := Run(r.t, r.daemon.Env, args...)
	if err != nil {
		r.t.Fatalf("ddkk-stats %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return out
}

// deleteSegments deletes the rotated files, which are archived.
func (r *rig) deleteSegments() {
	r.t.Helper()
	for _, name := range r.segments() {
		must(r.t, os.Remove(name))
	}
}

// verified lets the daemon catch up and runs verify, which must find nothing.
func (r *rig) verified() {
	r.t.Helper()
	r.exact()
	out := r.command("verify")
	if !strings.Contains(out, " 0 differences, 0 problems") || strings.Contains(out, "DOES NOT CLOSE") {
		r.t.Errorf("verify found differences:\n%s", out)
	}
}

// forget makes Redis lose everything.
func (r *rig) forget() {
	r.t.Helper()
	must(r.t, r.client.FlushAll(r.t.Context()).Err())
}

// totals is what the API shows of all sites, to be printed.
func (r *rig) totals() string {
	r.t.Helper()
	var all []string
	sites := r.ledger.Sites()
	slices.Sort(sites)
	for _, s := range sites {
		body, err := r.daemon.Post("/api/stats", fmt.Sprintf(`{"site":%q,"fields":["site_pv","site_uv"]}`, s))
		must(r.t, err)
		all = append(all, strings.TrimSpace(string(body)))
	}
	return strings.Join(all, " ")
}

// today is the day as keys have it.
func (r *rig) today() string { return time.Now().In(r.ledger.loc).Format("20060102") }

func z(member string, score float64) redis.Z { return redis.Z{Member: member, Score: score} }

// createDatabase makes a database by a connection that does not outlive it: a
// server that is killed breaks those that are open.
func createDatabase(t *testing.T, m *MariaDB) string {
	t.Helper()
	db, err := sql.Open("mysql", m.DSN(""))
	must(t, err)
	_, err = db.Exec("CREATE DATABASE stats CHARACTER SET utf8mb4 COLLATE utf8mb4_bin")
	must(t, errors.Join(err, db.Close()))
	return m.DSN("stats")
}
