package queryapi

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"runtime/debug"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/valyala/fasthttp"

	"ddkk-stats/queryapi/edge"
)

// What one connection may cost.
const (
	readTimeout  = 10 * time.Second // of a whole request, its body included
	writeTimeout = 10 * time.Second
	idleTimeout  = 75 * time.Second // nginx keeps upstream connections for 60 s
	maxHeader    = 16 << 10         // bytes; beacon URLs carry pages and referrers
	// maxDrain is what is read of a body that is too large, so that its sender
	// gets to see the 413; a longer one is cut off.
	maxDrain = 4 * maxBody
	maxBody  = 64 << 10
)

// Server answers the HTTP API. Make it with New, run it with Serve.
type Server struct {
	*answering
	door  *door
	table map[string]*pathRoutes
	http  *fasthttp.Server
	files map[string]*asset // by path

	// Handlers by subject.
	beacons    *beacons
	reads      *reads
	dropins    *dropins
	facts      *facts
	operations *operations

	cancel context.CancelFunc
	mu     sync.Mutex
	closed bool
	gates  []*edge.Gate

	draining atomic.Bool // connections end with their next answer
	refused  edge.Refusals
}

// New checks the configuration and makes a Server. It listens nowhere and
// starts nothing.
func New(c Config) (*Server, error) {
	cfg, err := c.withDefaults()
	if err != nil {
		return nil, err
	}
	s := &Server{answering: newAnswering(cfg)}
	s.base, s.cancel = context.WithCancel(context.Background())
	if s.door, err = newDoor(&s.cfg, s.base, cfg.Access); err != nil {
		return nil, err
	}
	if s.files, err = loadAssets(cfg.Static); err != nil {
		return nil, err
	}
	s.beacons = &beacons{answering: s.answering, door: s.door}
	s.reads = &reads{answering: s.answering, beacons: s.beacons}
	s.dropins = &dropins{answering: s.answering, beacons: s.beacons}
	s.facts = &facts{answering: s.answering}
	s.operations = &operations{answering: s.answering, facts: s.facts}
	if s.table, err = newTable(append(s.routes(), openapiRoutes()...)); err != nil {
		return nil, err
	}
	s.http = &fasthttp.Server{
		Handler:               s.handle,
		ErrorHandler:          s.refuse,
		NoDefaultServerHeader: true,
		NoDefaultContentType:  true,
		Concurrency:           cfg.Concurrency + 1, // the gate is the limit
		ReadBufferSize:        maxHeader,
		ReadTimeout:           cfg.ReadTimeout,
		WriteTimeout:          cfg.WriteTimeout,
		IdleTimeout:           cfg.IdleTimeout,
		MaxRequestBodySize:    maxDrain,
		TCPKeepalive:          true,
		CloseOnShutdown:       true,
		Logger:                connLog{cfg.Logger},

		DisablePreParseMultipartForm: true,
	}
	return s, nil
}

// connLog takes what fasthttp says about connections.
type connLog struct{ *slog.Logger }

func (l connLog) Printf(format string, args ...any) { l.Debug(fmt.Sprintf(format, args...)) }

// ErrClosed is returned by Serve after Shutdown.
var ErrClosed = errors.New("query API is shut down")

// Serve answers requests from ln, which it closes, until Shutdown; then it
// returns nil.
func (s *Server) Serve(ln net.Listener) error {
	door := edge.NewGate(ln, s.cfg.Concurrency, s.connsOf, edge.Refusal{Full: answerFull, TooMany: answerTooMany}, s.cfg.Logger)
	s.mu.Lock()
	closed := s.closed
	s.gates = append(s.gates, door)
	s.mu.Unlock()
	if closed {
		return errors.Join(ErrClosed, ln.Close())
	}
	if s.draining.Load() {
		return door.Close()
	}
	if err := s.http.Serve(door); err != nil {
		return fmt.Errorf("serve HTTP on %s: %w", ln.Addr(), err)
	}
	return nil
}

// connsOf is how many connections a client may have; 0: as many as it likes.
func (s *Server) connsOf(client netip.Addr) int {
	a := s.door.access.Load()
	if !a.Limited(client) {
		return 0
	}
	return a.ConnsPerClient
}

// Drain closes the listeners and serves those who are connected on: each
// answer from now on ends its connection. It returns when nobody is connected
// any more or, since idle clients say nothing, after d. Shutdown comes next.
func (s *Server) Drain(ctx context.Context, d time.Duration) {
	s.draining.Store(true)
	s.mu.Lock()
	gates := slices.Clone(s.gates)
	s.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	for _, g := range gates {
		if err := g.Close(); err != nil {
			s.cfg.Logger.Warn("listener is not closed", "err", err)
		}
	}
	for _, g := range gates {
		select {
		case <-g.Empty:
		case <-ctx.Done():
		}
	}
}

// Shutdown closes the listeners and waits for the requests in hand until ctx
// ends, then cancels their waits.
func (s *Server) Shutdown(ctx context.Context) error {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	defer s.cancel()
	if err := s.http.ShutdownWithContext(ctx); err != nil {
		return fmt.Errorf("shut down HTTP: %w", err)
	}
	return nil
}

