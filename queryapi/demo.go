package queryapi

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/valyala/fasthttp"
)

// demoFiles are the demo page and what it loads.
var demoFiles = []struct{ path, file, contentType string }{
	{"/demo", "demo/index.html", typeHTML},
	{demoChinese, "demo/zh-CN.html", typeHTML},
	{"/demo/widget.md", "demo/widget.md", typeText},
	{"/demo/icon.svg", "admin/icon.svg", typeSVG}, // not under /admin/, which a proxy may close
	{"/demo/demo.js", "demo/demo.js", typeScript},
	{"/demo/demo.css", "demo/demo.css", typeCSS},
}

// demoChinese names the page in Chinese, which has no path of its own.
const demoChinese = "/demo zh-CN"

// demoPosts is how many articles the demo's list has. The demo navigates to
// them without loading; a reload lands on the same page.
const demoPosts = 45

// demoPolicy forbids all that the demo page does not need; nothing inline.
const demoPolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

func demoRoutes(files map[string]*asset) []route {
	rs := []route{{method: "GET", path: "/", head: true, handle: root}}
	add := func(path, name string, a, chinese *asset) {
		rs = append(rs, route{method: "GET", path: path, name: name, head: true, handle: demo(a, chinese)})
	}
	for _, f := range demoFiles {
		switch f.path {
		case "/demo":
			add(f.path, f.path, files[f.path], files[demoChinese])
		case demoChinese:
		default:
			add(f.path, f.path, files[f.path], nil)
		}
	}
	for i := 1; i <= demoPosts; i++ {
		add(fmt.Sprintf("/demo/post-%d", i), "/demo", files["/demo"], files[demoChinese])
	}
	return rs
}

// demo answers the demo page or one of its files. The page has two languages: the one
// that lang names, else the first that the browser prefers.
func demo(a, chinese *asset) func(*fasthttp.RequestCtx) error {
	return func(ctx *fasthttp.RequestCtx) error {
		h := &ctx.Response.Header
		a := a
		if chinese != nil {
			lang := ctx.QueryArgs().Peek("lang")
			if len(lang) == 0 {
				lang = ctx.Request.Header.Peek("Accept-Language")
			}
			if len(lang) >= 2 && strings.EqualFold(string(lang[:2]), "zh") {
				a = chinese
			}
		}
		h.Set("Content-Security-Policy", demoPolicy)
		h.Set("Referrer-Policy", "same-origin")
		h.Set("Cache-Control", "no-cache")
		a.send(ctx)
		if chinese != nil {
			h.Set("Vary", "Accept-Encoding, Accept-Language")
		}
		return nil
	}
}

// root leads people who look at the address in a browser to something to see.
// Programs get the same as at any path that is none.
func root(ctx *fasthttp.RequestCtx) error {
	ctx.Response.Header.Set("Vary", "Accept")
	if !bytes.Contains(ctx.Request.Header.Peek("Accept"), []byte("text/html")) {
		return fail(fasthttp.StatusNotFound, CodeNotFound, "no such path: /; see /demo and /openapi.json")
	}
	h := &ctx.Response.Header
	h.Set("Location", "/demo") // not an absolute one: behind a proxy the host may be another
	h.Set("Cache-Control", "no-store")
	ctx.SetStatusCode(fasthttp.StatusFound)
	return nil
}
