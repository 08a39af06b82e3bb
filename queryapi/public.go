package queryapi

import (
	"fmt"
	"strconv"

	"github.com/valyala/fasthttp"

	"ddkk-stats/counter"
)

// publicRoutes are the page and the badge of each site in PublicSites. Other
// sites have none: 404, as for any path that is not there.
func (r *reads) publicRoutes(page *asset) []route {
	var rs []route
	add := func(path, name string, handle func(*fasthttp.RequestCtx) error) {
		rs = append(rs, route{method: "GET", path: path, name: name, head: true, handle: handle})
	}
	for _, site := range r.cfg.PublicSites {
		add("/public/"+site, "/public", shut(page))
		add("/badge/"+site+".svg", "/badge", func(ctx *fasthttp.RequestCtx) error { return r.badge(ctx, site) })
	}
	return rs
}

// badgeCache lets the caches of code hosts and of readers keep a badge.
const badgeCache = "public, max-age=60"

// badge answers GET /badge/SITE.svg: a picture of one number.
func (r *reads) badge(ctx *fasthttp.RequestCtx, site string) error {
	args := ctx.QueryArgs()
	if err := knownArgs(args, "field", "page"); err != nil {
		return err
	}
	q := counter.Query{Site: site, Fields: counter.FieldSitePV}
	label := "views"
	switch field := string(args.Peek("field")); field {
	case "", "site_pv":
		if args.Has("page") {
			return badValue("page", "goes with field=page_pv")
		}
	case "page_pv":
		page := args.Peek("page")
		if len(page) == 0 {
			return missing("page")
		}
		q.Fields, q.Page, label = counter.FieldPagePV, r.cfg.NormalizePage(site, page), "page views"
	default:
		return badValue("field", "must be site_pv or page_pv")
	}
	var a counter.Answer
	if err := r.cfg.Reader.Read(r.base, &q, &a); err != nil {
		return err
	}
	h := &ctx.Response.Header
	h.SetContentType(typeSVG)
	h.Set("Cache-Control", badgeCache)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Content-Security-Policy", "default-src 'none'")
	h.Set("Access-Control-Allow-Origin", "*")
	h.Set("Cross-Origin-Resource-Policy", "cross-origin")
	ctx.Response.SetBodyString(badgeSVG(label, grouped(a.Get(q.Fields))))
	return nil
}

// grouped writes a number with commas.
func grouped(n int64) string {
	text := strconv.FormatInt(n, 10)
	for i := len(text) - 3; i > 0 && text[i-1] != '-'; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}

// badgeSVG draws a badge. Nothing in it comes from a visitor. The texts are set
// to the widths that the picture has room for, whatever the font.
func badgeSVG(label, number string) string {
	const pad = 7
	l, n := textWidth(label), textWidth(number)
	left, right := l+2*pad, n+2*pad
	return fmt.Sprintf(`<svg xmlns="http://www.w3.org/2000/svg" width="%[1]d" height="20" viewBox="0 0 %[1]d 20" role="img" aria-label="%[2]s: %[3]s">`+
		`<title>%[2]s: %[3]s</title><clipPath id="r"><rect width="%[1]d" height="20" rx="4"/></clipPath>`+
		`<g clip-path="url(#r)"><rect width="%[4]d" height="20" fill="#3b4654"/><rect x="%[4]d" width="%[5]d" height="20" fill="#0b62bb"/></g>`+
		`<g fill="#fff" font-family="Verdana,DejaVu Sans,sans-serif" font-size="11">`+
		`<text x="%[6]d" y="14" textLength="%[7]d">%[2]s</text><text x="%[8]d" y="14" textLength="%[9]d">%[3]s</text></g></svg>`+"\n",
		left+right, label, number, left, right, pad, l, left+pad, n)
}

// textWidth is about what Verdana takes at 11 pixels.
func textWidth(s string) int {
	tenths := 0
	for _, c := range s {
		switch c {
		case ',', '.', 'i', 'l', ' ':
			tenths += 39
		case 'w', 'm':
			tenths += 92
		default:
			tenths += 69
		}
	}
	return tenths/10 + 1
}
