package sim

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// hit is one request as whoever sent it knows it: what the counters must make of
// it, not how a log spells it.
type hit struct {
	at      time.Time
	site    string
	page    string
	ip, ua  string
	bot     bool
	mobile  bool
	ref     string   // host that led to it; the site itself: within the site; empty: not known
	width   string   // of the screen; empty: not told
	tongue  string   // Accept-Language, of a line of format v2; empty: one of format v1
	link    string   // source of a campaign; empty: none
	id      string   // of the view
	event   []string // category and action; none: a page view
	call    *callOf  // of a site's own log
	skipped bool     // a request that counts nowhere
	repeats int      // how often it was asked for again
}

// callOf is what a call of a site's API has.
type callOf struct {
	method, pattern, path string
	status                int
	user                  string
	ms                    int64
	kind                  string // of a request by GET that is answered 200
}

func (h *hit) visitor() string { return h.ip + "\x00" + h.ua }

const (
	people  = "Mozilla/5.0 (X11; Linux x86_64; rv:%d.0) Gecko/20100101 Firefox/140.0"
	phones  = "Mozilla/5.0 (iPhone; CPU iPhone OS 17_%d like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.0 Mobile/15E148 Safari/604.1"
	crawler = "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"
)

// facets are what a view is counted by beside its page and referrer, by the first letters
// of their fields; a country that is not known has no name.
func (h *hit) facets() map[string]string {
	all := map[string]string{"c": countries[h.ip], "b": "Firefox", "o": "Linux", "d": "desktop"}
	if h.mobile {
		all["b"], all["o"], all["d"] = "Safari", "iOS", "phone"
	}
	switch {
	case h.link == "news":
		all["k"], all["g"] = "campaign", "news"
	case h.link != "":
		all["k"], all["g"] = "mail", "list / email"
	case h.ref == "":
		all["k"] = "direct"
	case h.ref == h.site:
		all["k"] = "internal"
	default:
		all["k"] = "referral"
	}
	if h.tongue != "" {
		all["l"] = map[string]string{"-": "", "de-DE,de;q=0.9": "de", "zh-CN": "zh"}[h.tongue]
	}
	if h.width != "" {
		all["s"] = map[string]string{"390": "1-479", "1440": "1280-1599"}[h.width]
	}
	return all
}

// countries of addresses; the others are not known.
var countries = map[string]string{"192.0.2.1": "DE", "192.0.2.2": "CN", "192.0.2.3": "DE"}

func countryOf(addr netip.Addr) string { return countries[addr.String()] }

var sites = []string{"a.example", "b.example", "c.example"}

// randomHit makes a request of about now. Duplicates by id are the same request
// again: which of two that differ counts depends on which is read first.
func randomHit(rng *rand.Rand, now time.Time, pages int) hit {
	h := hit{at: now.Add(-time.Duration(rng.IntN(1500)) * time.Millisecond).Truncate(time.Millisecond),
		site: sites[min(rng.IntN(8), 3)%3], page: "/p" + strconv.Itoa(rng.IntN(pages)),
		ip: fmt.Sprintf("192.0.2.%d", 1+rng.IntN(4))}
	if rng.IntN(12) == 0 {
		h.at = h.at.Add(-24 * time.Hour) // came late
	}
	switch n := rng.IntN(16); {
	case n < 2:
		h.ua, h.bot = crawler, true
	case n < 5:
		h.ua, h.mobile = fmt.Sprintf(phones, rng.IntN(2)), true
	default:
		h.ua = fmt.Sprintf(people, 1+rng.IntN(3))
	}
	switch n := rng.IntN(10); {
	case n < 2:
		h.event = []string{"video", "play" + strconv.Itoa(rng.IntN(3))}[:1+rng.IntN(2)]
	case n < 5:
		h.ref = fmt.Sprintf("r%d.example", rng.IntN(3))
	case n == 5:
		h.ref = h.site
	case n == 6:
		h.skipped = true
	}
	h.tongue = []string{"", "", "-", "de-DE,de;q=0.9", "zh-CN"}[rng.IntN(5)]
	h.width = []string{"", "", "390", "1440"}[rng.IntN(4)]
	h.link = []string{"", "", "", "news", "utm_source=list&utm_medium=email"}[rng.IntN(5)]
	if rng.IntN(5) == 0 {
		h.id = fmt.Sprintf("v%d", rng.IntN(1<<30))
	}
	return h
}

