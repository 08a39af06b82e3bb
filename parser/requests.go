package parser

import (
	"bytes"
	"unicode/utf8"
)

// RequestKind is what a request of a site's own log is. Each is of one kind.
type RequestKind uint8

const (
	RequestPage     RequestKind = iota // showed a page
	RequestAsset                       // what pages are made of
	RequestAPI                         // another method than GET and HEAD, or an endpoint for programs
	RequestDownload                    // a file that is linked for itself
	RequestFeed
	RequestRedirect // 3xx but 304
	RequestNotFound // 404 and 410
	RequestFailed   // another status from 400 on, or no answer

	NumRequestKinds
)

var requestKindNames = [NumRequestKinds]string{"page", "asset", "api", "download", "feed", "redirect", "notfound", "failed"}

func (k RequestKind) String() string { return requestKindNames[k] }

// Request is what a request of a site's own log is, beside a call of its API.
type Request struct {
	Kind    RequestKind
	Crawler *Crawler // who sent it; nil: a person, or who looks like one
	Robots  bool     // it asked for robots.txt
	// Path is what was asked for, as a name: of downloads, feeds, what is not found, and, as
	// views name it, of a page that a Visitor saw.
	Path []byte
	// From is the page that leads to what is not found: a path of the site itself, or
	// another site. Empty: none, or it does not say.
	From []byte
	// Reader is who reads a feed: the first half of a visitor's hash, or an aggregator
	// and how many it reads it for, as "Feedbin=12", or "Feedbin#7=12" of one of its feeds; empty: nobody who reads it.
	Reader []byte
	// Visitor is the person who saw a page; zero: none, or not to be told.
	Visitor Visitor
}

// DefaultDownloads are endings of files that are linked for themselves.
const DefaultDownloads = "pdf,epub,mobi,doc,docx,xls,xlsx,ppt,pptx,odt,ods,odp,zip,gz,tgz,bz2,xz,zst,7z,rar,tar,iso,dmg,exe,msi,deb,rpm,apk,jar,torrent"

// feedEndings are those of feeds and calendars.
var feedEndings = wordSet(`rss atom rdf ics`)

// asked is what a path is that was asked for and found.
type asked struct {
	kind   RequestKind
	robots bool
}

// requestRules sort requests. They have nothing that a line must allocate.
type requestRules struct {
	p         *Parser
	downloads map[string]bool
	request   Request // of the current line
	buf       []byte  // its names
	decoded   []byte
}

func newRequestRules(p *Parser, downloads []string) requestRules {
	r := requestRules{p: p, downloads: map[string]bool{}}
	for _, ending := range downloads {
		r.downloads[ending] = true
	}
	return r
}

// askedFor tells what a path is, as it stands in the request without query. What is no
// feed and no download is what import takes it for.
func (r *requestRules) askedFor(path []byte) asked {
	r.decoded = AppendRequestPath(r.decoded[:0], path)
	path = r.decoded
	var e ending
	switch end := e.of(path); {
	case len(path) == 0:
		return asked{kind: RequestAPI}
	case feedEndings[string(end)], isFeed(path):
		return asked{kind: RequestFeed}
	case r.downloads[string(end)]:
		return asked{kind: RequestDownload}
	}
	switch PathKindOf(path) {
	case PathProgram:
		return asked{kind: RequestAPI}
	case PathAsset:
		return asked{kind: RequestAsset, robots: string(path) == "/robots.txt"}
	}
	return asked{kind: RequestPage}
}

// isFeed says whether a path is one at which blogs have their feed.
func isFeed(path []byte) bool {
	last := bytes.TrimSuffix(path, []byte("/"))
	switch string(last[bytes.LastIndexByte(last, '/')+1:]) {
	case "feed", "rss", "atom", "feed.xml", "rss.xml", "atom.xml", "index.xml", "feed.json":
		return true
	}
	return bytes.HasPrefix(path, []byte("/feed/"))
}

// kindOf sorts a request for a path. The answer counts first: a missing page is no page.
// A call of a configured route is none either.
func kindOf(h *Hit, path asked) RequestKind {
	switch {
	case h.Status == 404 || h.Status == 410:
		return RequestNotFound
	case h.Status < 100 || h.Status >= 400:
		return RequestFailed
	case h.Status >= 300 && h.Status != 304:
		return RequestRedirect
	case h.Routed, string(h.Method) != "GET" && string(h.Method) != "HEAD":
		return RequestAPI
	}
	return path.kind
}

// showedPage is import's rule: the method is GET, the answer 200 or 304, and the path that
// of a page. What a browser fetched ahead nobody has seen.
func (r *requestRules) showedPage(h *Hit, kind RequestKind) bool {
	return kind == RequestPage && string(h.Method) == "GET" && (h.Status == 200 || h.Status == 304) && !speculative(r.p.extra.purpose)
}

