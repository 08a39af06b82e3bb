package queryapi

import (
	"bytes"
	"encoding/json"
	"slices"
	"strconv"
	"strings"

	"github.com/valyala/fasthttp"

	"ddkk-stats/counter"
)

// Clients of other counters, which a site goes on using with this server's
// address, ask in their own ways. Each request counts by a line in the built-in
// beacon's log, as any view, and is answered with that view included. A site
// that is not counted here gets zeros and no line, so that no theme breaks.
//
//	busuanzi 2.3           GET /busuanzi?jsonpCallback=   page: Referer
//	soxft/busuanzi         POST, GET, PUT /api            page: x-bsz-referer
//	                       GET /jsonp?callback=           page: Referer
//	busuanzi.cc v3         POST /api.php                  page: "url" of the body
//	Vercount               POST, GET /api/v2/log, /api/v1/log   page: "url"
//	jkjoy's worker         GET /api/count?site=&page=&callback=
//	whyneh                 GET /busuanzi/api              page: X-Referer
//	finicounter            GET /counter?host=             page: Referer
//
// Their own marks of identity (cookies, tokens) are ignored: a visitor is an
// address and a user agent, as everywhere.

// maxURL is the longest address of a page that is taken, in bytes.
const maxURL = 8 << 10

// dropinHeaders are the request headers of these clients, for preflights.
const dropinHeaders = "Content-Type, Authorization, X-Bsz-Referer, X-Referer"

// dropins answer clients of other counters.
type dropins struct {
	*answering
	beacons *beacons
}

func (p *dropins) routes() []route {
	add := func(method, path string, handle func(*fasthttp.RequestCtx) error) route {
		return route{method: method, path: path, handle: handle, cors: true, maxBody: maxBody, headers: dropinHeaders}
	}
	return []route{
		add("GET", "/busuanzi", p.jsonp("jsonpCallback", busuanzi23)),
		add("GET", "/jsonp", p.jsonp("callback", fourNumbers)),
		add("POST", "/api", p.soxft(true)),
		add("GET", "/api", p.soxft(false)),
		add("PUT", "/api", p.soxftPut),
		add("POST", "/api.php", p.busuanziCC),
		add("POST", "/api/v2/log", p.vercount(true, `{"status":"success","message":"ok","data":{`, `}}`)),
		add("GET", "/api/v2/log", p.vercount(false, `{"status":"success","message":"ok","data":{`, `}}`)),
		add("POST", "/api/v1/log", p.vercount(true, `{`, `}`)),
		add("GET", "/api/v1/log", p.vercount(false, `{`, `}`)),
		add("GET", "/api/count", p.countOf),
		add("GET", "/busuanzi/api", p.flat("X-Referer")),
		add("GET", "/counter", p.counterOf),
	}
}

// number is one number of an answer; without a field it is the constant 2.4,
// the version that scripts of busuanzi 2.3 are told.
type number struct {
	name  string
	field counter.Fields
}

var (
	busuanzi23   = []number{{"site_uv", counter.FieldSiteUV}, {"page_pv", counter.FieldPagePV}, {"version", 0}, {"site_pv", counter.FieldSitePV}}
	threeNumbers = []number{{"site_uv", counter.FieldSiteUV}, {"site_pv", counter.FieldSitePV}, {"page_pv", counter.FieldPagePV}}
	fourNumbers  = []number{{"site_pv", counter.FieldSitePV}, {"site_uv", counter.FieldSiteUV}, {"page_pv", counter.FieldPagePV}, {"page_uv", counter.FieldPageUV}}
	allNumbers   = append(fourNumbers[:4:4], number{"today_pv", counter.FieldSitePVToday}, number{"today_uv", counter.FieldSiteUVToday},
		number{"views", counter.FieldPagePV})
	// The names of busuanzi.cc are the ids of the elements.
	busuanziIDs = []number{
		{"busuanzi_site_pv", counter.FieldSitePV}, {"busuanzi_site_uv", counter.FieldSiteUV},
		{"busuanzi_page_pv", counter.FieldPagePV}, {"busuanzi_page_uv", counter.FieldPageUV},
		{"busuanzi_today_pv", counter.FieldSitePVToday}, {"busuanzi_today_uv", counter.FieldSiteUVToday},
	}
)

