package counter

import (
	"context"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"ddkk-stats/parser"
)

// testCall is one line of a site's own log.
type testCall struct {
	at                      time.Time
	site, method, uri, user string
	status                  int
	ms                      int64
}

func (c testCall) line() string {
	user := c.user
	if user == "" {
		user = "-"
	}
	return strings.Join([]string{"v1", fmt.Sprintf("%.3f", float64(c.at.UnixMilli())/1000), fmt.Sprintf("%032x", lineNumber.Add(1)),
		"192.0.2.7", c.site, c.method, fmt.Sprint(c.status), c.uri, "-", "curl/8", "-", "-", user,
		fmt.Sprintf("%d.%03d", c.ms/1000, c.ms%1000), "43", "end"}, "\t")
}

var testRoutes = []string{"/users/:id", "/api/*"}

// endpoint says what the line's endpoint must be, for the paths of randomCalls.
func (c testCall) endpoint() string {
	path, _, _ := strings.Cut(c.uri, "?")
	switch {
	case strings.HasPrefix(path, "/users/"):
		path = "/users/:id"
	case strings.HasPrefix(path, "/api/"):
		path = "/api/*"
	}
	return c.method + " " + path
}

func randomCalls(rng *rand.Rand, n int) []testCall {
	now := time.Now().UTC()
	calls := make([]testCall, n)
	for i := range calls {
		c := testCall{at: now.Add(-time.Duration(rng.IntN(30*3600)) * time.Second), site: fmt.Sprintf("api%d.example", rng.IntN(2)),
			method: []string{"GET", "POST"}[rng.IntN(2)], status: []int{200, 200, 201, 404, 500, 503}[rng.IntN(6)],
			ms: int64(math.Exp(rng.NormFloat64()+3) * 3)}
		c.uri = []string{"/users/%d", "/api/v1/%d", "/health", "/about?n=%d"}[rng.IntN(4)]
		if strings.Contains(c.uri, "%") {
			c.uri = fmt.Sprintf(c.uri, i)
		}
		if rng.IntN(3) > 0 {
			c.user = fmt.Sprintf("user%d", rng.IntN(20))
		}
		calls[i] = c
	}
	return calls
}

// callTally is what Redis must have, worked out the plain way.
func callTally(calls []testCall) map[string]int64 {
	n := map[string]int64{}
	for _, c := range calls {
		day, hour, minute := c.at.Format("20060102"), c.at.Format("2006010215"), c.at.Format("200601021504")
		for _, p := range []string{"minute:" + minute, "hour:" + hour, "day:" + day} {
			key := "ddkk:api:" + c.site + ":" + p + " "
			n[key+"total"]++
			n[key+"ms"] += c.ms
			if c.status >= 500 {
				n[key+"failed"]++
			}
			if strings.HasPrefix(p, "minute") {
				continue
			}
			n[key+"endpoint:"+c.endpoint()]++
			n[key+"ms:"+c.endpoint()] += c.ms
			if c.status >= 500 {
				n[key+"failed:"+c.endpoint()]++
			}
			n[key+"status:"+fmt.Sprint(c.status)]++
			if c.user != "" {
				n[key+"user:"+c.user]++
			}
			bucket := fmt.Sprint(parser.LatencyBucket(c.ms))
			key = "ddkk:api:" + c.site + ":" + p + ":latency "
			n[key+bucket]++
			if strings.HasPrefix(p, "day") {
				n[key+bucket+":"+c.endpoint()]++
			}
		}
	}
	maps.DeleteFunc(n, func(_ string, v int64) bool { return v == 0 })
	return n
}

func dumpCalls(t *testing.T, rdb redis.UniversalClient) map[string]int64 {
	t.Helper()
	keys, err := rdb.Keys(t.Context(), "ddkk:api:*").Result()
	if err != nil {
		t.Fatal(err)
	}
	n := map[string]int64{}
	for _, k := range keys {
		for f, v := range rdb.HGetAll(t.Context(), k).Val() {
			var x int64
			if _, err := fmt.Sscan(v, &x); err != nil {
				t.Fatal(err)
			}
			n[k+" "+f] = x
		}
	}
	return n
}

// callRig is an ingestRig whose log is a site's own.
func newCallRig(t *testing.T, rdb redis.UniversalClient) *ingestRig {
	r := newRig(t, rdb)
	r.rules = &parser.CallRules{Routes: testRoutes}
	return r
}

func (r *ingestRig) call(segment string, calls []testCall) {
	lines := make([]string, len(calls))
	for i, c := range calls {
		lines[i] = c.line()
	}
	r.log.write(segment, lines...)
}

