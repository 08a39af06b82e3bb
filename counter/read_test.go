package counter

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"sync"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"

	"ddkk-stats/parser"
)

const readSite = "ddkk.com"

// readClock is a clock that tests set.
type readClock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *readClock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *readClock) Add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

func readMoment() *readClock {
	return &readClock{now: time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)} // a Friday
}

// readTrips counts round trips of a client.
type readTrips struct {
	mu sync.Mutex
	n  int
}

// watchTrips starts to count after the connections for single commands and
// for pipelines have said hello.
func watchTrips(t *testing.T, rdb redis.UniversalClient) *readTrips {
	t.Helper()
	if err := rdb.Ping(t.Context()).Err(); err != nil {
		t.Fatal(err)
	}
	if _, err := rdb.Pipelined(t.Context(), func(p redis.Pipeliner) error { return p.Ping(t.Context()).Err() }); err != nil {
		t.Fatal(err)
	}
	n := &readTrips{}
	rdb.AddHook(n)
	return n
}

func (t *readTrips) add() { t.mu.Lock(); t.n++; t.mu.Unlock() }

func (t *readTrips) count() int { t.mu.Lock(); defer t.mu.Unlock(); return t.n }

func (t *readTrips) DialHook(next redis.DialHook) redis.DialHook { return next }

func (t *readTrips) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error { t.add(); return next(ctx, cmd) }
}

func (t *readTrips) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error { t.add(); return next(ctx, cmds) }
}

func readClient(t testing.TB, addr string) redis.UniversalClient {
	t.Helper()
	c := redis.NewUniversalClient(&redis.UniversalOptions{
		Addrs: []string{addr}, ContextTimeoutEnabled: true, MaxRetries: -1,
		DialTimeout: time.Second, ReadTimeout: time.Second, WriteTimeout: time.Second,
	})
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	return c
}

func newTestReader(t testing.TB, rdb redis.UniversalClient, clock *readClock, change func(*ReaderOptions)) *Reader {
	t.Helper()
	// A busy machine must not look like an outage.
	opt := ReaderOptions{Location: time.UTC, Now: clock.Now, Timeout: 10 * time.Second}
	if change != nil {
		change(&opt)
	}
	r, err := NewReader(rdb, NewKeys(DefaultPrefix, false), opt)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestReadIsOneRoundTrip(t *testing.T) {
	m, clock := miniredis.RunT(t), readMoment()
	readSeed(t, m, clock.Now())
	rdb := readClient(t, m.Addr())
	n := watchTrips(t, rdb)
	r := newTestReader(t, rdb, clock, nil)

	f := func(name string, q Query, want Answer) {
		t.Helper()
		before := n.count()
		q.Site = readSite
		var got Answer
		if err := r.Read(t.Context(), &q, &got); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s:\n got %+v\nwant %+v", name, got, want)
		}
		if d := n.count() - before; d > 1 {
			t.Errorf("%s: %d round trips", name, d)
		}
	}
	f("one number", Query{Fields: FieldSitePV}, Answer{SiteStats: SiteStats{SitePV: 100}})
	f("all scalars", Query{Fields: ScalarFields, Page: "/a"}, Answer{SiteStats: SiteStats{
		SitePV: 100, SiteUV: 40, SitePVToday: 10, SiteUVToday: 4, PagePV: 7, PageUV: 3, SiteOnline: 1,
		SiteUVWeek: NotKnown, SiteUVMonth: NotKnown, PageUVWeek: NotKnown, PageUVMonth: NotKnown}})
	f("online only", Query{Fields: FieldSiteOnline}, Answer{SiteStats: SiteStats{SiteOnline: 1}})
	f("pages", Query{Pages: []string{"/b", "/none", "/a"}}, Answer{Pages: []int64{5, 0, 7}})
	f("nothing", Query{}, Answer{})
	week := []PageCount{{"/a", 7}, {"/b", 5}}
	f("list and number", Query{Fields: FieldHotWeek | FieldSiteUV, Limit: 2}, Answer{
		SiteStats: SiteStats{SiteUV: 40}, Hot: [NumPeriods][]PageCount{Week: week}})
	f("all lists, no longer than asked", Query{Fields: FieldHotToday | FieldHotMonth | FieldHotAll, Limit: 1}, Answer{
		Hot: [NumPeriods][]PageCount{Today: {{"/t", 1}}, Month: {{"/m", 2}}, AllTime: {{"/x", 9}}}})
}

