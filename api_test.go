package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"

	"ddkk-stats/archive"
	"ddkk-stats/counter"
	"ddkk-stats/parser"
	"ddkk-stats/queryapi"
)

// pastRig is an archive with two segments' lines and a Redis that tests fill.
type pastRig struct {
	*series
	t     *testing.T
	redis *miniredis.Miniredis
	keys  counter.Keys
	vault *vault
}

// newPastRig archives lines: for each day views of /a and /b and an event. The
// clock stands at noon of 2026-11-22.
func newPastRig(t *testing.T, days ...string) *pastRig {
	t.Helper()
	dir := t.TempDir()
	log := filepath.Join(dir, "log", "event.log")
	if err := os.MkdirAll(filepath.Dir(log), 0o750); err != nil {
		t.Fatal(err)
	}
	var lines strings.Builder
	n := 0
	for _, d := range days {
		at, err := time.Parse(time.DateOnly, d)
		if err != nil {
			t.Fatal(err)
		}
		for i, query := range []string{"page=/a", "page=/a", "page=/b", "page=/b&category=h5&action=pv"} {
			n++
			fmt.Fprintf(&lines, "v1\t%d.000\t%032x\t203.0.113.%d\tstats.example\tGET\t200\t/event.png?site=a.example&%s\t-\tMozilla/5.0 Firefox/140.0\t-\t-\t-\t0.000\t43\tend\n",
				at.Unix()+int64(3600*i), n, i, query)
		}
	}
	segment := log + ".1"
	if err := os.WriteFile(segment, []byte(lines.String()), 0o640); err != nil {
		t.Fatal(err)
	}
	quietSince := time.Now().Add(-time.Hour)
	if err := os.Chtimes(segment, quietSince, quietSince); err != nil {
		t.Fatal(err)
	}
	cfg := mustLoad(t, map[string]string{"DATA_DIR": dir, "TIMEZONE": "UTC", "SECRET": "secret"}, "")
	m := miniredis.RunT(t)
	rdb := counter.Connect(counter.ConnectOptions{Addrs: []string{m.Addr()}})
	r := &pastRig{t: t, redis: m, keys: counter.NewKeys("ddkk", false)}
	r.vault = newVault(newLive(cfg), rdb, r.keys, slog.New(slog.DiscardHandler))
	t.Cleanup(func() {
		if err := errors.Join(r.vault.close(), rdb.Close()); err != nil {
			t.Error(err)
		}
	})
	if _, err := r.vault.archiveLogs(t.Context(), []byte("secret")); err != nil {
		t.Fatal(err)
	}
	reader, err := counter.NewReader(rdb, r.keys, counter.ReaderOptions{
		Location: time.UTC, Timeout: 10 * time.Second, RetryAfter: time.Nanosecond,
		Now: func() time.Time { return time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC) },
	})
	if err != nil {
		t.Fatal(err)
	}
	r.series = &series{reader: reader, archive: r.vault.opened}
	return r
}

func (r *pastRig) must(err error) {
	r.t.Helper()
	if err != nil {
		r.t.Fatal(err)
	}
}

// live puts a day of the site and of page /a into Redis.
func (r *pastRig) live(d parser.Day, pv, uv, page int) {
	r.t.Helper()
	r.must(r.redis.Set(r.keys.SitePVDay("a.example", d), fmt.Sprint(pv)))
	r.must(r.redis.Set(r.keys.SiteUVDay("a.example", d), fmt.Sprint(uv)))
	_, err := r.redis.ZAdd(r.keys.HotDay("a.example", d), float64(page), "/a")
	r.must(err)
	r.redis.HSet(r.keys.Events("a.example", d), "h5", fmt.Sprint(pv), "h5|uv", fmt.Sprint(uv))
}

func parseDay(text string) time.Time {
	d, err := time.Parse(time.DateOnly, text)
	if err != nil {
		panic(err)
	}
	return d
}

// wantDays compares days written as "2026-11-22 pv uv", with uv "-" if it is
// not known.
func (r *pastRig) wantDays(page, from, to string, stale bool, want ...string) {
	r.t.Helper()
	days, gotStale, err := r.Days(r.t.Context(), &queryapi.DaysQuery{Site: "a.example", Page: page, From: parseDay(from), To: parseDay(to)})
	r.must(err)
	var got []string
	for _, d := range days {
		uv := fmt.Sprint(d.UV)
		if d.NoUV {
			uv = "-"
		}
		got = append(got, fmt.Sprintf("%s %d %s", d.Date.Format(time.DateOnly), d.PV, uv))
	}
	if !reflect.DeepEqual(got, want) || gotStale != stale {
		r.t.Errorf("page %q, %s to %s: stale %v\n got %q\nwant %q", page, from, to, gotStale, got, want)
	}
}

