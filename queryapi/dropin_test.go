package queryapi

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"ddkk-stats/counter"
)

func TestDropinProtocols(t *testing.T) {
	const ref = "Referer: https://www.ddkk.com/%E6%96%87?x=1#y"
	const zeros = `{"success":true,"message":"ok","data":{"site_pv":0,"site_uv":0,"page_pv":0,"page_uv":0}}`
	const site, from = "/event.png?site=ddkk.com&page=", "|https://www.ddkk.com/%E6%96%87?x=1#y|UA"
	// f asks once, of a page with six views, and checks the answer and the log.
	f := func(method, target, body, want, logged string, headers ...string) {
		t.Helper()
		b := newBackend()
		b.views["/文"], b.views["/"] = 6, 1
		s := newTestServer(t, b, nil)
		ctx := ask(s, testPeer, method, target, body, append(headers, "User-Agent: UA")...)
		if got := string(ctx.Response.Body()); got != want {
			t.Errorf("%s %s %s\n got %s\nwant %s", method, target, body, got, want)
		}
		log := b.logged()
		if logged == "" && len(log) > 0 || logged != "" && (len(log) != 1 || log[0] != "192.0.2.9|GET|"+logged) {
			t.Errorf("%s %s: log %q, want %q", method, target, log, logged)
		}
		if header(ctx, "X-Content-Type-Options") != "nosniff" && ctx.Response.StatusCode() != 204 || header(ctx, "Access-Control-Allow-Origin") != "*" {
			t.Errorf("headers %s", ctx.Response.Header.String())
		}
	}
	page := site + "%2F%25E6%2596%2587%3Fx%3D1%23y"
	f("GET", "/busuanzi?jsonpCallback=BusuanziCallback_1", "", `try{BusuanziCallback_1({"site_uv":2,"page_pv":7,"version":2.4,"site_pv":8});}catch(e){}`, page+from, ref)
	f("GET", "/busuanzi?jsonpCallback=a.b$", "", `try{a.b$({"site_uv":0,"page_pv":0,"version":2.4,"site_pv":0});}catch(e){}`, "")
	f("GET", "/busuanzi?jsonpCallback=x", "", `try{x({"site_uv":0,"page_pv":0,"version":2.4,"site_pv":0});}catch(e){}`, "", "Referer: https://evil.example/")
	f("GET", "/jsonp?callback=BszCallback_1_2", "", `try{BszCallback_1_2({"site_pv":8,"site_uv":2,"page_pv":7,"page_uv":1});}catch(e){}`, page+from, ref)
	f("POST", "/api", "", `{"success":true,"message":"ok","data":{"site_pv":8,"site_uv":2,"page_pv":7,"page_uv":1}}`, page+"||UA", "X-Bsz-Referer: https://ddkk.com/%E6%96%87?x=1#y", "Authorization: Bearer forged")
	f("GET", "/api", "", `{"success":true,"message":"ok","data":{"site_pv":7,"site_uv":2,"page_pv":6,"page_uv":1}}`, "", "X-Bsz-Referer: https://ddkk.com/%E6%96%87")
	f("PUT", "/api", "", "", page+"||UA", "X-Bsz-Referer: https://ddkk.com/%E6%96%87?x=1#y")
	f("POST", "/api", "", zeros, "", "X-Bsz-Referer: https://evil.example/")
	f("POST", "/api", "", zeros, "")
	f("PUT", "/api", "", "", "", "X-Bsz-Referer: nonsense")
	url := `{"url":"https://ddkk.com/%E6%96%87?x=1#y","isNewUv":true,"referrer":""}`
	f("POST", "/api/v2/log", url, `{"status":"success","message":"ok","data":{"site_uv":2,"site_pv":8,"page_pv":7}}`, page+"||UA")
	f("GET", "/api/v2/log?url=https%3A%2F%2Fddkk.com%2F%25E6%2596%2587", "", `{"status":"success","message":"ok","data":{"site_uv":2,"site_pv":7,"page_pv":6}}`, "")
	f("POST", "/api/v1/log", url, `{"site_uv":2,"site_pv":8,"page_pv":7}`, page+"||UA")
	f("GET", "/api/v1/log?url=https%3A%2F%2Fddkk.com", "", `{"site_uv":2,"site_pv":7,"page_pv":1}`, "")
	f("POST", "/api.php", url, `{"busuanzi_site_pv":8,"busuanzi_site_uv":2,"busuanzi_page_pv":7,"busuanzi_page_uv":1,"busuanzi_today_pv":8,"busuanzi_today_uv":1}`, page+"||UA")
	f("POST", "/api.php", `{"url":"https://evil.example/"}`, `{"busuanzi_site_pv":0,"busuanzi_site_uv":0,"busuanzi_page_pv":0,"busuanzi_page_uv":0,"busuanzi_today_pv":0,"busuanzi_today_uv":0}`, "")
	all := `{"site_pv":8,"site_uv":2,"page_pv":7,"page_uv":1,"today_pv":8,"today_uv":1,"views":7}`
	f("GET", "/api/count?site=ddkk.com&page=/%25E6%2596%2587%3Fx%3D1%23y&vid=1", "", all, page+"||UA")
	f("GET", "/api/count?site=ddkk.com&page=%25E6%2596%2587%3Fx%3D1%23y&callback=cb", "", `try{cb(`+all+`);}catch(e){}`, page+"||UA")
	f("GET", "/busuanzi/api", "", all, page+"||UA", "X-Referer: https://ddkk.com/%E6%96%87?x=1#y")
	f("GET", "/counter?host=ddkk.com", "", all, page+from, ref)
	f("GET", "/counter?host=ddkk.com", "", strings.NewReplacer(`"page_pv":7`, `"page_pv":2`, `"views":7`, `"views":2`).Replace(all), site+"%2F|https://evil.example/x|UA", "Referer: https://evil.example/x")
}

