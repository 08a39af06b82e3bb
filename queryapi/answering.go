package queryapi

import (
	"context"
	"errors"
	"sync"
	"time"

	"ddkk-stats/queryapi/edge"

	"github.com/valyala/fasthttp"
)

// seriesTimeout bounds one request for past days, its turn included.
const seriesTimeout = 10 * time.Second

// workKey is where a request keeps how long it was worked on.
type workKey struct{}

// answering is what handlers of all subjects share: how a request is understood, when
// it is its turn, and how it is answered.
type answering struct {
	cfg        Config
	base       context.Context // ends when Shutdown gives up waiting
	turns      *edge.Turns     // of requests for past days
	adminTurns *edge.Turns     // those of the admin
	pool       sync.Pool       // of *work
}

func newAnswering(cfg Config) *answering {
	cfg.Access = edge.Access{} // changes: only the door is right
	a := &answering{cfg: cfg, turns: edge.NewTurns(edge.MaxLane), adminTurns: edge.NewTurns(edge.MaxSeries)}
	a.pool.New = func() any { return &work{} }
	return a
}

// series runs f when it is its turn and tells the client what its errors mean.
// What strangers ask for keeps no turn from the admin.
func (a *answering) series(ctx *fasthttp.RequestCtx, site string, f func(context.Context) error) error {
	work, cancel := context.WithTimeout(a.base, seriesTimeout)
	defer cancel()
	turns := a.turns
	if ctx.UserValue(adminKey{}) != nil {
		turns = a.adminTurns
	}
	back, ok := turns.Take(work, site)
	if !ok {
		return fail(fasthttp.StatusServiceUnavailable, CodeUnavailable, "too many requests for past days at once: try again")
	}
	defer back()
	began := a.cfg.Now()
	err := f(work)
	ctx.SetUserValue(workKey{}, a.cfg.Now().Sub(began))
	if errors.Is(err, ErrArchiveAway) || err != nil && work.Err() != nil {
		a.cfg.Logger.Warn("cannot read past days", "err", err)
		return archiveAway()
	}
	return err
}

func archiveAway() error {
	return fail(fasthttp.StatusServiceUnavailable, CodeArchiveAway, "the archive does not answer: try again later, or ask for newer days")
}
