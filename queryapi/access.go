package queryapi

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/valyala/fasthttp"

	"ddkk-stats/queryapi/edge"
)

// SetAccess changes who may ask. Requests that are under way end by the rules
// that they began with. After an error the old ones stay.
func (s *Server) SetAccess(a edge.Access) error {
	return s.door.set(a)
}

// door is between strangers and handlers: who is asked in, how often, and who is the
// admin.
type door struct {
	cfg                   *Config
	base                  context.Context // ends when Shutdown gives up waiting
	access                atomic.Pointer[edge.Admission]
	apiLimit, beaconLimit *edge.Limiter

	attempts edge.Attempts // to guess the admin's token
	ended    *ended        // sessions
	pause    func(time.Duration)
}

func newDoor(cfg *Config, base context.Context, a edge.Access) (*door, error) {
	d := &door{cfg: cfg, base: base, apiLimit: edge.NewLimiter(edge.Limit{}), beaconLimit: edge.NewLimiter(edge.Limit{})}
	d.pause = d.rest
	if err := d.set(a); err != nil {
		return nil, err
	}
	var err error
	d.ended, err = openEnded(cfg.EndedSessions)
	return d, err
}

func (d *door) set(a edge.Access) error {
	now, err := edge.NewAdmission(a)
	if err != nil {
		return err
	}
	d.access.Store(now)
	d.apiLimit.Set(a.APILimit)
	d.beaconLimit.Set(a.BeaconLimit)
	return nil
}

// tryToken tells whose token it is: the owner's, for whom who is nil, or a person's. A
// wrong one may be answered late.
func (d *door) tryToken(ctx *fasthttp.RequestCtx, token []byte) (who *Person, ok bool, err error) {
	if a := d.access.Load(); a.AdminToken != "" && a.TokenMatches(token) {
		d.attempts.Right(d.clientAddr(ctx))
		return nil, true, nil
	}
	if who = d.cfg.People.Person(token); who != nil { // what the client tried before stays: it may be guessing the owner's, or a password
		return who, true, nil
	}
	return nil, false, d.wrong(ctx)
}

// wrong counts a token or a password that is none, and may hold the answer.
func (d *door) wrong(ctx *fasthttp.RequestCtx) error {
	client := d.clientAddr(ctx)
	hold, held := d.attempts.Wrong(client, d.cfg.Now())
	if d.access.Load().Limited(client) {
		d.apiLimit.Charge(client, edge.GuessTokens, d.cfg.Now())
	}
	if hold == 0 {
		return nil
	}
	if held {
		d.pause(hold)
		d.attempts.Let()
	}
	seconds := strconv.Itoa(int(math.Ceil(hold.Seconds())))
	ctx.Response.Header.Set("Retry-After", seconds)
	return fail(fasthttp.StatusTooManyRequests, CodeTooManyAttempts, "token: it is not the ADMIN_TOKEN, and there were many that are not: try again in %s seconds", seconds)
}

// rest waits, or until the server ends.
func (d *door) rest(wait time.Duration) {
	t := time.NewTimer(wait)
	defer t.Stop()
	select {
	case <-t.C:
	case <-d.base.Done():
	}
}

// Answers to connections that are not let in.
var (
	answerFull    = rawAnswer("503 Service Unavailable", CodeUnavailable, "too many connections are open")
	answerTooMany = rawAnswer("429 Too Many Requests", CodeTooManyRequests, "too many connections are open from one address")
)

// rawAnswer is an answer as bytes, for connections that never get to the server.
func rawAnswer(status, code, message string) string {
	body := fmt.Sprintf(`{"error":{"code":%q,"message":%q}}`, code, message)
	return fmt.Sprintf("HTTP/1.1 %s\r\nContent-Type: application/json\r\nCache-Control: no-store\r\nRetry-After: 1\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s",
		status, len(body), body)
}

func foreignOrigin(ctx *fasthttp.RequestCtx) error {
	return fail(fasthttp.StatusUnauthorized, CodeOriginDenied, "origin %q is not allowed: add it to CORS_ORIGINS", ctx.Request.Header.Peek("Origin"))
}

// preflight answers OPTIONS.
func (d *door) preflight(ctx *fasthttp.RequestCtx, at *pathRoutes) error {
	h := &ctx.Response.Header
	h.Set("Allow", at.allow)
	if at.sharable() {
		if !d.access.Load().Cors.Apply(ctx) {
			return foreignOrigin(ctx)
		}
		h.Set("Access-Control-Allow-Methods", at.allow)
		h.Set("Access-Control-Allow-Headers", at.headers())
		h.Set("Access-Control-Max-Age", "86400")
	}
	ctx.SetStatusCode(fasthttp.StatusNoContent)
	return nil
}

// charge holds a client to what its request has cost, told by the answer's size
// and the time that was worked on it.
func (d *door) charge(ctx *fasthttp.RequestCtx, at *pathRoutes) {
	if at.class != classAPI {
		return
	}
	tokens := int64(len(ctx.Response.Body()) / edge.ChargedBytes)
	if work, ok := ctx.UserValue(workKey{}).(time.Duration); ok {
		tokens += int64(work / edge.ChargedWork)
	}
	if tokens == 0 {
		return
	}
	if client := d.clientAddr(ctx); d.access.Load().Limited(client) {
		d.apiLimit.Charge(client, tokens, d.cfg.Now())
	}
}

// admitClient holds a request to its client's limit.
func (d *door) admitClient(ctx *fasthttp.RequestCtx, at *pathRoutes) error {
	l := d.apiLimit
	switch at.class {
	case classBeacon:
		l = d.beaconLimit
	case classFree:
		return nil
	}
	if l.Interval.Load() == 0 {
		return nil
	}
	client := d.clientAddr(ctx)
	if !d.access.Load().Limited(client) {
		return nil
	}
	wait, ok := l.Allow(client, d.cfg.Now())
	if ok {
		return nil
	}
	if at.admin() {
		if _, err := d.admit(ctx); err == nil {
			return nil
		}
	}
	ctx.Response.Header.Set("Retry-After", strconv.Itoa(edge.RetryAfter(wait)))
	// A page of another origin may learn why it got nothing.
	ctx.Response.Header.Set("Access-Control-Allow-Origin", "*")
	return fail(fasthttp.StatusTooManyRequests, CodeTooManyRequests, "too many requests from one address; try again in %d s", edge.RetryAfter(wait))
}

// Limits is what a Server did not let in since its start, and who is in.
type Limits struct {
	Connections int // open now
	// Refused counts by reason: what was limited, too large, too slow, or no
	// HTTP.
	Refused map[string]int64
	// AcceptErrors are connections that could not be taken, as without free
	// file descriptors.
	AcceptErrors int64
}

// Limits tells what was refused. Any goroutine.
func (s *Server) Limits() Limits {
	l := Limits{Refused: map[string]int64{
		"api_rate": s.door.apiLimit.Refused.Load(), "beacon_rate": s.door.beaconLimit.Refused.Load(),
		"body_too_large": s.refused.Body.Load(), "header_too_large": s.refused.Header.Load(),
		"too_slow": s.refused.Slow.Load(), "not_http": s.refused.Unreadable.Load(),
		"connections": 0, "connections_per_client": 0,
	}}
	s.mu.Lock()
	gates := slices.Clone(s.gates)
	s.mu.Unlock()
	for _, g := range gates {
		l.Connections += g.Connections()
		l.Refused["connections"] += g.RefusedAll.Load()
		l.Refused["connections_per_client"] += g.RefusedClient.Load()
		l.AcceptErrors += g.Failed.Load()
	}
	return l
}
