package queryapi

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"
)

// requestFigures plays Requests.
type requestFigures struct {
	asked []string
	stale bool
	err   error
}

func (r *requestFigures) note(what, site string, from, to time.Time) {
	r.asked = append(r.asked, what+" "+site+" "+from.Format(time.DateOnly)+" "+to.Format(time.DateOnly))
}

func (r *requestFigures) Kinds(_ context.Context, site string, from, to time.Time) ([]RequestDay, bool, error) {
	r.note("kinds", site, from, to)
	d := NewRequestDay(from)
	d.Kinds["page"] = KindCounts{7, 2, 900}
	return []RequestDay{d}, r.stale, r.err
}

func (r *requestFigures) Crawlers(_ context.Context, site string, from, to time.Time) ([]CrawlerFacts, bool, error) {
	r.note("crawlers", site, from, to)
	c := NewCrawler("Googlebot", "Google", "search")
	c.Requests, c.Pages, c.Bytes, c.Robots = 10, 8, 1000, true
	c.Status.OK, c.Status.Redirect, c.Status.Refused, c.Status.Failed = 6, 2, 1, 1
	return []CrawlerFacts{c, NewCrawler("=x()", "", "other")}, r.stale, r.err
}

func (r *requestFigures) Feeds(_ context.Context, site string, from, to time.Time) ([]FeedFacts, bool, error) {
	r.note("feeds", site, from, to)
	return []FeedFacts{NewFeed("/feed.xml", 3, 40)}, r.stale, r.err
}

func (r *requestFigures) NotFound(_ context.Context, site string, from, to time.Time) ([]NotFoundFacts, bool, error) {
	r.note("notfound", site, from, to)
	return []NotFoundFacts{NewNotFound("/gone", "/post", 3), NewNotFound("/wp", "a.example", 1)}, r.stale, r.err
}

func (r *requestFigures) Downloads(_ context.Context, site string, from, to time.Time) ([]DownloadFacts, bool, error) {
	r.note("downloads", site, from, to)
	return []DownloadFacts{NewDownload("/book.pdf", 4, 4000)}, r.stale, r.err
}

func (r *requestFigures) Blocked(_ context.Context, site string, from, to time.Time) ([]BlockedDay, bool, error) {
	r.note("blocked", site, from, to)
	return []BlockedDay{NewBlockedDay(from, 8, 2)}, r.stale, r.err
}

func (r *requestFigures) BlockedPages(_ context.Context, site string, from, to time.Time) ([]BlockedPage, bool, error) {
	r.note("blockedpages", site, from, to)
	return []BlockedPage{NewBlockedPage("/a", 8, 2), NewBlockedPage("/b", 1, 0)}, r.stale, r.err
}

func requestServer(t *testing.T, r *requestFigures) *testServer {
	return newTestServer(t, newBackend(), func(c *Config) {
		c.Calls = &callFigures{site: "ddkk.com"}
		if r != nil {
			c.Requests = r
		}
		c.AdminToken = "t"
		c.Now = func() time.Time { return time.Date(2026, 11, 22, 17, 0, 0, 0, time.UTC) }
	})
}

func TestRequestRoutes(t *testing.T) {
	zeros := ""
	for _, kind := range []string{"api", "asset", "download", "failed", "feed", "notfound"} {
		zeros += `"` + kind + `":{"people":0,"crawlers":0,"bytes":0},`
	}
	const of = "?from=2026-11-20&to=2026-11-22"
	for path, want := range map[string]string{
		"requests" + of:              `{"days":[{"date":"2026-11-20","kinds":{` + zeros + `"page":{"people":7,"crawlers":2,"bytes":900},"redirect":{"people":0,"crawlers":0,"bytes":0}}}]}`,
		"crawlers" + of + "&limit=1": `{"rows":[{"name":"Googlebot","operator":"Google","purpose":"search","requests":10,"pages":8,"bytes":1000,"robots":true,"status":{"2xx":6,"3xx":2,"4xx":1,"5xx":1}}]}`,
		"feeds" + of:                 `{"rows":[{"path":"/feed.xml","readers":3,"subscribers":40}]}`,
		"notfound" + of:              `{"rows":[{"path":"/gone","referrer":"/post","count":3},{"path":"/wp","referrer":"a.example","count":1}]}`,
		"downloads" + of:             `{"rows":[{"path":"/book.pdf","count":4,"bytes":4000}]}`,
		"blockedpages" + of:          `{"rows":[{"path":"/a","readers":8,"blocked":2,"share":0.25},{"path":"/b","readers":1,"blocked":0,"share":0}]}`,
		"blocked" + of:               `{"days":[{"date":"2026-11-20","readers":8,"blocked":2,"share":0.25}]}`,
	} {
		r := &requestFigures{}
		ctx := asAdmin(t, requestServer(t, r), "GET", "/api/admin/"+path, "")
		if got := string(ctx.Response.Body()); got != want {
			t.Errorf("%s:\ngot  %s\nwant %s", path, got, want)
		}
		if len(r.asked) != 1 || !strings.HasSuffix(r.asked[0], " ddkk.com 2026-11-20 2026-11-22") {
			t.Errorf("%s asked for %q", path, r.asked)
		}
	}
}

