package queryapi

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"

	"ddkk-stats/counter"
)

func TestStats(t *testing.T) {
	b := newBackend()
	b.views["/a"], b.views["/文"] = 5, 7
	b.hot = []counter.PageCount{{Page: "/文", PV: 7}, {Page: "</script>\u2028\xff", PV: 5}}
	s := newTestServer(t, b, nil)
	f := func(body, want string) {
		t.Helper()
		ctx := ask(s, testPeer, "POST", "/api/stats", body, "Content-Type: text/plain")
		if got := string(ctx.Response.Body()); got != want || ctx.Response.StatusCode() != 200 {
			t.Errorf("%s\n got %d %s\nwant %s", body, ctx.Response.StatusCode(), got, want)
		}
		if !json.Valid(ctx.Response.Body()) {
			t.Errorf("%s: not JSON", body)
		}
		if header(ctx, "Content-Type") != "application/json" || header(ctx, "Cache-Control") != "no-store" || header(ctx, "X-Content-Type-Options") != "nosniff" {
			t.Errorf("headers: %s", ctx.Response.Header.String())
		}
	}
	f(`{"site":"www.DDKK.com","fields":["site_pv"]}`, `{"site":"ddkk.com","site_pv":12}`)
	f(` { "page" : "/a" , "site" : "ddkk.com" , "action" : "query" } `,
		`{"site":"ddkk.com","site_pv":12,"site_uv":2,"site_pv_today":12,"site_uv_today":1,"page_pv":5,"page_uv":1,"site_online":3}`)
	f(`{"site":"ddkk.com"}`, `{"site":"ddkk.com","site_pv":12,"site_uv":2,"site_pv_today":12,"site_uv_today":1,"site_online":3}`)
	f(`{"site":"ddkk.com","page":"/%E6%96%87","fields":["page_pv","page_pv"]}`, `{"site":"ddkk.com","page_pv":7}`)
	f(`{"site":"ddkk.com","page":"\/\u6587","fields":["page_pv"]}`, `{"site":"ddkk.com","page_pv":7}`)
	f(`{"site":"ddkk.com","fields":[]}`, `{"site":"ddkk.com"}`)
	f(`{"site":"ddkk.com","fields":["hot_pages_week"],"limit":2}`,
		`{"site":"ddkk.com","hot_pages_week":[{"page":"/文","pv":7},{"page":"</script>\u2028%FF","pv":5}]}`)
	f(`{"site":"ddkk.com","fields":["site_uv"],"batch_pages":["/a","/%E6%96%87","/a","/none"]}`,
		`{"site":"ddkk.com","site_uv":2,"pages":{"/a":{"pv":5},"/%E6%96%87":{"pv":7},"/none":{"pv":0}}}`)
	b.set(func() { b.stale = true })
	f(`{"site":"ddkk.com","fields":["site_uv"]}`, `{"site":"ddkk.com","site_uv":2,"stale":true}`)
}

// Visitors of weeks and months are answered where they are counted, and to who asks for
// them by name: those that are not known as null.
func TestStatsOfTerms(t *testing.T) {
	b := newBackend()
	s := newTestServer(t, b, func(c *Config) { c.TermFields = counter.FieldSiteUVWeek | counter.FieldPageUVWeek })
	f := func(body, want string) {
		t.Helper()
		if got := string(ask(s, testPeer, "POST", "/api/stats", body, "Content-Type: text/plain").Response.Body()); got != want {
			t.Errorf("%s\n got %s\nwant %s", body, got, want)
		}
	}
	f(`{"site":"ddkk.com"}`, `{"site":"ddkk.com","site_pv":0,"site_uv":2,"site_pv_today":0,"site_uv_today":1,"site_online":3,"site_uv_week":20}`)
	f(`{"site":"ddkk.com","page":"/a","fields":["site_uv_month","page_uv_week","page_uv_month","site_uv_week"]}`,
		`{"site":"ddkk.com","site_uv_week":20,"site_uv_month":null,"page_uv_week":0,"page_uv_month":null}`)
	ctx := ask(s, testPeer, "POST", "/api/stats", `{"site":"ddkk.com","fields":["page_uv_week"]}`, "Content-Type: text/plain")
	wantError(t, "no page", string(ctx.Response.Body()), ctx.Response.StatusCode(), 400, CodeMissingField, "page:")
}

func TestStatsReadsOnlyWhatIsAsked(t *testing.T) {
	b := newBackend()
	s := newTestServer(t, b, nil)
	ask(s, testPeer, "POST", "/api/stats", `{"site":"ddkk.com","page":"/a","fields":["site_uv","hot_pages_all"],"limit":3}`)
	want := counter.Query{Site: "ddkk.com", Fields: counter.FieldSiteUV | counter.FieldHotAll, Limit: 3}
	if got := b.last(); !reflect.DeepEqual(got, want) {
		t.Errorf("query %+v, want %+v", got, want)
	}
}

