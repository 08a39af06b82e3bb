package parser

import (
	"fmt"
	"testing"
	"time"
)

// siteLog reads lines of a site's own log.
func siteLog(t *testing.T, change func(*Config)) *Parser {
	t.Helper()
	c := Config{Format: FormatCombined, Location: time.UTC, Calls: &CallRules{Site: "blog.example", Routes: []string{"/users/:id"}}}
	if change != nil {
		change(&c)
	}
	p, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func combinedLine(method, target string, status int, referer, agent string) []byte {
	return fmt.Appendf(nil, `192.0.2.7 - - [30/Nov/2026:10:00:00 +0000] "%s %s HTTP/1.1" %d 1000 "%s" "%s"`, method, target, status, referer, agent)
}

const firefox = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"

func TestCrawlersByName(t *testing.T) {
	p := siteLog(t, func(c *Config) { c.BotAgents = []string{"OurTool"} })
	for agent, want := range map[string]Crawler{
		"Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)": {"Googlebot", "Google", "search"},
		"Googlebot-Image/1.0": {"Googlebot-Image", "Google", "search"},
		"Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; GPTBot/1.2; +https://openai.com/gptbot)": {"GPTBot", "OpenAI", "AI training"},
		"Mozilla/5.0 (compatible; ChatGPT-User/1.0; +https://openai.com/bot)":                                    {"ChatGPT-User", "OpenAI", "AI assistant"},
		"Mozilla/5.0 (compatible; AhrefsBot/7.0; +http://ahrefs.com/robot/)":                                     {"AhrefsBot", "Ahrefs", "SEO"},
		"facebookexternalhit/1.1":                              {"facebookexternalhit", "Meta", "preview"},
		"ELB-HealthChecker/2.0":                                {"ELB-HealthChecker", "AWS", "monitor"},
		"kube-probe/1.30":                                      {"kube-probe", "Kubernetes", "monitor"},
		"GoogleHC/1.0":                                         {"GoogleHC", "Google Cloud", "monitor"},
		"Mozilla/5.0 (compatible; Uptime-Kuma/1.23)":           {"Uptime-Kuma", "", "monitor"},
		"Feedbin feed-id:1373711 - 142 subscribers":            {"Feedbin", "Feedbin", "feed reader"},
		"Tiny Tiny RSS/1.11 (http://tt-rss.org/)":              {"Tiny Tiny RSS", "", "feed reader"},
		"NewsThing/3.1 (https://news.example; 12 subscribers)": {"NewsThing", "", "feed reader"},
		"curl/8.5.0":                                           {"curl", "", "other"},
		"OurTool 1.0":                                          {"OurTool", "", "other"},
		"-":                                                    {noAgent, "", "other"},
	} {
		var h Hit
		p.Parse(combinedLine("GET", "/", 200, "-", agent), &h)
		if h.Request == nil || h.Request.Crawler == nil || *h.Request.Crawler != want {
			t.Errorf("%q: %+v, want %v", agent, h.Request, want)
		}
	}
	var h Hit
	p.Parse(combinedLine("GET", "/", 200, "-", firefox), &h)
	if h.Request.Crawler != nil || h.Request.Visitor.IsZero() {
		t.Errorf("a person is %+v", h.Request)
	}
}

// Every line of the table names a crawler that is one, whoever looks.
func TestOperatorsAreBots(t *testing.T) {
	table, err := operators()
	if err != nil {
		t.Fatal(err)
	}
	if len(table.rules) < 150 {
		t.Errorf("%d lines", len(table.rules))
	}
	if _, err := newCrawlerTable("search|Google|Googlebot|Googlebot\nSEO|Google|Googlebot|x"); err == nil {
		t.Error("a name with two purposes passed")
	}
	if _, err := newCrawlerTable("searching|Google|Googlebot|Googlebot"); err == nil {
		t.Error("a purpose that there is not passed")
	}
}

func TestSubscribers(t *testing.T) {
	for agent, want := range map[string]int{
		"Feedbin - 1 subscribers": 1,
		"Feedfetcher-Google; (+http://www.google.com/feedfetcher.html; 22 subscribers; feed-id=8321906634162087507)": 22,
		"LiveJournal.com (webmaster@livejournal.com; for http://www.livejournal.com/users/x/; 8 readers)":            8,
		"Feedly/1.0 (+http://www.feedly.com/fetcher.html; like FeedFetcher-Google)":                                  -1,
		firefox: -1, " subscribers": -1, "12345678901 subscribers": -1, "A reader": -1,
	} {
		if got := subscribers([]byte(agent)); got != want {
			t.Errorf("%q tells of %d, want %d", agent, got, want)
		}
	}
}

// What each request counts, with the names of its sums.
func TestRequestCounts(t *testing.T) {
	p := siteLog(t, nil)
	bot := "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"
	for _, x := range []struct {
		line []byte
		want string
	}{
		{combinedLine("GET", "/style.css", 200, "-", firefox), "request count:all 1, request people:asset 1, request bytes:asset 1000"},
		{combinedLine("GET", "/users/5", 200, "-", firefox), "request count:all 1, request people:api 1, request bytes:api 1000"},
		{combinedLine("GET", "/robots.txt", 200, "-", bot), "request count:all 1, request crawlers:asset 1, request bytes:asset 1000, crawler 2xx:Googlebot 1, crawler bytes:Googlebot 1000, crawler robots:Googlebot 1"},
		{combinedLine("GET", "/a?b=1", 200, "-", bot), "request count:all 1, request crawlers:page 1, request bytes:page 1000, crawler 2xx:Googlebot 1, crawler bytes:Googlebot 1000, crawler pages:Googlebot 1"},
		{combinedLine("GET", "/gone%20away", 404, "https://www.blog.example/post?x=1", firefox), "request count:all 1, request people:notfound 1, request bytes:notfound 1000, notfound count:/gone%20away /post 1"},
		{combinedLine("GET", "/gone", 410, "https://other.example/x", firefox), "request count:all 1, request people:notfound 1, request bytes:notfound 1000, notfound count:/gone other.example 1"},
		{combinedLine("GET", "/%E4%B8%AD.PDF", 206, "-", firefox), "request count:all 1, request people:download 1, request bytes:download 1000, download count:/中.PDF 1, download bytes:/中.PDF 1000"},
		{combinedLine("GET", "/feed.xml", 200, "-", "Feedbin feed-id:3 - 12 subscribers"), "request count:all 1, request crawlers:feed 1, request bytes:feed 1000, crawler 2xx:Feedbin 1, crawler bytes:Feedbin 1000, feed count:Feedbin#3=12 /feed.xml 1"},
		{combinedLine("GET", "/feed.xml", 304, "-", bot), "request count:all 1, request crawlers:feed 1, request bytes:feed 1000, crawler 3xx:Googlebot 1, crawler bytes:Googlebot 1000, feed count: /feed.xml 1"},
		{combinedLine("GET", "/?feed=rss2", 200, "-", "Feedbin feed-id:3 - 12 subscribers"), "request count:all 1, request crawlers:feed 1, request bytes:feed 1000, crawler 2xx:Feedbin 1, crawler bytes:Feedbin 1000, feed count:Feedbin#3=12 /?feed=rss2 1"},
	} {
		if got := requestsOf(t, p, x.line); got != x.want {
			t.Errorf("%s\ngot  %s\nwant %s", x.line, got, x.want)
		}
	}
	var h Hit
	p.Parse(combinedLine("GET", "/", 200, "-", firefox), &h)
	who := h.Request.Visitor.String()
	if got, want := requestsOf(t, p, combinedLine("GET", "/a/b?x=1", 200, "-", firefox)), "request count:all 1, request people:page 1, request bytes:page 1000, reader count:"+who+" 1, reading count:"+who+" /a/b 1"; got != want {
		t.Errorf("a page: %s, want %s", got, want)
	}
	if got, want := requestsOf(t, p, combinedLine("GET", "/atom/", 200, "-", firefox)), "request count:all 1, request people:feed 1, request bytes:feed 1000, feed count:"+who[:16]+" /atom/ 1"; got != want {
		t.Errorf("a feed: %s, want %s", got, want)
	}
	for _, line := range [][]byte{combinedLine("HEAD", "/", 200, "-", firefox), combinedLine("GET", "/", 206, "-", firefox)} {
		if got, want := requestsOf(t, p, line), "request count:all 1, request people:page 1, request bytes:page 1000"; got != want {
			t.Errorf("%s: %s, want no reader", line, got)
		}
	}
}

func requestsOf(t *testing.T, p *Parser, line []byte) (text string) {
	t.Helper()
	var h Hit
	p.Parse(line, &h)
	if h.Kind != APICall {
		t.Fatalf("%s is a %v: %v", line, h.Kind, h.Reason)
	}
	all, _ := AppendRequestCounts(nil, &h, nil)
	for i, c := range all {
		if i > 0 {
			text += ", "
		}
		text += fmt.Sprintf("%s %s %d", c.Series.Spec().Name, AppendSum(nil, c.Part, c.Subject), c.N)
	}
	return text
}

// The person of a page is the visitor that a view of the site by the beacon has.
func TestReaderIsTheVisitor(t *testing.T) {
	p := siteLog(t, nil)
	beacons, err := New(Config{Format: FormatCombined, Location: time.UTC})
	if err != nil {
		t.Fatal(err)
	}
	var page, view Hit
	p.Parse(combinedLine("GET", "/", 200, "-", firefox), &page)
	beacons.Parse(combinedLine("GET", "/event.png?site=blog.example&page=/", 200, "https://blog.example/", firefox), &view)
	if view.Kind != Pageview || view.Visitor.IsZero() || page.Request.Visitor != view.Visitor {
		t.Errorf("the page's reader is %v, the view's %v", page.Request.Visitor, view.Visitor)
	}
}

// Sorting a request costs no allocation once its path and user agent are known.
func TestRequestsDoNotAllocate(t *testing.T) {
	p := siteLog(t, nil)
	line := combinedLine("GET", "/style.css", 200, "-", firefox)
	var h Hit
	p.Parse(line, &h)
	if n := testing.AllocsPerRun(100, func() { p.Parse(line, &h) }); n > 0 {
		t.Errorf("%v allocations a line", n)
	}
}
