package queryapi

import (
	"encoding/xml"
	"errors"
	"io"
	"net/url"
	"strings"
	"testing"
	"time"
)

func TestDashboardFiles(t *testing.T) {
	s := newTestServer(t, newBackend(), nil)
	if ctx := ask(s, testPeer, "GET", "/admin", ""); ctx.Response.StatusCode() != 308 || header(ctx, "Location") != "/admin/" {
		t.Errorf("%d to %q", ctx.Response.StatusCode(), header(ctx, "Location"))
	}
	for path, contentType := range map[string]string{"/admin/": typeHTML, "/admin/dashboard.js": typeScript, "/admin/dashboard.css": typeCSS, "/admin/icon.svg": typeSVG} {
		ctx := ask(s, testPeer, "GET", path, "")
		tag := header(ctx, "ETag")
		if ctx.Response.StatusCode() != 200 || header(ctx, "Content-Type") != contentType || tag == "" || header(ctx, "Cache-Control") != "no-cache" {
			t.Errorf("%s: %d %q %q", path, ctx.Response.StatusCode(), header(ctx, "Content-Type"), tag)
		}
		policy := header(ctx, "Content-Security-Policy")
		if strings.Contains(policy, "unsafe") || !strings.Contains(policy, "default-src 'none'") || !strings.Contains(policy, "frame-ancestors 'none'") {
			t.Errorf("%s: policy %q", path, policy)
		}
		if code := ask(s, testPeer, "GET", path, "", "If-None-Match: "+tag).Response.StatusCode(); code != 304 {
			t.Errorf("%s again: %d", path, code)
		}
	}
}

func TestPublicSites(t *testing.T) {
	b := newBackend()
	b.views["/a b"], b.views["/other"] = 1234567, 11
	s := newTestServer(t, b, func(c *Config) { c.PublicSites = []string{"ddkk.com"} })
	none := newTestServer(t, b, nil)
	f := func(path string, want int, holds string) {
		t.Helper()
		ctx := ask(s, testPeer, "GET", path, "")
		if ctx.Response.StatusCode() != want || !strings.Contains(string(ctx.Response.Body()), holds) {
			t.Errorf("%s: %d %s", path, ctx.Response.StatusCode(), ctx.Response.Body())
		}
		if ctx := ask(none, testPeer, "GET", path, ""); ctx.Response.StatusCode() != 404 {
			t.Errorf("%s without public sites: %d", path, ctx.Response.StatusCode())
		}
	}
	f("/public/ddkk.com", 200, "content of admin/public.html")
	f("/public/-/public.js", 200, "content of admin/public.js")
	f("/public/-/public.css", 200, "content of admin/dashboard.css")
	f("/public/other.com", 404, CodeNotFound)
	f("/badge/other.com.svg", 404, CodeNotFound)
	f("/badge/ddkk.com.svg", 200, ">1,234,578</text>")
	f("/badge/ddkk.com.svg?field=site_pv", 200, "views: 1,234,578")
	f("/badge/ddkk.com.svg?field=page_pv&page=/other", 200, "page views: 11")
	f("/badge/ddkk.com.svg?field=page_pv&page=/a%2520b", 200, "page views: 1,234,567")
	f("/badge/ddkk.com.svg?field=page_pv", 400, "page: is required")
	f("/badge/ddkk.com.svg?page=/other", 400, "page: goes with")
	f("/badge/ddkk.com.svg?field=site_uv", 400, "field: must be")
	f("/badge/ddkk.com.svg?label=<script>", 400, CodeUnknownField)
	f("/badge/ddkk.com.svg?field=site_pv&field=page_pv", 400, "twice")
}

func TestBadge(t *testing.T) {
	for n, want := range map[int64]string{0: "0", 7: "7", 999: "999", 1000: "1,000", 123456: "123,456", 9223372036854775807: "9,223,372,036,854,775,807"} {
		if got := grouped(n); got != want {
			t.Errorf("%d is %s, want %s", n, got, want)
		}
		d := xml.NewDecoder(strings.NewReader(badgeSVG("views", want)))
		for {
			if _, err := d.Token(); errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				t.Fatal(err)
			}
		}
	}
}

// Whatever public sites are called, each has its own page and badge, and metrics
// do not know their names.
func TestPublicSitesWithOddNames(t *testing.T) {
	sites := []string{"-", "public.js", "a", "a.svg", "set", "page", "[::1]", "badge"}
	routes := map[string]int{}
	s := newTestServer(t, newBackend(), func(c *Config) {
		c.PublicSites = sites
		c.Observe = func(route string, _ int, _ time.Duration) { routes[route]++ }
	})
	seen := map[string]bool{}
	for _, r := range s.reads.publicRoutes(s.files[publicPage]) {
		if seen[r.path] {
			t.Errorf("%s is of two sites", r.path)
		}
		seen[r.path] = true
	}
	for _, site := range sites {
		for _, path := range []string{"/public/" + site, "/badge/" + site + ".svg", "/badge/" + url.PathEscape(site) + ".svg"} {
			if code := ask(s, testPeer, "GET", path, "").Response.StatusCode(); code != 200 {
				t.Errorf("%s: %d", path, code)
			}
		}
	}
	if ask(s, testPeer, "GET", "/public/-/public.js", "").Response.StatusCode() != 200 || len(routes) > 3 {
		t.Errorf("routes are counted by %v", routes)
	}
}