// again is the same view asked for once more. That is another request, so it has a time
// of its own: two milliseconds later (one is for world.again), within the minute, so that
// it does not matter which of the two is read first. A log that begins with the very time of
// one that was archived and deleted would be taken for that one, edited (tailer, sameTime),
// and not be read.
func (h *hit) again() hit {
	h.repeats++
	x, later := *h, time.Duration(2*h.repeats)*time.Millisecond
	if x.at = h.at.Add(later); !x.at.Truncate(time.Minute).Equal(h.at.Truncate(time.Minute)) {
		x.at = h.at.Add(-later)
	}
	return x
}

// randomCall makes a call of a site's API.
func randomCall(rng *rand.Rand, now time.Time) hit {
	h := hit{at: now.Add(-time.Duration(rng.IntN(1500)) * time.Millisecond).Truncate(time.Millisecond),
		site: sites[rng.IntN(2)], ip: fmt.Sprintf("192.0.2.%d", 1+rng.IntN(4)), ua: fmt.Sprintf(people, 1)}
	c := &callOf{method: []string{"GET", "POST"}[rng.IntN(2)], status: []int{200, 200, 404, 500}[rng.IntN(4)], ms: int64(rng.IntN(19))}
	switch rng.IntN(3) {
	case 0:
		c.pattern, c.path = "/users/:id", "/users/"+strconv.Itoa(rng.IntN(50))
	case 1:
		c.pattern, c.path = "/orders", "/orders"
	default:
		c.pattern, c.path = "/files/:id/raw", "/files/"+strconv.Itoa(100+rng.IntN(5))+"/raw"
	}
	if rng.IntN(3) > 0 {
		c.user = "u" + strconv.Itoa(rng.IntN(3))
	}
	h.call = c
	c.kind = "page"
	h.asFile()
	return h
}

// asFile makes some calls requests for other things, and of a crawler. The rest of the
// schedule does not change with that.
func (h *hit) asFile() {
	c, n := h.call, h.at.UnixMilli()
	for _, x := range []struct{ path, kind string }{{"/feed.xml", "feed"}, {"/book.pdf", "download"}, {"/style.css", "asset"}, {"/about", "page"}} {
		if n%8 == 0 {
			c.path, c.pattern, c.kind = x.path, x.path, x.kind
			break
		}
		n /= 8
	}
	if n/64%4 == 0 {
		h.ua, h.bot = crawler, true
	}
	if n/256%2 == 0 {
		h.ref = []string{h.site, "r1.example"}[n/512%2]
	}
}

// referer is the header of a call that somebody's page led to.
func (h *hit) referer() string {
	switch h.ref {
	case "":
		return "-"
	case h.site:
		return "https://" + h.site + "/from?x=1"
	}
	return "https://" + h.ref + "/there"
}

// line is the request in format v1 or v2.
func (h *hit) line(number int) string {
	at := fmt.Sprintf("%d.%03d", h.at.Unix(), h.at.UnixMilli()%1000)
	id := fmt.Sprintf("%032x", number)
	if c := h.call; c != nil {
		user := "-"
		if c.user != "" {
			user = c.user
		}
		return strings.Join([]string{"v1", at, id, h.ip, h.site, c.method, strconv.Itoa(c.status), c.path + "?q=1", h.referer(), h.ua, "-", "-",
			user, fmt.Sprintf("0.%03d", c.ms), "43", "end"}, "\t")
	}
	uri := "/event.png?site=" + h.site + "&page=" + h.page
	if h.id != "" {
		uri += "&id=" + h.id
	}
	for i, level := range h.event {
		uri += "&" + []string{"category", "action"}[i] + "=" + level
	}
	if h.ref != "" {
		uri += "&ref=" + h.ref
	}
	if h.width != "" {
		uri += "&w=" + h.width
	}
	if h.link != "" {
		uri += "&c=" + url.QueryEscape(h.link)
	}
	status := "200"
	if h.skipped {
		status = "404"
	}
	fields := []string{"v1", at, id, h.ip, "stats.example", "GET", status, uri, "-", h.ua, "-", "-", "-", "0.000", "43"}
	if h.tongue != "" {
		fields[0] = "v2"
		fields = append(fields, h.tongue)
	}
	return strings.Join(append(fields, "end"), "\t")
}
