package queryapi

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"ddkk-stats/counter"
)

// past plays Series.
type past struct {
	days   []DayCount
	events []EventCount
	stale  bool
	err    error
	askedD DaysQuery
	askedE EventsQuery
}

func (p *past) Days(_ context.Context, q *DaysQuery) ([]DayCount, bool, error) {
	p.askedD = *q
	return p.days, p.stale, p.err
}

func (p *past) Events(_ context.Context, q *EventsQuery) (EventPage, error) {
	p.askedE = *q
	rows := p.events
	if q.After != nil {
		at := slices.IndexFunc(rows, func(e EventCount) bool {
			return e.Date.After(q.After.Date) || e.Date.Equal(q.After.Date) && e.Key > q.After.Key
		})
		rows = append([]EventCount(nil), rows[at:]...)
	}
	return EventPage{Rows: rows[:min(len(rows), q.Limit+1)], Stale: p.stale}, p.err
}

// pastServer's clock says 2026-11-22 in a zone where UTC is still at the 21st.
func pastServer(t testing.TB, p *past) *testServer {
	return newTestServer(t, newBackend(), func(c *Config) {
		c.Series, c.EventKey = p, func(levels ...string) string { return strings.Join(levels, ".") }
		c.Location = time.FixedZone("east", 8*3600)
		c.Now = func() time.Time { return time.Date(2026, 11, 21, 17, 0, 0, 0, time.UTC) }
		c.CORSOrigins = []string{"https://ddkk.com"}
	})
}

func dateAt(text string) time.Time {
	d, err := time.Parse(time.DateOnly, text)
	if err != nil {
		panic(err)
	}
	return d
}

func TestHistory(t *testing.T) {
	p := &past{days: []DayCount{
		{Date: dateAt("2026-10-31"), PV: 1, UV: 1}, {Date: dateAt("2026-11-01"), PV: 2, UV: 2},
		{Date: dateAt("2026-11-02"), PV: 30, UV: 20}, {Date: dateAt("2026-11-04"), PV: 400, UV: 300, NoUV: true},
	}}
	s := pastServer(t, p)
	f := func(query, want string) {
		t.Helper()
		ctx := ask(s, testPeer, "GET", "/api/history?"+query, "")
		if got := string(ctx.Response.Body()); got != want || ctx.Response.StatusCode() != 200 {
			t.Errorf("%s\n got %d %s\nwant %s", query, ctx.Response.StatusCode(), got, want)
		}
		if !json.Valid(ctx.Response.Body()) {
			t.Errorf("%s: not JSON", query)
		}
	}
	const span = "site=www.ddkk.com&from=2026-10-31&to=2026-11-05"
	f(span, `{"site":"ddkk.com","interval":"day","from":"2026-10-31","to":"2026-11-05","history":[{"date":"2026-10-31","pv":1,"uv":1},`+
		`{"date":"2026-11-01","pv":2,"uv":2},{"date":"2026-11-02","pv":30,"uv":20},{"date":"2026-11-03","pv":0,"uv":0},`+
		`{"date":"2026-11-04","pv":400,"uv":null},{"date":"2026-11-05","pv":0,"uv":0}]}`)
	f(span+"&interval=week", `{"site":"ddkk.com","interval":"week","from":"2026-10-31","to":"2026-11-05","history":[`+
		`{"date":"2026-W44","pv":3,"uv":3},{"date":"2026-W45","pv":430,"uv":null}]}`)
	f(span+"&interval=month", `{"site":"ddkk.com","interval":"month","from":"2026-10-31","to":"2026-11-05","history":[`+
		`{"date":"2026-10","pv":1,"uv":1},{"date":"2026-11","pv":432,"uv":null}]}`)
	p.days = []DayCount{{Date: dateAt("2026-11-01"), BasePV: 40, BaseUV: 7}, {Date: dateAt("2026-11-02"), PV: 1, UV: 1, BasePV: 2}} // of an earlier counter
	f("site=ddkk.com&from=2026-11-01&to=2026-11-03", `{"site":"ddkk.com","interval":"day","from":"2026-11-01","to":"2026-11-03","history":[`+
		`{"date":"2026-11-01","pv":0,"uv":0,"base_pv":40,"base_uv":7},{"date":"2026-11-02","pv":1,"uv":1,"base_pv":2,"base_uv":0},{"date":"2026-11-03","pv":0,"uv":0}]}`)
	p.days, p.stale = nil, true
	f("site=ddkk.com&page=/%25E6%2596%2587&from=2027-01-01&to=2027-01-04&interval=week",
		`{"site":"ddkk.com","page":"/%E6%96%87","interval":"week","from":"2027-01-01","to":"2027-01-04","history":[`+
			`{"date":"2026-W53","pv":0,"uv":0},{"date":"2027-W01","pv":0,"uv":0}],"stale":true}`)
	if p.askedD.Page != "/文" {
		t.Errorf("asked for page %q", p.askedD.Page)
	}
	ask(s, testPeer, "GET", "/api/history?site=ddkk.com", "")
	if p.askedD.From != dateAt("2026-10-24") || p.askedD.To != dateAt("2026-11-22") {
		t.Errorf("without a span: %v to %v", p.askedD.From, p.askedD.To)
	}
}

