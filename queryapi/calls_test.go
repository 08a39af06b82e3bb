package queryapi

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"ddkk-stats/counter"
)

// callFigures plays Calls.
type callFigures struct {
	report counter.CallReport
	asked  []string
	stale  bool
	err    error
	site   string
}

func (c *callFigures) Site(context.Context) string { return c.site }

func (c *callFigures) Period(_ context.Context, site, period string, _ int) (counter.CallReport, bool) {
	c.asked = append(c.asked, site+" "+period)
	return c.report, c.stale
}

func (c *callFigures) Trend(_ context.Context, site string, unit counter.CallUnit) ([]counter.CallPoint, bool) {
	at := time.Date(2026, 11, 22, 1, 0, 0, 0, time.FixedZone("east", 8*3600))
	return []counter.CallPoint{{Time: at, Calls: 3, Failed: 1}, {Time: at.Add(time.Hour)}}, c.stale
}

func (c *callFigures) Day(_ context.Context, site string, date time.Time) (counter.CallReport, bool, error) {
	c.asked = append(c.asked, site+" "+date.Format(time.DateOnly))
	return c.report, c.stale, c.err
}

func callServer(t *testing.T, f *callFigures) *testServer {
	return newTestServer(t, newBackend(), func(c *Config) {
		if f != nil {
			c.Calls = f
		}
		c.AdminToken = "t"
		c.Location = time.FixedZone("east", 8*3600)
		c.Now = func() time.Time { return time.Date(2026, 11, 21, 17, 0, 0, 0, time.UTC) }
	})
}

func someCalls() counter.CallReport {
	var r counter.CallReport
	r.Calls, r.Failed = 1000, 2
	for range 1000 {
		r.Latency.Add(12, 1)
	}
	r.Endpoints = []counter.EndpointCalls{{Endpoint: "GET /users/:id", CallSums: r.CallSums},
		{Endpoint: `GET /<a>"` + "\xff", CallSums: counter.CallSums{Calls: 1}}}
	r.Statuses = []counter.NameCalls{{Name: "200", Calls: 998}, {Name: "500", Calls: 2}}
	r.Users = []counter.NameCalls{{Name: "=HYPERLINK(1)", Calls: 5}, {Name: "bob", Calls: 1}}
	return r
}

func TestCallOverview(t *testing.T) {
	f := &callFigures{report: someCalls()}
	ctx := asAdmin(t, callServer(t, f), "GET", "/api/admin/stats/overview?site=ddkk.com", "")
	const want = `{"site":"ddkk.com","today":{"calls":1000,"failed":2,"p50_ms":12,"p95_ms":12,"p99_ms":12,"date":"2026-11-22"},` +
		`"hour":{"calls":1000,"failed":2,"p50_ms":12,"p95_ms":12,"p99_ms":12},"current_hour":{"calls":1000,"hour":"2026-11-22T01:00:00+08:00"},` +
		`"endpoints":[{"endpoint":"GET /users/:id","calls":1000,"failed":2,"p50_ms":12,"p95_ms":12,"p99_ms":12},` +
		`{"endpoint":"GET /<a>\"%FF","calls":1,"failed":0,"p50_ms":null,"p95_ms":null,"p99_ms":null}],` +
		`"hot_apis":[{"api":"GET /users/:id","calls":1000},{"api":"GET /<a>\"%FF","calls":1}]}`
	if got := string(ctx.Response.Body()); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	// The clock says 01:00 on the 22nd in the server's zone.
	if got := strings.Join(f.asked, ","); got != "ddkk.com 20261122,ddkk.com 2026112201" {
		t.Errorf("asked for %s", got)
	}
}

// TestHotAPIs: the short list has five.
func TestHotAPIs(t *testing.T) {
	f := &callFigures{site: "ddkk.com"}
	for i := range 12 {
		f.report.Endpoints = append(f.report.Endpoints, counter.EndpointCalls{Endpoint: fmt.Sprint("GET /", i), CallSums: counter.CallSums{Calls: int64(12 - i)}})
	}
	var got struct {
		Endpoints []any
		HotAPIs   []struct{ API string } `json:"hot_apis"`
	}
	if err := json.Unmarshal(asAdmin(t, callServer(t, f), "GET", "/api/admin/stats/overview", "").Response.Body(), &got); err != nil {
		t.Fatal(err)
	}
	if len(got.Endpoints) != 10 || len(got.HotAPIs) != 5 || got.HotAPIs[4].API != "GET /4" {
		t.Errorf("%+v", got)
	}
}

