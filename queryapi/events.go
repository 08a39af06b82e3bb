package queryapi

import (
	"context"
	"encoding/base64"
	"strconv"
	"time"

	"github.com/valyala/fasthttp"
)

const (
	// MaxEventRows is how many rows one answer of /api/events may have.
	MaxEventRows = 10_000
	// MaxAnswer bounds the bytes of an answer that lists what visitors chose.
	MaxAnswer = 1 << 20
)

// EventsQuery asks for the events of the days From..To: a key, the levels above
// it and everything below it. Without a key all events are meant.
type EventsQuery struct {
	Site     string
	Key      string
	From, To time.Time
	After    *EventCount // only what follows this date and key; nil: everything
	Limit    int         // rows
	Bytes    int         // of their keys
}

// EventPage is what a query found: a row more than q.Limit or q.Bytes allows
// tells that there are more.
type EventPage struct {
	Rows  []EventCount
	Stale bool
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

// staleReasonHeader says why.
const staleReasonHeader = "X-Stale-Reason"

// cursorHeader has what to ask with for the rows that follow, where the body has
// no room to say so.
const cursorHeader = "X-Cursor"

// events answers GET /api/events: events by day and key. Who names a limit or a
// cursor gets what fits and a cursor for the rest; others get all or an error.
func (r *reads) events(ctx *fasthttp.RequestCtx) error {
	q, paged, err := r.eventsQuery(ctx)
	if err != nil {
		return err
	}
	var page EventPage
	err = r.series(ctx, q.Site, func(ctx context.Context) (err error) {
		page, err = r.cfg.Series.Events(ctx, q)
		return err
	})
	if err != nil {
		return err
	}
	out, shown := appendEvents(nil, page.Rows[:min(len(page.Rows), q.Limit)])
	more := shown < len(page.Rows)
	if more && !paged {
		return fail(fasthttp.StatusBadRequest, CodeTooMany,
			"more than %d rows or %d bytes: ask for a limit and go on with the cursor of the header %s, or for fewer days (from, to), or name a category, action or label",
			q.Limit, MaxAnswer, cursorHeader)
	}
	writeJSON(ctx, out)
	ctx.Response.Header.Set("Access-Control-Expose-Headers", staleHeader+", "+staleReasonHeader+", "+cursorHeader)
	if page.Stale {
		ctx.Response.Header.Set(staleHeader, "true")
		if why := r.reason(q.Site, true); why != "" {
			ctx.Response.Header.Set(staleReasonHeader, why)
		}
	}
	if more && shown > 0 {
		ctx.Response.Header.Set(cursorHeader, eventCursor(&page.Rows[shown-1]))
	}
	return nil
}

func (r *reads) eventsQuery(ctx *fasthttp.RequestCtx) (q *EventsQuery, paged bool, err error) {
	args := ctx.QueryArgs()
	if err := knownArgs(args, "site", "from", "to", "category", "action", "label", "value", "limit", "cursor"); err != nil {
		return nil, false, err
	}
	q = &EventsQuery{Bytes: MaxAnswer}
	var levels []string
	for i, name := range eventLevels {
		level := string(args.Peek(name))
		if level == "" {
			continue
		}
		if len(levels) < i {
			return nil, false, missing(eventLevels[len(levels)])
		}
		levels = append(levels, level)
	}
	q.Key = r.cfg.EventKey(levels...)
	if q.From, q.To, err = r.span(args); err != nil {
		return nil, false, err
	}
	if q.Limit, err = intArg(args, "limit", MaxEventRows, 1, MaxEventRows); err != nil {
		return nil, false, err
	}
	if args.Has("cursor") {
		var ok bool
		if q.After, ok = readEventCursor(string(args.Peek("cursor"))); !ok {
			return nil, false, badValue("cursor", "must be one that this route gave")
		}
	}
	q.Site, err = r.site(ctx, args.Peek("site"))
	return q, args.Has("limit") || args.Has("cursor"), err
}

// A cursor is the last row that was seen, so it stays good while numbers change.
func eventCursor(last *EventCount) string {
	return base64.RawURLEncoding.EncodeToString([]byte(last.Date.Format(time.DateOnly) + last.Key))
}

func readEventCursor(text string) (*EventCount, bool) {
	b, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil || len(b) <= len(time.DateOnly) {
		return nil, false
	}
	d, err := time.Parse(time.DateOnly, string(b[:len(time.DateOnly)]))
	if err != nil || d.Year() < 1970 || d.Year() > 9000 {
		return nil, false
	}
	return &EventCount{Date: d, Key: string(b[len(time.DateOnly):])}, true
}

// appendEvents appends [{"eventDate","eventKey","eventData":{"pv","uv"}},...], as
// many as fit into MaxAnswer, and tells how many those are.
func appendEvents(dst []byte, rows []EventCount) ([]byte, int) {
	dst = append(dst, '[')
	for i := range rows {
		r, before := &rows[i], len(dst)
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendDate(append(dst, `{"eventDate":`...), r.Date)
		dst = appendString(append(dst, `,"eventKey":`...), r.Key)
		dst = strconv.AppendInt(append(dst, `,"eventData":{"pv":`...), r.PV, 10)
		dst = strconv.AppendInt(append(dst, `,"uv":`...), r.UV, 10)
		dst = append(dst, `}}`...)
		if len(dst) >= MaxAnswer {
			return append(dst[:before], ']'), i
		}
	}
	return append(dst, ']'), len(rows)
}
