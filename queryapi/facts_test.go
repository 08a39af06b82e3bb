package queryapi

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/valyala/fasthttp"

	"ddkk-stats/counter"
)

// figures plays Facts, Views, Verifier and Baselines.
type figures struct {
	sites   []SiteFacts
	sums    map[string]Sums // by first day
	pages   PageList
	views   []View
	skipped []SkippedLine
	hours   []HourFacts
	facet   []FacetFacts
	periods []string
	stale   bool
	err     error
	askedP  PagesQuery
	asked   string // what was asked for last, as text
	bases   []Baseline
	state   VerifyState
}

func (f *figures) Sites(context.Context) ([]SiteFacts, bool, error) { return f.sites, f.stale, f.err }

func (f *figures) SitesPast(_ context.Context, sites []string, days int) ([][]int64, bool, error) {
	rows := make([][]int64, len(sites))
	for i := range sites {
		rows[i] = make([]int64, days)
		for d := range rows[i] {
			rows[i][d] = int64(d * (i + 1))
		}
	}
	return rows, f.stale, f.err
}

func (f *figures) Sums(_ context.Context, site string, from, to time.Time) (Sums, bool, error) {
	f.asked += fmt.Sprintf(" %s %s..%s", site, from.Format(time.DateOnly), to.Format(time.DateOnly))
	return f.sums[from.Format(time.DateOnly)], f.stale, f.err
}

func (f *figures) Online(context.Context, string) (int64, bool, error) { return 3, false, f.err }

func (f *figures) Pages(_ context.Context, q *PagesQuery) (PageList, bool, error) {
	f.askedP = *q
	return f.pages, f.stale, f.err
}

func (f *figures) Hours(_ context.Context, site string, from, to time.Time) ([]HourFacts, bool, error) {
	f.asked = fmt.Sprintf("%s %s..%s", site, from.Format(time.DateOnly), to.Format(time.DateOnly))
	return f.hours, f.stale, f.err
}

func (f *figures) Minutes(_ context.Context, _ string, n int) ([]MinuteFacts, bool) {
	return make([]MinuteFacts, n), f.stale
}

func (f *figures) UniquePeriods() []string { return f.periods }

func (f *figures) Uniques(_ context.Context, site, page, period string, from, to time.Time) ([]UniqueFacts, bool, error) {
	if f.err != nil {
		return nil, false, f.err
	}
	n := int64(len(site) + len(page))
	return []UniqueFacts{{Name: period + "1", From: from, To: from, UV: &n}, {Name: period + "2", From: to, To: to, Open: true}}, f.stale, nil
}

func (f *figures) FacetNames() []string { return []string{"referrer", "hour"} }

func (f *figures) Facet(_ context.Context, site, facet string, from, to time.Time) ([]FacetFacts, bool, error) {
	f.asked = fmt.Sprintf("%s %s %s..%s", site, facet, from.Format(time.DateOnly), to.Format(time.DateOnly))
	return f.facet, f.stale, f.err
}

func (f *figures) Recent(_ context.Context, site string, limit int) ([]View, error) {
	f.asked = fmt.Sprint(site, " ", limit)
	return f.views, f.err
}

func (f *figures) Skipped(_ context.Context, limit int) ([]SkippedLine, error) {
	f.asked = fmt.Sprint(limit)
	return f.skipped, f.err
}

func (f *figures) Start(site string, days int) error {
	f.asked = fmt.Sprint(site, " ", days)
	return f.err
}

func (f *figures) State() VerifyState { return f.state }

func (f *figures) Baselines(context.Context, string) ([]Baseline, error) { return f.bases, f.err }

func (f *figures) SetBaseline(_ context.Context, site string, b Baseline) error {
	f.asked = fmt.Sprint(site, " ", b)
	return f.err
}

// figuresServer's clock says 2026-11-22 in its zone.
func figuresServer(t *testing.T, f *figures) *testServer {
	return newTestServer(t, newBackend(), func(c *Config) {
		c.Facts, c.Views, c.Verifier, c.Baselines, c.AdminToken = f, f, f, f, "t"
		c.Report = func(context.Context) Report { return Report{Version: "v1", Started: dateAt("2026-11-20")} }
		c.Location = time.FixedZone("east", 8*3600)
		c.Now = func() time.Time { return time.Date(2026, 11, 21, 17, 0, 0, 0, time.UTC) }
	})
}