func TestRequestTables(t *testing.T) {
	const of = "?format=csv&from=2026-11-20&to=2026-11-20"
	for path, want := range map[string]string{
		"crawlers":     "name,operator,purpose,requests,pages,bytes,robots,2xx,3xx,4xx,5xx\nGooglebot,Google,search,10,8,1000,true,6,2,1,1\n'=x(),,other,0,0,0,false,0,0,0,0\n",
		"feeds":        "path,readers,subscribers\n/feed.xml,3,40\n",
		"notfound":     "path,referrer,count\n/gone,/post,3\n/wp,a.example,1\n",
		"downloads":    "path,count,bytes\n/book.pdf,4,4000\n",
		"blockedpages": "path,readers,blocked,share\n/a,8,2,0.25\n/b,1,0,0\n",
		"blocked":      "date,readers,blocked,share\n2026-11-20,8,2,0.25\n",
	} {
		ctx := ask(requestServer(t, &requestFigures{}), testPeer, "GET", "/api/admin/"+path+of, "", "Authorization: Bearer t")
		if got := string(ctx.Response.Body()); got != want || !strings.Contains(header(ctx, "Content-Disposition"), path+".csv") {
			t.Errorf("%s:\ngot  %q\nwant %q", path, got, want)
		}
	}
	ctx := ask(requestServer(t, &requestFigures{}), testPeer, "GET", "/api/admin/requests"+of, "", "Authorization: Bearer t")
	lines := strings.Split(strings.TrimSpace(string(ctx.Response.Body())), "\n")
	if len(lines) != 9 || lines[0] != "date,kind,people,crawlers,bytes" || lines[1] != "2026-11-20,page,7,2,900" || lines[8] != "2026-11-20,failed,0,0,0" {
		t.Errorf("requests: %q", lines)
	}
}

func TestRequestsWithoutALog(t *testing.T) {
	for _, path := range logPaths {
		ctx := asAdmin(t, requestServer(t, nil), "GET", "/api/admin/"+path, "")
		if ctx.Response.StatusCode() != http.StatusNotFound || !strings.Contains(string(ctx.Response.Body()), CodeNoSiteLog) {
			t.Errorf("%s: %d %s", path, ctx.Response.StatusCode(), ctx.Response.Body())
		}
		r := &requestFigures{stale: true}
		ctx = asAdmin(t, requestServer(t, r), "GET", "/api/admin/"+path, "")
		if !strings.Contains(string(ctx.Response.Body()), `"stale":true`) {
			t.Errorf("%s: %s, want it stale", path, ctx.Response.Body())
		}
		ctx = asAdmin(t, requestServer(t, r), "GET", "/api/admin/"+path+"?format=xml", "")
		if ctx.Response.StatusCode() != http.StatusBadRequest {
			t.Errorf("%s: %d for a format that there is not", path, ctx.Response.StatusCode())
		}
	}
}

// logPaths are the routes of the page "Log".
var logPaths = []string{"requests", "crawlers", "feeds", "notfound", "downloads", "blocked", "blockedpages"}

// logAnswer is what the dashboard's server says of them.
func logAnswer(q *http.Request) object {
	args := q.URL.Query()
	dates := []string{args.Get("to")}
	if args.Get("from") != args.Get("to") {
		dates = []string{args.Get("from"), args.Get("to")}
	}
	switch strings.TrimPrefix(q.URL.Path, "/api/admin/") {
	case "requests":
		days := []object{}
		for i, date := range dates {
			kinds := object{}
			for k, kind := range RequestKinds {
				kinds[kind] = object{"people": 900 / (k + 1) * (i + 1), "crawlers": 300 / (k + 1), "bytes": 4 << 20}
			}
			days = append(days, object{"date": date, "kinds": kinds})
		}
		return object{"days": days}
	case "crawlers":
		row := func(name, operator, purpose string, n int, robots bool) object {
			return object{"name": name, "operator": operator, "purpose": purpose, "requests": n, "pages": n / 2, "bytes": n << 10, "robots": robots,
				"status": object{"2xx": n - 3, "3xx": 1, "4xx": 2, "5xx": 0}}
		}
		return object{"rows": []object{row("Googlebot", "Google", "search", 1200, true), row("GPTBot", "OpenAI", "AI training", 400, false), row("kube-probe", "Kubernetes", "monitor", 90, false)}}
	case "feeds":
		return object{"rows": []object{{"path": "/feed.xml", "readers": 30, "subscribers": 400}}}
	case "downloads":
		return object{"rows": []object{{"path": "/book.pdf", "count": 40, "bytes": 40 << 20}}}
	case "blockedpages":
		return object{"rows": []object{{"path": "/docs/", "readers": 300, "blocked": 90, "share": 0.3}, {"path": "/", "readers": 100, "blocked": 10, "share": 0.1}}}
	case "blocked":
		days := []object{}
		for i, date := range dates {
			days = append(days, object{"date": date, "readers": 200, "blocked": 40 + 20*i, "share": 0.2 + 0.1*float64(i)})
		}
		return object{"days": days}
	}
	rows := []object{{"path": "/old", "referrer": "/post", "count": 12}, {"path": "/wp-login.php", "referrer": "", "count": 9}, {"path": "/x", "referrer": "news.example", "count": 3}}
	for i, path := range corpus {
		rows = append(rows, object{"path": path, "referrer": path, "count": len(corpus) - i})
	}
	return object{"rows": rows}
}
