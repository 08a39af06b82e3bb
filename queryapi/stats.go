package queryapi

import (
	"bytes"
	"context"
	"fmt"
	"time"

	"github.com/valyala/fasthttp"

	"ddkk-stats/counter"
)

// reads answer what anybody may ask: numbers of a site and its pages.
type reads struct {
	*answering
	beacons *beacons
}

// stats answers POST /api/stats: the numbers of a site and a page, after
// counting a view if the action says so.
func (r *reads) stats(ctx *fasthttp.RequestCtx) error {
	w := r.borrow()
	defer r.give(w)
	if err := w.decodeStats(ctx.Request.Body()); err != nil {
		return err
	}
	site, err := r.site(ctx, w.req.site)
	if err != nil {
		return err
	}
	if err := r.statsQuery(w, site); err != nil {
		return err
	}
	waited := true
	switch {
	case w.req.count:
		waited, err = r.beacons.countView(ctx, &w.req, site)
		w.query.Fresh = true
	case len(w.req.view) > 0:
		// A view may never be seen here (a bot's, another host's), so that
		// running out of time is no sign of stale numbers.
		id := string(w.req.view)
		r.beacons.wait(r.cfg.ViewWait, func(ctx context.Context) error { return r.cfg.Waiter.WaitView(ctx, id) })
		w.query.Fresh = true
	}
	if err != nil {
		return err
	}
	if err := r.cfg.Reader.Read(r.base, &w.query, &w.answer); err != nil {
		return err
	}
	w.out = append(w.out[:0], `{"site":`...)
	w.out = appendString(w.out, site)
	w.out = appendFields(w.out, w.query.Fields, &w.answer, r.titles(site))
	if w.req.hasNames {
		w.out = appendPages(w.out, w.req.names, w.answer.Pages)
	}
	if len(w.req.view) > 0 {
		w.out = appendMessage(w.out, r.elsewhere(ctx.Referer(), site))
	}
	why := site
	if !w.answer.Stale {
		why = "" // the view was not counted in time
	}
	w.out = r.end(w.out, why, w.answer.Stale || !waited)
	writeJSON(ctx, w.out)
	return nil
}

// elsewhere says why views of the page that asks do not count, if it is of
// another site than the one it counts for: its own visitors would never know.
func (r *reads) elsewhere(referer []byte, site string) string {
	if len(referer) == 0 || !r.cfg.RefererCheck() {
		return "" // the beacon has none either, and counts
	}
	_, rest, ok := bytes.Cut(referer, []byte("://"))
	if !ok {
		return ""
	}
	if end := bytes.IndexAny(rest, "/?#"); end >= 0 {
		rest = rest[:end]
	}
	if from, ok := r.cfg.NormalizeSite(string(rest)); ok && from == site {
		return ""
	}
	host, _, _ := bytes.Cut(rest, []byte(":"))
	return fmt.Sprintf("not counted: %.253s is no host of site %s; the counter needs SITE_ALIASES=%.253s=%s", host, site, host, site)
}

// statsQuery turns the request into a query. Without "fields" all scalars are
// meant, those of the page only if there is one.
func (r *reads) statsQuery(w *work, site string) error {
	req, q := &w.req, &w.query
	q.Site, q.Fields, q.Limit = site, req.fields, req.limit
	if !req.hasFields {
		q.Fields = counter.ScalarFields&^counter.TermFields | r.cfg.TermFields
		if req.page == nil {
			q.Fields &^= counter.PageFields
		}
	}
	if q.Fields&counter.PageFields != 0 {
		if req.page == nil {
			return missing("page")
		}
		q.Page = r.cfg.NormalizePage(site, req.page)
	}
	r.nameQuery(w)
	return nil
}

func (r *reads) nameQuery(w *work) {
	for _, name := range w.req.names {
		w.query.Pages = append(w.query.Pages, r.cfg.NormalizePage(w.query.Site, name))
	}
}

// batch answers POST /api/batch: the views of many pages.
func (r *reads) batch(ctx *fasthttp.RequestCtx) error {
	w := r.borrow()
	defer r.give(w)
	if err := w.decodeBatch(ctx.Request.Body()); err != nil {
		return err
	}
	site, err := r.site(ctx, w.req.site)
	if err != nil {
		return err
	}
	w.query.Site = site
	r.nameQuery(w)
	if err := r.cfg.Reader.Read(r.base, &w.query, &w.answer); err != nil {
		return err
	}
	w.out = append(w.out[:0], `{"site":`...)
	w.out = appendString(w.out, site)
	w.out = appendPages(w.out, w.req.names, w.answer.Pages)
	w.out = r.end(w.out, site, w.answer.Stale)
	writeJSON(ctx, w.out)
	return nil
}

// hot answers GET /api/hot: the most viewed pages of a period.
func (r *reads) hot(ctx *fasthttp.RequestCtx) error {
	w := r.borrow()
	defer r.give(w)
	args := ctx.QueryArgs()
	period, limit := counter.Week, 10
	if args.Has("period") {
		var ok bool
		if period, ok = counter.ParsePeriod(string(args.Peek("period"))); !ok {
			return badValue("period", "must be today, week, month or all")
		}
	}
	if args.Has("limit") {
		var err error
		if limit, err = fasthttp.ParseUint(args.Peek("limit")); err != nil || limit < 1 || limit > counter.MaxHotPages {
			return badValue("limit", "must be a whole number within 1 and %d", counter.MaxHotPages)
		}
	}
	site, err := r.site(ctx, args.Peek("site"))
	if err != nil {
		return err
	}
	w.query.Site, w.query.Fields, w.query.Limit = site, period.Field(), limit
	if err := r.cfg.Reader.Read(r.base, &w.query, &w.answer); err != nil {
		return err
	}
	w.out = append(w.out[:0], `{"site":`...)
	w.out = appendString(w.out, site)
	w.out = append(w.out, `,"period":"`...)
	w.out = append(w.out, period.String()...)
	w.out = append(w.out, `","hot_pages":`...)
	w.out = appendHot(w.out, w.answer.Hot[period], r.titles(site))
	w.out = r.end(w.out, site, w.answer.Stale)
	writeJSON(ctx, w.out)
	return nil
}

// wait runs f for at most d and says whether it succeeded. When very many
// requests wait already it does not, so that they cannot use up the server.
func (b *beacons) wait(d time.Duration, f func(context.Context) error) bool {
	defer b.waiting.Add(-1)
	if b.waiting.Add(1) > maxWaiting {
		return false
	}
	ctx, cancel := context.WithTimeout(b.base, d)
	defer cancel()
	return f(ctx) == nil
}

// titles tells what pages of a site are called.
func (a *answering) titles(site string) titles {
	return func(page string) string { return a.cfg.Title(a.base, site, page) }
}