// readSeed writes what one site would have.
func readSeed(t *testing.T, m *miniredis.Miniredis, now time.Time) {
	t.Helper()
	set := func(k, v string) {
		if err := m.Set(k, v); err != nil {
			t.Fatal(err)
		}
	}
	set("ddkk:site:pv:ddkk.com", "100")
	set("ddkk:site:uv:ddkk.com", "40")
	set("ddkk:site:pv:ddkk.com:20261120", "10")
	set("ddkk:site:uv:ddkk.com:20261120", "4")
	set("ddkk:page:pv:ddkk.com:/a", "7")
	set("ddkk:page:uv:ddkk.com:/a", "3")
	set("ddkk:page:pv:ddkk.com:/b", "5")
	z := func(key, member string, score float64) {
		if _, err := m.ZAdd(key, score, member); err != nil {
			t.Fatal(err)
		}
	}
	z("ddkk:online:ddkk.com", "v1", float64(now.Unix()-299))
	z("ddkk:online:ddkk.com", "v2", float64(now.Unix()-300))
	z("ddkk:hot:ddkk.com:week:2026W47", "/a", 7)
	z("ddkk:hot:ddkk.com:week:2026W47", "/b", 5)
	z("ddkk:hot:ddkk.com:week:2026W47", "/c", 1)
	z("ddkk:hot:ddkk.com:week:2026W47", parser.OtherPage, 6)
	z("ddkk:hot:ddkk.com:day:20261120", "/t", 1)
	z("ddkk:hot:ddkk.com:month:202611", "/m", 2)
	z("ddkk:hot:ddkk.com:all", "/x", 9)
}

func TestReadRefusesBadQueries(t *testing.T) {
	r := newTestReader(t, readClient(t, miniredis.RunT(t).Addr()), readMoment(), nil)
	for _, q := range []Query{{}, {Site: "a", Limit: -1}, {Site: "a", Limit: 101}} {
		if err := r.Read(t.Context(), &q, &Answer{}); !errors.Is(err, ErrBadQuery) {
			t.Errorf("%+v: error %v", q, err)
		}
	}
	if _, _, err := r.Hot(t.Context(), "a", NumPeriods, 10); !errors.Is(err, ErrBadQuery) {
		t.Errorf("period: error %v", err)
	}
	if _, _, err := r.Hot(t.Context(), "a", Week, 0); !errors.Is(err, ErrBadQuery) {
		t.Errorf("limit: error %v", err)
	}
}

func TestReadAnswersLastKnownWhenRedisFails(t *testing.T) {
	m, clock := miniredis.RunT(t), readMoment()
	readSeed(t, m, clock.Now())
	rdb := readClient(t, m.Addr())
	n := watchTrips(t, rdb)
	r := newTestReader(t, rdb, clock, nil)
	q := Query{Site: readSite, Page: "/a", Fields: ScalarFields | FieldHotWeek, Limit: 3, Pages: []string{"/b"}}
	read := func() (a Answer) {
		t.Helper()
		if err := r.Read(t.Context(), &q, &a); err != nil {
			t.Fatal(err)
		}
		return a
	}
	want := read()
	if want.Stale || want.SitePV != 100 {
		t.Fatalf("healthy read: %+v", want)
	}
	m.SetError("LOADING Redis is loading the dataset in memory")
	want.Stale = true
	if got := read(); !reflect.DeepEqual(got, want) {
		t.Errorf("failing:\n got %+v\nwant %+v", got, want)
	}
	before := n.count()
	if got := read(); !reflect.DeepEqual(got, want) || n.count() != before {
		t.Errorf("open breaker: %+v after %d more round trips", got, n.count()-before)
	}
	if pv, stale, err := r.Pages(t.Context(), "unknown.example", []string{"/", "/a"}); err != nil || !stale || !reflect.DeepEqual(pv, []int64{0, 0}) {
		t.Errorf("nothing known: %v %v %v", pv, stale, err)
	}
	m.SetError("")
	clock.Add(DefaultRetryAfter)
	want.Stale = false
	if got := read(); !reflect.DeepEqual(got, want) {
		t.Errorf("recovered:\n got %+v\nwant %+v", got, want)
	}

	m.SetError("LOADING")
	clock.Add(12 * time.Hour) // the next day, the same week
	got := read()
	if got.SitePVToday != 0 || got.SitePV != 100 || len(got.Hot[Week]) != 3 || !got.Stale {
		t.Errorf("yesterday's numbers shown as today's: %+v", got)
	}
	clock.Add(3 * 24 * time.Hour) // Tuesday: another week
	if got := read(); len(got.Hot[Week]) != 0 {
		t.Errorf("last week's list shown as this week's: %+v", got)
	}
}