func (r *pastRig) wantEvents(key, from, to string, limit int, want ...string) {
	r.t.Helper()
	page, err := r.Events(r.t.Context(), &queryapi.EventsQuery{Site: "a.example", Key: key, From: parseDay(from), To: parseDay(to), Limit: limit})
	r.must(err)
	var got []string
	for _, e := range page.Rows {
		got = append(got, fmt.Sprintf("%s %s %d %d", e.Date.Format(time.DateOnly), e.Key, e.PV, e.UV))
	}
	if !reflect.DeepEqual(got, want) {
		r.t.Errorf("key %q, %s to %s\n got %q\nwant %q", key, from, to, got, want)
	}
}

func TestSeriesJoinsRedisAndArchive(t *testing.T) {
	r := newPastRig(t, "2026-01-02", "2026-08-24", "2026-08-25", "2026-11-21", "2026-11-22")
	r.live(20261121, 3, 3, 2)  // archived whole
	r.live(20261122, 10, 7, 6) // lines since the last segment

	r.wantDays("", "2025-01-01", "2026-12-31", false, "2026-01-02 3 3", "2026-08-24 3 3", "2026-11-21 3 3", "2026-11-22 10 7")
	// 2026-08-25 is a day of Redis, which has no views then: Redis is right.
	r.wantDays("", "2026-08-25", "2026-08-25", false)
	r.wantDays("", "2026-08-24", "2026-08-24", false, "2026-08-24 3 3")
	r.wantDays("/a", "2025-01-01", "2026-12-31", false, "2026-01-02 2 2", "2026-08-24 2 2", "2026-08-25 2 2", "2026-11-21 2 2", "2026-11-22 6 -")
	r.wantDays("/none", "2025-01-01", "2026-12-31", false)

	r.wantEvents("h5.pv", "2025-01-01", "2026-12-31", 10, "2026-01-02 h5 1 1", "2026-01-02 h5.pv 1 1",
		"2026-08-24 h5 1 1", "2026-08-24 h5.pv 1 1", "2026-11-21 h5 3 3", "2026-11-22 h5 10 7")
	r.wantEvents("h5.click", "2026-01-01", "2026-11-21", 3, "2026-01-02 h5 1 1", "2026-08-24 h5 1 1", "2026-11-21 h5 3 3")
	r.wantEvents("other", "2025-01-01", "2026-12-31", 10)
	all := queryapi.EventsQuery{Site: "a.example", From: parseDay("2025-01-01"), To: parseDay("2026-12-31"), Limit: 100}
	want, err := r.Events(t.Context(), &all)
	r.must(err)
	for _, limit := range []int{1, 3, 5} { // pages of the archive alone, and of both
		var got []queryapi.EventCount
		for q := all; ; q.After = &got[len(got)-1] {
			q.Limit = limit
			page, err := r.Events(t.Context(), &q)
			r.must(err)
			got = append(got, page.Rows[:min(len(page.Rows), limit)]...)
			if len(page.Rows) <= limit {
				break
			}
		}
		if !reflect.DeepEqual(got, want.Rows) {
			t.Errorf("limit %d: %+v, want %+v", limit, got, want.Rows)
		}
	}

	r.redis.SetError("LOADING")
	r.wantDays("", "2026-08-25", "2026-12-31", true, "2026-08-25 3 3", "2026-11-21 3 3", "2026-11-22 3 3")
	r.wantDays("/a", "2026-11-21", "2026-12-31", true, "2026-11-21 2 2", "2026-11-22 2 2")
	r.wantEvents("h5", "2026-11-21", "2026-11-21", 10, "2026-11-21 h5 1 1", "2026-11-21 h5.pv 1 1")
	r.wantDays("", "2026-01-01", "2026-02-01", false, "2026-01-02 3 3") // Redis is not needed
}

func TestSeriesWithoutArchive(t *testing.T) {
	r := newPastRig(t, "2026-11-22")
	r.live(20261122, 10, 7, 6)
	r.archive = func() (*archive.Archive, error) { return nil, errArchiveClosed }
	r.wantDays("", "2026-09-01", "2026-11-22", false, "2026-11-22 10 7")
	r.wantDays("/a", "2026-11-21", "2026-11-22", false, "2026-11-22 6 -")
	r.wantEvents("h5", "2026-09-01", "2026-11-22", 10, "2026-11-22 h5 10 7")
	away := func(page, from string) {
		t.Helper()
		if _, _, err := r.Days(t.Context(), &queryapi.DaysQuery{Site: "a.example", Page: page, From: parseDay(from), To: parseDay("2026-11-22")}); !errors.Is(err, queryapi.ErrArchiveAway) {
			t.Errorf("page %q from %s: error %v", page, from, err)
		}
	}
	away("", "2026-08-01")
	away("/a", "2026-11-01")
	r.redis.SetError("LOADING")
	away("", "2026-11-01")
	if _, err := r.Events(t.Context(), &queryapi.EventsQuery{Site: "a.example", From: parseDay("2026-11-01"), To: parseDay("2026-11-22"), Limit: 9}); !errors.Is(err, queryapi.ErrArchiveAway) {
		t.Errorf("events: error %v", err)
	}
}

