// Package queryapi is the HTTP side of the counter: the JSON API, the
// built-in beacon, the widget and its demo page, and what the clients of other
// counters ask (dropin.go).
//
// It knows the counters only through the small interfaces of Config; fasthttp
// stays in this package. A request passes, in this order:
//
//	route      404, 405; the table of routes is in routes.go
//	admin      routes with the flag: token, or loopback (admin.go)
//	cors       routes with the flag: origin allowed, preflight (cors.go)
//	body       413 over the route's limit
//	handler    answers, or returns an *Error that becomes a JSON error
//
// A handler must not keep anything of its RequestCtx: fasthttp reuses it.
package queryapi
