package queryapi

import (
	"bytes"
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/valyala/fasthttp"
)

// corsRule says which origins may read the API in a browser. Credentials are
// never allowed, so "*" shares nothing but public numbers.
type corsRule struct {
	any   bool
	exact map[string]struct{} // lower case, as browsers send them
}

func newCORSRule(origins []string) (corsRule, error) {
	rule := corsRule{any: len(origins) == 0, exact: make(map[string]struct{}, len(origins))}
	var errs []error
	for _, o := range origins {
		if o == "*" {
			rule.any = true
			continue
		}
		u, err := url.Parse(o)
		if err != nil || u.Scheme == "" || u.Host == "" || u.Scheme+"://"+u.Host != o {
			errs = append(errs, fmt.Errorf("CORS_ORIGINS: %q is not an origin such as https://example.com, nor *", o))
			continue
		}
		rule.exact[strings.ToLower(o)] = struct{}{}
	}
	return rule, errors.Join(errs...)
}

// apply sets the response's CORS headers, or returns the 40010 error.
func (c *corsRule) apply(ctx *fasthttp.RequestCtx) error {
	h := &ctx.Response.Header
	if c.any {
		h.Set("Access-Control-Allow-Origin", "*")
		return nil
	}
	// The answer depends on the origin, also where there is none.
	h.Set("Vary", "Origin")
	origin := ctx.Request.Header.Peek("Origin")
	if len(origin) == 0 {
		return nil // not a browser, or a plain same-origin GET
	}
	if _, ok := c.exact[string(origin)]; ok {
		h.SetBytesV("Access-Control-Allow-Origin", origin)
		return nil
	}
	if sameOrigin(origin, ctx.Host()) {
		return nil
	}
	return fail(fasthttp.StatusUnauthorized, CodeOriginDenied, "origin %q is not allowed: add it to CORS_ORIGINS", origin)
}

// sameOrigin compares hosts only: behind a proxy that ends TLS the server
// cannot know the scheme.
func sameOrigin(origin, host []byte) bool {
	_, rest, ok := bytes.Cut(origin, []byte("://"))
	return ok && len(host) > 0 && bytes.EqualFold(rest, host)
}

// preflight answers OPTIONS.
func (s *Server) preflight(ctx *fasthttp.RequestCtx, at *pathRoutes) error {
	h := &ctx.Response.Header
	h.Set("Allow", at.allow)
	if at.sharable() {
		if err := s.access.Load().cors.apply(ctx); err != nil {
			return err
		}
		h.Set("Access-Control-Allow-Methods", at.allow)
		h.Set("Access-Control-Allow-Headers", at.headers())
		h.Set("Access-Control-Max-Age", "86400")
	}
	ctx.SetStatusCode(fasthttp.StatusNoContent)
	return nil
}
