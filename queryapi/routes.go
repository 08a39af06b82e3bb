package queryapi

import (
	"fmt"
	"sort"
	"strings"

	"github.com/valyala/fasthttp"
	"github.com/valyala/fasthttp/fasthttpadaptor"
)

// route is one method of one path. To add an endpoint, add a line to routes.
type route struct {
	method, path string
	handle       func(*fasthttp.RequestCtx) error
	cors         bool // other origins may read it, as far as CORS_ORIGINS goes
	admin        bool // only for the admin
	head         bool // a GET that may be asked for with HEAD as well
	maxBody      int  // bytes
}

func (s *Server) routes() []route {
	rs := []route{
		{method: "POST", path: "/api/stats", handle: s.stats, cors: true, maxBody: maxBody},
		{method: "POST", path: "/api/batch", handle: s.batch, cors: true, maxBody: maxBody},
		{method: "GET", path: "/api/hot", handle: s.hot, cors: true},
		{method: "GET", path: "/event.png", handle: s.pixel}, // no head: it would count, or not, by surprise
		{method: "GET", path: "/ddkk-stats.js", handle: s.widget, head: true},
		{method: "GET", path: "/demo", handle: s.demo, head: true},
		{method: "GET", path: "/demo/first", handle: s.demo, head: true},
		{method: "GET", path: "/demo/second", handle: s.demo, head: true},
		{method: "GET", path: "/demo/demo.js", handle: s.demo, head: true},
		{method: "GET", path: "/demo/demo.css", handle: s.demo, head: true},
		{method: "GET", path: "/healthz", handle: s.healthz, head: true},
		{method: "GET", path: "/readyz", handle: s.readyz, head: true},
	}
	if s.cfg.Metrics != nil {
		metrics := fasthttpadaptor.NewFastHTTPHandler(s.cfg.Metrics)
		rs = append(rs, route{method: "GET", path: "/metrics", admin: true, handle: func(ctx *fasthttp.RequestCtx) error {
			ctx.Response.Header.Set("Cache-Control", "no-store")
			metrics(ctx)
			return nil
		}})
	}
	return rs
}

// pathRoutes are the routes of one path.
type pathRoutes struct {
	path   string
	allow  string // methods, for the header Allow
	routes []route
}

func newTable(rs []route) (map[string]*pathRoutes, error) {
	table := make(map[string]*pathRoutes, len(rs))
	for _, r := range rs {
		at := table[r.path]
		if at == nil {
			at = &pathRoutes{path: r.path}
			table[r.path] = at
		}
		for _, other := range at.routes {
			if other.method == r.method {
				return nil, fmt.Errorf("route %s %s is there twice", r.method, r.path)
			}
		}
		at.routes = append(at.routes, r)
	}
	for _, at := range table {
		methods := []string{"OPTIONS"}
		for _, r := range at.routes {
			methods = append(methods, r.method)
			if r.head {
				methods = append(methods, "HEAD")
			}
		}
		sort.Strings(methods)
		at.allow = strings.Join(methods, ", ")
	}
	return table, nil
}

func (p *pathRoutes) find(ctx *fasthttp.RequestCtx) *route {
	for i := range p.routes {
		r := &p.routes[i]
		if string(ctx.Method()) == r.method {
			return r
		}
		if r.head && ctx.IsHead() {
			ctx.Response.SkipBody = true
			return r
		}
	}
	return nil
}

// sharable says whether any method of the path may be asked from elsewhere.
func (p *pathRoutes) sharable() bool {
	for i := range p.routes {
		if p.routes[i].cors {
			return true
		}
	}
	return false
}
