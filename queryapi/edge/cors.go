package edge

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

// Apply sets the response's CORS headers, and tells whether the request's origin is allowed.
func (c *corsRule) Apply(ctx *fasthttp.RequestCtx) bool {
	h := &ctx.Response.Header
	if c.any {
		h.Set("Access-Control-Allow-Origin", "*")
		return true
	}
	// The answer depends on the origin, also where there is none.
	h.Set("Vary", "Origin")
	origin := ctx.Request.Header.Peek("Origin")
	if len(origin) == 0 {
		return true // not a browser, or a plain same-origin GET
	}
	if _, ok := c.exact[string(origin)]; ok {
		h.SetBytesV("Access-Control-Allow-Origin", origin)
		return true
	}
	return SameOrigin(origin, ctx.Host())
}

// SameOrigin compares hosts only: behind a proxy that ends TLS the server
// cannot know the scheme.
func SameOrigin(origin, host []byte) bool {
	_, rest, ok := bytes.Cut(origin, []byte("://"))
	return ok && len(host) > 0 && bytes.EqualFold(rest, host)
}
