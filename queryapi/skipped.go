package queryapi

import (
	"context"
	"time"

	"github.com/valyala/fasthttp"
)

// SkippedLine is a line of the log that did not become a view of people.
type SkippedLine struct {
	Time    time.Time // zero: not known
	Request string    // what was asked for, or the line if it could not be read
	Referer string
	// Reason is the rule that took it, "bot" for a view that counts as a bot's.
	Reason string
}

const (
	defaultSkipped = 20
	maxSkipped     = 100
)

// adminSkipped answers GET /api/admin/skipped: where views are that somebody
// misses.
func (f *facts) adminSkipped(ctx *fasthttp.RequestCtx) error {
	args := ctx.QueryArgs()
	if err := knownArgs(args, "limit"); err != nil {
		return err
	}
	limit, err := intArg(args, "limit", defaultSkipped, 1, maxSkipped)
	if err != nil {
		return err
	}
	type line struct {
		Time    *time.Time `json:"time"`
		Request text       `json:"request"`
		Referer text       `json:"referer"`
		Reason  string     `json:"reason"`
	}
	out := struct {
		Skipped []line `json:"skipped"`
	}{[]line{}}
	err = f.series(ctx, "", func(ctx context.Context) error {
		all, err := f.cfg.Views.Skipped(ctx, limit)
		for _, l := range all {
			at := l.Time.UTC()
			one := line{Request: text(l.Request), Referer: text(l.Referer), Reason: l.Reason}
			if !l.Time.IsZero() {
				one.Time = &at
			}
			out.Skipped = append(out.Skipped, one)
		}
		return err
	})
	if err != nil {
		return err
	}
	return writeValue(ctx, &out)
}