// ask fills h.Request.
func (r *requestRules) ask(h *Hit, path []byte) {
	r.buf = r.buf[:0]
	found := asked{kind: RequestAPI}
	if !h.Routed {
		found = r.askedFor(path)
	}
	a := r.p.agentOf(h.UserAgent)
	q := &r.request
	*q = Request{Kind: kindOf(h, found), Crawler: a.caller.crawler, Robots: found.robots}
	h.Request, h.Bot = q, a.bot
	if q.Kind == RequestPage && a.caller.readers >= 0 {
		q.Kind = RequestFeed // it is told by a query, as /?feed=rss2
		path = h.URI
	}
	switch q.Kind {
	case RequestPage:
		if a.caller.crawler == nil && r.showedPage(h, q.Kind) && !r.setsAside(h) {
			q.Visitor = r.visitorOf(h, a)
			q.Path = r.pageName(h.URI)
		}
	case RequestFeed:
		q.Path = r.requestName(path)
		q.Reader = r.feedReader(h, a)
	case RequestDownload:
		q.Path = r.requestName(path)
	case RequestNotFound:
		q.Path = r.requestName(path)
		q.From = r.cameBy(h)
	}
}

// setsAside tells whether the view of a page would not be counted by who sent it.
func (r *requestRules) setsAside(h *Hit) bool {
	p := r.p
	gpc := len(p.extra.gpc) == 1 && p.extra.gpc[0] == '1' && p.gpc != GPCOff
	return gpc || p.picky && (p.self.has(h.Addr) || p.blocked.has(h.Addr))
}

// visitorOf is the visitor that a view of the site would have.
func (r *requestRules) visitorOf(h *Hit, a *agent) (v Visitor) {
	if h.Addr.IsValid() {
		v = r.p.extra.span.visitors.hash(h.Addr, &a.digest, h.Site)
	}
	return v
}

// feedReader names who reads a feed.
func (r *requestRules) feedReader(h *Hit, a *agent) []byte {
	from := len(r.buf)
	switch {
	case a.caller.readers >= 0:
		r.buf = appendName(r.buf, []byte(a.caller.crawler.Name), maxCrawler)
		if a.caller.feed != "" {
			r.buf = append(append(r.buf, '#'), a.caller.feed...)
		}
		r.buf = appendDecimal(append(r.buf, '='), a.caller.readers)
	case a.caller.crawler != nil && a.caller.crawler.Purpose != PurposeFeed:
		return nil // it is looked through, not read
	default:
		v := r.visitorOf(h, a)
		if v.IsZero() {
			return nil
		}
		r.buf = append(r.buf, v.String()[:len(v)]...)
	}
	return r.buf[from:len(r.buf):len(r.buf)]
}

func appendDecimal(b []byte, n int) []byte {
	if n >= 10 {
		b = appendDecimal(b, n/10)
	}
	return append(b, '0'+byte(n%10))
}

// Bounds of names that requests have, so that two of them fit a row.
const (
	maxRequestPath = 300
	maxRequestFrom = 150
)

// requestName is a path as a name.
func (r *requestRules) requestName(path []byte) []byte { return r.name(path, maxRequestPath) }

// pageName is the page that a request shows, as a beacon's view of it would be named.
func (r *requestRules) pageName(uri []byte) []byte {
	page := pathOfURL(uri)
	if rules := r.p.naming.now; !rules.clean(page) {
		r.decoded = rules.Normalize(r.decoded[:0], page)
		page = r.decoded
	}
	from := len(r.buf)
	r.buf = appendName(r.buf, page, maxRequestPath)
	return r.buf[from:len(r.buf):len(r.buf)]
}

func (r *requestRules) name(path []byte, most int) []byte {
	if len(path) > 2*MaxPage {
		path = path[:2*MaxPage]
	}
	r.decoded = appendPercent(r.decoded[:0], pathOfURL(path))
	from := len(r.buf)
	r.buf = appendName(r.buf, r.decoded, most)
	return r.buf[from:len(r.buf):len(r.buf)]
}

// cameBy is the page that led to what is not found.
func (r *requestRules) cameBy(h *Hit) []byte {
	from, rest := r.p.refererSite(h.Referer)
	if from.name != h.Site {
		return cutName([]byte(from.name), maxRequestFrom)
	}
	if from.name == "" {
		return nil
	}
	path, _ := cutQuery(rest)
	if len(path) == 0 {
		path = []byte("/")
	}
	return r.name(path, maxRequestFrom)
}

func cutQuery(path []byte) (before, query []byte) {
	for i, c := range path {
		if c == '?' || c == '#' {
			return path[:i], path[i+1:]
		}
	}
	return path, nil
}

// cutName is a name of at most so many bytes, whole characters.
func cutName(name []byte, most int) []byte {
	if len(name) <= most {
		return name
	}
	for most > 0 && !utf8.RuneStart(name[most]) {
		most--
	}
	return name[:most]
}

// appendName appends a text without blanks and control characters, which are written in
// percent-encoding as all is that is no UTF-8. What is too long is cut.
func appendName(dst, text []byte, most int) []byte {
	start := len(dst)
	for len(text) > 0 && len(dst)-start < most {
		c, size := utf8.DecodeRune(text)
		if c <= ' ' || c == 0x7F || c >= 0x80 && c < 0xA0 || c == utf8.RuneError && size == 1 || c == '\u2028' || c == '\u2029' {
			for _, b := range text[:size] {
				dst = append(dst, '%', upperHex[b>>4], upperHex[b&15])
			}
		} else {
			dst = append(dst, text[:size]...)
		}
		text = text[size:]
	}
	return dst[:start+len(cutName(dst[start:], most))]
}