// The name of the function is written into a script.
func TestDropinCallback(t *testing.T) {
	b := newBackend()
	s := newTestServer(t, b, nil)
	for _, name := range []string{"", "1a", ".a", "a b", "a;b", "a(b", "alert(1)//", "a\n", "a</script>", "é", "a-b", "a[0]", "a.", "a..b", "a.1", "eval", "window.eval", "a.Function", "this", "a.if", strings.Repeat("a", 65)} {
		ctx := ask(s, testPeer, "GET", "/jsonp?callback="+strings.NewReplacer(" ", "%20", ";", "%3B", "\n", "%0A", "<", "%3C").Replace(name), "", "Referer: https://ddkk.com/")
		if ctx.Response.StatusCode() != 400 || !json.Valid(ctx.Response.Body()) || len(b.logged()) != 0 {
			t.Errorf("%q: %d %s", name, ctx.Response.StatusCode(), ctx.Response.Body())
		}
	}
	ctx := ask(s, testPeer, "GET", "/jsonp?callback="+strings.Repeat("a", 64), "", "Referer: https://ddkk.com/")
	if ctx.Response.StatusCode() != 200 || header(ctx, "Content-Type") != "application/javascript; charset=utf-8" || header(ctx, "Cache-Control") != "no-store" || header(ctx, "Cross-Origin-Resource-Policy") != "cross-origin" {
		t.Errorf("%s", ctx.Response.Header.String())
	}
}

func TestDropinAddresses(t *testing.T) {
	b := newBackend()
	s := newTestServer(t, b, nil)
	f := func(address, site, page string) {
		t.Helper()
		if got := s.dropins.visitedURL([]byte(address)); got.site != site || string(got.page) != page {
			t.Errorf("%q: %q %q, want %q %q", address, got.site, got.page, site, page)
		}
	}
	f("https://ddkk.com/a/b?c", "ddkk.com", "/a/b?c")
	f("HTTP://WWW.ddkk.com", "ddkk.com", "/")
	f("//ddkk.com?x", "ddkk.com", "/?x")
	f(`https://ddkk.com\evil`, "ddkk.com", `/\evil`)
	for _, bad := range []string{"", "ddkk.com", "/a", "ftp://ddkk.com/", "javascript://ddkk.com/", "https://ddkk.com@evil.example/", "https:///ddkk.com", "data:x//ddkk.com/",
		"https://evil.example/https://ddkk.com/", "https://ddkk.com/" + strings.Repeat("a", maxURL)} {
		f(bad, "", "")
	}
}