// What is longer than any beacon is refused, in the words of the client's error, and
// nothing is logged of it.
func TestLongBeacon(t *testing.T) {
	b := newBackend()
	s := newTestServer(t, b, nil)
	long := "/event.png?site=ddkk.com&page=/" + strings.Repeat("a", maxURI)
	for _, c := range []struct {
		target string
		status int
	}{{long[:maxURI], 200}, {long[:maxURI+1], 431}} {
		if ctx := ask(s, testPeer, "GET", c.target, ""); ctx.Response.StatusCode() != c.status {
			t.Errorf("%d bytes: status %d, want %d", len(c.target), ctx.Response.StatusCode(), c.status)
		}
	}
	body := `{"site":"ddkk.com","page":"/` + strings.Repeat("é", 1000) + `","action":"count","fields":["page_pv"]}`
	if ctx := ask(s, testPeer, "POST", "/api/stats", body); ctx.Response.StatusCode() != 431 {
		t.Errorf("a page of 2000 bytes: %d %s", ctx.Response.StatusCode(), ctx.Response.Body())
	}
	if n := len(b.logged()); n != 1 {
		t.Errorf("%d lines, want 1", n)
	}
}

func TestCount(t *testing.T) {
	b := newBackend()
	s := newTestServer(t, b, nil)
	const body = `{"site":"ddkk.com","page":"/%E6%96%87&x","action":"count","view":"v-1","fields":["page_pv"]}`
	ctx := ask(s, testPeer, "POST", "/api/stats", body, "User-Agent: UA", "Referer: https://ddkk.com/")
	if got := string(ctx.Response.Body()); got != `{"site":"ddkk.com","page_pv":1}` {
		t.Errorf("answer %s", got)
	}
	want := []string{"192.0.2.9|GET|/event.png?site=ddkk.com&page=%2F%25E6%2596%2587%26x&id=v-1|https://ddkk.com/|UA"}
	if got := b.logged(); !reflect.DeepEqual(got, want) {
		t.Errorf("log %q\nwant %q", got, want)
	}
	if !b.last().Fresh {
		t.Error("the read after counting may be answered from before")
	}

	b.set(func() { b.stuck = true })
	ctx = ask(s, testPeer, "POST", "/api/stats", body)
	if got := string(ctx.Response.Body()); got != `{"site":"ddkk.com","page_pv":1,"stale":true}` {
		t.Errorf("uncounted: %s", got)
	}
	b.set(func() { b.full = true })
	ctx = ask(s, testPeer, "POST", "/api/stats", body)
	if ctx.Response.StatusCode() != 503 || !strings.Contains(string(ctx.Response.Body()), `"unavailable"`) {
		t.Errorf("full log: %d %s", ctx.Response.StatusCode(), ctx.Response.Body())
	}
	ctx = ask(s, testPeer, "POST", "/api/stats", `{"site":"ddkk.com","action":"count"}`)
	if ctx.Response.StatusCode() != 400 || !strings.Contains(string(ctx.Response.Body()), "page") {
		t.Errorf("no page: %d %s", ctx.Response.StatusCode(), ctx.Response.Body())
	}
}

func TestStatsWaitsForView(t *testing.T) {
	b := newBackend()
	b.ids["seen"] = true
	s := newTestServer(t, b, nil)
	for _, id := range []string{"seen", "never"} {
		ctx := ask(s, testPeer, "POST", "/api/stats", `{"site":"ddkk.com","fields":["site_uv"],"view":"`+id+`"}`)
		if got := string(ctx.Response.Body()); got != `{"site":"ddkk.com","site_uv":2}` {
			t.Errorf("%s: %s", id, got)
		}
	}
	if !b.last().Fresh {
		t.Error("the read after a view may be answered from before")
	}
	s.beacons.waiting.Store(maxWaiting) // everybody waits already
	ctx := ask(s, testPeer, "POST", "/api/stats", `{"site":"ddkk.com","page":"/a","action":"count","fields":["page_pv"]}`)
	if got := string(ctx.Response.Body()); got != `{"site":"ddkk.com","page_pv":1,"stale":true}` {
		t.Errorf("crowded: %s", got)
	}
}

