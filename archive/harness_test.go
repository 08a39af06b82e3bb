package archive

import (
	"bytes"
	"context"
	"database/sql"
	"fmt"
	"io"
	"log/slog"
	"math/rand"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	_ "github.com/go-sql-driver/mysql"

	"ddkk-stats/parser"
)

// server is the MariaDB of all tests of this package.
var server *mariaDB

func TestMain(m *testing.M) { os.Exit(testMain(m)) }

func testMain(m *testing.M) int {
	dir, err := os.MkdirTemp("", "ddkk-archive-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	if server, err = startMariaDB(dir); err != nil {
		fmt.Fprintln(os.Stderr, "start mariadb:", err)
		return 1
	}
	defer server.stop()
	return m.Run()
}

type mariaDB struct {
	addr string
	cmd  *exec.Cmd
	done chan error
}

func startMariaDB(dir string) (*mariaDB, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	addr := ln.Addr().(*net.TCPAddr)
	if err := ln.Close(); err != nil {
		return nil, err
	}
	data := filepath.Join(dir, "data")
	var asRoot []string
	if os.Getuid() == 0 {
		asRoot = []string{"--user=root"}
	}
	install := append([]string{"--no-defaults", "--datadir=" + data, "--tmpdir=" + data, "--auth-root-authentication-method=normal",
		"--skip-test-db", "--skip-name-resolve"}, asRoot...)
	if out, err := exec.Command("mariadb-install-db", install...).CombinedOutput(); err != nil {
		return nil, fmt.Errorf("%w: %s", err, out)
	}
	log, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		return nil, err
	}
	defer log.Close()
	path := "/usr/sbin/mariadbd"
	if p, err := exec.LookPath("mariadbd"); err == nil {
		path = p
	}
	s := &mariaDB{addr: addr.String(), done: make(chan error, 1)}
	s.cmd = exec.Command(path, append([]string{"--no-defaults", "--datadir=" + data, "--socket=" + filepath.Join(dir, "db.sock"),
		"--pid-file=" + filepath.Join(dir, "pid"), "--port=" + strconv.Itoa(addr.Port), "--bind-address=127.0.0.1", "--local-infile=1",
		"--innodb-buffer-pool-size=256M", "--innodb-log-file-size=128M", "--performance-schema=0", "--skip-log-bin",
		// Nothing here outlives the machine: what is committed need not be on the disk.
		"--innodb-flush-log-at-trx-commit=0", "--innodb-doublewrite=0", "--innodb-flush-method=nosync"}, asRoot...)...)
	s.cmd.Stdout, s.cmd.Stderr = log, log
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := s.cmd.Start(); err != nil {
		return nil, err
	}
	go func() { s.done <- s.cmd.Wait() }()
	db, err := sql.Open("mysql", s.dsn(""))
	if err != nil {
		return nil, err
	}
	defer db.Close()
	for until := time.Now().Add(time.Minute); ; {
		if err = db.Ping(); err == nil {
			return s, nil
		}
		if time.Now().After(until) {
			s.stop()
			return nil, err
		}
		if err := pause(context.Background(), 50*time.Millisecond); err != nil {
			return nil, err
		}
	}
}

func (s *mariaDB) stop() {
	if err := s.cmd.Process.Signal(syscall.SIGKILL); err != nil {
		fmt.Fprintln(os.Stderr, "stop mariadb:", err)
	}
	<-s.done
}

func (s *mariaDB) dsn(database string) string {
	return "root@tcp(" + s.addr + ")/" + database + "?timeout=5s"
}

// place is where an archive is kept.
type place struct {
	name string
	dsn  string
	path string
}

// eachPlace runs f on an empty database of each kind.
func eachPlace(t *testing.T, f func(t *testing.T, at place)) {
	t.Helper()
	t.Run("mariadb", func(t *testing.T) { f(t, mariaPlace(t)) })
	t.Run("sqlite", func(t *testing.T) { f(t, sqlitePlace(t)) })
}

func sqlitePlace(t testing.TB) place {
	return place{name: "sqlite", path: filepath.Join(t.TempDir(), "archive.db")}
}