func TestDropinFailures(t *testing.T) {
	b := newBackend()
	s := newTestServer(t, b, nil)
	f := func(method, target, body string, status int, word string) {
		t.Helper()
		ctx := ask(s, testPeer, method, target, body, "X-Bsz-Referer: https://ddkk.com/")
		if ctx.Response.StatusCode() != status || !strings.Contains(string(ctx.Response.Body()), word) {
			t.Errorf("%s %s: %d %s", method, target, ctx.Response.StatusCode(), ctx.Response.Body())
		}
	}
	f("POST", "/api/v2/log", "nonsense", 400, CodeBadJSON)
	f("POST", "/api/v2/log", `{"url":5}`, 400, CodeBadJSON)
	f("POST", "/api.php", `{}`, 400, CodeMissingField)
	f("GET", "/api/v2/log", "", 400, CodeMissingField)
	f("POST", "/api.php", strings.Repeat(" ", maxBody+1), 413, CodeTooLarge)
	f("DELETE", "/api", "", 405, CodeMethod)
	// Late counting and a Redis that is away change the numbers, not the answer.
	b.set(func() { b.stuck, b.stale = true, true })
	f("POST", "/api", "", 200, `"page_pv":0`)
	b.set(func() { b.full = true })
	f("POST", "/api", "", 503, CodeUnavailable)
	f("PUT", "/api", "", 503, CodeUnavailable)
	f("GET", "/api", "", 200, `"page_pv":0`)
}

func TestDropinCORS(t *testing.T) {
	s := newTestServer(t, newBackend(), func(c *Config) { c.CORSOrigins = []string{"https://ddkk.com"} })
	ctx := ask(s, testPeer, "OPTIONS", "/api", "", "Origin: https://ddkk.com", "Access-Control-Request-Method: PUT")
	h := header(ctx, "Access-Control-Allow-Headers")
	if ctx.Response.StatusCode() != 204 || header(ctx, "Access-Control-Allow-Origin") != "https://ddkk.com" || header(ctx, "Access-Control-Max-Age") != "86400" ||
		header(ctx, "Access-Control-Allow-Methods") != "GET, OPTIONS, POST, PUT" || !strings.Contains(h, "X-Bsz-Referer") || !strings.Contains(h, "Authorization") || !strings.Contains(h, "X-Referer") {
		t.Errorf("%s", ctx.Response.Header.String())
	}
	if ctx := ask(s, testPeer, "POST", "/api", "", "Origin: https://evil.example"); ctx.Response.StatusCode() != 401 {
		t.Errorf("foreign origin: %d", ctx.Response.StatusCode())
	}
}

// Only what is in the answer is read.
func TestDropinReads(t *testing.T) {
	b := newBackend()
	s := newTestServer(t, b, nil)
	ask(s, testPeer, "GET", "/busuanzi?jsonpCallback=x", "", "Referer: https://ddkk.com/a")
	if q := b.last(); q.Fields != counter.FieldSitePV|counter.FieldSiteUV|counter.FieldPagePV || q.Page != "/a" || !q.Fresh {
		t.Errorf("%+v", q)
	}
	ask(s, testPeer, "GET", "/api", "", "X-Bsz-Referer: https://ddkk.com/a")
	if q := b.last(); q.Fresh {
		t.Errorf("%+v", q)
	}
}

func TestScripts(t *testing.T) {
	s := newTestServer(t, newBackend(), nil)
	for _, path := range append([]string{"/ddkk-stats.js", "/ddkk-stats.lite.js", "/ddkk-stats.mjs", "/ddkk-stats.d.mts", "/ddkk-stats.v1.js", "/ddkk-stats.json"}, scriptPaths...) {
		ctx := ask(s, testPeer, "GET", path, "")
		cache := cacheDay
		switch path {
		case "/ddkk-stats.v1.js":
			cache = cacheForever
		case "/ddkk-stats.json":
			cache = "no-cache"
		}
		if ctx.Response.StatusCode() != 200 || header(ctx, "Access-Control-Allow-Origin") != "*" || header(ctx, "Cache-Control") != cache ||
			header(ctx, "Cross-Origin-Resource-Policy") != "cross-origin" || header(ctx, "ETag") == "" {
			t.Errorf("%s: %s", path, ctx.Response.Header.String())
		}
	}
	var list struct {
		Files map[string]struct {
			Integrity   string
			Bytes, Gzip int
			Immutable   bool
		}
	}
	if err := json.Unmarshal(ask(s, testPeer, "GET", "/ddkk-stats.json", "").Response.Body(), &list); err != nil {
		t.Fatal(err)
	}
	// printf 'version 1' | openssl dgst -sha384 -binary | base64
	v1 := list.Files["/ddkk-stats.v1.js"]
	if len(list.Files) != 4 || v1.Integrity != "sha384-5HPTXfAx9D/UlGKe/JChLw4YGSLc52sTqb4JZm6gvWnUfYnSgzFghFm+sirTkGrr" || v1.Bytes != 9 || !v1.Immutable || list.Files["/ddkk-stats.js"].Immutable {
		t.Errorf("%s", fmt.Sprint(list))
	}
}