// A key of a wrong type spoils the reads of its site, not of the others.
func TestReadErrorOfOneKeyDoesNotOpenTheBreaker(t *testing.T) {
	m, clock := miniredis.RunT(t), readMoment()
	readSeed(t, m, clock.Now())
	if err := m.Set("ddkk:online:bad.example", "x"); err != nil {
		t.Fatal(err)
	}
	r := newTestReader(t, readClient(t, m.Addr()), clock, nil)
	if s, err := r.Stats(t.Context(), "bad.example", "", FieldSiteOnline); err != nil || !s.Stale {
		t.Errorf("bad site: %+v, %v", s, err)
	}
	if s, err := r.Stats(t.Context(), readSite, "", FieldSitePV); err != nil || s.Stale || s.SitePV != 100 {
		t.Errorf("good site: %+v, %v", s, err)
	}
}

func TestReadGoneCallerIsNoOutage(t *testing.T) {
	m, clock := miniredis.RunT(t), readMoment()
	readSeed(t, m, clock.Now())
	r := newTestReader(t, readClient(t, m.Addr()), clock, nil)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if s, err := r.Stats(ctx, readSite, "", FieldSitePV); err != nil || !s.Stale {
		t.Errorf("gone caller: %+v, %v", s, err)
	}
	if s, err := r.Stats(t.Context(), readSite, "", FieldSitePV); err != nil || s.Stale {
		t.Errorf("next caller: %+v, %v", s, err)
	}
}

