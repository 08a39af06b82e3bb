package archive

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"maps"
	"math/rand"
	"slices"
	"strings"
	"testing"
	"time"

	"ddkk-stats/parser"
)

// apiCall is a line of a site's own log.
type apiCall struct {
	at     time.Time
	uri    string
	status int
	user   string
	ms     int
}

func (c apiCall) line(n int) string {
	return strings.Join([]string{"v1", fmt.Sprintf("%d.%03d", c.at.Unix(), c.at.Nanosecond()/1e6), fmt.Sprintf("%032x", n), "203.0.113.7",
		"api.example", "GET", fmt.Sprint(cmp.Or(c.status, 200)), c.uri, "-", "curl/8", "-", "-", cmp.Or(c.user, "-"),
		fmt.Sprintf("%d.%03d", c.ms/1000, c.ms%1000), "43", "end"}, "\t")
}

func callSegment(id string, calls ...apiCall) *memory {
	var b strings.Builder
	for i, c := range calls {
		b.WriteString(c.line(i) + "\n")
	}
	return &memory{id: id, data: []byte(b.String())}
}

func callSource(t testing.TB, segments ...*memory) Source {
	t.Helper()
	p, err := parser.New(parser.Config{Calls: &parser.CallRules{Routes: []string{"/users/:id"}}})
	check(t, err)
	s := Source{Name: "host:/log/api.log", Parser: p}
	for _, m := range segments {
		s.Segments = append(s.Segments, m)
	}
	return s
}

func runCalls(t testing.TB, a *Archive, segments ...*memory) Summary {
	t.Helper()
	sum, err := a.Run(t.Context(), callSource(t, segments...))
	check(t, err)
	return sum
}

func randomCalls(seed int64, n int, from time.Time, every time.Duration) []apiCall {
	r := rand.New(rand.NewSource(seed))
	calls := make([]apiCall, n)
	for i := range calls {
		calls[i] = apiCall{at: from.Add(time.Duration(i) * every), status: []int{200, 200, 404, 500}[r.Intn(4)], ms: r.Intn(900),
			uri: fmt.Sprintf([]string{"/users/%d", "/orders/%d/items", "/health?n=%d"}[r.Intn(3)], i), user: []string{"", "bob", "amy"}[r.Intn(3)]}
	}
	return calls
}

// sumsOf is what all periods of calls must have, worked out the plain way.
func sumsOf(calls []apiCall) map[CallRow]CallRow {
	all := map[CallRow]CallRow{}
	add := func(period string, dim parser.CallDimension, name string, failed, ms int64) {
		k := CallRow{Period: period, Dimension: dim, Name: name}
		r := all[k]
		r.Calls, r.Failed, r.Milliseconds = r.Calls+1, r.Failed+failed, r.Milliseconds+ms
		all[k] = r
	}
	for _, c := range calls {
		failed := int64(0)
		if c.status >= 500 {
			failed = 1
		}
		endpoint := map[string]string{"u": "GET /users/:id", "o": "GET /orders/:id/items", "h": "GET /health"}[c.uri[1:2]]
		bucket := parser.LatencyBucket(int64(c.ms))
		minute := c.at.UTC().Format("200601021504")
		add(minute, parser.CallsTotal, "", failed, int64(c.ms))
		for _, p := range []string{minute[:10], minute[:8]} {
			add(p, parser.CallsTotal, "", failed, int64(c.ms))
			add(p, parser.CallsEndpoint, endpoint, failed, int64(c.ms))
			add(p, parser.CallsStatus, fmt.Sprint(c.status), 0, 0)
			if c.user != "" {
				add(p, parser.CallsUser, c.user, 0, 0)
			}
			add(p, parser.CallsLatency, fmt.Sprint(bucket), 0, 0)
		}
		add(minute[:8], parser.CallsLatency, parser.LatencyName(bucket, endpoint), 0, 0)
	}
	return all
}

// wantCalls compares what a restore reads with what it must.
func wantCalls(t *testing.T, a *Archive, calls []apiCall) {
	t.Helper()
	s, err := a.Snapshot(t.Context(), "api.example")
	check(t, err)
	got := map[CallRow]CallRow{}
	for r, err := range s.Calls(t.Context(), "api.example", CallSpan{"202601010000", "2026010100", "20250101"}) {
		check(t, err)
		if _, request := parser.RequestSeriesOf(r.Dimension); request {
			continue // see TestRequestsAreArchived
		}
		k := CallRow{Period: r.Period, Dimension: r.Dimension, Name: r.Name}
		if _, twice := got[k]; twice {
			t.Errorf("twice: %+v", r)
		}
		got[k] = CallRow{Calls: r.Calls, Failed: r.Failed, Milliseconds: r.Milliseconds}
	}
	check(t, s.Close())
	want := sumsOf(calls)
	if maps.Equal(got, want) {
		return
	}
	n := 0
	for k, v := range want {
		if got[k] != v && n < 10 {
			t.Errorf("%+v: %+v, want %+v", k, got[k], v)
			n++
		}
	}
	t.Errorf("%d sums, want %d", len(got), len(want))
}