// asAdmin asks with the token and returns the answer, which must be JSON.
func asAdmin(t *testing.T, s *testServer, method, target, body string) *fasthttp.RequestCtx {
	t.Helper()
	ctx := ask(s, testPeer, method, target, body, "Authorization: Bearer t")
	if b := ctx.Response.Body(); len(b) > 0 && !json.Valid(b) {
		t.Errorf("%s %s: not JSON: %s", method, target, b)
	}
	return ctx
}

func wantAnswer(t *testing.T, s *testServer, target, want string) {
	t.Helper()
	ctx := asAdmin(t, s, "GET", target, "")
	if got := string(ctx.Response.Body()); got != want || ctx.Response.StatusCode() != 200 {
		t.Errorf("%s\n got %d %s\nwant %s", target, ctx.Response.StatusCode(), got, want)
	}
}

func TestAdminSites(t *testing.T) {
	f := &figures{}
	s := figuresServer(t, f)
	wantAnswer(t, s, "/api/admin/sites", `{"sites":[]}`)
	f.sites = []SiteFacts{{Site: "b.example", PV: 9, UV: 4, PVToday: 1, UVToday: 1}, {Site: "a.example", PVToday: 1}, {Site: "z.example", PVToday: 7, Online: 2}}
	f.stale = true
	wantAnswer(t, s, "/api/admin/sites", `{"sites":[{"site":"z.example","pv":0,"uv":0,"pv_today":7,"uv_today":0,"online":2},`+
		`{"site":"a.example","pv":0,"uv":0,"pv_today":1,"uv_today":0,"online":0},`+
		`{"site":"b.example","pv":9,"uv":4,"pv_today":1,"uv_today":1,"online":0}],"stale":true}`)
}

func TestAdminSummary(t *testing.T) {
	f := &figures{sums: map[string]Sums{"2026-11-20": {PV: 7, UV: 3, Bot: 2, PC: 4, Mobile: 3, Events: 5, Dedup: 1}, "2026-11-17": {PV: 1}}}
	s := figuresServer(t, f)
	wantAnswer(t, s, "/api/admin/summary?site=www.ddkk.com&from=2026-11-20&to=2026-11-22",
		`{"site":"ddkk.com","from":"2026-11-20","to":"2026-11-22","current":{"pv":7,"uv":3,"bot":2,"pc":4,"mobile":3,"events":5,"dedup":1},`+
			`"previous":{"from":"2026-11-17","to":"2026-11-19","pv":1,"uv":0,"bot":0,"pc":0,"mobile":0,"events":0,"dedup":0},"online":3}`)
	if want := " ddkk.com 2026-11-20..2026-11-22 ddkk.com 2026-11-17..2026-11-19"; f.asked != want {
		t.Errorf("asked for%s, want%s", f.asked, want)
	}
	f.stale = true
	if got := string(asAdmin(t, s, "GET", "/api/admin/summary?site=ddkk.com", "").Response.Body()); !strings.HasSuffix(got, `"online":3,"stale":true}`) {
		t.Errorf("stale: %s", got)
	}
}

func TestAdminPages(t *testing.T) {
	f := &figures{}
	s := figuresServer(t, f)
	wantAnswer(t, s, "/api/admin/pages?site=ddkk.com", `{"pages":[],"total":0}`)
	if want := (PagesQuery{Site: "ddkk.com", From: dateAt("2026-10-24"), To: dateAt("2026-11-22"), Limit: 20}); f.askedP != want {
		t.Errorf("asked %+v, want %+v", f.askedP, want)
	}
	two := int64(2)
	f.pages = PageList{Total: 9, Pages: []PageFacts{NewPageFacts("/<b>\xff", 5, &two), NewPageFacts("/a", 3, nil)}}
	wantAnswer(t, s, "/api/admin/pages?site=ddkk.com&from=2026-11-22&limit=1000&q=%2Fa%20b", `{"pages":[{"page":"/<b>%FF","pv":5,"uv":2},{"page":"/a","pv":3,"uv":null}],"total":9}`)
	if f.askedP.Limit != 1000 || f.askedP.Match != "/a b" {
		t.Errorf("asked %+v", f.askedP)
	}
}

