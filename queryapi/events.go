package queryapi

import (
	"context"
	"errors"
	"strconv"
	"time"

	"github.com/valyala/fasthttp"
)

// MaxEventRows is how many rows one answer of /api/events may have.
const MaxEventRows = 10_000

// EventsQuery asks for the events of the days From..To: a key, the levels above
// it and everything below it. Without a key all events are meant.
type EventsQuery struct {
	Site     string
	Key      string
	From, To time.Time
	Limit    int // rows
}

// EventCount is one key of one day.
type EventCount struct {
	Date   time.Time
	Key    string
	PV, UV int64
}

// eventLevels are the parameters of an event's levels, the widest first.
var eventLevels = [...]string{"category", "action", "label", "value"}

// staleHeader marks an answer that is not current where the body has no room
// to say so.
const staleHeader = "X-Stale"

// events answers GET /api/events: events by day and key.
func (s *Server) events(ctx *fasthttp.RequestCtx) error {
	args := ctx.QueryArgs()
	if err := knownArgs(args, "site", "from", "to", "category", "action", "label", "value"); err != nil {
		return err
	}
	q := EventsQuery{Limit: MaxEventRows}
	var levels []string
	for i, name := range eventLevels {
		level := string(args.Peek(name))
		if level == "" {
			continue
		}
		if len(levels) < i {
			return missing(eventLevels[len(levels)])
		}
		levels = append(levels, level)
	}
	q.Key = s.cfg.EventKey(levels...)
	var err error
	if q.From, q.To, err = s.span(args); err != nil {
		return err
	}
	if q.Site, err = s.site(args.Peek("site")); err != nil {
		return err
	}
	var rows []EventCount
	var stale bool
	err = s.series(func(ctx context.Context) (err error) {
		rows, stale, err = s.cfg.Series.Events(ctx, &q)
		return err
	})
	if errors.Is(err, ErrTooMany) {
		return fail(fasthttp.StatusBadRequest, CodeTooMany,
			"more than %d rows: ask for fewer days (from, to) or name a category, action or label", q.Limit)
	}
	if err != nil {
		return err
	}
	writeJSON(ctx, appendEvents(nil, rows))
	ctx.Response.Header.Set("Access-Control-Expose-Headers", staleHeader)
	if stale {
		ctx.Response.Header.Set(staleHeader, "true")
	}
	return nil
}

// appendEvents appends [{"eventDate","eventKey","eventData":{"pv","uv"}},...].
func appendEvents(dst []byte, rows []EventCount) []byte {
	dst = append(dst, '[')
	for i := range rows {
		r := &rows[i]
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendDate(append(dst, `{"eventDate":`...), r.Date)
		dst = appendString(append(dst, `,"eventKey":`...), r.Key)
		dst = strconv.AppendInt(append(dst, `,"eventData":{"pv":`...), r.PV, 10)
		dst = strconv.AppendInt(append(dst, `,"uv":`...), r.UV, 10)
		dst = append(dst, `}}`...)
	}
	return append(dst, ']')
}
