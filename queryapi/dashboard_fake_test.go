package queryapi

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"ddkk-stats/static"
)

// front stands before a real Server and plays the endpoints of /api/admin/ that
// answer numbers, for whom the server itself takes for the admin. So a test
// knows every number that the dashboard is given.
type front struct {
	t     *testing.T
	proxy *httputil.ReverseProxy
	inner string

	mu        sync.Mutex
	sites     []string
	missing   map[string]bool // paths that answer 404
	broken    bool            // all data answer 503
	stale     bool
	page      string // a page of a stranger's making
	referrer  string
	title     string
	event     string
	asked     []string // "METHOD path?query body"
	baselines map[string][2]int64
	verify    int                 // answers of GET /api/admin/verify since it was started
	void      string              // the state of the rule; "": there is none
	alerts    []object            // states that the health has
	facets    map[string][]string // names, beside those that all tests have
}

// fakeNow is a Sunday afternoon.
var fakeNow = time.Date(2026, 11, 22, 14, 30, 0, 0, time.UTC)

type fakeSeries struct{}

func (fakeSeries) Days(_ context.Context, q *DaysQuery) ([]DayCount, bool, error) {
	var days []DayCount
	for d := q.From; !d.After(q.To); d = d.AddDate(0, 0, 1) {
		n := fakeViews(d)
		if q.Page != "" {
			n /= 10
		}
		days = append(days, DayCount{Date: d, PV: n, UV: n * 2 / 5, NoUV: q.Page != "" && d.Equal(q.To)})
	}
	return days, false, nil
}

// fakeViews grow, and are fewer at weekends.
func fakeViews(d time.Time) int64 {
	n := 900 + int64(d.YearDay())*2 + int64(d.Day()*37%211)
	if d.Weekday() == time.Saturday || d.Weekday() == time.Sunday {
		n = n * 6 / 10
	}
	return n
}

func (fakeSeries) Events(_ context.Context, q *EventsQuery) (EventPage, error) {
	var rows []EventCount
	for d := q.From; !d.After(q.To); d = d.AddDate(0, 0, 1) {
		for i, key := range []string{"shop", "shop.buy", "shop.buy.apples", "shop.buy.apples.3", "shop.look", "video", "video.play", "=cmd()%2Ex"} {
			if q.Key == "" || key == q.Key || strings.HasPrefix(key, q.Key+".") || strings.HasPrefix(q.Key, key+".") {
				rows = append(rows, EventCount{Date: d, Key: key, PV: int64(40 / (i + 1)), UV: int64(20 / (i + 1))})
			}
		}
	}
	return EventPage{Rows: rows}, nil
}

func newFront(t *testing.T, change func(*Config)) *front {
	t.Helper()
	b := newBackend()
	b.views["/hello"], b.views["/about"] = 5120, 77
	f := &front{t: t, sites: []string{"ddkk.com", "blog.ddkk.com"}, page: "/posts/why-the-log-is-the-queue", referrer: "news.example", title: "Hello, world",
		event: "shop.buy", missing: map[string]bool{}, baselines: map[string][2]int64{"": {120000, 43000}, "/old": {812, 300}}}
	b.set(func() { b.hot = evil })
	s := newTestServer(t, b, func(c *Config) {
		c.Static, c.AdminToken, c.Series, c.EventKey = static.Files, "open sesame", fakeSeries{}, func(levels ...string) string { return strings.Join(levels, ".") }
		c.NormalizeSite = func(raw string) (string, bool) { return raw, true }
		c.Now, c.PublicSites = func() time.Time { return fakeNow }, []string{"ddkk.com"}
		if change != nil {
			change(c)
		}
	})
	f.inner = "http://127.0.0.1:" + serve(t, s)
	to, err := url.Parse(f.inner)
	if err != nil {
		t.Fatal(err)
	}
	// The Host stays, as behind nginx.
	f.proxy = &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(to); r.Out.Host = r.In.Host }}
	return f
}