func TestPastDaysRefuse(t *testing.T) {
	p := &past{}
	s := pastServer(t, p)
	f := func(target string, status int, code, message string) {
		t.Helper()
		ctx := ask(s, testPeer, "GET", target, "")
		wantError(t, target, string(ctx.Response.Body()), ctx.Response.StatusCode(), status, code, message)
	}
	for _, path := range []string{"/api/history", "/api/events"} {
		f(path, 400, CodeMissingField, "site:")
		f(path+"?site=evil.com", 403, CodeSiteDenied, "site:")
		f(path+"?site=ddkk.com&from=2026-11-31", 400, CodeBadValue, "from:")
		f(path+"?site=ddkk.com&from=", 400, CodeBadValue, "from:")
		f(path+"?site=ddkk.com&to=yesterday", 400, CodeBadValue, "to:")
		f(path+"?site=ddkk.com&from=0001-01-01&to=2026-01-01", 400, CodeBadValue, "from:")
		f(path+"?site=ddkk.com&from=2026-11-23", 400, CodeBadValue, "from: must not be after to")
		f(path+"?site=ddkk.com&from=2016-11-15&to=2026-11-23", 400, CodeBadValue, "3660")
		f(path+"?site=ddkk.com&form=2026-11-23", 400, CodeUnknownField, "form:")
		f(path+"?site=ddkk.com&from=2026-11-01&from=2026-11-02", 400, CodeUnknownField, "from:")
		p.err = fmt.Errorf("dial: %w", ErrArchiveAway)
		f(path+"?site=ddkk.com", 503, CodeArchiveAway, "")
		p.err = errors.New("odd")
		f(path+"?site=ddkk.com", 500, CodeInternal, "")
		p.err = nil
	}
	f("/api/history?site=ddkk.com&interval=hour", 400, CodeBadValue, "interval:")
	f("/api/history?site=ddkk.com&page=", 400, CodeBadValue, "page:")
	f("/api/events?site=ddkk.com&action=pv", 400, CodeMissingField, "category:")
	f("/api/events?site=ddkk.com&category=a&value=1", 400, CodeMissingField, "action:")
	f("/api/events?site=ddkk.com&limit=10001", 400, CodeBadValue, "limit:")
	f("/api/events?site=ddkk.com&cursor=", 400, CodeBadValue, "cursor:")
	f("/api/events?site=ddkk.com&cursor=aGVsbG8", 400, CodeBadValue, "cursor:")
	p.events = make([]EventCount, MaxEventRows+1)
	f("/api/events?site=ddkk.com", 400, CodeTooMany, "10000")
	p.events = nil
	ctx := ask(s, testPeer, "GET", "/api/events?site=ddkk.com", "", "Origin: https://evil.com")
	wantError(t, "foreign origin", string(ctx.Response.Body()), ctx.Response.StatusCode(), 401, CodeOriginDenied, "")
}

// The longest span is answered, and one day is a span.
func TestHistorySpans(t *testing.T) {
	s := pastServer(t, &past{})
	f := func(query string, points int) {
		t.Helper()
		var got struct{ History []json.RawMessage }
		if err := json.Unmarshal(ask(s, testPeer, "GET", "/api/history?site=ddkk.com&"+query, "").Response.Body(), &got); err != nil {
			t.Fatal(err)
		}
		if len(got.History) != points {
			t.Errorf("%s: %d points, want %d", query, len(got.History), points)
		}
	}
	f("from=2016-11-15&to=2026-11-22", MaxSeriesDays)
	f("from=2026-11-22", 1)
	f("", 30)
	f("to=2026-01-10", 30)
}