// A title stands beside the page where one was told.
func TestTitles(t *testing.T) {
	f := &figures{pages: PageList{Total: 2, Pages: []PageFacts{NewPageFacts("/a", 5, nil), NewPageFacts("/b", 3, nil)}}}
	b := newBackend()
	b.hot = nil
	s := newTestServer(t, b, func(c *Config) {
		c.Facts, c.Views, c.AdminToken = f, f, "t"
		c.Title = func(_ context.Context, site, page string) string {
			if site == "ddkk.com" && page == "/a" {
				return "A <b>\u2028\"title\""
			}
			return ""
		}
	})
	wantAnswer(t, s, "/api/admin/pages?site=ddkk.com&from=2026-11-22&to=2026-11-22", `{"pages":[{"page":"/a","pv":5,"uv":null,"title":"A <b>\u2028\"title\""},{"page":"/b","pv":3,"uv":null}],"total":2}`)
	b.set(func() { b.hot = []counter.PageCount{{Page: "/a", PV: 2}, {Page: "/b", PV: 1}} })
	const hot = `[{"page":"/a","pv":2,"title":"A <b>\u2028\"title\""},{"page":"/b","pv":1}]`
	wantAnswer(t, s, "/api/hot?site=ddkk.com", `{"site":"ddkk.com","period":"week","hot_pages":`+hot+`}`)
	ctx := ask(s, testPeer, "POST", "/api/stats", `{"site":"ddkk.com","fields":["hot_pages_all"],"limit":9}`)
	if got := string(ctx.Response.Body()); got != `{"site":"ddkk.com","hot_pages_all":`+hot+`}` {
		t.Error(got)
	}
}

func TestAdminHours(t *testing.T) {
	f := &figures{hours: []HourFacts{{Date: dateAt("2026-11-21"), Hour: 23, PV: 5, Bot: 2}, {Date: dateAt("2026-11-22"), Hour: 0, PV: 1}}}
	s := figuresServer(t, f)
	ctx := asAdmin(t, s, "GET", "/api/admin/hours?site=www.ddkk.com&from=2026-11-21", "")
	var got struct {
		Hours []struct {
			Date          string
			Hour, PV, Bot int
		}
	}
	if err := json.Unmarshal(ctx.Response.Body(), &got); err != nil {
		t.Fatal(err)
	}
	if len(got.Hours) != 48 || fmt.Sprint(got.Hours[22:25]) != "[{2026-11-21 22 0 0} {2026-11-21 23 5 2} {2026-11-22 0 1 0}]" || f.asked != "ddkk.com 2026-11-21..2026-11-22" {
		t.Errorf("%d: %v; asked for %s", len(got.Hours), got.Hours, f.asked)
	}
	ctx = asAdmin(t, s, "GET", "/api/admin/hours?site=ddkk.com&from=2025-11-21", "")
	wantError(t, "367 days", string(ctx.Response.Body()), ctx.Response.StatusCode(), 400, CodeBadValue, "366")
	if ctx = asAdmin(t, s, "GET", "/api/admin/hours?site=ddkk.com&from=2025-11-22", ""); ctx.Response.StatusCode() != 200 {
		t.Errorf("366 days: %s", ctx.Response.Body())
	}
}

func TestAdminMinutes(t *testing.T) {
	f := &figures{stale: true}
	s := figuresServer(t, f)
	got := string(asAdmin(t, s, "GET", "/api/admin/minutes?site=ddkk.com", "").Response.Body())
	if strings.Count(got, `{"time":"0001-01-01T00:00:00Z","pv":0,"bot":0}`) != 30 || !strings.HasSuffix(got, `],"stale":true}`) {
		t.Error(got)
	}
}

