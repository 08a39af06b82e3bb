package parser

import (
	"fmt"
	"testing"
	"time"
)

// Which of two logs counts a view is told by its time and LOG_VIEWS alone: just one does.
func TestLogViews(t *testing.T) {
	at := time.Date(2026, 11, 30, 10, 0, 0, 0, time.UTC)
	for _, x := range []struct {
		name  string
		rules []LogView
		log   bool
	}{
		{"always", []LogView{{Site: "blog.example"}}, true},
		{"from then on", []LogView{{Site: "blog.example", From: at.UnixMilli()}}, true},
		{"from later on", []LogView{{Site: "blog.example", From: at.UnixMilli() + 1}}, false},
		{"until then", []LogView{{Site: "blog.example", To: at.UnixMilli()}}, false},
		{"until later", []LogView{{Site: "blog.example", To: at.UnixMilli() + 1}}, true},
		{"again", []LogView{{Site: "blog.example", To: 5}, {Site: "blog.example", From: at.UnixMilli()}}, true},
		{"another site", []LogView{{Site: "other.example"}}, false},
	} {
		p := siteLog(t, func(c *Config) { c.LogViews, c.Views = x.rules, true })
		beacons, err := New(Config{Format: FormatCombined, Location: time.UTC, LogViews: x.rules})
		if err != nil {
			t.Fatal(err)
		}
		var h, b Hit
		p.Parse(combinedLine("GET", "/a%20b?utm_source=news", 200, "https://r.example/x", firefox), &h)
		beacons.Parse(combinedLine("GET", "/event.png?site=blog.example&page=/a", 200, "https://blog.example/a", firefox), &b)
		if x.log != (h.Kind == Pageview) || !x.log != (b.Kind == Pageview) {
			t.Errorf("%s: the log's line is a %v (%v), the beacon's a %v (%v)", x.name, h.Kind, h.Reason, b.Kind, b.Reason)
		}
		if x.log && (string(h.Page) != "/a b" || h.Referrer != "r.example" || h.Visitor.IsZero() || h.Facets[Campaign].Name() != "news" || b.Reason != SkipLog) {
			t.Errorf("%s: %+v, the beacon's %v", x.name, h, b.Reason)
		}
		beacons.Parse(combinedLine("GET", "/event.png?site=blog.example&page=/a&category=x", 200, "https://blog.example/a", firefox), &b)
		if b.Kind != Event {
			t.Errorf("%s: an event is a %v (%v)", x.name, b.Kind, b.Reason)
		}
	}
}

// What of a site's own log is a view is what import takes for one.
func TestLogViewsAreImports(t *testing.T) {
	p := siteLog(t, func(c *Config) { c.LogViews, c.Views = []LogView{{Site: "blog.example"}}, true })
	for line, want := range map[string]string{
		`GET / 200`: "pageview", `GET /x/ 304`: "pageview", `HEAD / 200`: "method", `POST / 200`: "method", `GET /a 404`: "status", `GET /a 206`: "status", `GET /a 301`: "status",
		`GET /x.css 200`: "path", `GET /feed/ 200`: "path", `GET /users/7 200`: "path", `GET /event.png?page=/ 200`: "path", `GET /book.pdf 200`: "path", `GET /.well-known/x 200`: "path",
	} {
		var method, target string
		var status int
		if _, err := fmt.Sscan(line, &method, &target, &status); err != nil {
			t.Fatal(err)
		}
		var h Hit
		p.Parse(combinedLine(method, target, status, "-", firefox), &h)
		got := h.Kind.String()
		if h.Kind != Pageview {
			got = h.Reason.String()
		}
		if got != want {
			t.Errorf("%s is %s, want %s", line, got, want)
		}
	}
	var h Hit
	p.Parse(combinedLine("GET", "/", 200, "-", "Mozilla/5.0 (compatible; Googlebot/2.1)"), &h)
	if h.Kind != Pageview || !h.Bot {
		t.Errorf("a crawler's page is a %v, bot %v", h.Kind, h.Bot)
	}
}