func (r *ingestRig) checkCalls(calls []testCall) {
	r.t.Helper()
	want, got := callTally(calls), dumpCalls(r.t, r.rdb)
	if maps.Equal(want, got) {
		return
	}
	for _, k := range slices.Sorted(maps.Keys(want)) {
		if got[k] != want[k] {
			r.t.Errorf("%s = %d, want %d", k, got[k], want[k])
		}
	}
	for k, v := range got {
		if want[k] == 0 {
			r.t.Errorf("%s = %d, want nothing", k, v)
		}
	}
	r.t.Fatalf("Redis differs from the log: %+v", r.in.Stats().Books)
}

func TestCallsAreCountedExactly(t *testing.T) {
	rdb := readClient(t, startReadServer(t).addr())
	r := newCallRig(t, rdb)
	calls := randomCalls(rand.New(rand.NewPCG(1, 1)), 3000)
	r.start()
	r.call("a", calls[:1000])
	r.await()
	r.stop()
	r.start() // what it remembers is read from Redis now
	r.call("b", calls[1000:])
	r.await()
	r.checkCalls(calls)
	b := r.in.Stats()
	if b.Books.Read != b.Books.Outcomes() || b.Inputs[0] != b.Books || b.Books.Calls == 0 {
		t.Errorf("books: %+v", b)
	}
	for key, ttl := range map[string]time.Duration{"minute:200601021504": CallMinuteTTL, "hour:2006010215": CallHourTTL, "day:20060102": CallDayTTL} {
		kind, layout, _ := strings.Cut(key, ":")
		at := calls[0].at.Format(layout)
		key = "ddkk:api:" + calls[0].site + ":" + kind + ":" + at
		left := rdb.TTL(t.Context(), key).Val()
		if left > ttl+24*time.Hour || left < ttl-32*time.Hour {
			t.Errorf("%s lives for %v", key, left)
		}
	}
	r.stop()
}

// TestCallsSurvive loses keys, all of Redis, and the daemon, and is exact.
func TestCallsSurvive(t *testing.T) {
	t.Parallel()
	rdb := readClient(t, startReadServer(t).addr())
	r := newCallRig(t, rdb)
	rng := rand.New(rand.NewPCG(2, 2))
	calls := randomCalls(rng, 800)
	calls[0].at = time.Now().UTC()
	today := "ddkk:api:" + calls[0].site + ":day:" + calls[0].at.Format("20060102")
	r.start()
	r.call("a", calls)
	r.await()
	more := func(n int) {
		x := randomCalls(rng, n)
		for i := range x {
			x[i].at, x[i].site = time.Now().UTC(), calls[0].site
		}
		calls = append(calls, x...)
		r.call("a", x)
	}
	whole := func(what string) {
		t.Helper()
		deadline := time.Now().Add(20 * time.Second)
		for !maps.Equal(callTally(calls), dumpCalls(t, rdb)) {
			if time.Now().After(deadline) {
				t.Log(what)
				r.checkCalls(calls)
			}
			r.await()
		}
	}
	for what, lose := range map[string]func() error{
		"the day": func() error { return rdb.Del(t.Context(), today).Err() },
		"all":     func() error { return rdb.FlushAll(t.Context()).Err() },
		"a kind":  func() error { return rdb.Set(t.Context(), today, "x", 0).Err() },
	} {
		if err := lose(); err != nil {
			t.Fatal(err)
		}
		more(50)
		whole(what)
	}
	r.stop()
	hour := "ddkk:api:" + calls[0].site + ":hour:" + time.Now().UTC().Format("2006010215")
	if err := rdb.Del(t.Context(), hour).Err(); err != nil { // while nobody counts
		t.Fatal(err)
	}
	r.start()
	more(20)
	whole("an hour while the daemon was down")
	r.stop()
}