// TestRestores: a restore of the archive into Redis, through the owner of the
// API's restores.
func TestRestores(t *testing.T) {
	r := newPastRig(t, "2026-01-02", "2026-11-21")
	jobs := newRestores(r.vault)
	if _, err := jobs.Restore(t.Context(), "b.example"); !errors.Is(err, queryapi.ErrUnknownSite) {
		t.Errorf("unknown site: error %v", err)
	}
	stop := startRestores(t, jobs)
	done, err := jobs.Restore(t.Context(), "a.example")
	r.must(err)
	if done.SitePV != 6 || done.SiteUV != 6 || done.Pages != 2 || done.Days != 2 || done.Segments != 1 || done.Took <= 0 {
		t.Errorf("restored %+v", done)
	}
	if got, err := r.redis.Get(r.keys.SitePV("a.example")); got != "6" || err != nil {
		t.Errorf("site PV %q, %v", got, err)
	}
	if st := jobs.State(); st.Running || st.Failed || st.Site != "a.example" || st.Done != done || st.Rows == 0 || st.Ended.Before(st.Started) {
		t.Errorf("state %+v", st)
	}
	stop()
	if _, err := jobs.Restore(t.Context(), "a.example"); !errors.Is(err, queryapi.ErrEnding) {
		t.Errorf("after the end: error %v", err)
	}
}

// startRestores runs the owner until the function that it returns is called,
// which waits for its end.
func startRestores(t *testing.T, r *restores) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	go r.run(ctx)
	stop = func() { cancel(); <-r.ended }
	t.Cleanup(stop)
	return stop
}

func TestRestoresOneAtATime(t *testing.T) {
	begun, release := make(chan func(int64)), make(chan error)
	jobs := &restores{
		log: slog.New(slog.DiscardHandler), jobs: make(chan *restoreJob), ended: make(chan struct{}),
		known: func(context.Context) ([]string, error) { return []string{"a.example"}, nil },
		rebuild: func(ctx context.Context, _ string, progress func(int64)) (counter.Restored, error) {
			begun <- progress
			select {
			case err := <-release:
				return counter.Restored{Pages: 1}, err
			case <-ctx.Done():
				return counter.Restored{}, ctx.Err()
			}
		},
	}
	stop := startRestores(t, jobs)
	if st := jobs.State(); st != (queryapi.RestoreState{}) {
		t.Errorf("before: %+v", st)
	}
	ask := func(ctx context.Context) <-chan error {
		answer := make(chan error, 1)
		go func() {
			_, err := jobs.Restore(ctx, "a.example")
			answer <- err
		}()
		return answer
	}
	client, goAway := context.WithCancel(t.Context())
	first := ask(client)
	(<-begun)(42)
	if st := jobs.State(); !st.Running || st.Rows != 42 || !st.Ended.IsZero() {
		t.Errorf("meanwhile: %+v", st)
	}
	if err := <-ask(t.Context()); !errors.Is(err, queryapi.ErrRestoring) {
		t.Errorf("a second one: error %v", err)
	}
	goAway()
	if err := <-first; !errors.Is(err, context.Canceled) {
		t.Errorf("who went away: error %v", err)
	}
	if !jobs.State().Running {
		t.Error("the restore ended with its client")
	}
	jobs.mu.Lock()
	over := jobs.last.over
	jobs.mu.Unlock()
	release <- errors.New("disk")
	<-over
	if st := jobs.State(); st.Running || !st.Failed {
		t.Errorf("after a failure: %+v", st)
	}

	second := ask(t.Context())
	<-begun
	release <- nil
	if err := <-second; err != nil {
		t.Errorf("the next one: %v", err)
	}
	third := ask(t.Context())
	<-begun
	stop()
	if err := <-third; !errors.Is(err, queryapi.ErrEnding) {
		t.Errorf("at the end: error %v", err)
	}
	jobs.known = func(context.Context) ([]string, error) { return nil, errArchiveClosed }
	if err := <-ask(t.Context()); !errors.Is(err, queryapi.ErrArchiveAway) {
		t.Errorf("without an archive: error %v", err)
	}
}
