package queryapi

import (
	"context"
	"encoding/base64"
	"encoding/binary"
	"strconv"

	"github.com/valyala/fasthttp"
)

// Ranking answers all pages of a site by their views, from SQL.
type Ranking interface {
	// Ranked returns pages in order, ties by name; errors wrap ErrArchiveAway
	// where SQL does not answer.
	Ranked(ctx context.Context, q *RankQuery) ([]RankedPage, error)
}

// RankQuery asks for the next pages of a site.
type RankQuery struct {
	Site  string
	Bots  bool // with the views of bots
	Asc   bool // the least viewed first
	After *RankedPage
	Limit int
}

// RankedPage is a page with its views.
type RankedPage struct {
	Page string
	PV   int64
}

const (
	defaultRanked = 50
	// MaxRanked is how many pages one answer of /api/pages may have.
	MaxRanked = 1000
)

// pages answers GET /api/pages.
func (r *reads) pages(ctx *fasthttp.RequestCtx) error {
	q, err := r.rankQuery(ctx)
	if err != nil {
		return err
	}
	limit := q.Limit
	q.Limit++ // one more tells whether there is more
	var all []RankedPage
	err = r.series(ctx, q.Site, func(ctx context.Context) (err error) {
		all, err = r.cfg.Ranking.Ranked(ctx, q)
		return err
	})
	if err != nil {
		return err
	}
	out := appendString([]byte(`{"site":`), q.Site)
	out = append(out, `,"pages":[`...)
	shown := 0
	for ; shown < min(limit, len(all)); shown++ {
		before := len(out)
		if shown > 0 {
			out = append(out, ',')
		}
		out = appendPage(append(out, `{"page":`...), all[shown].Page)
		out = append(strconv.AppendInt(append(out, `,"pv":`...), all[shown].PV, 10), '}')
		if len(out) >= MaxAnswer {
			out = out[:before]
			break
		}
	}
	out = append(out, `],"cursor":`...)
	if shown < len(all) {
		out = appendString(out, cursorOf(q, &all[shown-1]))
	} else {
		out = append(out, "null"...)
	}
	writeJSON(ctx, append(out, '}'))
	return nil
}

func (r *reads) rankQuery(ctx *fasthttp.RequestCtx) (*RankQuery, error) {
	args := ctx.QueryArgs()
	if err := knownArgs(args, "site", "sort", "order", "limit", "cursor", "bots"); err != nil {
		return nil, err
	}
	q := &RankQuery{Limit: defaultRanked}
	if v := string(args.Peek("sort")); args.Has("sort") && v != "pv" {
		return nil, badValue("sort", "must be pv")
	}
	switch v := string(args.Peek("order")); {
	case v == "asc":
		q.Asc = true
	case args.Has("order") && v != "desc":
		return nil, badValue("order", "must be desc or asc")
	}
	switch v := string(args.Peek("bots")); {
	case v == "include":
		q.Bots = true
	case args.Has("bots") && v != "exclude":
		return nil, badValue("bots", "must be exclude or include")
	}
	if args.Has("limit") {
		n, err := strconv.Atoi(string(args.Peek("limit")))
		if err != nil || n < 1 || n > MaxRanked {
			return nil, badValue("limit", "must be 1 to %d", MaxRanked)
		}
		q.Limit = n
	}
	var err error
	if q.Site, err = r.site(ctx, args.Peek("site")); err != nil {
		return nil, err
	}
	if args.Has("cursor") {
		var ok bool
		if q.After, ok = readCursor(q, string(args.Peek("cursor"))); !ok {
			return nil, badValue("cursor", "must be one that this route gave, for the same order and bots")
		}
	}
	return q, nil
}

// A cursor is the last page that was seen: what kind of list, its views, its
// name. So it stays good while numbers change.
func cursorOf(q *RankQuery, last *RankedPage) string {
	b := binary.AppendVarint([]byte{q.kind()}, last.PV)
	return base64.RawURLEncoding.EncodeToString(append(b, last.Page...))
}

func readCursor(q *RankQuery, text string) (*RankedPage, bool) {
	b, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil || len(b) == 0 || b[0] != q.kind() {
		return nil, false
	}
	pv, n := binary.Varint(b[1:])
	if n <= 0 || len(b) == 1+n {
		return nil, false
	}
	return &RankedPage{Page: string(b[1+n:]), PV: pv}, true
}

func (q *RankQuery) kind() byte {
	kind := byte(0)
	if q.Bots {
		kind |= 1
	}
	if q.Asc {
		kind |= 2
	}
	return kind
}