// visited is a page that a client asks about.
type visited struct {
	site string // normalised; empty: not counted here
	page []byte // as the client wrote it
}

// visitedURL takes the address of a page. What is none, or of a site that is
// not counted here, is the zero visited.
func (p *dropins) visitedURL(address []byte) visited {
	scheme, rest, ok := bytes.Cut(address, []byte("//"))
	if !ok || len(address) > maxURL || len(scheme) > 0 && !bytes.EqualFold(scheme, []byte("http:")) && !bytes.EqualFold(scheme, []byte("https:")) {
		return visited{}
	}
	end := bytes.IndexAny(rest, `/\?#`)
	if end < 0 {
		end = len(rest)
	}
	return p.visited(rest[:end], rest[end:])
}

func (p *dropins) visited(host, page []byte) visited {
	site, ok := p.cfg.NormalizeSite(string(host))
	if !ok || len(page) > maxURL {
		return visited{}
	}
	if len(page) == 0 || page[0] != '/' {
		page = append([]byte("/"), page...)
	}
	return visited{site, page}
}

// tell counts the view if asked to and appends the numbers of the page to dst,
// as the inside of a JSON object.
func (p *dropins) tell(ctx *fasthttp.RequestCtx, dst []byte, v visited, count bool, numbers []number) ([]byte, error) {
	w := p.borrow()
	defer p.give(w)
	w.answer = counter.Answer{Pages: w.answer.Pages[:0]}
	if v.site != "" {
		w.query.Site, w.query.Page, w.query.Fresh = v.site, p.cfg.NormalizePage(v.site, v.page), count
		for _, n := range numbers {
			w.query.Fields |= n.field
		}
		if count {
			// When the wait runs out the numbers are those of a moment ago,
			// and these protocols have no word for that.
			if _, err := p.beacons.countPage(ctx, v.site, v.page, nil); err != nil {
				return nil, err
			}
		}
		if err := p.cfg.Reader.Read(p.base, &w.query, &w.answer); err != nil {
			return nil, err
		}
	}
	for i, n := range numbers {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(append(append(dst, '"'), n.name...), '"', ':')
		if n.field == 0 {
			dst = append(dst, "2.4"...)
		} else {
			dst = strconv.AppendInt(dst, w.answer.Get(n.field), 10)
		}
	}
	return dst, nil
}

// jsonp answers a script that calls the function which the argument names; the
// page is that of the Referer.
func (p *dropins) jsonp(argument string, numbers []number) func(*fasthttp.RequestCtx) error {
	return func(ctx *fasthttp.RequestCtx) error {
		callback := ctx.QueryArgs().Peek(argument)
		if len(callback) == 0 {
			return missing(argument)
		}
		return p.call(ctx, argument, callback, p.visitedURL(ctx.Referer()), numbers)
	}
}

func (p *dropins) call(ctx *fasthttp.RequestCtx, argument string, callback []byte, v visited, numbers []number) error {
	if !validCallback(callback) {
		return badValue(argument, "must be the name of a function: letters, digits, _, $ and dots, at most 64")
	}
	out := append(append([]byte("try{"), callback...), "({"...)
	out, err := p.tell(ctx, out, v, true, numbers)
	if err != nil {
		return err
	}
	writeJSON(ctx, append(out, "});}catch(e){}"...))
	h := &ctx.Response.Header
	h.SetContentType("application/javascript; charset=utf-8")
	h.Set("Cross-Origin-Resource-Policy", "cross-origin")
	return nil
}

// validCallback keeps what is written into a script a plain name: identifiers with
// dots between them, none of them a word of the language.
func validCallback(name []byte) bool {
	for part := range bytes.SplitSeq(name, []byte(".")) {
		if len(part) == 0 || slices.Contains(reservedWords, string(part)) {
			return false
		}
		for i, c := range part {
			letter := c|0x20 >= 'a' && c|0x20 <= 'z' || c == '_' || c == '$'
			if !letter && (i == 0 || c < '0' || c > '9') {
				return false
			}
		}
	}
	return len(name) <= 64
}

// reservedWords are those of ECMAScript, and names that call code from a text.
var reservedWords = strings.Fields("arguments await break case catch class const continue debugger default delete do else enum eval export extends false finally " +
	"for function Function if implements import in instanceof interface let new null package private protected public return static super switch this throw true try typeof var void while with yield")

