package queryapi

import (
	"bytes"
	"encoding/json"
	"fmt"

	"github.com/valyala/fasthttp"
)

// Error codes. Clients may rely on them; messages may change.
const (
	CodeBadJSON          = "bad_json"          // 400: the body is not the JSON object that is expected
	CodeUnknownField     = "unknown_field"     // 400: a field that the route does not know, or one given twice
	CodeMissingField     = "missing_field"     // 400: a field that the route needs
	CodeBadValue         = "bad_value"         // 400: a field of a wrong type or out of range
	CodeBadRequest       = "bad_request"       // 400: not an HTTP request that can be read
	CodeOriginDenied     = "40010"             // 401: a browser origin that is not in CORS_ORIGINS
	CodeAdminRequired    = "admin_required"    // 401: an admin route without the admin's credentials
	CodePasswordRequired = "password_required" // 401: a link that asks for a password
	CodeNotAllowed       = "not_allowed"       // 403: a token that is not for this, or for other sites
	CodeForeignPage      = "foreign_page"      // 403: the admin's cookie, sent by a page of another origin
	CodeNoToken          = "no_token"          // 409: a login where no ADMIN_TOKEN is set
	CodeTooManyAttempts  = "too_many_attempts" // 429: too many wrong tokens; Retry-After says when
	CodeSiteDenied       = "site_not_allowed"  // 403: a site that is not in SITES
	CodeNotFound         = "not_found"         // 404
	CodeNoSiteLog        = "no_site_log"       // 404: calls are not counted: SITE_LOG is not set
	CodeUnknownSite      = "unknown_site"      // 404: a site that the archive has nothing of
	CodeMethod           = "method_not_allowed"
	CodeTimeout          = "timeout"           // 408: the request did not arrive in time
	CodeTooLarge         = "body_too_large"    // 413: over the route's limit
	CodeHeadersTooLarge  = "header_too_large"  // 431
	CodeTooManyRequests  = "too_many_requests" // 429: over the client's limit; Retry-After says when to come again
	CodeInternal         = "internal"          // 500: our fault; the log says more
	CodeUnavailable      = "unavailable"       // 503: try again later

	CodeTooMany       = "too_many_rows"       // 400: the answer would be longer than the route's limit
	CodeRestoring     = "restore_running"     // 409: one restore at a time
	CodeVoiding       = "rule_running"        // 409: one rule at a time
	CodeVerifying     = "verify_running"      // 409: one verification at a time
	CodeRestoreFailed = "restore_failed"      // 500: it may be repeated; the log says why
	CodeArchiveAway   = "archive_unavailable" // 503: SQL is needed and does not answer
)

// Error is an error with the status, the code and the message that the
// client is told.
type Error struct {
	Status  int
	Code    string
	Message string
}

func (e *Error) Error() string { return e.Code + ": " + e.Message }

func fail(status int, code, format string, args ...any) *Error {
	return &Error{Status: status, Code: code, Message: fmt.Sprintf(format, args...)}
}

func badValue(field, format string, args ...any) *Error {
	return fail(fasthttp.StatusBadRequest, CodeBadValue, field+": "+format, args...)
}

func missing(field string) *Error {
	return fail(fasthttp.StatusBadRequest, CodeMissingField, "%s: is required", field)
}

// writeError answers {"error":{"code","message"}} in place of whatever the
// response held; headers of cors and routing stay.
func writeError(ctx *fasthttp.RequestCtx, e *Error) {
	ctx.SetStatusCode(e.Status)
	body := append(ctx.Response.Body()[:0:0], `{"error":{"code":`...)
	body = appendString(body, e.Code)
	body = append(body, `,"message":`...)
	body = appendString(body, e.Message)
	body = append(body, `}}`...)
	writeJSON(ctx, body)
}

// writeJSON answers body, which is copied, and forbids to keep or sniff it.
func writeJSON(ctx *fasthttp.RequestCtx, body []byte) {
	h := &ctx.Response.Header
	h.SetContentType("application/json")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	ctx.Response.SetBody(body)
}

// writeValue answers a value as JSON.
func writeValue(ctx *fasthttp.RequestCtx, v any) error {
	var body bytes.Buffer
	e := json.NewEncoder(&body)
	e.SetEscapeHTML(false) // see appendString
	if err := e.Encode(v); err != nil {
		return fmt.Errorf("write answer: %w", err)
	}
	writeJSON(ctx, bytes.TrimSuffix(body.Bytes(), []byte("\n")))
	return nil
}