func TestCallTrend(t *testing.T) {
	s := callServer(t, &callFigures{stale: true, site: "ddkk.com"})
	ctx := asAdmin(t, s, "GET", "/api/admin/stats/trend?range=hour", "")
	const want = `{"site":"ddkk.com","range":"hour","points":[{"time":"2026-11-22T01:00:00+08:00","calls":3,"failed":1},` +
		`{"time":"2026-11-22T02:00:00+08:00","calls":0,"failed":0}],` +
		`"data":[{"time":"2026-11-22T01:00:00+08:00","count":3},{"time":"2026-11-22T02:00:00+08:00","count":0}],"stale":true}`
	if got := string(ctx.Response.Body()); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestCallReport(t *testing.T) {
	f := &callFigures{report: someCalls()}
	s := callServer(t, f)
	ctx := asAdmin(t, s, "GET", "/api/admin/reports/daily?site=ddkk.com&date=2026-11-20", "")
	var got struct {
		Date  string
		Rate  float64 `json:"success_rate"`
		Total struct{ Calls, Failed int64 }
		Calls int64 `json:"total_calls"`
		APIs  []struct {
			API   string
			Calls int64
		} `json:"api_breakdown"`
		Statuses []struct {
			Status string
			Calls  int64
		}
		Users []struct {
			User  string
			Calls int64
		}
	}
	if err := json.Unmarshal(ctx.Response.Body(), &got); err != nil {
		t.Fatal(err)
	}
	if got.Date != "2026-11-20" || got.Rate != 0.998 || got.Total.Failed != 2 || got.Calls != 1000 || len(got.APIs) != 2 || got.APIs[0].API != "GET /users/:id" || got.APIs[0].Calls != 1000 || len(got.Statuses) != 2 || got.Users[0].User != "=HYPERLINK(1)" {
		t.Errorf("%+v", got)
	}
	ctx = ask(s, testPeer, "GET", "/api/admin/reports/daily?site=ddkk.com&format=csv", "", "Authorization: Bearer t")
	const table = "date,site,kind,name,calls,failed,p50_ms,p95_ms,p99_ms\n" +
		"2026-11-22,ddkk.com,total,,1000,2,12,12,12\n" +
		"2026-11-22,ddkk.com,endpoint,GET /users/:id,1000,2,12,12,12\n" +
		"2026-11-22,ddkk.com,endpoint,\"GET /<a>\"\"\xff\",1,0,,,\n" +
		"2026-11-22,ddkk.com,status,200,998,,,,\n2026-11-22,ddkk.com,status,500,2,,,,\n" +
		"2026-11-22,ddkk.com,user,'=HYPERLINK(1),5,,,,\n2026-11-22,ddkk.com,user,bob,1,,,,\n"
	if got := string(ctx.Response.Body()); got != table {
		t.Errorf("got\n%s\nwant\n%s", got, table)
	}
	if header(ctx, "Content-Type") != "text/csv; charset=utf-8" || !strings.Contains(header(ctx, "Content-Disposition"), "calls-2026-11-22.csv") {
		t.Errorf("headers: %s", ctx.Response.Header.String())
	}
	empty := asAdmin(t, callServer(t, &callFigures{}), "GET", "/api/admin/reports/daily?site=ddkk.com", "")
	if !strings.Contains(string(empty.Response.Body()), `"total_calls":0,"success_rate":1,"endpoints":[],"api_breakdown":[],"statuses":[],"users":[]`) {
		t.Errorf("a day without calls: %s", empty.Response.Body())
	}
}

func TestCallsRefuse(t *testing.T) {
	for _, x := range []struct {
		f      *callFigures
		target string
		status int
		code   string
	}{
		{nil, "/api/admin/stats/overview?site=ddkk.com", 404, CodeNoSiteLog},
		{nil, "/api/admin/stats/trend", 404, CodeNoSiteLog},
		{nil, "/api/admin/reports/daily", 404, CodeNoSiteLog},
		{&callFigures{}, "/api/admin/stats/overview", 400, CodeMissingField},
		{&callFigures{}, "/api/admin/stats/overview?site=other.com", 403, CodeSiteDenied},
		{&callFigures{}, "/api/admin/stats/trend?site=ddkk.com&range=week", 400, CodeBadValue},
		{&callFigures{}, "/api/admin/stats/trend?site=ddkk.com&rnage=day", 400, CodeUnknownField},
		{&callFigures{}, "/api/admin/reports/daily?site=ddkk.com&date=22.11.2026", 400, CodeBadValue},
		{&callFigures{}, "/api/admin/reports/daily?site=ddkk.com&format=xls", 400, CodeBadValue},
		{&callFigures{err: ErrArchiveAway}, "/api/admin/reports/daily?site=ddkk.com", 503, CodeArchiveAway},
	} {
		ctx := asAdmin(t, callServer(t, x.f), "GET", x.target, "")
		if ctx.Response.StatusCode() != x.status || !strings.Contains(string(ctx.Response.Body()), `"code":"`+x.code+`"`) {
			t.Errorf("%s: %d %s", x.target, ctx.Response.StatusCode(), ctx.Response.Body())
		}
	}
	ctx := ask(callServer(t, &callFigures{}), testPeer, "GET", "/api/admin/stats/overview?site=ddkk.com", "")
	if ctx.Response.StatusCode() != 401 {
		t.Errorf("without a token: %d", ctx.Response.StatusCode())
	}
}
