package parser

import (
	"errors"
	"fmt"
	"strings"
)

// CallRules make a parser read a site's own access log: each of its lines that
// has a request becomes an APICall. The rules about views (blocked addresses,
// bots, Referers, duplicates) say nothing about calls.
type CallRules struct {
	// Site is what calls count for where the line tells no host: combined
	// logs, and JSON ones without one.
	Site string
	// Routes are patterns such as "/users/:id" and "/api/*"; see CheckRoute.
	Routes []string
	// UserArg is the argument of the query that names the user; where a request
	// has none, or this is empty, $remote_user does.
	UserArg string
	// FailedFrom is the lowest status of a failed call; 0: 500.
	FailedFrom int
	// Downloads are endings of files that are linked for themselves, in lower case.
	Downloads []string
}

// DefaultFailedFrom is the lowest status of a failed call.
const DefaultFailedFrom = 500

// callRules are CallRules made ready.
type callRules struct {
	routes  routes
	site    *site
	userArg string
	failed  int

	requests requestRules
}

// MaxEndpoint is the longest name of an endpoint in bytes.
const MaxEndpoint = 350

func (p *Parser) setCalls(c *CallRules) error {
	if c == nil {
		return nil
	}
	p.calls = &callRules{site: &p.noSite, userArg: c.UserArg, failed: c.FailedFrom, requests: newRequestRules(p, c.Downloads)}
	if c.Downloads == nil {
		p.calls.requests = newRequestRules(p, strings.Split(DefaultDownloads, ","))
	}
	if p.calls.failed == 0 {
		p.calls.failed = DefaultFailedFrom
	}
	var errs []error
	var err error
	if p.crawlers, err = operators(); err != nil {
		errs = append(errs, err)
	}
	if p.calls.routes, err = newRoutes(c.Routes); err != nil {
		errs = append(errs, err)
	}
	if c.Site != "" {
		if p.calls.site = p.siteOf([]byte(c.Site)); p.calls.site.name == "" {
			errs = append(errs, fmt.Errorf("site %q of the API is no host name", c.Site))
		}
	}
	return errors.Join(errs...)
}

// CallDimension is by what calls are summed up, as SQL names it.
type CallDimension string

const (
	CallsTotal    CallDimension = "total"
	CallsEndpoint CallDimension = "endpoint"
	CallsStatus   CallDimension = "status"
	CallsUser     CallDimension = "user"
	CallsLatency  CallDimension = "latency" // by LatencyName
)

// StatusName is a status as three digits.
func StatusName(status int) string {
	return string([]byte{'0' + byte(status/100%10), '0' + byte(status/10%10), '0' + byte(status%10)})
}

// methods are those that keep their name.
var methods = [...]string{"GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "CONNECT", "TRACE"}

// otherMethod stands for all others: methods are the client's to choose.
const otherMethod = "OTHER"

// callHit makes the request a call of the site's API.
func (p *Parser) callHit(h *Hit) Reason {
	if !isRequest(h.Method, h.URI) {
		return BadRequest
	}
	if _, beacon := p.beaconQuery(h.URI); beacon {
		return SkipPath // counted from the beacon's own log
	}
	s, reason := p.calledSite()
	if reason != ReasonNone {
		return reason
	}
	path, query := splitURI(h.URI)
	h.Kind, h.Site = APICall, s.name
	p.extra.rules, p.naming.now = s.rules, s.page
	h.Failed = h.Status >= p.calls.failed || h.Status < 100 // none: it ended before an answer
	p.endpoint(h, path)
	h.User = p.callUser(h, query)
	p.calls.requests.ask(h, path)
	return ReasonNone
}

// calledSite is the site that a line of a site's own log is of.
func (p *Parser) calledSite() (*site, Reason) {
	s := p.calls.site
	if len(p.extra.host) > 0 {
		s = p.siteOf(p.extra.host)
		if own := p.calls.site.name; p.extra.asked && own != "" && s.name != own {
			return s, SkipSite // who asks for another host's URL takes us for a proxy
		}
	}
	if !s.counts {
		return s, SkipSite
	}
	return s, ReasonNone
}

// splitURI takes path and query of a request apart. A request line may also
// hold a whole URL, or "*" (RFC 9112, section 3.2).
func splitURI(uri []byte) (path, query []byte) {
	if uri[0] != '/' {
		if rest := pathOfURL(uri); len(rest) > 0 {
			uri = rest
		}
	}
	for i, c := range uri {
		switch c {
		case '?':
			return uri[:i], uri[i+1:]
		case '#':
			return uri[:i], nil
		}
	}
	return uri, nil
}

// endpoint names what was called: method and pattern.
func (p *Parser) endpoint(h *Hit, path []byte) {
	name := otherMethod
	for _, m := range methods {
		if string(h.Method) == m {
			name = m
			break
		}
	}
	b := append(append(p.naming.pageBuf[:0], name...), ' ')
	if len(path) == 1 && path[0] == '*' {
		b = append(b, '*') // of OPTIONS: the server as a whole
	} else if pattern := p.calls.routes.find(path); pattern != "" {
		h.Routed = true
		b = append(b, pattern...)
	} else {
		b = appendFolded(b, path)
	}
	p.naming.pageBuf, h.Endpoint = b, b[:min(len(b), MaxEndpoint)]
}

// callUser is the user's name: printable, without spaces, at most 64 bytes.
func (p *Parser) callUser(h *Hit, query []byte) []byte {
	if name := p.calls.userArg; name != "" {
		if v := argument(query, name); len(v) > 0 {
			return p.token(p.decode(v))
		}
	}
	return p.token(h.RemoteUser)
}

// argument is the value of the first argument of this name that has one.
func argument(query []byte, name string) []byte {
	for len(query) > 0 {
		pair := query
		query = nil
		for i, c := range pair {
			if c == '&' {
				pair, query = pair[:i], pair[i+1:]
				break
			}
		}
		if len(pair) > len(name)+1 && pair[len(name)] == '=' && string(pair[:len(name)]) == name {
			return pair[len(name)+1:]
		}
	}
	return nil
}
