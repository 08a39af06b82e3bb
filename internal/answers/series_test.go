package answers

import (
	"errors"
	"fmt"
	"reflect"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"

	"ddkk-stats/archive"
	"ddkk-stats/counter"
	"ddkk-stats/internal/jobs/jobstest"
	"ddkk-stats/internal/vault"
	"ddkk-stats/parser"
	"ddkk-stats/queryapi"
)

// pastRig is an archive with two segments' lines and a Redis that tests fill.
type pastRig struct {
	*Series
	t     *testing.T
	redis *miniredis.Miniredis
	keys  counter.Keys
	vault *vault.Vault
}

// newPastRig archives lines, as jobstest says.
func newPastRig(t *testing.T, days ...string) *pastRig {
	t.Helper()
	a := jobstest.NewArchived(t, days...)
	return &pastRig{Series: NewSeries(a.Reader, a.Vault.Opened), t: t, redis: a.Redis, keys: a.Keys, vault: a.Vault}
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

	// Counting waits for Redis, which answers: its numbers, and not the archive's, are old.
	r.reader.Wait(true)
	r.wantDays("", "2026-08-24", "2026-12-31", true, "2026-08-24 3 3", "2026-11-21 3 3", "2026-11-22 10 7")
	r.wantDays("", "2026-08-24", "2026-08-24", false, "2026-08-24 3 3")
	if page, err := r.Events(t.Context(), &all); err != nil || !page.Stale || !reflect.DeepEqual(page.Rows, want.Rows) {
		t.Errorf("events while counting waits: %+v, %v", page, err)
	}
	r.reader.Wait(false)

	r.redis.SetError("LOADING")
	r.wantDays("", "2026-08-25", "2026-12-31", true, "2026-08-25 3 3", "2026-11-21 3 3", "2026-11-22 3 3")
	r.wantDays("/a", "2026-11-21", "2026-12-31", true, "2026-11-21 2 2", "2026-11-22 2 2")
	r.wantEvents("h5", "2026-11-21", "2026-11-21", 10, "2026-11-21 h5 1 1", "2026-11-21 h5.pv 1 1")
	r.wantDays("", "2026-01-01", "2026-02-01", false, "2026-01-02 3 3") // Redis is not needed
}

func TestSeriesWithoutArchive(t *testing.T) {
	r := newPastRig(t, "2026-11-22")
	r.live(20261122, 10, 7, 6)
	r.archive = func() (*archive.Archive, error) { return nil, vault.ErrArchiveClosed }
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
