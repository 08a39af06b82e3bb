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
	cors         bool   // other origins may read it, as far as CORS_ORIGINS goes
	admin        bool   // only for the admin
	open         openTo // which persons are let in beside the owner
	head         bool   // a GET that may be asked for with HEAD as well
	maxBody      int    // bytes
	// headers are those that other origins may send; empty: Content-Type.
	headers string
	// name stands for the path in metrics; empty: the path.
	name  string
	class class // which limit holds
}

// class says which of a client's limits a route is under.
type class uint8

const (
	classAPI    class = iota
	classBeacon       // Access.BeaconLimit
	classFree         // none: what watches the daemon, and the owner, must get through
)

// routes are all that there are. Handlers of one subject are methods of one type.
func (s *Server) routes() []route {
	rs := []route{
		{method: "POST", path: "/api/stats", handle: s.reads.stats, cors: true, maxBody: maxBody},
		{method: "POST", path: "/api/batch", handle: s.reads.batch, cors: true, maxBody: maxBody},
		{method: "GET", path: "/api/hot", handle: s.reads.hot, cors: true},
		{method: "GET", path: "/event.png", handle: s.beacons.pixel, class: classBeacon}, // no head: it would count, or not, by surprise
		{method: "GET", path: "/healthz", handle: s.operations.healthz, head: true, class: classFree},
		{method: "GET", path: "/readyz", handle: s.operations.readyz, head: true, class: classFree},
		{method: "POST", path: "/api/admin/login", handle: s.door.login, maxBody: maxBody, class: classFree}, // see attempts.go
		{method: "POST", path: "/api/admin/logout", handle: s.door.logout, maxBody: maxBody},
		{method: "GET", path: "/api/admin/session", handle: s.door.sessionState},
	}
	if s.cfg.Series != nil {
		rs = append(rs, route{method: "GET", path: "/api/history", handle: s.reads.history, cors: true},
			route{method: "GET", path: "/api/events", handle: s.reads.events, cors: true})
	}
	if s.cfg.Ranking != nil {
		rs = append(rs, route{method: "GET", path: "/api/pages", handle: s.reads.pages, cors: true})
	}
	if s.cfg.Restorer != nil {
		rs = append(rs, route{method: "POST", path: "/api/restore", handle: s.operations.restore, admin: true, maxBody: maxBody},
			route{method: "GET", path: "/api/restore", handle: s.operations.restoreState, admin: true})
	}
	rs = append(rs, s.facts.routes()...)
	rs = append(rs, s.operations.routes()...)
	rs = append(rs, s.facts.callRoutes()...)
	rs = append(rs, s.facts.requestRoutes()...)
	rs = append(rs, scriptRoutes(s.files, s.cfg.QuietHosts)...)
	rs = append(rs, demoRoutes(s.files)...)
	rs = append(rs, dashboardRoutes(s.files, len(s.cfg.PublicSites) > 0)...)
	rs = append(rs, s.reads.publicRoutes(s.files[publicPage])...)
	rs = append(rs, s.dropins.routes()...)
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
	name   string // for metrics
	allow  string // methods, for the header Allow
	class  class  // of its first route
	routes []route
}

func newTable(rs []route) (map[string]*pathRoutes, error) {
	table := make(map[string]*pathRoutes, len(rs))
	for _, r := range rs {
		at := table[r.path]
		if at == nil {
			at = &pathRoutes{path: r.path, name: r.path, class: r.class}
			if r.name != "" {
				at.name = r.name
			}
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

// headers are what a page of another origin may send.
func (p *pathRoutes) headers() string {
	for i := range p.routes {
		if h := p.routes[i].headers; h != "" {
			return h
		}
	}
	return "Content-Type"
}

// admin says whether the path is the admin's.
func (p *pathRoutes) admin() bool {
	for i := range p.routes {
		if p.routes[i].admin {
			return true
		}
	}
	return false
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