// object answers a JSON object with the numbers between head and tail.
func (p *dropins) object(ctx *fasthttp.RequestCtx, v visited, count bool, numbers []number, head, tail string) error {
	out, err := p.tell(ctx, []byte(head), v, count, numbers)
	if err != nil {
		return err
	}
	writeJSON(ctx, append(out, tail...))
	return nil
}

// soxftPage is the page that a client of soxft/busuanzi is on.
func (p *dropins) soxftPage(ctx *fasthttp.RequestCtx) visited {
	return p.headerPage(ctx, "X-Bsz-Referer")
}

// headerPage is the page that a header names, else the Referer.
func (p *dropins) headerPage(ctx *fasthttp.RequestCtx, name string) visited {
	if address := ctx.Request.Header.Peek(name); len(address) > 0 {
		return p.visitedURL(address)
	}
	return p.visitedURL(ctx.Referer())
}

func (p *dropins) soxft(count bool) func(*fasthttp.RequestCtx) error {
	return func(ctx *fasthttp.RequestCtx) error {
		return p.object(ctx, p.soxftPage(ctx), count, fourNumbers, `{"success":true,"message":"ok","data":{`, `}}`)
	}
}

// soxftPut counts and answers nothing.
func (p *dropins) soxftPut(ctx *fasthttp.RequestCtx) error {
	if v := p.soxftPage(ctx); v.site != "" {
		if _, _, err := p.beacons.append(ctx, viewURI(v.site, v.page, nil)); err != nil {
			return err
		}
	}
	ctx.SetStatusCode(fasthttp.StatusNoContent)
	return nil
}

// bodyPage is the page that the body names as "url". Other fields, which
// versions of the clients differ in, are passed over.
func (p *dropins) bodyPage(ctx *fasthttp.RequestCtx) (visited, error) {
	var body struct {
		URL string `json:"url"`
	}
	if err := json.Unmarshal(ctx.Request.Body(), &body); err != nil {
		return visited{}, fail(fasthttp.StatusBadRequest, CodeBadJSON, `body: expected an object with the string "url"`)
	}
	if body.URL == "" {
		return visited{}, missing("url")
	}
	return p.visitedURL([]byte(body.URL)), nil
}

func (p *dropins) busuanziCC(ctx *fasthttp.RequestCtx) error {
	v, err := p.bodyPage(ctx)
	if err != nil {
		return err
	}
	return p.object(ctx, v, true, busuanziIDs, `{`, `}`)
}

// vercount takes the page from the body where it counts, else from the query.
func (p *dropins) vercount(count bool, head, tail string) func(*fasthttp.RequestCtx) error {
	return func(ctx *fasthttp.RequestCtx) error {
		v, err := p.visitedURL(ctx.QueryArgs().Peek("url")), error(nil)
		if count {
			v, err = p.bodyPage(ctx)
		} else if !ctx.QueryArgs().Has("url") {
			err = missing("url")
		}
		if err != nil {
			return err
		}
		return p.object(ctx, v, count, threeNumbers, head, tail)
	}
}

// countOf takes site and page from the query.
func (p *dropins) countOf(ctx *fasthttp.RequestCtx) error {
	args := ctx.QueryArgs()
	v := p.visited(args.Peek("site"), args.Peek("page"))
	if callback := args.Peek("callback"); len(callback) > 0 {
		return p.call(ctx, "callback", callback, v, allNumbers)
	}
	return p.object(ctx, v, true, allNumbers, `{`, `}`)
}

func (p *dropins) flat(header string) func(*fasthttp.RequestCtx) error {
	return func(ctx *fasthttp.RequestCtx) error {
		return p.object(ctx, p.headerPage(ctx, header), true, allNumbers, `{`, `}`)
	}
}

// counterOf takes the site from the query and the page from the Referer, if
// that is of the same site.
func (p *dropins) counterOf(ctx *fasthttp.RequestCtx) error {
	v, from := p.visited(ctx.QueryArgs().Peek("host"), nil), p.visitedURL(ctx.Referer())
	if from.site == v.site {
		v = from
	}
	return p.object(ctx, v, true, allNumbers, `{`, `}`)
}