func TestAdminReferrers(t *testing.T) {
	f := &figures{}
	s := figuresServer(t, f)
	wantAnswer(t, s, "/api/admin/referrers?site=ddkk.com", `{"referrers":[],"total":0}`)
	f.facet = []FacetFacts{NewFacetFacts("a.example", 1, nil), NewFacetFacts("", 7, nil), NewFacetFacts("b.example", 1, nil)}
	wantAnswer(t, s, "/api/admin/referrers?site=ddkk.com&limit=2", `{"referrers":[{"referrer":"","pv":7},{"referrer":"a.example","pv":1}],"total":3}`)
}

func TestAdminUniques(t *testing.T) {
	f := &figures{periods: []string{"week"}}
	s := figuresServer(t, f)
	const path = "/api/admin/uniques?site=ddkk.com&period=week&from=2026-11-20&to=2026-11-21"
	wantAnswer(t, s, path, `{"site":"ddkk.com","period":"week","rows":[{"name":"week1","from":"2026-11-20","to":"2026-11-20","uv":8,"open":false},`+
		`{"name":"week2","from":"2026-11-21","to":"2026-11-21","uv":null,"open":true}]}`)
	f.stale = true
	wantAnswer(t, s, path+"&page=/a", `{"site":"ddkk.com","page":"/a","period":"week","rows":[{"name":"week1","from":"2026-11-20","to":"2026-11-20","uv":10,"open":false},`+
		`{"name":"week2","from":"2026-11-21","to":"2026-11-21","uv":null,"open":true}],"stale":true}`)
	ctx := ask(s, testPeer, "GET", path+"&format=csv", "", "Authorization: Bearer t")
	if got := string(ctx.Response.Body()); got != "week,from,to,uv,open\nweek1,2026-11-20,2026-11-20,8,false\nweek2,2026-11-21,2026-11-21,,true\n" {
		t.Error(got)
	}
}

func TestAdminFacets(t *testing.T) {
	f := &figures{}
	s := figuresServer(t, f)
	const path = "/api/admin/facets?site=ddkk.com&facet=hour&from=2026-11-20&to=2026-11-21"
	wantAnswer(t, s, path, `{"site":"ddkk.com","facet":"hour","from":"2026-11-20","to":"2026-11-21","total":0,"rows":[]}`)
	if f.asked != "ddkk.com hour 2026-11-20..2026-11-21" {
		t.Error(f.asked)
	}
	uv := int64(5)
	f.facet, f.stale = []FacetFacts{NewFacetFacts("=1+1", 1, nil), NewFacetFacts("b", 7, &uv), NewFacetFacts("a", 1, nil)}, true
	wantAnswer(t, s, path+"&limit=2", `{"site":"ddkk.com","facet":"hour","from":"2026-11-20","to":"2026-11-21","total":3,`+
		`"rows":[{"name":"b","pv":7,"uv":5},{"name":"=1+1","pv":1,"uv":null}],"stale":true}`)
	ctx := ask(s, testPeer, "GET", path+"&format=csv", "", "Authorization: Bearer t")
	if got := string(ctx.Response.Body()); got != "name,pv,uv\nb,7,5\n'=1+1,1,\na,1,\n" {
		t.Errorf("%q", got)
	}
	if header(ctx, "Content-Type") != "text/csv; charset=utf-8" || header(ctx, "Content-Disposition") != `attachment; filename="hour.csv"` {
		t.Error(header(ctx, "Content-Type"), header(ctx, "Content-Disposition"))
	}
}