// handle finds the route of a request and sees it through.
func (s *Server) handle(ctx *fasthttp.RequestCtx) {
	began := s.cfg.Now()
	route := "none"
	defer func() {
		if p := recover(); p != nil {
			s.cfg.Logger.Error("request handler failed", "route", route, "panic", p, "stack", string(debug.Stack()))
			ctx.Response.Reset()
			writeError(ctx, fail(fasthttp.StatusInternalServerError, CodeInternal, "the server failed; its log says why"))
		}
		if route != "none" {
			s.cfg.Observe(route, ctx.Response.StatusCode(), s.cfg.Now().Sub(began))
		}
		if s.draining.Load() || twoLengths(ctx) {
			ctx.SetConnectionClose()
		}
	}()
	at := s.table[string(ctx.Path())]
	if at == nil {
		writeError(ctx, fail(fasthttp.StatusNotFound, CodeNotFound, "no such path: %s", ctx.Path()))
		return
	}
	route = at.name
	if err := s.serve(ctx, at); err != nil {
		s.writeFailure(ctx, route, err)
	}
}

// twoLengths tells a request that says in two ways how long it is: another server on
// its way may have seen another end of it, so nothing that follows is read (RFC
// 9112, 6.3).
func twoLengths(ctx *fasthttp.RequestCtx) bool {
	h := &ctx.Request.Header
	if len(h.Peek(fasthttp.HeaderTransferEncoding)) == 0 {
		return false
	}
	for line := range bytes.Lines(h.RawHeaders()) {
		name, _, ok := bytes.Cut(line, []byte(":"))
		if ok && bytes.EqualFold(bytes.TrimSpace(name), []byte(fasthttp.HeaderContentLength)) {
			return true
		}
	}
	return false
}

func (s *Server) serve(ctx *fasthttp.RequestCtx, at *pathRoutes) error {
	if err := s.door.admitClient(ctx, at); err != nil {
		return err
	}
	if ctx.IsOptions() {
		return s.door.preflight(ctx, at)
	}
	r := at.find(ctx)
	if r == nil {
		ctx.Response.Header.Set("Allow", at.allow)
		return fail(fasthttp.StatusMethodNotAllowed, CodeMethod, "%s answers %s only", at.path, at.allow)
	}
	if r.admin {
		who, err := s.door.admit(ctx)
		if err != nil {
			return err
		}
		if !who.may(r.open) {
			return fail(fasthttp.StatusForbidden, CodeNotAllowed, "your token is not for this: its role is %s", who.Role)
		}
		ctx.SetUserValue(adminKey{}, true)
		ctx.SetUserValue(personKey{}, who)
	}
	if r.cors {
		if !s.door.access.Load().Cors.Apply(ctx) {
			return foreignOrigin(ctx)
		}
	}
	if n := len(ctx.Request.Body()); n > r.maxBody {
		s.refused.Body.Add(1)
		return fail(fasthttp.StatusRequestEntityTooLarge, CodeTooLarge, "body: %d bytes are more than the %d that are read", n, r.maxBody)
	}
	err := r.handle(ctx)
	if !r.admin {
		s.door.charge(ctx, at)
	}
	return err
}

// adminKey is where a request keeps that it is the admin's.
type adminKey struct{}

// writeFailure tells the client about err; what is not an *Error is ours to
// look into, and the client only learns that it happened.
func (s *Server) writeFailure(ctx *fasthttp.RequestCtx, route string, err error) {
	var e *Error
	if !errors.As(err, &e) {
		s.cfg.Logger.Error("request failed", "route", route, "err", err)
		e = fail(fasthttp.StatusInternalServerError, CodeInternal, "the server failed; its log says why")
	}
	writeError(ctx, e)
}

// refuse answers what fasthttp could not read as a request.
func (s *Server) refuse(ctx *fasthttp.RequestCtx, err error) {
	var small *fasthttp.ErrSmallBuffer
	var netErr net.Error
	e := fail(fasthttp.StatusBadRequest, CodeBadRequest, "not an HTTP request that can be read")
	why := &s.refused.Unreadable
	defer func() { why.Add(1) }()
	switch {
	case errors.Is(err, fasthttp.ErrBodyTooLarge):
		why = &s.refused.Body
		e = fail(fasthttp.StatusRequestEntityTooLarge, CodeTooLarge, "body: more than the %d bytes that are read", maxBody)
	case errors.As(err, &small):
		why = &s.refused.Header
		e = fail(fasthttp.StatusRequestHeaderFieldsTooLarge, CodeHeadersTooLarge, "header: more than the %d bytes that are read", maxHeader)
	case errors.As(err, &netErr) && netErr.Timeout():
		why = &s.refused.Slow
		e = fail(fasthttp.StatusRequestTimeout, CodeTimeout, "the request did not arrive in time")
	}
	writeError(ctx, e)
}
