package counter

import (
	"cmp"
	"context"
	"fmt"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"

	"ddkk-stats/parser"
)

func TestReadDays(t *testing.T) {
	m, clock := miniredis.RunT(t), readMoment() // 2026-11-20
	rdb := readClient(t, m.Addr())
	n := watchTrips(t, rdb)
	r := newTestReader(t, rdb, clock, func(o *ReaderOptions) { o.RetryAfter = time.Nanosecond })
	k := NewKeys(DefaultPrefix, false)
	seed := func(d parser.Day, pv, uv string) {
		t.Helper()
		for key, v := range map[string]string{k.SitePVDay(readSite, d): pv, k.SiteUVDay(readSite, d): uv} {
			if err := m.Set(key, v); err != nil {
				t.Fatal(err)
			}
		}
	}
	seed(20260801, "9", "9") // too old: about to vanish, or left over
	seed(20260823, "8", "3") // the first that is whole
	seed(20261031, "7", "2")
	seed(20261120, "6", "1")
	seed(20261121, "5", "1") // by a host whose clock is ahead
	const since = parser.Day(20260823)
	f := func(from, to parser.Day, want ...DayCount) {
		t.Helper()
		before := n.count()
		got := r.Days(t.Context(), readSite, from, to)
		if len(got.Days) == 0 {
			got.Days = nil
		}
		if w := (Series{Days: want, Span: Span{Since: since}}); !reflect.DeepEqual(got, w) {
			t.Errorf("%d to %d:\n got %+v\nwant %+v", from, to, got, w)
		}
		if trips := n.count() - before; trips > 1 {
			t.Errorf("%d to %d: %d round trips", from, to, trips)
		}
	}
	all := []DayCount{{20260823, 8, 3}, {20261031, 7, 2}, {20261120, 6, 1}, {20261121, 5, 1}}
	f(20160101, 20990101, all...)
	f(20261031, 20261031, all[1])
	f(20261101, 20261119)
	f(20160101, 20260822)

	r.MarkStale(readSite, true)
	if got := r.Days(t.Context(), readSite, 20261001, 20261120); !got.Stale || got.Days != nil {
		t.Errorf("while rebuilt: %+v", got)
	}
	if got := r.Days(t.Context(), readSite, 20160101, 20160102); got.Stale {
		t.Error("what Redis is not asked for cannot be stale")
	}
	r.MarkStale(readSite, false)
	m.SetError("LOADING")
	if got := r.Days(t.Context(), readSite, 20261001, 20261120); !got.Stale || got.Days != nil {
		t.Errorf("while Redis fails: %+v", got)
	}
	m.SetError("")
	clock.Add(time.Second)
	f(20261031, 20261031, all[1])
	if err := m.Set(k.SitePVDay(readSite, 20261120), "many"); err != nil {
		t.Fatal(err)
	}
	if got := r.Days(t.Context(), readSite, 20261001, 20261120); !got.Stale || got.Days != nil {
		t.Errorf("with a damaged key: %+v", got)
	}
}

func TestReadPageDays(t *testing.T) {
	m, clock := miniredis.RunT(t), readMoment()
	r := newTestReader(t, readClient(t, m.Addr()), clock, nil)
	k := NewKeys(DefaultPrefix, false)
	for d, pv := range map[parser.Day]float64{20261117: 1, 20261118: 2, 20261119: 3, 20261120: 4} {
		if _, err := m.ZAdd(k.HotDay(readSite, d), pv, "/a"); err != nil {
			t.Fatal(err)
		}
	}
	got := r.PageDays(t.Context(), readSite, "/a", 20261101, 20261130)
	if want := (Series{Span: Span{Since: 20261119}, Days: []DayCount{{20261119, 3, 0}, {20261120, 4, 0}}}); !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if got := r.PageDays(t.Context(), readSite, "/none", 20261101, 20261130); got.Stale || len(got.Days) != 0 {
		t.Errorf("a page without views: %+v", got)
	}
}