func TestReadOfSiteBeingRebuilt(t *testing.T) {
	m, clock := miniredis.RunT(t), readMoment()
	readSeed(t, m, clock.Now())
	r := newTestReader(t, readClient(t, m.Addr()), clock, nil)
	stat := func() SiteStats {
		t.Helper()
		s, err := r.Stats(t.Context(), readSite, "", FieldSitePV)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	stat()
	r.MarkStale(readSite, true)
	if err := m.Set("ddkk:site:pv:ddkk.com", "3"); err != nil { // half built
		t.Fatal(err)
	}
	if s := stat(); s != (SiteStats{SitePV: 100, Stale: true}) {
		t.Errorf("during: %+v", s)
	}
	r.MarkStale(readSite, false)
	if s := stat(); s != (SiteStats{SitePV: 3}) {
		t.Errorf("after: %+v", s)
	}
}

func TestReadFreshFor(t *testing.T) {
	m, clock := miniredis.RunT(t), readMoment()
	readSeed(t, m, clock.Now())
	rdb := readClient(t, m.Addr())
	n := watchTrips(t, rdb)
	r := newTestReader(t, rdb, clock, func(o *ReaderOptions) { o.FreshFor = 5 * time.Millisecond })
	q := Query{Site: readSite, Page: "/a", Fields: ScalarFields | FieldHotAll, Pages: []string{"/b"}}
	read := func(fresh bool, trips int) {
		t.Helper()
		before := n.count()
		var a Answer
		q.Fresh = fresh
		if err := r.Read(t.Context(), &q, &a); err != nil || a.Stale || a.SitePV != 100 || a.Pages[0] != 5 || a.PagePV != 7 || len(a.Hot[AllTime]) != 1 {
			t.Fatalf("%+v, %v", a, err)
		}
		if d := n.count() - before; d != trips {
			t.Errorf("%d round trips, want %d", d, trips)
		}
	}
	read(false, 1)
	read(false, 0)
	read(true, 1)
	clock.Add(5 * time.Millisecond)
	read(false, 0)
	clock.Add(time.Millisecond)
	read(false, 1)
}

func TestReadSites(t *testing.T) {
	m, clock := miniredis.RunT(t), readMoment()
	if _, err := m.SAdd("ddkk:sites", "b.example", "a.example"); err != nil {
		t.Fatal(err)
	}
	r := newTestReader(t, readClient(t, m.Addr()), clock, nil)
	want := []string{"a.example", "b.example"}
	if got, stale, err := r.Sites(t.Context()); err != nil || stale || !reflect.DeepEqual(got, want) {
		t.Errorf("%v %v %v", got, stale, err)
	}
	m.SetError("LOADING")
	if got, stale, err := r.Sites(t.Context()); err != nil || !stale || !reflect.DeepEqual(got, want) {
		t.Errorf("failing: %v %v %v", got, stale, err)
	}
}

func TestReadConcurrently(t *testing.T) {
	m, clock := miniredis.RunT(t), readMoment()
	readSeed(t, m, clock.Now())
	r := newTestReader(t, readClient(t, m.Addr()), clock, func(o *ReaderOptions) { o.CacheSize = 8 })
	var wg sync.WaitGroup
	for w := range 8 {
		wg.Go(func() {
			for i := range 50 {
				r.MarkStale("other.example", i%2 == 0)
				q := Query{Site: readSite, Page: fmt.Sprint("/", i%20), Fields: ScalarFields | FieldHotWeek, Pages: []string{"/a", "/b"}}
				var a Answer
				if err := r.Read(t.Context(), &q, &a); err != nil || a.SitePV != 100 || a.Pages[0] != 7 {
					t.Errorf("reader %d: %+v, %v", w, a, err)
					return
				}
			}
		})
	}
	wg.Wait()
}

func TestPeriodStart(t *testing.T) {
	f := func(p Period, want int32) {
		t.Helper()
		if got := p.start(20261122); int32(got) != want { // a Sunday
			t.Errorf("%s: %d, want %d", p, got, want)
		}
	}
	f(Today, 20261122)
	f(Week, 20261116)
	f(Month, 20261101)
	f(AllTime, 0)
}

// While one read is fetching an expired value the others do not pile up on
// Redis, but only for a moment.
func TestReadOfExpiredValueIsClaimed(t *testing.T) {
	m, clock := miniredis.RunT(t), readMoment()
	readSeed(t, m, clock.Now())
	rdb := readClient(t, m.Addr())
	n := watchTrips(t, rdb)
	r := newTestReader(t, rdb, clock, func(o *ReaderOptions) { o.FreshFor = time.Millisecond })
	q := Query{Site: readSite, Page: "/a", Fields: FieldSitePV | FieldPagePV}
	read := func(trips int) {
		t.Helper()
		before := n.count()
		var a Answer
		if err := r.Read(t.Context(), &q, &a); err != nil || a.SitePV != 100 || a.PagePV != 7 || a.Stale {
			t.Fatalf("%+v, %v", a, err)
		}
		if d := n.count() - before; d != trips {
			t.Errorf("%d round trips, want %d", d, trips)
		}
	}
	read(1)
	done := r.claim(q.mainEntry())
	if done == nil || r.claim(q.mainEntry()) != nil {
		t.Fatal("the claim is not exclusive")
	}
	clock.Add(freshGrace * time.Millisecond)
	read(0)
	clock.Add(time.Millisecond)
	read(1)
	clock.Add(2 * time.Millisecond)
	read(0)
	done()
	read(1)
}
