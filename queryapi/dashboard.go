package queryapi

import (
	"github.com/valyala/fasthttp"
)

// dashboardFiles are the dashboard, the page of a public site, and what they
// load. The page's own files are not under /admin/, which a proxy may close.
var dashboardFiles = []struct {
	path, file, contentType string
	public                  bool // served when there are public sites
}{
	{"/admin/", "admin/index.html", typeHTML, false},
	{"/admin/dashboard.js", "admin/dashboard.js", typeScript, false},
	{"/admin/dashboard.css", "admin/dashboard.css", typeCSS, false},
	{"/admin/icon.svg", "admin/icon.svg", typeSVG, false},
	{publicPage, "admin/public.html", typeHTML, true},
	{"/public/-/public.js", "admin/public.js", typeScript, true},
	{"/public/-/public.css", "admin/dashboard.css", typeCSS, true},
	{"/public/-/icon.svg", "admin/icon.svg", typeSVG, true},
}

// publicPage names the page of all public sites; no site is called "-".
const publicPage = "/public/-/"

// dashboardPolicy forbids all that the dashboard does not need: nothing inline,
// nothing from elsewhere, and no way from a text to markup.
const dashboardPolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"

// dashboardRoutes serve files that say nothing: the numbers come from
// /api/admin/, for the admin.
func dashboardRoutes(files map[string]*asset, public bool) []route {
	rs := []route{{method: "GET", path: "/admin", head: true, handle: func(ctx *fasthttp.RequestCtx) error {
		ctx.Response.Header.Set("Location", "/admin/") // Redirect would make it absolute, with a scheme it cannot know
		ctx.SetStatusCode(fasthttp.StatusPermanentRedirect)
		return nil
	}}}
	for _, f := range dashboardFiles {
		if !f.public || public {
			rs = append(rs, route{method: "GET", path: f.path, head: true, handle: shut(files[f.path])})
		}
	}
	return rs
}

// shut answers a file that no other page may frame, open or load.
func shut(a *asset) func(*fasthttp.RequestCtx) error {
	return func(ctx *fasthttp.RequestCtx) error {
		h := &ctx.Response.Header
		h.Set("Content-Security-Policy", dashboardPolicy)
		h.Set("X-Frame-Options", "DENY")
		h.Set("Referrer-Policy", "same-origin")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Cache-Control", "no-cache")
		a.send(ctx)
		return nil
	}
}