// TestReadEvents reads small and large hashes, which Redis scans differently,
// out of a real server.
func TestReadEvents(t *testing.T) {
	t.Parallel()
	clock, k := readMoment(), NewKeys(DefaultPrefix, false)
	rdb := readClient(t, startReadServer(t).addr())
	r := newTestReader(t, rdb, clock, nil)
	add := func(d parser.Day, key string, pv, uv int) {
		t.Helper()
		fields := []any{key, pv}
		if uv > 0 {
			fields = append(fields, key+EventUV, uv)
		}
		if err := rdb.HSet(t.Context(), k.Events(readSite, d), fields...).Err(); err != nil {
			t.Fatal(err)
		}
	}
	for _, d := range []parser.Day{20260901, 20261119, 20261120} {
		for i, key := range []string{"h5", "h5.pv", "h5.pv.[a]*", "h5.pv.[a]*.1", "h5.pv2", "h5.click", "h55", "文"} {
			add(d, key, i+1, i)
		}
	}
	add(20260701, "h5", 1, 1) // older than what lives
	const many = 3000
	for i := range many {
		add(20261118, fmt.Sprintf("big.%04d", i), i+1, 1)
	}
	f := func(key string, from, to parser.Day, limit, want int, first EventCount) {
		t.Helper()
		got := r.Events(t.Context(), &EventsQuery{Site: readSite, Key: key, From: from, To: to, Limit: limit})
		if got.Stale || got.Since != 20260823 || len(got.Rows) != want {
			t.Errorf("%q: %d rows since %d, stale %v; want %d", key, len(got.Rows), got.Since, got.Stale, want)
			return
		}
		if want > 0 && got.Rows[0] != first {
			t.Errorf("%q: first is %+v, want %+v", key, got.Rows[0], first)
		}
	}
	f("h5.pv", 20261119, 20261119, 100, 4, EventCount{20261119, "h5", 1, 0})
	f("h5.pv.[a]*", 20261119, 20261119, 100, 4, EventCount{20261119, "h5", 1, 0})
	f("h5.pv.[a]*.1", 20261119, 20261119, 100, 4, EventCount{20261119, "h5", 1, 0})
	f("h5.pv2", 20261119, 20261119, 100, 2, EventCount{20261119, "h5", 1, 0})
	f("h5", 20160101, 20991231, 100, 18, EventCount{20260901, "h5", 1, 0})
	f("文", 20261120, 20261120, 100, 1, EventCount{20261120, "文", 8, 7})
	f("none", 20160101, 20991231, 100, 0, EventCount{})
	f("", 20261118, 20261118, many, many, EventCount{20261118, "big.0000", 1, 1})
	f("big.1234", 20261118, 20261118, 100, 1, EventCount{20261118, "big.1234", 1235, 1})
	f("", 20160101, 20991231, 100, 101, EventCount{20260901, "h5", 1, 0})

	r.MarkStale(readSite, true)
	if got := r.Events(t.Context(), &EventsQuery{Site: readSite, From: 20261101, To: 20261120, Limit: 10}); !got.Stale || got.Rows != nil {
		t.Errorf("while rebuilt: %+v", got)
	}
}

// TestReadEventsInPages goes through all events with a cursor, in pieces bounded by
// rows and by bytes, out of days of which some have thousands of keys.
func TestReadEventsInPages(t *testing.T) {
	t.Parallel()
	clock, k := readMoment(), NewKeys(DefaultPrefix, false)
	rdb := readClient(t, startReadServer(t).addr())
	r := newTestReader(t, rdb, clock, nil)
	var want []EventCount
	for d, n := range map[parser.Day]int{20261101: 3, 20261110: 2500, 20261111: 1, 20261112: 1800} {
		var fields []any
		for i := range n {
			key := fmt.Sprintf("a.%0*d", 4+i%90, i)
			fields = append(fields, key, i+1, key+EventUV, 1)
			want = append(want, EventCount{Day: d, Key: key, PV: int64(i + 1), UV: 1})
		}
		if err := rdb.HSet(t.Context(), k.Events(readSite, d), fields...).Err(); err != nil {
			t.Fatal(err)
		}
	}
	slices.SortFunc(want, func(a, b EventCount) int { return cmp.Or(cmp.Compare(a.Day, b.Day), cmp.Compare(a.Key, b.Key)) })
	for _, q := range []EventsQuery{{Limit: 100}, {Limit: 1000, Bytes: 2000}, {Limit: 1_000_000}, {Limit: 1_000_000, Bytes: 50_000}} {
		q.Site, q.From, q.To = readSite, 20261001, 20261130
		var got []EventCount
		for {
			s := r.Events(t.Context(), &q)
			if s.Stale {
				t.Fatal("stale")
			}
			var b eventBound
			shown := len(s.Rows)
			for i, row := range s.Rows {
				if b.over(&q, row.Key) {
					shown = i
					break
				}
			}
			if len(s.Rows) > shown+1 {
				t.Fatalf("%d rows and %d bytes at most: got %d rows", q.Limit, q.Bytes, len(s.Rows))
			}
			got = append(got, s.Rows[:shown]...)
			if shown == len(s.Rows) {
				break
			}
			q.After = got[len(got)-1]
		}
		if !slices.Equal(got, want) {
			t.Errorf("%d rows and %d bytes at most: %d of %d rows", q.Limit, q.Bytes, len(got), len(want))
		}
	}
}

// TestSlowReadsFailForThemselves: a slow read that does not get its answer in time
// says nothing about the store to others, not even of other sites' slow reads.
func TestSlowReadsFailForThemselves(t *testing.T) {
	m, clock := miniredis.RunT(t), readMoment()
	readSeed(t, m, clock.Now())
	r := newTestReader(t, readClient(t, m.Addr()), clock, nil)
	other := "other.example"
	for i := 0; r.slow(other) == r.slow(readSite); i++ {
		other = fmt.Sprintf("other%d.example", i)
	}
	day := r.Today()
	b, _ := r.askSlowly(other)
	b.leave(clock.Now(), r.opt.RetryAfter, context.DeadlineExceeded, false) // took too long
	if s := r.Days(t.Context(), other, day, day); !s.Stale {
		t.Error("a site whose slow reads fail is asked again at once")
	}
	if s := r.Days(t.Context(), readSite, day, day); s.Stale {
		t.Error("another site's slow reads are stale")
	}
	if st, err := r.Stats(t.Context(), other, "", FieldSitePV); err != nil || st.Stale {
		t.Errorf("the site's own numbers: %+v, %v", st, err)
	}
	m.SetError("LOADING")
	if st, _ := r.Stats(t.Context(), readSite, "", FieldSitePV); !st.Stale {
		t.Error("LOADING is not told")
	}
	m.SetError("")
	if s := r.Days(t.Context(), readSite, day, day); !s.Stale {
		t.Error("a store that is known to be away is asked by slow reads")
	}
}