func TestCallsCapNames(t *testing.T) {
	rdb := readClient(t, startReadServer(t).addr())
	r := newCallRig(t, rdb)
	r.opt.MaxEndpoints, r.opt.MaxUsers = 3, 2
	now := time.Now().UTC()
	var calls []testCall
	for i := range 50 {
		calls = append(calls, testCall{at: now, site: "a.example", method: "GET", uri: fmt.Sprintf("/scan-%c", 'a'+i%26), status: 404, user: fmt.Sprint("u", i)})
	}
	calls = append(calls, testCall{at: now, site: "a.example", method: "GET", uri: "/users/7", status: 200})
	r.start()
	r.call("a", calls[:20])
	r.await()
	r.stop()
	r.start()
	r.call("a", calls[20:])
	r.await()
	r.stop()
	got := dumpCalls(t, rdb)
	day := "ddkk:api:a.example:day:" + now.Format("20060102") + " "
	var endpoints, users, sum int64
	for f, n := range got {
		if name, ok := strings.CutPrefix(f, day+CallEndpoint); ok {
			endpoints++
			sum += n
			if name == "GET /users/:id" && n != 1 {
				t.Errorf("the configured route has %d", n)
			}
		} else if strings.HasPrefix(f, day+CallUser) {
			users++
		}
	}
	if endpoints != 5 || users != 3 || sum != 51 || got[day+"endpoint:GET /users/:id"] != 1 || got[day+"endpoint:"+parser.OtherPage] == 0 {
		t.Errorf("%d endpoints with %d calls, %d users: %v", endpoints, sum, users, got)
	}
}

func TestReadCalls(t *testing.T) {
	rdb := readClient(t, startReadServer(t).addr())
	r := newCallRig(t, rdb)
	calls := randomCalls(rand.New(rand.NewPCG(3, 3)), 2000)
	for i := range calls {
		calls[i].site = "a.example"
	}
	r.start()
	r.call("a", calls)
	r.await()
	r.stop()
	reader, err := NewReader(rdb, r.opt.Keys, ReaderOptions{Location: time.UTC})
	if err != nil {
		t.Fatal(err)
	}
	day := time.Now().UTC()
	var mine []testCall
	for _, c := range calls {
		if c.at.Format("20060102") == day.Format("20060102") {
			mine = append(mine, c)
		}
	}
	all, stale := reader.Calls(t.Context(), "a.example", CallDay(day), 0)
	top, _ := reader.Calls(t.Context(), "a.example", CallDay(day), 2)
	if stale || all.Calls != int64(len(mine)) || len(all.Endpoints) != 8 || len(all.Statuses) != 5 || len(top.Endpoints) != 8 {
		t.Fatalf("%v %+v", stale, all)
	}
	for i, e := range all.Endpoints {
		var took []int64
		for _, c := range mine {
			if c.endpoint() == e.Endpoint {
				took = append(took, c.ms)
			}
		}
		slices.Sort(took)
		for _, percent := range []float64{50, 95, 99} {
			got, ok := e.Latency.Percentile(percent)
			want := float64(took[int(math.Ceil(percent/100*float64(len(took))))-1])
			if !ok || math.Abs(got-want) > 0.05*want+1e-9 {
				t.Errorf("%s p%v: %v, want %v", e.Endpoint, percent, got, want)
			}
		}
		if _, ok := top.Endpoints[i].Latency.Percentile(50); ok != (i < 2) || top.Endpoints[i].Calls != e.Calls {
			t.Errorf("top %d: %+v", i, top.Endpoints[i])
		}
	}
	for unit, want := range map[CallUnit]int{ByMinute: 60, ByHour: 24, ByDay: 30} {
		points, stale := reader.CallTrend(t.Context(), "a.example", unit)
		var have, must int64
		for i, p := range points {
			have += p.Calls
			if i > 0 && !p.Time.After(points[i-1].Time) {
				t.Error("out of order")
			}
		}
		for _, c := range calls {
			if !c.at.Before(points[0].Time) {
				must++
			}
		}
		if stale || len(points) != want || have != must {
			t.Errorf("unit %d: %v, %d points, %d calls, want %d", unit, stale, len(points), have, must)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if points, stale := reader.CallTrend(ctx, "a.example", ByHour); !stale || len(points) != 24 {
		t.Errorf("without Redis: %v %d", stale, len(points))
	}
}

// TestTrendWhereClocksChange: 24 hours are 24 points also where one is left out
// or comes twice.
func TestTrendWhereClocksChange(t *testing.T) {
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	for _, at := range []time.Time{time.Date(2026, 3, 29, 12, 34, 0, 0, berlin), time.Date(2026, 10, 25, 12, 34, 0, 0, berlin)} {
		for _, unit := range []CallUnit{ByMinute, ByHour, ByDay} {
			points := unit.points(at)
			for i := 1; i < len(points); i++ {
				if !points[i].Time.After(points[i-1].Time) || points[i].Period < points[i-1].Period {
					t.Errorf("%v: %v after %v", unit, points[i], points[i-1])
				}
			}
		}
	}
	kolkata := time.FixedZone("IST", 5*3600+1800)
	points := ByHour.points(time.Date(2026, 3, 29, 12, 34, 0, 0, kolkata))
	if last := points[23]; last.Period != "2026032912" || last.Time.Minute() != 0 {
		t.Errorf("%+v", last)
	}
}
