package queryapi

import (
	"context"
	"errors"
	"time"

	"github.com/valyala/fasthttp"
)

// seriesTimeout bounds one request for past days, its turn included.
const seriesTimeout = 10 * time.Second

// workKey is where a request keeps how long it was worked on.
type workKey struct{}

// series runs f when it is its turn and tells the client what its errors mean.
// What strangers ask for keeps no turn from the admin.
func (s *Server) series(ctx *fasthttp.RequestCtx, site string, f func(context.Context) error) error {
	work, cancel := context.WithTimeout(s.base, seriesTimeout)
	defer cancel()
	turns := s.turns
	if ctx.UserValue(adminKey{}) != nil {
		turns = s.adminTurns
	}
	back, ok := turns.Take(work, site)
	if !ok {
		return fail(fasthttp.StatusServiceUnavailable, CodeUnavailable, "too many requests for past days at once: try again")
	}
	defer back()
	began := s.cfg.Now()
	err := f(work)
	ctx.SetUserValue(workKey{}, s.cfg.Now().Sub(began))
	if errors.Is(err, ErrArchiveAway) || err != nil && work.Err() != nil {
		s.cfg.Logger.Warn("cannot read past days", "err", err)
		return archiveAway()
	}
	return err
}

func archiveAway() error {
	return fail(fasthttp.StatusServiceUnavailable, CodeArchiveAway, "the archive does not answer: try again later, or ask for newer days")
}