func TestCallsAreArchivedOnce(t *testing.T) {
	eachPlace(t, func(t *testing.T, at place) {
		a := open(t, at)
		calls := randomCalls(1, 3000, now.Add(-50*time.Hour), time.Minute)
		one, two := callSegment("api-1", calls[:1500]...), callSegment("api-2", calls[1500:2900]...)
		if sum := runCalls(t, a, one, two); sum.Lines != 2900 || sum.Rows != 0 || sum.Segments != 2 {
			t.Errorf("%+v", sum)
		}
		wantCalls(t, a, calls[:2900])
		if sum := runCalls(t, a, one, two); sum.Lines != 0 {
			t.Errorf("again: %+v", sum)
		}
		runCalls(t, a, callSegment("api-0", calls[2900:]...)) // late, and of the same days
		wantCalls(t, a, calls)
		wants(t, a, "0|0|0", "SELECT COUNT(*), (SELECT COUNT(*) FROM access_logs), (SELECT COUNT(*) FROM api_days WHERE dirty <> 0) FROM days")
		wants(t, a, "3000", "SELECT SUM(calls) FROM api_daily WHERE dimension = 'total'")
		for b, err := range a.Read().Books(t.Context()) {
			check(t, err)
			if b.Tally.Calls != b.Tally.Lines || b.Tally.Lines == 0 {
				t.Errorf("books: %+v", b)
			}
		}
		sites, err := a.Read().Sites(t.Context())
		check(t, err)
		if !slices.Equal(sites, []string{"api.example"}) {
			t.Errorf("sites: %v", sites)
		}
	})
}

// TestCallsAreKept deletes periods after a month, adds what comes later to the
// sums, and finds sums that are wrong.
func TestCallsAreKept(t *testing.T) {
	eachPlace(t, func(t *testing.T, at place) {
		a := open(t, at)
		old := randomCalls(2, 200, now.AddDate(0, 0, -40), time.Minute)
		runCalls(t, a, callSegment("api-1", old[:100]...))
		fresh := randomCalls(3, 100, now.AddDate(0, 0, -2), time.Second)
		runCalls(t, a, callSegment("api-2", fresh...), callSegment("api-3", old[100:]...))
		day := parser.DayOf(old[0].at.UTC())
		from, to := periodsOf(day)
		wants(t, a, "0", "SELECT COUNT(*) FROM api_periods WHERE period >= ? AND period < ?", from, to)
		sums := map[CallRow]CallRow{}
		for r, err := range a.Read().CallDay(t.Context(), "api.example", day) {
			check(t, err)
			sums[CallRow{Period: r.Period, Dimension: r.Dimension, Name: r.Name}] = CallRow{Calls: r.Calls, Failed: r.Failed, Milliseconds: r.Milliseconds}
		}
		want := sumsOf(slices.DeleteFunc(slices.Clone(old), func(c apiCall) bool { return parser.DayOf(c.at.UTC()) != day }))
		maps.DeleteFunc(want, func(k, _ CallRow) bool { return len(k.Period) != 8 })
		if !maps.Equal(sums, want) {
			t.Errorf("old day: %v\nwant %v", sums, want)
		}
		r, fday := a.Read(), parser.DayOf(fresh[0].at.UTC())
		days, err := r.RawCallDays(t.Context(), "api.example", 0)
		check(t, err)
		if len(days) == 0 || slices.Contains(days, day) {
			t.Errorf("raw days: %v", days)
		}
		check(t, a.transact(t.Context(), func(ctx context.Context, tx *sql.Tx) error {
			_, err := execTx(ctx, tx, "break", "UPDATE api_daily SET calls = calls + 1 WHERE dimension = 'total' AND date = ?", dateText(fday))
			return err
		}))
		found, err := r.CheckCallDay(t.Context(), "api.example", fday)
		check(t, err)
		if len(found) != 1 || found[0].Have != found[0].Want+1 {
			t.Errorf("found: %+v", found)
		}
		check(t, a.RedoCalls(t.Context(), "api.example", []parser.Day{fday}))
		found, err = r.CheckCallDay(t.Context(), "api.example", fday)
		check(t, err)
		if len(found) != 0 {
			t.Errorf("after it was summed up again: %+v", found)
		}
	})
}

func TestCallNamesAreCapped(t *testing.T) {
	eachPlace(t, func(t *testing.T, at place) {
		a := open(t, at)
		a.opt.MaxEndpoints, a.opt.MaxUsers = 2, 1
		var calls []apiCall
		for i := range 20 {
			calls = append(calls, apiCall{at: now.Add(-time.Hour), uri: fmt.Sprintf("/scan-%c", 'a'+i), user: fmt.Sprint("u", i)})
		}
		runCalls(t, a, callSegment("api-1", calls[:10]...))
		runCalls(t, a, callSegment("api-2", append(calls[10:], apiCall{at: now.Add(-time.Hour), uri: "/users/1"})...))
		wants(t, a, "GET /scan-a|1\nGET /scan-b|1\nGET /users/:id|1\n__other__|18",
			"SELECT name, SUM(calls) FROM api_daily WHERE dimension = 'endpoint' GROUP BY name ORDER BY name")
		wants(t, a, "__other__|19\nu0|1", "SELECT name, SUM(calls) FROM api_daily WHERE dimension = 'user' GROUP BY name ORDER BY name")
	})
}