func wantError(t *testing.T, what, body string, got, status int, code, message string) {
	t.Helper()
	var e struct {
		Error struct{ Code, Message string }
	}
	if err := json.Unmarshal([]byte(body), &e); err != nil {
		t.Errorf("%s: %v in %s", what, err, body)
		return
	}
	if got != status || e.Error.Code != code || !strings.Contains(e.Error.Message, message) {
		t.Errorf("%s: %d %s, want %d %s %q", what, got, body, status, code, message)
	}
}

func TestEvents(t *testing.T) {
	p := &past{}
	s := pastServer(t, p)
	const query = "/api/events?site=www.ddkk.com&category=h5&action=pv&label=&from=2026-11-20"
	ctx := ask(s, testPeer, "GET", query, "", "Origin: https://ddkk.com")
	if got := string(ctx.Response.Body()); got != "[]" || header(ctx, "X-Stale") != "" || header(ctx, "Access-Control-Allow-Origin") != "https://ddkk.com" {
		t.Errorf("nothing: %s %s", got, ctx.Response.Header.String())
	}
	want := EventsQuery{Site: "ddkk.com", Key: "h5.pv", From: dateAt("2026-11-20"), To: dateAt("2026-11-22"), Limit: MaxEventRows, Bytes: MaxAnswer}
	if p.askedE != want {
		t.Errorf("asked %+v, want %+v", p.askedE, want)
	}
	p.stale = true
	p.events = []EventCount{{Date: dateAt("2026-11-20"), Key: "h5", PV: 3, UV: 2}, {Date: dateAt("2026-11-22"), Key: "h5.<p>", PV: 1}}
	ctx = ask(s, testPeer, "GET", query, "")
	if got, want := string(ctx.Response.Body()), `[{"eventDate":"2026-11-20","eventKey":"h5","eventData":{"pv":3,"uv":2}},`+
		`{"eventDate":"2026-11-22","eventKey":"h5.<p>","eventData":{"pv":1,"uv":0}}]`; got != want || header(ctx, "X-Stale") != "true" {
		t.Errorf("got %s\nwant %s\n%s", got, want, ctx.Response.Header.String())
	}
}

// rebuilder plays Restorer.
type rebuilder struct {
	done  counter.Restored
	err   error
	asked string
	state RestoreState
}

func (r *rebuilder) Restore(_ context.Context, site string) (counter.Restored, error) {
	r.asked = site
	return r.done, r.err
}

func (r *rebuilder) State() RestoreState { return r.state }