func TestAdminViews(t *testing.T) {
	f := &figures{}
	s := figuresServer(t, f)
	wantAnswer(t, s, "/api/admin/views?site=ddkk.com", `{"views":[]}`)
	wantAnswer(t, s, "/api/admin/skipped", `{"skipped":[]}`)
	f.skipped = []SkippedLine{{Time: time.UnixMilli(1795305600005), Request: "/event.png?page=<b>", Referer: "https://x.example/", Reason: "site"}, {Request: "\xff", Reason: "fields"}}
	wantAnswer(t, s, "/api/admin/skipped?limit=2", `{"skipped":[{"time":"2026-11-22T00:00:00.005Z","request":"/event.png?page=<b>","referer":"https://x.example/","reason":"site"},{"time":null,"request":"%FF","referer":"","reason":"fields"}]}`)
	f.views = []View{{Time: time.Date(2026, 11, 22, 8, 0, 0, 5e6, time.FixedZone("east", 8*3600)), Page: "/a", Referrer: "news.example", Mobile: true, Event: "h5.pv"}, {Bot: true}}
	wantAnswer(t, s, "/api/admin/views?site=ddkk.com&limit=2", `{"views":[{"time":"2026-11-22T00:00:00.005Z","page":"/a","referrer":"news.example","device":"mobile","bot":false,"event":"h5.pv"},`+
		`{"time":"0001-01-01T00:00:00Z","page":"","referrer":"","device":"pc","bot":true,"event":""}]}`)
	if f.asked != "ddkk.com 2" {
		t.Errorf("asked for %s", f.asked)
	}
}

func TestAdminHealth(t *testing.T) {
	wantAnswer(t, figuresServer(t, &figures{}), "/api/admin/health", `{"version":"v1","started":"2026-11-20T00:00:00Z","inputs":[],`+
		`"books":{"read":0,"human":0,"bot":0,"calls":0,"dedup":0,"before":0,"skipped":{},"malformed":{},"torn":0,"closes":false},`+
		`"redis":{"up":false,"embedded":false,"memory_bytes":0,"max_memory_bytes":0,"clients":0,"replicas":0,"evicted":0,"saved":null,"saving":false},`+
		`"archive":{"last_success":null,"last_error":null,"dirty_days":null},`+
		`"sql":{"up":false,"open":0,"idle":0,"waits":0,"statements":0,"statement_ms":0,"slow":0,"write_lag_seconds":0},`+
		`"service":{"requests":0,"errors":0,"archive_cycles":0,"archive_cycles_failed":0,"alerts_sent":0,"alerts_failed":0},"alerts":[]}`)
}

func TestAdminVerify(t *testing.T) {
	f := &figures{}
	s := figuresServer(t, f)
	wantAnswer(t, s, "/api/admin/verify", `{"running":false}`)
	ctx := asAdmin(t, s, "POST", "/api/admin/verify", `{"site":"www.ddkk.com","days":7}`)
	if got := string(ctx.Response.Body()); got != `{"running":true}` || ctx.Response.StatusCode() != 202 || f.asked != "ddkk.com 7" {
		t.Errorf("%d %s, asked for %s", ctx.Response.StatusCode(), got, f.asked)
	}
	if asAdmin(t, s, "POST", "/api/admin/verify", `{}`); f.asked != " 0" {
		t.Errorf("all sites: asked for %q", f.asked)
	}
	f.state = VerifyState{Running: true, Site: "ddkk.com", Started: dateAt("2026-11-22"), Sites: 1, Now: "ddkk.com", Lines: 500}
	wantAnswer(t, s, "/api/admin/verify", `{"running":true,"site":"ddkk.com","started":"2026-11-22T00:00:00Z","progress":{"sites":1,"sites_done":0,"now":"ddkk.com","lines":500}}`)
	f.state = VerifyState{Started: dateAt("2026-11-22"), Ended: dateAt("2026-11-23"), Sites: 1, SitesDone: 1, Report: map[string]int{"differences": 0}}
	wantAnswer(t, s, "/api/admin/verify", `{"running":false,"started":"2026-11-22T00:00:00Z","ended":"2026-11-23T00:00:00Z",`+
		`"progress":{"sites":1,"sites_done":1,"now":"","lines":0},"report":{"differences":0}}`)
	for err, want := range map[error]struct {
		status int
		code   string
	}{ErrVerifying: {409, CodeVerifying}, ErrEnding: {503, CodeUnavailable}, errors.New("odd"): {500, CodeInternal}} {
		f.err = err
		ctx := asAdmin(t, s, "POST", "/api/admin/verify", `{}`)
		wantError(t, "verify", string(ctx.Response.Body()), ctx.Response.StatusCode(), want.status, want.code, "")
	}
}

