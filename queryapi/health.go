package queryapi

import (
	"context"

	"github.com/valyala/fasthttp"
)

// healthz says whether the process works at all.
func (s *Server) healthz(ctx *fasthttp.RequestCtx) error { return s.report(ctx, s.cfg.Health) }

// readyz says whether it is worth sending requests here, and which states that do not
// keep from it the daemon is in.
func (s *Server) readyz(ctx *fasthttp.RequestCtx) error {
	states, err := s.cfg.Ready(s.base)
	if err != nil {
		return fail(fasthttp.StatusServiceUnavailable, CodeUnavailable, "%v", err)
	}
	out := struct {
		Status string   `json:"status"`
		States []string `json:"states,omitempty"`
	}{"ok", states}
	return writeValue(ctx, &out)
}

func (s *Server) report(ctx *fasthttp.RequestCtx, check func(context.Context) error) error {
	if err := check(s.base); err != nil {
		return fail(fasthttp.StatusServiceUnavailable, CodeUnavailable, "%v", err)
	}
	writeJSON(ctx, []byte(`{"status":"ok"}`))
	return nil
}
