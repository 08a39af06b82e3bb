package counter

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"

	"ddkk-stats/parser"
)

// keptRig adds calls as commits do and reads the report of their day, with and
// without what was kept.
type keptRig struct {
	t     *testing.T
	rdb   redis.UniversalClient
	keys  Keys
	kept  *Reader
	clock *readClock
}

const keptDay = "20261122"

func newKeptRig(t *testing.T, addr string) *keptRig {
	t.Helper()
	r := &keptRig{t: t, rdb: readClient(t, addr), keys: NewKeys(DefaultPrefix, false), clock: readMoment()}
	r.kept = newTestReader(t, r.rdb, r.clock, nil)
	r.epoch("e1")
	return r
}

func (r *keptRig) epoch(text string) {
	r.t.Helper()
	if err := r.rdb.HSet(r.t.Context(), r.keys.Checkpoint(readSite), fieldEpoch, text).Err(); err != nil {
		r.t.Fatal(err)
	}
}

// call adds n calls of an endpoint.
func (r *keptRig) call(endpoint string, ms, n int64) {
	r.t.Helper()
	pipe := r.rdb.TxPipeline()
	r.add(pipe, endpoint, ms, n)
	r.exec(pipe)
}

func (r *keptRig) exec(pipe redis.Pipeliner) {
	r.t.Helper()
	if _, err := pipe.Exec(r.t.Context()); err != nil {
		r.t.Fatal(err)
	}
}

func (r *keptRig) add(pipe redis.Pipeliner, endpoint string, ms, n int64) {
	ctx := r.t.Context()
	key, took := r.keys.Calls(readSite, keptDay), r.keys.CallLatency(readSite, keptDay)
	for _, f := range []string{CallTotal, CallEndpoint + endpoint, CallStatus + "200", CallUser + "bob"} {
		pipe.HIncrBy(ctx, key, f, n)
	}
	pipe.HIncrBy(ctx, key, CallEndpointMillis+endpoint, ms*n)
	bucket := parser.LatencyBucket(ms)
	pipe.HIncrBy(ctx, took, parser.LatencyName(bucket, ""), n)
	pipe.HIncrBy(ctx, took, parser.LatencyName(bucket, endpoint), n)
}

func (r *keptRig) read() CallReport {
	r.t.Helper()
	c, stale := r.kept.Calls(r.t.Context(), readSite, keptDay, 0)
	if stale {
		r.t.Fatal("stale")
	}
	return c
}

// same compares with what a reader says that knows nothing.
func (r *keptRig) same(what string) {
	r.t.Helper()
	fresh := newTestReader(r.t, r.rdb, r.clock, nil)
	want, _ := fresh.Calls(r.t.Context(), readSite, keptDay, 0)
	if got := r.read(); !reflect.DeepEqual(got, want) {
		r.t.Fatalf("%s:\n%+v\nwant\n%+v", what, got, want)
	}
}

// TestReportsAreKept: a report is from memory while nothing was called, and right
// after any call, on whatever day; a recount changes it though as much was called.
func TestReportsAreKept(t *testing.T) {
	m := miniredis.RunT(t)
	r := newKeptRig(t, m.Addr())
	r.same("nothing was called")
	dice := rand.New(rand.NewPCG(3, 4))
	for step := range 25 {
		for range []int{1, 3, 200}[dice.IntN(3)] {
			r.call(fmt.Sprintf("GET /%d", dice.IntN(150)), dice.Int64N(300), 1+dice.Int64N(2))
		}
		r.same(fmt.Sprint("step ", step))
	}
	trips := watchTrips(t, r.rdb)
	before := r.read()
	if trips.count() != 1 {
		t.Errorf("%d round trips for what is kept", trips.count())
	}
	took := r.keys.CallLatency(readSite, keptDay)
	m.Del(took) // by hand: no total tells
	if got := r.read(); !reflect.DeepEqual(got, before) {
		t.Error("it was read again")
	}
	r.call("GET /1", 5, 1)
	if got := r.read(); len(got.Endpoints) != len(before.Endpoints) || got.Calls != before.Calls+1 || got.Endpoints[9].Latency == nil {
		t.Error("all was read again for one endpoint")
	}
	r.clock.Add(keptReportAge)
	r.same("after a while")

	m.Del(r.keys.Calls(readSite, keptDay))
	m.Del(took)
	r.call("GET /renamed", 7, r.kept.reports.all[r.keys.Calls(readSite, keptDay)].report.Calls)
	r.epoch("e2")
	r.same("a recount")
	r.epoch(rebuilding + "e3")
	r.call("GET /more", 7, 1)
	if _, stale := r.kept.Calls(r.t.Context(), readSite, keptDay, 0); !stale {
		t.Error("what is being rebuilt is not said to be stale")
	}
	r.epoch("e4")
	r.same("when it is rebuilt")
	m.Del(r.keys.Checkpoint(readSite))
	r.call("GET /more", 7, 1)
	r.same("without an epoch")
}

// TestFewReportsAreKept forgets the ones that nobody asked for longest.
func TestFewReportsAreKept(t *testing.T) {
	var k keptCalls
	at := readMoment().Now()
	for i := range 3 * keptReports {
		name := fmt.Sprint(i)
		k.entry(name, at.Add(time.Duration(i)))
		k.weigh(name, keptEndpoints/10)
		if len(k.all) > 10 || k.all[name] == nil {
			t.Fatalf("%d reports", len(k.all))
		}
	}
	k.weigh(fmt.Sprint(3*keptReports-1), 2*keptEndpoints)
	if len(k.all) != 1 {
		t.Errorf("%d reports beside a long one", len(k.all))
	}
}

// TestReportAtTheCaps tells how long the report of a day with 500 endpoints takes.
func TestReportAtTheCaps(t *testing.T) {
	t.Parallel()
	r := newKeptRig(t, startReadServer(t).addr())
	for e := range 500 {
		pipe := r.rdb.Pipeline()
		for b := range int64(40) {
			r.add(pipe, fmt.Sprintf("GET /api/v1/things%d/:id/items", e), 3+b*b, 2)
		}
		r.exec(pipe)
	}
	timed := func(what string) {
		t.Helper()
		start := time.Now()
		c := r.read()
		t.Logf("%s: %d endpoints in %v", what, len(c.Endpoints), time.Since(start))
	}
	timed("for the first time")
	for range 3 {
		timed("nothing was called")
		pipe := r.rdb.Pipeline()
		for e := range 20 {
			r.add(pipe, fmt.Sprintf("GET /api/v1/things%d/:id/items", e), 9, 1)
		}
		r.exec(pipe)
		timed("20 endpoints were called")
	}
	r.same("at the caps")
}