func TestRestore(t *testing.T) {
	r := &rebuilder{done: counter.Restored{SitePV: 100, SiteUV: 40, Pages: 7, HotPages: 9, Days: 3, Took: 1500 * time.Millisecond}}
	s := newTestServer(t, newBackend(), func(c *Config) { c.Restorer, c.AdminToken = r, "t" })
	post := func(body string) (string, int) {
		ctx := ask(s, testPeer, "POST", "/api/restore", body, "Authorization: Bearer t")
		return string(ctx.Response.Body()), ctx.Response.StatusCode()
	}
	const begin = `{"success":true,"message":"what the archive has is back; the log since then is being counted again`
	const chosen = `. The whole site was restored: the options only choose what is reported`
	f := func(body, want string) {
		t.Helper()
		if got, status := post(body); got != begin+want || status != 200 {
			t.Errorf("%s\n got %d %s\nwant %s", body, status, got, begin+want)
		}
	}
	all := `","stats":{"site_pv":100,"site_uv":40,"pages_restored":7,"hot_pages_restored":9,"daily_stats_restored":3,"duration_seconds":1.500}}`
	f(`{"source":"mysql","site":"www.ddkk.com"}`, all)
	f(`{"site":"ddkk.com","options":{}}`, all)
	f(`{"site":"ddkk.com","options":{"restore_site_stats":true,"restore_page_stats":true,"restore_hot_pages":true,"days_back":2}}`,
		chosen+strings.Replace(all, `"daily_stats_restored":3`, `"daily_stats_restored":2`, 1))
	f(` { "site" : "ddkk.com" , "options" : { "restore_site_stats" : false , "restore_hot_pages" : false } } `,
		chosen+`","stats":{"pages_restored":7,"duration_seconds":1.500}}`)
	f(`{"site":"ddkk.com","options":{"restore_page_stats":false}}`, chosen+strings.Replace(all, `"pages_restored":7,`, "", 1))
	if r.asked != "ddkk.com" {
		t.Errorf("asked for %q", r.asked)
	}

	r.asked = ""
	g := func(body string, status int, code, message string) {
		t.Helper()
		got, code0 := post(body)
		wantError(t, body, got, code0, status, code, message)
	}
	g(``, 400, CodeBadJSON, "body:")
	g(`{"source":"mysql"}`, 400, CodeMissingField, "site:")
	g(`{"site":"ddkk.com","source":"csv"}`, 400, CodeBadValue, "source:")
	g(`{"site":"ddkk.com","force":true}`, 400, CodeUnknownField, "force:")
	g(`{"site":"ddkk.com","options":{"days":1}}`, 400, CodeUnknownField, "days:")
	g(`{"site":"ddkk.com","options":[]}`, 400, CodeBadValue, "options:")
	g(`{"site":"ddkk.com","options":{"days_back":-1}}`, 400, CodeBadValue, "days_back:")
	g(`{"site":"ddkk.com","options":{"days_back":"7"}}`, 400, CodeBadValue, "days_back:")
	g(`{"site":"ddkk.com","options":{"restore_hot_pages":1}}`, 400, CodeBadValue, "restore_hot_pages:")
	g(`{"site":"ddkk.com","options":{"days_back":1,"days_back":1}}`, 400, CodeUnknownField, "days_back:")
	g(`{"site":"ddkk.com","options":{"days_back":1`, 400, CodeBadJSON, "")
	g(`{"site":"evil.com"}`, 404, CodeUnknownSite, "site:")
	if r.asked != "" {
		t.Errorf("a bad request restored %q", r.asked)
	}
	for err, want := range map[error]struct {
		status int
		code   string
	}{
		ErrUnknownSite: {404, CodeUnknownSite}, ErrRestoring: {409, CodeRestoring}, ErrEnding: {503, CodeUnavailable},
		ErrArchiveAway: {503, CodeArchiveAway}, errors.New("disk"): {500, CodeRestoreFailed},
	} {
		r.err = fmt.Errorf("restore: %w", err)
		g(`{"site":"ddkk.com"}`, want.status, want.code, "")
	}
	ctx := ask(s, testPeer, "POST", "/api/restore", `{"site":"ddkk.com"}`)
	wantError(t, "no token", string(ctx.Response.Body()), ctx.Response.StatusCode(), 401, CodeAdminRequired, "")
}

func TestRestoreState(t *testing.T) {
	r := &rebuilder{}
	s := newTestServer(t, newBackend(), func(c *Config) { c.Restorer, c.AdminToken = r, "t" })
	f := func(want string) {
		t.Helper()
		if got := string(ask(s, testPeer, "GET", "/api/restore", "", "Authorization: Bearer t").Response.Body()); got != want {
			t.Errorf("got %s\nwant %s", got, want)
		}
	}
	f(`{"running":false}`)
	at := time.Date(2026, 11, 22, 8, 0, 0, 0, time.FixedZone("east", 8*3600))
	r.state = RestoreState{Running: true, Site: "ddkk.com", Rows: 5000, Started: at}
	f(`{"running":true,"site":"ddkk.com","rows":5000,"started_at":"2026-11-22T00:00:00Z"}`)
	r.state.Running, r.state.Ended, r.state.Done = false, at.Add(time.Minute), counter.Restored{SitePV: 1, Took: time.Minute}
	f(`{"running":false,"site":"ddkk.com","rows":5000,"started_at":"2026-11-22T00:00:00Z","ended_at":"2026-11-22T00:01:00Z","success":true,` +
		`"message":"what the archive has is back; the log since then is being counted again",` +
		`"stats":{"site_pv":1,"site_uv":0,"pages_restored":0,"hot_pages_restored":0,"daily_stats_restored":0,"duration_seconds":60.000}}`)
	r.state.Failed = true
	f(`{"running":false,"site":"ddkk.com","rows":5000,"started_at":"2026-11-22T00:00:00Z","ended_at":"2026-11-22T00:01:00Z","success":false,` +
		`"message":"the restore failed and may be repeated; the log says why"}`)
}