func TestAdminBaselines(t *testing.T) {
	f := &figures{}
	s := figuresServer(t, f)
	const path = "/api/admin/baselines"
	wantAnswer(t, s, path+"?site=ddkk.com", `{"baselines":[]}`)
	f.bases = []Baseline{{PV: 100, UV: 10}, {Page: "/\xff", PV: 1}}
	wantAnswer(t, s, path+"?site=ddkk.com", `{"baselines":[{"page":"","pv":100,"uv":10},{"page":"/%FF","pv":1,"uv":0}]}`)
	g := func(method, target, body, asked string) {
		t.Helper()
		f.asked = ""
		ctx := asAdmin(t, s, method, target, body)
		if ctx.Response.StatusCode() != 204 || len(ctx.Response.Body()) > 0 || f.asked != asked {
			t.Errorf("%s %s %s: %d %s, asked for %q, want %q", method, target, body, ctx.Response.StatusCode(), ctx.Response.Body(), f.asked, asked)
		}
	}
	g("PUT", path, `{"site":"www.ddkk.com","page":"/%E6%96%87","pv":5,"uv":2}`, "ddkk.com {/文 5 2}")
	g("PUT", path, `{"site":"ddkk.com","page":"","uv":2}`, "ddkk.com { 0 2}")
	g("DELETE", path, `{"site":"ddkk.com","page":"/a"}`, "ddkk.com {/a 0 0}")
	g("DELETE", path+"?site=ddkk.com&page=%2Fa", "", "ddkk.com {/a 0 0}")
	g("DELETE", path+"?site=ddkk.com&page=", "", "ddkk.com { 0 0}")
	b := func(method, target, body string, status int, code, message string) {
		t.Helper()
		ctx := asAdmin(t, s, method, target, body)
		wantError(t, method+" "+target+" "+body, string(ctx.Response.Body()), ctx.Response.StatusCode(), status, code, message)
	}
	b("PUT", path, `{"site":"ddkk.com","pv":5}`, 400, CodeMissingField, "page:")
	b("PUT", path, `{"site":"ddkk.com","page":"/a"}`, 400, CodeMissingField, "pv:")
	b("PUT", path, `{"site":"ddkk.com","page":"/a","pv":-1}`, 400, CodeBadValue, "pv:")
	b("PUT", path, `{"site":"ddkk.com","page":"/a","pv":1.5}`, 400, CodeBadValue, "pv:")
	b("PUT", path, `{"site":"ddkk.com","page":"/a","pv":99999999999999}`, 400, CodeBadValue, "pv:")
	b("PUT", path, `{"page":"/a","pv":1}`, 400, CodeMissingField, "site:")
	b("PUT", path, `{"site":"evil.com","page":"/a","pv":1}`, 403, CodeSiteDenied, "site:")
	b("PUT", path, `{"site":"ddkk.com","page":"/a","pv":1,"add":true}`, 400, CodeUnknownField, "add:")
	b("DELETE", path+"?site=ddkk.com", "", 400, CodeMissingField, "page:")
	b("DELETE", path+"?site=ddkk.com", `{"site":"ddkk.com","page":"/a"}`, 400, CodeUnknownField, "site:")
	b("DELETE", path, `{"site":"ddkk.com","page":"/a","pv":1}`, 400, CodeUnknownField, "pv:")
	f.err = fmt.Errorf("dial: %w", ErrStoreAway)
	b("PUT", path, `{"site":"ddkk.com","page":"/a","pv":1}`, 503, CodeUnavailable, "kept")
	f.err = fmt.Errorf("dial: %w", ErrArchiveAway)
	b("PUT", path, `{"site":"ddkk.com","page":"/a","pv":1}`, 503, CodeArchiveAway, "")
	b("GET", path+"?site=ddkk.com", "", 503, CodeArchiveAway, "")
}

