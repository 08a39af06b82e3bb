package queryapi

import (
	"context"
	"sync/atomic"

	"github.com/valyala/fasthttp"
)

// beacons write views into the built-in log, and wait until they are counted.
type beacons struct {
	*answering
	door    *door
	waiting atomic.Int32
}

// gif is a transparent pixel of 1x1, 43 bytes, as nginx's empty_gif sends it.
const gif = "GIF89a\x01\x00\x01\x00\x80\x01\x00\x00\x00\x00\xff\xff\xff!\xf9\x04\x01\x00\x00\x01\x00,\x00\x00\x00\x00\x01\x00\x01\x00\x00\x02\x02L\x01\x00;"

// pixel answers GET /event.png, the built-in beacon. What the line is worth
// is the parser's to say; here it only has to get into the log.
func (b *beacons) pixel(ctx *fasthttp.RequestCtx) error {
	uri := ctx.Request.Header.RequestURI()
	if len(uri) == 0 || uri[0] != '/' {
		uri = ctx.URI().RequestURI() // absolute form, which nginx logs as a path too
	}
	if _, _, err := b.append(ctx, uri); err != nil {
		return err
	}
	h := &ctx.Response.Header
	h.SetContentType("image/gif")
	h.Set("Cache-Control", "no-store, max-age=0")
	h.Set("X-Content-Type-Options", "nosniff")
	// The widget asks for it with CORS: an answer that may not be looked into
	// costs a service worker that keeps it megabytes of its quota. CORS_ORIGINS
	// is about numbers, and there are none here.
	h.Set("Access-Control-Allow-Origin", "*")
	h.Set("Cross-Origin-Resource-Policy", "cross-origin")
	h.Set("X-Robots-Tag", "noindex")
	ctx.Response.SetBodyString(gif)
	return nil
}

// maxURI is the longest beacon that is logged, as in the shipped nginx configuration:
// the longest page with all levels of an event has less.
const maxURI = 4096

// append logs the client's request as a beacon for uri.
func (b *beacons) append(ctx *fasthttp.RequestCtx, uri []byte) (segment string, end int64, err error) {
	if len(uri) > maxURI {
		return "", 0, fail(fasthttp.StatusRequestHeaderFieldsTooLarge, CodeHeadersTooLarge, "page: as a beacon's request line it has %d bytes, %d at most are counted", len(uri), maxURI)
	}
	now, h := b.cfg.Now(), &ctx.Request.Header
	segment, end, err = b.cfg.Beacon.Append(b.base, &Record{
		Time: now, Addr: b.door.clientAddr(ctx), Host: ctx.Host(), Method: fasthttp.MethodGet, URI: uri,
		Status: fasthttp.StatusOK, BodyBytes: len(gif),
		Referer: h.Peek("Referer"), UserAgent: h.Peek("User-Agent"),
		SecPurpose: h.Peek("Sec-Purpose"), SecGPC: h.Peek("Sec-GPC"), Language: h.Peek("Accept-Language"),
		RequestTime: now.Sub(ctx.Time()),
	})
	if err != nil {
		b.cfg.Logger.Error("view is lost: the beacon log cannot be written", "err", err)
		ctx.Response.Header.Set("Retry-After", "1")
		return "", 0, fail(fasthttp.StatusServiceUnavailable, CodeUnavailable, "the log cannot be written; nothing was counted")
	}
	return segment, end, nil
}

// countView logs a view of the requested page in the client's name and waits
// until it is counted; counted is false if the wait ran out.
func (b *beacons) countView(ctx *fasthttp.RequestCtx, r *request, site string) (counted bool, err error) {
	if r.page == nil && len(ctx.Request.Header.Peek("Referer")) == 0 {
		return false, missing("page")
	}
	return b.countPage(ctx, site, r.page, r.view)
}

// countPage is countView for a page, nil for the Referer's, and a view id, nil
// for none.
func (b *beacons) countPage(ctx *fasthttp.RequestCtx, site string, page, view []byte) (counted bool, err error) {
	segment, end, err := b.append(ctx, viewURI(site, page, view))
	if err != nil {
		return false, err
	}
	return b.wait(b.cfg.CountWait, func(ctx context.Context) error {
		return b.cfg.Waiter.WaitCounted(ctx, segment, end)
	}), nil
}

// viewURI is the beacon that the page itself would have sent. The page goes
// in as it was asked for: the parser normalises it, and twice would be wrong.
func viewURI(site string, page, view []byte) []byte {
	uri := append([]byte("/event.png?site="), fasthttp.AppendQuotedArg(nil, []byte(site))...)
	if page != nil {
		uri = fasthttp.AppendQuotedArg(append(uri, "&page="...), page)
	}
	if len(view) > 0 {
		uri = append(append(uri, "&id="...), view...)
	}
	return uri
}
