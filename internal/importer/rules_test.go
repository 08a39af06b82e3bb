package importer

import (
	"testing"
	"time"

	"ddkk-stats/parser"
)

// TestRules: which requests are page views, and why others are not.
func TestRules(t *testing.T) {
	rules := Rules{Include: []string{"/files/*.pdf", "/feed"}, Exclude: []string{"/api/*", "/文/*"},
		Before: time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)}
	c, err := NewClassifier("a.example", false, rules)
	if err != nil {
		t.Fatal(err)
	}
	p, err := parser.New(parser.Config{Format: parser.FormatCombined})
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range []struct{ date, request, status, why, page string }{
		{"31/Oct", "GET / HTTP/1.1", "200", "", "/"},
		{"31/Oct", "GET /a%20b/?q=x.png HTTP/1.1", "304", "", "/a b/"},
		{"31/Oct", "GET http://a.example/v1.2/x HTTP/1.1", "200", "", "/v1.2/x"},
		{"31/Oct", "GET /x.HTML HTTP/1.1", "200", "", "/x.HTML"},
		{"31/Oct", "GET /logo.PNG?v=2 HTTP/1.1", "200", "asset", ""},
		{"31/Oct", "GET /logo%2Epng HTTP/1.1", "200", "asset", ""},
		{"31/Oct", "GET /robots.txt HTTP/1.1", "200", "asset", ""},
		{"31/Oct", "GET /favicon.ico HTTP/1.1", "200", "asset", ""},
		{"31/Oct", "GET /event.png?site=a.example&page=/x HTTP/1.1", "200", "asset", ""},
		{"31/Oct", "GET /files/deep/x.pdf HTTP/1.1", "200", "", "/files/deep/x.pdf"},
		{"31/Oct", "GET /x.pdf HTTP/1.1", "200", "asset", ""},
		{"31/Oct", "GET /feed HTTP/1.1", "200", "", "/feed"},
		{"31/Oct", "GET /blog/feed/ HTTP/1.1", "200", "feed or endpoint", ""},
		{"31/Oct", "GET /.well-known/x HTTP/1.1", "200", "feed or endpoint", ""},
		{"31/Oct", "GET /api/x HTTP/1.1", "200", "excluded", ""},
		{"31/Oct", "GET /%E6%96%87/1 HTTP/1.1", "200", "excluded", ""},
		{"31/Oct", "GET /%zz HTTP/1.1", "200", "", "/%zz"},
		{"31/Oct", "POST / HTTP/1.1", "200", "method", ""},
		{"31/Oct", "GET / HTTP/1.1", "301", "status", ""},
		{"31/Oct", "GET * HTTP/1.1", "200", "request", ""},
		{"31/Oct", "GET http://other.host/ HTTP/1.1", "200", "other site", ""},
		{"31/Oct", "GET http://203.0.113.1/ HTTP/1.1", "200", "other site", ""},
		{"31/Oct", "GET http://WWW.a.example:80/b HTTP/1.1", "200", "", "/b"},
		{"31/Oct", "GET / HTTP/1.1", "000", "status", ""},
		{"31/Oct", "GET / HTTP/1.1", "-", "status", ""},
		{"01/Nov", "GET / HTTP/1.1", "200", "not before the given time", ""},
	} {
		line := `203.0.113.7 - - [` + x.date + `/2026:00:00:00 +0000] "` + x.request + `" ` + x.status + ` 5 "-" "Mozilla/5.0 Firefox/140.0"`
		var h parser.Hit
		p.Parse([]byte(line), &h)
		why := c.Classify(p, &h)
		if why != x.why || (why == "") != (h.Kind == parser.Pageview) || string(h.Page) != x.page && why == "" {
			t.Errorf("%s %s: %q, kind %v, page %q; want %q, %q", x.request, x.status, why, h.Kind, h.Page, x.why, x.page)
		}
	}
}

func TestMatch(t *testing.T) {
	for _, x := range []struct {
		pattern, s string
		want       bool
	}{
		{"/a", "/a", true}, {"/a", "/ab", false}, {"/a*", "/a", true}, {"*", "", true}, {"*b*", "/abc", true},
		{"/?", "/x", true}, {"/?", "/", false}, {"*/feed", "/a/feed", true}, {"*/feed", "/a/feeds", false},
		{"/a*b*c", "/axxbyyc", true}, {"/a*b*c", "/axxbyyd", false}, {"", "", true}, {"", "x", false},
	} {
		if parser.MatchPath(x.pattern, x.s) != x.want {
			t.Errorf("match(%q, %q) is %t", x.pattern, x.s, !x.want)
		}
	}
}

// FuzzAnswer: whatever a service answers, nothing breaks and no count is made
// up.
func FuzzAnswer(f *testing.F) {
	f.Add([]byte(`try{BusuanziCallback_1({"site_uv":3,"page_pv":7,"version":2.4,"site_pv":20});}catch(e){}`))
	f.Add([]byte(`BusuanziCallback_1({})`))
	f.Fuzz(func(t *testing.T, body []byte) {
		if a, err := parseAnswer(body); (a == nil) == (err == nil) {
			t.Errorf("%v, %v", a, err)
		}
	})
}