// listen is the origin under which a browser finds the front.
func (f *front) listen() string {
	s := httptest.NewServer(f)
	f.t.Cleanup(s.Close)
	return strings.Replace(s.URL, "127.0.0.1", "admin.test", 1)
}

func (f *front) set(change func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change()
}

func (f *front) log() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]string(nil), f.asked...)
}

func (f *front) ServeHTTP(w http.ResponseWriter, q *http.Request) {
	body, err := io.ReadAll(q.Body)
	if err != nil {
		http.Error(w, err.Error(), 500)
		return
	}
	q.Body = io.NopCloser(strings.NewReader(string(body)))
	own := map[string]bool{"/api/admin/login": true, "/api/admin/logout": true, "/api/admin/session": true}
	if strings.HasPrefix(q.URL.Path, "/api/admin/") && !own[q.URL.Path] || q.URL.Path == "/api/restore" {
		f.admin(w, q, string(body))
		return
	}
	f.proxy.ServeHTTP(w, q)
}

// admin asks the real server whether this is the admin, then makes an answer.
func (f *front) admin(w http.ResponseWriter, q *http.Request, body string) {
	ask, err := http.NewRequestWithContext(q.Context(), "GET", f.inner+"/api/admin/session", nil)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	ask.Header.Set("Cookie", q.Header.Get("Cookie"))
	answer, err := http.DefaultClient.Do(ask)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	defer answer.Body.Close()
	var session struct{ Admin bool }
	if err := json.NewDecoder(answer.Body).Decode(&session); err != nil || !session.Admin {
		f.send(w, http.StatusUnauthorized, map[string]any{"error": map[string]string{"code": CodeAdminRequired, "message": "log in"}})
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.asked = append(f.asked, q.Method+" "+q.URL.RequestURI()+" "+body)
	if f.missing[q.URL.Path] {
		f.send(w, 404, map[string]any{"error": map[string]string{"code": CodeNotFound, "message": "no such path"}})
		return
	}
	if f.broken {
		f.send(w, 503, map[string]any{"error": map[string]string{"code": CodeArchiveAway, "message": "the archive does not answer"}})
		return
	}
	f.answer(w, q, body)
}

func (f *front) send(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	if err := json.NewEncoder(w).Encode(v); err != nil {
		f.t.Errorf("answer: %v", err)
	}
}

type object = map[string]any

func (f *front) answer(w http.ResponseWriter, q *http.Request, body string) {
	args := q.URL.Query()
	from, to := dateArg(args.Get("from")), dateArg(args.Get("to"))
	switch strings.TrimPrefix(q.URL.Path, "/api/admin/") {
	case "sites":
		list := []object{}
		for i, site := range f.sites {
			list = append(list, object{"site": site, "pv": 120000 / (i + 1), "uv": 43000 / (i + 1), "pv_today": 1402 / (i + 1), "uv_today": 511 / (i + 1), "online": 17 / (i + 1)})
			if args.Has("sparkline") {
				days := make([]int, 30)
				for d := range days {
					days[d] = 10*d + i
				}
				row := list[i]
				row["today"], row["week"], row["month"], row["change"], row["days"] = 1402/(i+1), 7000/(i+1), 30000/(i+1), 0.25-float64(i), days
			}
		}
		out := object{"sites": list}
		if args.Has("sparkline") {
			out["sum"] = object{"today": 2103, "week": 10500, "month": 45000, "change": nil, "online": 25, "days": make([]int, 30)}
		}
		f.send(w, 200, out)
	case "summary":
		days := int(to.Sub(from).Hours()/24) + 1
		before := from.AddDate(0, 0, -days)
		out := object{"site": args.Get("site"), "from": args.Get("from"), "to": args.Get("to"), "current": fakeSummary(from, days), "online": 17}
		out["previous"] = fakeSummary(before, days)
		out["previous"].(object)["from"], out["previous"].(object)["to"] = before.Format(time.DateOnly), from.AddDate(0, 0, -1).Format(time.DateOnly)
		if f.stale {
			out["stale"] = true
		}
		f.send(w, 200, out)
	case "hours":
		list := []object{}
		for d := from; !d.After(to); d = d.AddDate(0, 0, 1) {
			for h := range 24 {
				n := fakeHour(d, h)
				if d.AddDate(0, 0, 0).Add(time.Duration(h) * time.Hour).After(fakeNow) {
					n = 0
				}
				list = append(list, object{"date": d.Format(time.DateOnly), "hour": h, "pv": n, "bot": n / 9})
			}
		}
		f.send(w, 200, object{"hours": list})
	case "minutes":
		list := []object{}
		for i := range 30 {
			list = append(list, object{"time": fakeNow.Add(time.Duration(i-29) * time.Minute).Format(time.RFC3339), "pv": (i*i*7 + i*13) % 19, "bot": i % 3})
		}
		f.send(w, 200, object{"minutes": list})
	case "pages":
		f.send(w, 200, f.pages(args.Get("q")))
	case "referrers":
		list := []object{{"referrer": "", "pv": 2210}, {"referrer": f.referrer, "pv": 903}, {"referrer": "www.google.com", "pv": 611}, {"referrer": "zhihu.com", "pv": 402}, {"referrer": "github.com", "pv": 188}, {"referrer": "lobste.rs", "pv": 61}}
		f.send(w, 200, object{"referrers": list, "total": len(list)})
	case "facets":
		rows := map[string][]object{"country": {{"name": "DE", "pv": 910, "uv": 402}, {"name": "CN", "pv": 700, "uv": nil}, {"name": "", "pv": 3, "uv": nil}}, "browser": {{"name": "Firefox", "pv": 800, "uv": 300}}, "os": {}}
		for facet, names := range f.facets {
			rows[facet] = nil
			for i, name := range names {
				rows[facet] = append(rows[facet], object{"name": name, "pv": 4100 / (i + 1), "uv": 1700 / (i + 1)})
			}
		}
		list, ok := rows[args.Get("facet")]
		if !ok {
			f.send(w, 400, object{"error": object{"code": CodeBadValue, "message": "no such facet"}})
			return
		}
		f.send(w, 200, object{"site": args.Get("site"), "facet": args.Get("facet"), "from": args.Get("from"), "to": args.Get("to"), "total": len(list), "rows": list})
	case "explore":
		f.explore(w, args)
	case "views":
		list := []object{}
		for i := range 20 {
			event, pages := "", []string{f.page, "/hello", "/about", "/tags/redis", "/café/naïve"}
			if i%6 == 5 {
				event = f.event
			}
			list = append(list, object{"time": fakeNow.Add(-time.Duration(i*7) * time.Second).Format(time.RFC3339), "page": pages[i%len(pages)], "referrer": []string{"", f.referrer, "github.com"}[i%3],
				"device": []string{"pc", "mobile"}[i%2], "bot": i%7 == 6, "event": event})
		}
		f.send(w, 200, object{"views": list})
	case "skipped":
		f.send(w, 200, object{"skipped": []object{
			{"time": fakeNow.Format(time.RFC3339), "request": "/event.png?site=docs.two.example&page=%2F", "referer": "http://docs.two.example/<b>", "reason": "referer"},
			{"time": nil, "request": "no line", "referer": "", "reason": "fields"}}})
	default:
		f.answerSystem(w, q, body)
	}
}

// explore plays a hundred views a day for whatever is asked.
func (f *front) explore(w http.ResponseWriter, args url.Values) {
	var rows []object
	switch args.Get("by") {
	case "day":
		for d := dateArg(args.Get("from")); !d.After(dateArg(args.Get("to"))); d = d.AddDate(0, 0, 1) {
			rows = append(rows, object{"name": d.Format(time.DateOnly), "pv": 100, "uv": 40})
		}
	case "page":
		rows = []object{{"name": "/hello", "pv": 60, "uv": 30}, {"name": "/a b%*", "pv": 40, "uv": 10}}
	case "referrer":
		rows = []object{{"name": "news.example", "pv": 70, "uv": 30}, {"name": "", "pv": 30, "uv": 10}}
	case "device":
		rows = []object{{"name": "pc", "pv": 80, "uv": 30}, {"name": "mobile", "pv": 20, "uv": 10}}
	default:
		f.send(w, 400, object{"error": object{"code": CodeBadValue, "message": "by must be day, hour, page, referrer, device or event"}})
		return
	}
	f.send(w, 200, object{"site": args.Get("site"), "by": args.Get("by"), "from": args.Get("from"), "to": args.Get("to"), "rows": rows, "scanned": 1000, "took_ms": 3, "complete": !strings.Contains(args.Get("where"), "github.com")})
}

func dateArg(text string) time.Time {
	d, err := time.Parse(time.DateOnly, text)
	if err != nil {
		return time.Time{}
	}
	return d
}

func fakeHour(d time.Time, h int) int64 {
	return fakeViews(d) * int64([]int{1, 1, 0, 0, 0, 1, 2, 4, 6, 8, 9, 9, 7, 8, 9, 9, 8, 7, 6, 6, 7, 6, 4, 2}[h]) / 120
}

func fakeSummary(from time.Time, days int) object {
	var pv int64
	for i := range days {
		pv += fakeViews(from.AddDate(0, 0, i))
	}
	return object{"pv": pv, "uv": pv * 2 / 5, "bot": pv / 9, "pc": pv * 6 / 10, "mobile": pv - pv*6/10, "events": pv / 23, "dedup": pv / 61}
}

func (f *front) pages(q string) object {
	list := []object{}
	for i, page := range []string{f.page, "/hello", "/posts/rotation-without-losing-a-line", "/", "/café/naïve", "/about", "/tags/redis", "/=1+1", "/posts/two-daemons-one-log", "/archive"} {
		if strings.Contains(page, q) {
			row := object{"page": page, "pv": 1800 / (i + 1), "uv": 700 / (i + 1)}
			if page == "/hello" {
				row["title"] = f.title
			}
			list = append(list, row)
		}
	}
	return object{"pages": list, "total": len(list)}
}

func (f *front) answerSystem(w http.ResponseWriter, q *http.Request, body string) {
	args := q.URL.Query()
	sums := func(n int) object {
		return object{"calls": n, "failed": n / 90, "p50_ms": 4.2, "p95_ms": 31.5, "p99_ms": 88}
	}
	with := func(name, value string, n int) object { o := sums(n); o[name] = value; return o }
	switch strings.TrimPrefix(q.URL.Path, "/api/admin/") {
	case "health":
		f.send(w, 200, object{"version": "1.2.3", "started": fakeNow.Add(-50 * time.Hour).Format(time.RFC3339), "inputs": []object{{"path": "/var/log/nginx/event.log", "lag_bytes": 0, "lag_seconds": 0.02}},
			"books":   object{"read": 1000120, "human": 870000, "bot": 96000, "dedup": 4000, "before": 0, "skipped": object{"method": 20000, "site": 10000}, "malformed": object{"fields": 118}, "torn": 2, "closes": true},
			"redis":   object{"up": true, "memory_bytes": 84 << 20, "max_memory_bytes": 512 << 20, "clients": 9, "replicas": 1, "evicted": 0, "saved": fakeNow.Add(-time.Hour).Format(time.RFC3339), "saving": true},
			"sql":     object{"up": true, "open": 3, "idle": 2, "waits": 0, "statements": 1234, "statement_ms": 2.5, "slow": 1, "write_lag_seconds": 0.5},
			"service": object{"requests": 1234, "errors": 1, "archive_cycles": 3, "archive_cycles_failed": 0, "alerts_sent": 2, "alerts_failed": 0},
			"archive": object{"last_success": fakeNow.Add(-11 * time.Hour).Format(time.RFC3339), "last_error": "", "dirty_days": 1}, "alerts": append([]object{}, f.alerts...)})
	case "verify":
		if q.Method == "POST" {
			f.verify = 1
			f.send(w, 202, object{"running": true})
			return
		}
		if f.verify == 1 {
			f.verify = 2
			f.send(w, 200, object{"running": true, "started": fakeNow.Format(time.RFC3339), "progress": object{"lines": 4711}})
			return
		}
		out := object{"running": false}
		if f.verify == 2 {
			out["report"] = object{"keys_compared": 20117, "differences": 0}
		}
		f.send(w, 200, out)
	case "baselines":
		f.answerBaselines(w, q, body)
	case "void":
		f.answerVoid(w, q, body)
	case "stats/overview":
		f.send(w, 200, object{"site": args.Get("site"), "today": sums(18200), "hour": sums(900), "endpoints": []object{with("endpoint", "GET /users/:id", 9100), with("endpoint", "POST /orders", 4000)}})
	case "stats/trend":
		points := []object{}
		for i := range 24 {
			points = append(points, object{"time": fakeNow.Add(time.Duration(i-23) * time.Hour).Format(time.RFC3339), "calls": 300 + i*i%170, "failed": i % 5})
		}
		f.send(w, 200, object{"site": args.Get("site"), "range": args.Get("range"), "points": points})
	case "reports/daily":
		f.send(w, 200, object{"site": args.Get("site"), "date": args.Get("date"), "total": sums(18200), "success_rate": 0.989, "endpoints": []object{with("endpoint", "GET /users/:id", 9100)},
			"statuses": []object{{"status": "200", "calls": 18000}, {"status": "404", "calls": 150}, {"status": "500", "calls": 50}}, "users": []object{{"user": "anna", "calls": 30}}})
	case "requests", "crawlers", "feeds", "notfound", "downloads", "blocked", "blockedpages":
		f.send(w, 200, logAnswer(q))
	default:
		if q.Method == "POST" {
			f.send(w, 200, object{"success": true, "message": "what the archive has is back", "stats": object{"site_pv": 120000}})
			return
		}
		f.send(w, 200, object{"running": false, "site": "ddkk.com", "rows": 5120, "ended_at": fakeNow.Format(time.RFC3339), "success": true, "message": "what the archive has is back", "stats": object{"site_pv": 120000}})
	}
}

func (f *front) answerBaselines(w http.ResponseWriter, q *http.Request, body string) {
	var b struct {
		Page   string
		PV, UV int64
	}
	switch q.Method {
	case "GET":
		list := []object{}
		for page, n := range f.baselines {
			list = append(list, object{"page": page, "pv": n[0], "uv": n[1]})
		}
		f.send(w, 200, object{"baselines": list})
		return
	case "PUT":
		if err := json.Unmarshal([]byte(body), &b); err != nil {
			f.send(w, 400, object{"error": object{"code": CodeBadJSON, "message": fmt.Sprint(err)}})
			return
		}
		f.baselines[b.Page] = [2]int64{b.PV, b.UV}
	case "DELETE":
		delete(f.baselines, q.URL.Query().Get("page"))
	}
	w.WriteHeader(204)
}

// answerVoid plays the rules: one is made, listed and undone.
func (f *front) answerVoid(w http.ResponseWriter, q *http.Request, body string) {
	switch {
	case q.Method == "POST" && strings.Contains(body, `"dry_run":true`):
		f.send(w, 200, object{"dry_run": true, "pv": 700, "pv_bot": 21, "events": 3, "days": []object{{"date": "2026-11-22", "pv": 700, "pv_bot": 21, "events": 3}}, "complete": false})
	case q.Method == "POST":
		f.void = "in force"
		f.send(w, 200, object{"num": 3})
	case q.Method == "DELETE":
		f.void = "undone"
		w.WriteHeader(204)
	default:
		rules := []object{}
		if f.void != "" {
			rules = append(rules, object{"num": 3, "made_at": fakeNow.Format(time.RFC3339), "made_by": "<b>owner", "from": fakeNow.Format(time.RFC3339), "until": nil, "about": "referrer:news.example", "state": f.void})
		}
		f.send(w, 200, object{"rules": rules})
	}
}
