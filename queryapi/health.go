package queryapi

import (
	"context"

	"github.com/valyala/fasthttp"
)

// healthz says whether the process works at all.
func (o *operations) healthz(ctx *fasthttp.RequestCtx) error { return o.report(ctx, o.cfg.Health) }

// readyz says whether it is worth sending requests here, and which states that do not
// keep from it the daemon is in.
func (o *operations) readyz(ctx *fasthttp.RequestCtx) error {
	states, err := o.cfg.Ready(o.base)
	if err != nil {
		return fail(fasthttp.StatusServiceUnavailable, CodeUnavailable, "%v", err)
	}
	out := struct {
		Status string   `json:"status"`
		States []string `json:"states,omitempty"`
	}{"ok", states}
	return writeValue(ctx, &out)
}

func (o *operations) report(ctx *fasthttp.RequestCtx, check func(context.Context) error) error {
	if err := check(o.base); err != nil {
		return fail(fasthttp.StatusServiceUnavailable, CodeUnavailable, "%v", err)
	}
	writeJSON(ctx, []byte(`{"status":"ok"}`))
	return nil
}