func TestBatch(t *testing.T) {
	b := newBackend()
	b.views["/a"] = 5
	s := newTestServer(t, b, nil)
	f := func(body, want string) {
		t.Helper()
		ctx := ask(s, testPeer, "POST", "/api/batch", body)
		if got := string(ctx.Response.Body()); got != want {
			t.Errorf("%.99s\n got %s\nwant %s", body, got, want)
		}
	}
	f(`{"site":"ddkk.com","pages":["/a","/b"]}`, `{"site":"ddkk.com","pages":{"/a":{"pv":5},"/b":{"pv":0}}}`)
	f(`{"site":"ddkk.com","pages":[]}`, `{"site":"ddkk.com","pages":{}}`)
	f(`{"site":"ddkk.com","pages":["/a?q=1"]}`, `{"site":"ddkk.com","pages":{"/a?q=1":{"pv":5}}}`)
	f(`{"site":"ddkk.com"}`, `{"error":{"code":"missing_field","message":"pages: is required"}}`)
	f(manyPages(101), `{"error":{"code":"bad_value","message":"pages: more than 100 pages"}}`)
	if got := string(ask(s, testPeer, "POST", "/api/batch", manyPages(100)).Response.Body()); strings.Count(got, `"pv"`) != 100 {
		t.Errorf("100 pages: %s", got)
	}
}

func manyPages(n int) string {
	names := make([]string, n)
	for i := range names {
		names[i] = fmt.Sprintf(`"/%d"`, i)
	}
	return `{"site":"ddkk.com","pages":[` + strings.Join(names, ",") + `]}`
}

func TestHot(t *testing.T) {
	b := newBackend()
	b.hot = []counter.PageCount{{Page: "/b", PV: 9}, {Page: "/a", PV: 5}}
	s := newTestServer(t, b, nil)
	f := func(query, want string) {
		t.Helper()
		ctx := ask(s, testPeer, "GET", "/api/hot"+query, "")
		if got := string(ctx.Response.Body()); !strings.Contains(got, want) {
			t.Errorf("%s\n got %s\nwant %s", query, got, want)
		}
	}
	f("?site=ddkk.com", `{"site":"ddkk.com","period":"week","hot_pages":[{"page":"/b","pv":9},{"page":"/a","pv":5}]}`)
	f("?site=www.ddkk.com&period=all&limit=1", `{"site":"ddkk.com","period":"all","hot_pages":[{"page":"/b","pv":9}]}`)
	f("", `"missing_field","message":"site: is required"`)
	f("?site=ddkk.com&period=year", `"bad_value","message":"period: `)
	for _, limit := range []string{"0", "101", "-1", "x", "", "1.5"} {
		f("?site=ddkk.com&limit="+limit, `"bad_value","message":"limit: `)
	}
	f("?site=evil.example", `"site_not_allowed"`)
}

