package main

import (
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"

	"ddkk-stats/archive"
	"ddkk-stats/counter"
	"ddkk-stats/parser"
)

// callLog writes a quiet segment of calls that were made at noon of a day.
func callLog(t *testing.T, name string, day time.Time, uris ...string) {
	t.Helper()
	var b strings.Builder
	for i, uri := range uris {
		fmt.Fprintf(&b, "v1\t%d.%03d\t%s%028x\t192.0.2.7\tapi.example\tGET\t200\t%s\t-\tcurl/8\t-\t-\t-\t0.020\t43\tend\n",
			day.Add(12*time.Hour).Unix(), i, "abcd", len(name)<<16+i, uri)
	}
	if err := os.WriteFile(name, []byte(b.String()), 0o640); err != nil {
		t.Fatal(err)
	}
	old := time.Now().Add(-time.Hour)
	if err := os.Chtimes(name, old, old); err != nil {
		t.Fatal(err)
	}
}

// TestArchivedCallsAreKept: a day of the archive is read once, and again when a
// line came late, and when it was counted by other rules though nothing else
// changed.
func TestArchivedCallsAreKept(t *testing.T) {
	dir := t.TempDir()
	log := filepath.Join(dir, "api.log")
	day := time.Now().UTC().Truncate(24*time.Hour).AddDate(0, 0, -3)
	open := func(routes string) *vault {
		cfg := mustLoad(t, map[string]string{"DATA_DIR": dir, "TIMEZONE": "UTC", "SECRET": "secret", "SITE_LOG": log, "API_ROUTES": routes}, "")
		v := newVault(newLive(cfg), nil, counter.NewKeys("ddkk", false), slog.New(slog.DiscardHandler))
		t.Cleanup(func() {
			if err := v.close(); err != nil {
				t.Error(err)
			}
		})
		return v
	}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	v := open("")
	kept, d := &keptCallDays{all: map[archive.SiteDay]keptCallDay{}}, archive.SiteDay{Site: "api.example", Day: parser.DayOf(day)}
	want := func(v *vault, calls int64, endpoints ...string) {
		t.Helper()
		a, err := v.open(t.Context())
		must(err)
		for range 2 {
			r, err := kept.get(t.Context(), a.Read(), d)
			must(err)
			var names []string
			for _, e := range r.Endpoints {
				names = append(names, e.Endpoint)
			}
			if r.Calls != calls || fmt.Sprint(names) != fmt.Sprint(endpoints) {
				t.Errorf("%d calls of %q, want %d of %q", r.Calls, names, calls, endpoints)
			}
		}
	}
	want(v, 0)
	callLog(t, log+".1", day, "/users/1", "/users/2")
	archiveNow := func() {
		t.Helper()
		_, err := v.archiveLogs(t.Context(), []byte("secret"))
		must(err)
	}
	archiveNow()
	want(v, 2, "GET /users/:id")
	before := kept.all[d].version
	want(v, 2, "GET /users/:id")
	if kept.all[d].version != before {
		t.Error("the version changed by itself")
	}
	callLog(t, log+".22", day, "/users/3")
	archiveNow()
	want(v, 3, "GET /users/:id")

	v = open("/users/*")
	r := &recounting{v: v, opt: recountOptions{days: 7}, secret: []byte("secret"), from: parser.DayOf(day), to: parser.DayOf(day), out: t.Output(), progress: t.Output()}
	must(r.run(t.Context()))
	want(v, 3, "GET /users/*")
}

// TestCallsOfTheOnlySite: where one site alone is counted it need not be named.
func TestCallsOfTheOnlySite(t *testing.T) {
	m := miniredis.RunT(t)
	rdb := counter.Connect(counter.ConnectOptions{Addrs: []string{m.Addr()}})
	defer func() {
		if err := rdb.Close(); err != nil {
			t.Error(err)
		}
	}()
	reader, err := counter.NewReader(rdb, counter.NewKeys("ddkk", false), counter.ReaderOptions{})
	if err != nil {
		t.Fatal(err)
	}
	f := func(set, want string) {
		t.Helper()
		if got := (&calls{reader: reader, site: set}).Site(t.Context()); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	f("", "")
	for i, want := range []string{"a.example", ""} {
		if _, err := m.SAdd("ddkk:sites", fmt.Sprintf("%c.example", 'a'+i)); err != nil {
			t.Fatal(err)
		}
		f("", want)
		f("set.example", "set.example")
	}
}
