package e2e

import (
	"fmt"
	"math/rand/v2"
	"net/url"
	"time"
)

// Request is a beacon and how it is spelled on the wire.
type Request struct {
	Beacon
	URI     string // path and query
	Referer string // empty: none
}

// Traffic makes requests as they come from real pages: several sites in
// several spellings, few pages that many read and many that few read, names
// beyond ASCII, some events, some bots. The same seed gives the same requests.
// It is used by one goroutine.
type Traffic struct {
	IP string // of all its visitors

	rand     *rand.Rand
	pages    *rand.Zipf
	visitors int
}

// Shares of the mix, in percent.
const (
	eventShare   = 8
	botShare     = 6
	refererShare = 60
	// encodedShare of the pages come percent-encoded once more, as scripts
	// that send location.pathname do.
	encodedShare = 40
)

// distinctPages is how many pages a site has.
const distinctPages = 600

// NewTraffic makes requests of so many visitors behind one address.
func NewTraffic(seed uint64, ip string, visitors int) *Traffic {
	r := rand.New(rand.NewPCG(seed, 0x9e3779b97f4a7c15))
	return &Traffic{IP: ip, rand: r, pages: rand.NewZipf(r, 1.2, 4, distinctPages-1), visitors: visitors}
}

// sites are names as pages send them, and the site that they mean.
var sites = []struct{ sent, site string }{
	{"ddkk.com", "ddkk.com"},
	{"www.ddkk.com", "ddkk.com"},
	{"https://Docs.ddkk.com:443", "docs.ddkk.com"},
	{"example.org.", "example.org"},
	{"bücher.example", "xn--bcher-kva.example"},
	{"xn--bcher-kva.example", "xn--bcher-kva.example"},
}

// shapes are kinds of page names; the number makes them distinct.
var shapes = []string{"/posts/%d", "/文章/%d/", "/Größe/%d", "/a b/%d", "/🎉/%d.html", "/x/%d/index.html"}

var events = [][]string{
	{"download"}, {"download", "pdf"}, {"download", "pdf", "handbook"}, {"download", "pdf", "handbook", "2"},
	{"视频", "播放", "首页", "30"}, {"form", "sent"},
}

// referrers are the hosts that led to views; "self" is the site's own.
var referrers = []string{"", "", "self", "news.example", "search.example", "xn--bcher-kva.example"}

var bots = []string{
	"Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
	"Mozilla/5.0 (compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm)",
	"Mozilla/5.0 (compatible; AhrefsBot/7.0; +http://ahrefs.com/robot/)",
}

// Next is the next request. Its time is left to the sender.
func (t *Traffic) Next() Request {
	site := sites[t.rand.IntN(len(sites))]
	page := pageName(int(t.pages.Uint64()))
	r := Request{Beacon: Beacon{Site: site.site, Page: page, IP: t.IP, UA: t.userAgent()}}
	q := url.Values{"site": {site.sent}, "page": {t.spell(page)}, "_": {fmt.Sprintf("%x", t.rand.Uint64())}}
	switch roll := t.rand.IntN(100); {
	case roll < eventShare:
		r.Event = events[t.rand.IntN(len(events))]
		for i, name := range []string{"category", "action", "label", "value"}[:len(r.Event)] {
			q.Set(name, r.Event[i])
		}
	case roll < eventShare+botShare:
		r.Bot, r.UA = true, bots[t.rand.IntN(len(bots))]
	}
	if r.Ref = referrers[t.rand.IntN(len(referrers))]; r.Ref == "self" {
		r.Ref = site.site
	}
	if r.Ref != "" {
		q.Set("ref", r.Ref)
	}
	if t.rand.IntN(100) < refererShare {
		r.Referer = "https://www." + site.site + "/"
	}
	r.URI = "/event.png?" + q.Encode()
	return r
}

// pageName is the n-th page of a site; the start page is read most.
func pageName(n int) string {
	if n == 0 {
		return "/"
	}
	return fmt.Sprintf(shapes[n%len(shapes)], n)
}

// spell writes a page as it is, or percent-encoded as in an address bar.
func (t *Traffic) spell(page string) string {
	if t.rand.IntN(100) >= encodedShare {
		return page
	}
	return (&url.URL{Path: page}).EscapedPath()
}

// userAgent is one of the visitors' browsers.
func (t *Traffic) userAgent() string {
	n := t.rand.IntN(t.visitors)
	if n%3 == 0 {
		return fmt.Sprintf("Mozilla/5.0 (Linux; Android 14; Pixel 8) AppleWebKit/537.36 (KHTML, like Gecko) "+
			"Chrome/%d.0.%d.0 Mobile Safari/537.36", 100+n%40, n)
	}
	return fmt.Sprintf("Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) "+
		"Chrome/%d.0.%d.0 Safari/537.36", 100+n%40, n)
}

// sourceAddress is one of many addresses of loopback. Linux lets a client use
// all of 127.0.0.0/8, so that visitors differ by address without any header.
func sourceAddress(n int) string { return fmt.Sprintf("127.1.%d.%d", n/250%250, 1+n%250) }

// midnightGuard is how near to midnight nothing is sent: a request that is
// sent on one day may be logged on the next.
const midnightGuard = time.Second

// nearMidnight reports whether a day begins in loc within the guard.
func nearMidnight(now time.Time, loc *time.Location) bool {
	return !sameDay(now, now.Add(midnightGuard), loc)
}

func sameDay(a, b time.Time, loc *time.Location) bool {
	return a.In(loc).Format(time.DateOnly) == b.In(loc).Format(time.DateOnly)
}