func mariaPlace(t testing.TB) place {
	t.Helper()
	db, err := sql.Open("mysql", server.dsn(""))
	check(t, err)
	defer db.Close()
	name := "t" + strconv.FormatInt(rand.Int63(), 36)
	_, err = db.Exec("CREATE DATABASE " + name)
	check(t, err)
	t.Cleanup(func() {
		db, err := sql.Open("mysql", server.dsn(""))
		check(t, err)
		defer db.Close()
		_, err = db.Exec("DROP DATABASE " + name)
		check(t, err)
	})
	return place{name: "mariadb", dsn: server.dsn(name)}
}

// now is the present of all tests; their lines are of the days before.
var now = time.Date(2026, 11, 22, 3, 0, 0, 0, time.UTC)

func open(t testing.TB, at place, change ...func(*Options)) *Archive {
	t.Helper()
	opt := Options{Now: func() time.Time { return now }, Logger: slog.New(slog.DiscardHandler)}
	for _, c := range change {
		c(&opt)
	}
	a, err := Open(t.Context(), at.dsn, at.path, opt)
	check(t, err)
	t.Cleanup(func() { check(t, a.Close()) })
	return a
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// newParser makes the parser of all tests.
func newParser(t testing.TB) *parser.Parser {
	t.Helper()
	p, err := parser.New(parser.Config{Format: parser.FormatV1, Secret: []byte("secret")})
	check(t, err)
	return p
}

// view is a line of a log.
type view struct {
	at           time.Time
	addr, agent  string
	site, page   string
	id           string // view id
	event        string // levels, separated by a space
	referer, uid string
	gpc          bool
	raw          string // the line itself
}

const browser = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"

func (v view) line(n int) string {
	if v.raw != "" {
		return v.raw
	}
	or := func(s, def string) string {
		if s == "" {
			return def
		}
		return s
	}
	q := "/event.png?site=" + or(v.site, "a.example") + "&page=" + percent(or(v.page, "/"))
	if v.id != "" {
		q += "&id=" + v.id
	}
	if v.uid != "" {
		q += "&uid=" + percent(v.uid)
	}
	if v.event != "" {
		for i, l := range strings.Fields(v.event) {
			q += "&" + [...]string{"category", "action", "label", "value"}[i] + "=" + percent(l)
		}
	}
	gpc := "-"
	if v.gpc {
		gpc = "1"
	}
	at := v.at
	if at.IsZero() {
		at = now.Add(-24 * time.Hour)
	}
	return strings.Join([]string{"v1", fmt.Sprintf("%d.%03d", at.Unix(), at.Nanosecond()/1e6), fmt.Sprintf("%032x", n), or(v.addr, "203.0.113.7"),
		"stats.example", "GET", "200", q, or(nginxEscape(v.referer), "-"), nginxEscape(or(v.agent, browser)), "-", gpc, "-", "0.000", "43", "end"}, "\t")
}

// percent escapes all bytes but the plain ones, twice over: once for the query
// and once for the path, so that every byte arrives.
func percent(s string) string {
	var b strings.Builder
	for _, c := range []byte(s) {
		if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '/' || c == '-' || c == '_' {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return b.String()
}

func nginxEscape(s string) string {
	var b strings.Builder
	for _, c := range []byte(s) {
		if c < ' ' || c == '"' || c == '\\' || c >= 0x7f {
			fmt.Fprintf(&b, `\x%02X`, c)
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}

// memory is a segment in memory.
type memory struct {
	id     string
	data   []byte
	opened func(from int64, r io.Reader) io.Reader // nil: as it is
}

func (m *memory) ID() string   { return m.id }
func (m *memory) Name() string { return "/log/event.log." + m.id }
func (m *memory) Size() int64  { return int64(len(m.data)) }
func (m *memory) Open(_ context.Context, from int64) (io.ReadCloser, error) {
	var r io.Reader = bytes.NewReader(m.data[from:])
	if m.opened != nil {
		r = m.opened(from, r)
	}
	return io.NopCloser(r), nil
}

func segmentOf(id string, views ...view) *memory {
	var b strings.Builder
	for i, v := range views {
		b.WriteString(v.line(i) + "\n")
	}
	return &memory{id: id, data: []byte(b.String())}
}

// run archives segments, and fails the test on an error.
func run(t testing.TB, a *Archive, segments ...*memory) Summary {
	t.Helper()
	sum, err := a.Run(t.Context(), source(t, segments...))
	check(t, err)
	return sum
}

func source(t testing.TB, segments ...*memory) Source {
	s := Source{Name: "host:/log/event.log", Parser: newParser(t)}
	for _, m := range segments {
		s.Segments = append(s.Segments, m)
	}
	return s
}

// query returns rows as lines of text with "|" between columns. It reads what
// is committed.
func query(t testing.TB, a *Archive, q string, args ...any) string {
	t.Helper()
	rows, err := a.reads.Query(q, args...)
	check(t, err)
	defer rows.Close()
	columns, err := rows.Columns()
	check(t, err)
	var out []string
	for rows.Next() {
		values, into := make([]sql.NullString, len(columns)), make([]any, len(columns))
		for i := range values {
			into[i] = &values[i]
		}
		check(t, rows.Scan(into...))
		var texts []string
		for _, v := range values {
			texts = append(texts, v.String)
		}
		out = append(out, strings.Join(texts, "|"))
	}
	check(t, rows.Err())
	return strings.Join(out, "\n")
}

// wants compares a query's rows, as text.
func wants(t testing.TB, a *Archive, want, q string, args ...any) {
	t.Helper()
	if got := query(t, a, q, args...); got != want {
		t.Errorf("%s\ngot:\n%s\nwant:\n%s", q, got, want)
	}
}

// contents is all that must not depend on how often or by whom it was archived.
func contents(t testing.TB, a *Archive) string {
	t.Helper()
	return strings.Join([]string{
		query(t, a, "SELECT s.id, l.end_offset, l.site, l.page, l.user_hash, l.ip, l.user_agent, l.potential_bot, l.created_at, l.date, l.event_key, "+
			"l.device, l.uid, l.referer, l.referrer, HEX(l.view_key), HEX(l.window_key) FROM access_logs l JOIN segments s ON s.num = l.segment ORDER BY s.id, l.end_offset"),
		query(t, a, "SELECT id, size, read_to, lines_read, human, bot, dedup, skipped, malformed, torn, reasons, first_time, last_time FROM segments ORDER BY id"),
		query(t, a, "SELECT site, date, dirty, raw, dedup FROM days ORDER BY site, date"),
		query(t, a, "SELECT * FROM daily_stats ORDER BY site, date"),
		query(t, a, "SELECT * FROM facet_stats ORDER BY site, facet, date, name"),
		query(t, a, "SELECT * FROM page_stats ORDER BY site, date, page"),
		query(t, a, "SELECT * FROM event_stats ORDER BY site, date, event_key"),
	}, "\n\n")
}

// traffic makes n lines of some days that hold every outcome.
func traffic(seed int64, n int, from time.Time, every time.Duration) []view {
	r := rand.New(rand.NewSource(seed))
	agents := []string{browser, "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148",
		"Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"}
	var all []view
	for i := range n {
		v := view{
			at: from.Add(time.Duration(i) * every), addr: fmt.Sprintf("203.0.%d.%d", r.Intn(4), r.Intn(200)), agent: agents[r.Intn(len(agents))],
			site: [...]string{"a.example", "b.example"}[r.Intn(2)], page: "/p" + strconv.Itoa(r.Intn(30)),
		}
		switch r.Intn(10) {
		case 0:
			v.event = [...]string{"play", "play video", "play video a.b", "play video intro 3", "buy book"}[r.Intn(5)]
		case 1:
			v.id = "view" + strconv.Itoa(r.Intn(5))
			v.addr, v.agent, v.site = "203.0.113.1", browser, "a.example"
		case 2:
			v.gpc = true
		case 3:
			v.raw = "v1\tbroken"
		}
		all = append(all, v)
	}
	return all
}

// unmigrate makes an archive forget the migrations from one on, as if an earlier version
// had left it, as far as these cannot be done twice.
func unmigrate(t *testing.T, a *Archive, from int) {
	t.Helper()
	statements := []string{fmt.Sprintf("DELETE FROM %s WHERE version_id >= %d", versionTable, from)}
	for _, f := range facetsKept {
		if from <= 13 && f != parser.Referrer {
			statements = append(statements, "ALTER TABLE access_logs DROP COLUMN "+f.Spec().Column)
		}
	}
	for k := range parser.NumTerms {
		for _, table := range []string{"access_logs", "voided_rows"} {
			statements = append(statements, "ALTER TABLE "+table+" DROP COLUMN "+termColumn(k))
		}
	}
	for _, table := range []string{"access_logs", "voided_rows"} {
		statements = append(statements, "ALTER TABLE "+table+" DROP COLUMN network")
	}
	for _, s := range statements {
		_, err := a.db.ExecContext(t.Context(), s)
		check(t, err)
	}
}