func TestBadBodies(t *testing.T) {
	s := newTestServer(t, newBackend(), nil)
	f := func(body, code, word string) {
		t.Helper()
		ctx := ask(s, testPeer, "POST", "/api/stats", body)
		var answer struct {
			Error struct{ Code, Message string }
		}
		if err := json.Unmarshal(ctx.Response.Body(), &answer); err != nil {
			t.Fatalf("%s: %v in %s", body, err, ctx.Response.Body())
		}
		if ctx.Response.StatusCode() != 400 || answer.Error.Code != code || !strings.Contains(answer.Error.Message, word) {
			t.Errorf("%.80s: %d %+v, want %s about %s", body, ctx.Response.StatusCode(), answer.Error, code, word)
		}
	}
	f(``, CodeBadJSON, "body")
	f(`null`, CodeBadJSON, "object")
	f(`[]`, CodeBadJSON, "object")
	f(`{`, CodeBadJSON, "field name")
	f(`{"site":"ddkk.com",}`, CodeBadJSON, "field name")
	f(`{"site":"ddkk.com"} x`, CodeBadJSON, "after the object")
	f(`{"site":"ddkk.com"}{}`, CodeBadJSON, "after the object")
	f(`{"site" "ddkk.com"}`, CodeBadJSON, "site")
	f(`{"site":"ddkk.com" "page":"/a"}`, CodeBadJSON, "comma")
	f(`{"site":"ddkk.com`, CodeBadJSON, "site")
	f("{\"site\":\"ddkk.com\n\"}", CodeBadJSON, "site")
	f("{\"site\":\"\\n\x00\"}", CodeBadJSON, "site")
	f(`{"page":"\x"}`, CodeBadJSON, "page")
	f(`{"page":"\u12"}`, CodeBadJSON, "page")
	f(`{"page":"\ud800"}`, CodeBadJSON, "page")
	f(`{"page":"\ud800\u0041"}`, CodeBadJSON, "page")
	f(`{"page":"\`, CodeBadJSON, "page")
	f(`{"Site":"ddkk.com"}`, CodeUnknownField, "Site")
	f(`{"sites":"ddkk.com"}`, CodeUnknownField, "sites")
	f(`{"site":"ddkk.com","site":"evil"}`, CodeUnknownField, "site")
	f(`{}`, CodeMissingField, "site")
	f(`{"site":""}`, CodeMissingField, "site")
	f(`{"site":"ddkk.com","fields":["page_pv"]}`, CodeMissingField, "page")
	f(`{"site":1}`, CodeBadValue, "site")
	f(`{"site":null}`, CodeBadValue, "site")
	f(`{"site":"ddkk.com","page":["/a"]}`, CodeBadValue, "page")
	f(`{"site":"ddkk.com","page":""}`, CodeBadValue, "page")
	f(`{"site":"ddkk.com","fields":"site_pv"}`, CodeBadValue, "fields")
	f(`{"site":"ddkk.com","fields":[1]}`, CodeBadValue, "fields")
	f(`{"site":"ddkk.com","fields":["site_pvv"]}`, CodeBadValue, "fields")
	f(`{"site":"ddkk.com","fields":["hot_pages_"]}`, CodeBadValue, "fields")
	f(`{"site":"ddkk.com","fields":["site_pv" "site_uv"]}`, CodeBadJSON, "fields")
	f(`{"site":"ddkk.com","action":"delete"}`, CodeBadValue, "action")
	f(`{"site":"ddkk.com","limit":0}`, CodeBadValue, "limit")
	f(`{"site":"ddkk.com","limit":101}`, CodeBadValue, "limit")
	f(`{"site":"ddkk.com","limit":-1}`, CodeBadValue, "limit")
	f(`{"site":"ddkk.com","limit":1.5}`, CodeBadValue, "limit")
	f(`{"site":"ddkk.com","limit":1e1}`, CodeBadValue, "limit")
	f(`{"site":"ddkk.com","limit":01}`, CodeBadValue, "limit")
	f(`{"site":"ddkk.com","limit":99999999999999999999999}`, CodeBadValue, "limit")
	f(`{"site":"ddkk.com","limit":"1"}`, CodeBadValue, "limit")
	f(`{"site":"ddkk.com","view":"a b"}`, CodeBadValue, "view")
	f(`{"site":"ddkk.com","view":""}`, CodeBadValue, "view")
	f(`{"site":"ddkk.com","batch_pages":{}}`, CodeBadValue, "batch_pages")
	f(`{"site":"ddkk.com","batch_pages":[""]}`, CodeBadValue, "batch_pages")
	f(strings.Replace(manyPages(101), "pages", "batch_pages", 1), CodeBadValue, "batch_pages")

	ctx := ask(s, testPeer, "POST", "/api/stats", `{"site":"evil.example"}`)
	if ctx.Response.StatusCode() != 403 || !strings.Contains(string(ctx.Response.Body()), CodeSiteDenied) {
		t.Errorf("site: %d %s", ctx.Response.StatusCode(), ctx.Response.Body())
	}
	ctx = ask(s, testPeer, "POST", "/api/stats", strings.Repeat(" ", maxBody+1))
	if ctx.Response.StatusCode() != 413 || !strings.Contains(string(ctx.Response.Body()), CodeTooLarge) {
		t.Errorf("size: %d %s", ctx.Response.StatusCode(), ctx.Response.Body())
	}
}

// FuzzDecode compares with encoding/json: what is accepted here is JSON there
// too, with the same page.
func FuzzDecode(f *testing.F) {
	for _, seed := range []string{
		`{"site":"ddkk.com","page":"/a","fields":["site_pv","hot_pages_all"],"action":"count","limit":10,"view":"x1","batch_pages":["/a","\u6587"]}`,
		`{"site":"\ud83d\ude00\n\"","page":"\u2028"}`, `{"limit":-0}`, `{"site":"a"}}`, `{"page":"\\u0041"}`, "{\"page\":\"\xff\"}",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		var w work
		if err := w.decodeStats(body); err != nil {
			return
		}
		var want struct{ Site, Page string }
		if err := json.Unmarshal(body, &want); err != nil {
			t.Fatalf("%q was taken, but: %v", body, err)
		}
		if got := strings.ToValidUTF8(string(w.req.page), ""); got != strings.ToValidUTF8(strings.ReplaceAll(want.Page, "\ufffd", ""), "") &&
			!strings.Contains(string(body), "\ufffd") && !strings.Contains(strings.ToLower(string(body)), `\ufffd`) {
			t.Fatalf("%q: page %q, want %q", body, got, want.Page)
		}
		out := appendString(nil, w.req.page)
		var back string
		err := json.Unmarshal(out, &back)
		if err != nil || utf8.Valid(w.req.page) && back != string(w.req.page) || strings.ContainsAny(string(out), "\u2028\u2029") {
			t.Fatalf("page %q is written as %s: %v", w.req.page, out, err)
		}
	})
}