// Every figure is the admin's, and no request that is odd is answered.
func TestAdminRefuses(t *testing.T) {
	f := &figures{}
	s := figuresServer(t, f)
	spans := []string{"/api/admin/summary", "/api/admin/pages", "/api/admin/hours", "/api/admin/referrers", "/api/admin/facets", "/api/admin/uniques"}
	for _, path := range append([]string{"/api/admin/sites", "/api/admin/minutes", "/api/admin/views", "/api/admin/health", "/api/admin/verify", "/api/admin/baselines"}, spans...) {
		for _, header := range []string{"X: y", "Authorization: Bearer u", "Authorization: t"} {
			ctx := ask(figuresServer(t, f), testPeer, "GET", path+"?site=ddkk.com", "", header) // its own, as wrong tokens are limited
			wantError(t, path, string(ctx.Response.Body()), ctx.Response.StatusCode(), 401, CodeAdminRequired, "")
		}
	}
	for _, method := range []string{"POST /api/admin/verify", "PUT /api/admin/baselines", "DELETE /api/admin/baselines"} {
		verb, path, _ := strings.Cut(method, " ")
		ctx := ask(s, testPeer, verb, path, "{}")
		wantError(t, method, string(ctx.Response.Body()), ctx.Response.StatusCode(), 401, CodeAdminRequired, "")
	}
	g := func(target string, status int, code, message string) {
		t.Helper()
		ctx := asAdmin(t, s, "GET", target, "")
		wantError(t, target, string(ctx.Response.Body()), ctx.Response.StatusCode(), status, code, message)
	}
	of := map[string]string{"/api/admin/facets": "facet=referrer", "/api/admin/uniques": "period=week"}
	f.periods = []string{"week"}
	for _, path := range spans {
		g(path, 400, CodeMissingField, "site:")
		g(path+"?site=evil.com", 403, CodeSiteDenied, "site:")
		g(path+"?site=ddkk.com&from=2026-11-31", 400, CodeBadValue, "from:")
		g(path+"?site=ddkk.com&from=2026-11-23", 400, CodeBadValue, "from:")
		g(path+"?site=ddkk.com&from=2000-01-01", 400, CodeBadValue, "from:")
		g(path+"?site=ddkk.com&form=2026-11-23", 400, CodeUnknownField, "form:")
		f.err = fmt.Errorf("dial: %w", ErrArchiveAway)
		g(path+"?site=ddkk.com&"+of[path], 503, CodeArchiveAway, "")
		f.err = nil
	}
	g("/api/admin/referrers?site=ddkk.com&limit=0", 400, CodeBadValue, "limit:")
	g("/api/admin/facets?site=ddkk.com", 400, CodeMissingField, "facet:")
	g("/api/admin/uniques?site=ddkk.com", 400, CodeMissingField, "period:")
	g("/api/admin/uniques?site=ddkk.com&period=month", 400, CodeBadValue, "period:")
	g("/api/admin/uniques?site=ddkk.com&period=week&format=xml", 400, CodeBadValue, "format:")
	g("/api/admin/facets?site=ddkk.com&facet=colour", 400, CodeBadValue, "facet:")
	g("/api/admin/facets?site=ddkk.com&facet=hour&format=xml", 400, CodeBadValue, "format:")
	g("/api/admin/facets?site=ddkk.com&facet=hour&limit=0", 400, CodeBadValue, "limit:")
	g("/api/admin/minutes?site=ddkk.com&n=5", 400, CodeUnknownField, "n:")
	for _, limit := range []string{"0", "1001", "x", ""} {
		g("/api/admin/pages?site=ddkk.com&limit="+limit, 400, CodeBadValue, "limit:")
	}
	g("/api/admin/views?site=ddkk.com&limit=501", 400, CodeBadValue, "limit:")
	g("/api/admin/views", 400, CodeMissingField, "site:")
	g("/api/admin/sites?site=ddkk.com", 400, CodeUnknownField, "site:")
	for _, body := range []string{`{"site":1}`, `{"days":-1}`, `{"days":4000}`, `{"repair":true}`, ``, `[]`} {
		ctx := asAdmin(t, s, "POST", "/api/admin/verify", body)
		if ctx.Response.StatusCode() != 400 {
			t.Errorf("verify %s: %d %s", body, ctx.Response.StatusCode(), ctx.Response.Body())
		}
	}
}
