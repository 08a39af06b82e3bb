package queryapi

import (
	"bytes"
	"context"
	"fmt"
	"time"

	"github.com/valyala/fasthttp"

	"ddkk-stats/counter"
)

// stats answers POST /api/stats: the numbers of a site and a page, after
// counting a view if the action says so.
func (s *Server) stats(ctx *fasthttp.RequestCtx) error {
	w := s.borrow()
	defer s.give(w)
	if err := w.decodeStats(ctx.Request.Body()); err != nil {
		return err
	}
	site, err := s.site(w.req.site)
	if err != nil {
		return err
	}
	if err := w.statsQuery(s, site); err != nil {
		return err
	}
	waited := true
	switch {
	case w.req.count:
		waited, err = s.countView(ctx, &w.req, site)
		w.query.Fresh = true
	case len(w.req.view) > 0:
		// A view may never be seen here (a bot's, another host's), so that
		// running out of time is no sign of stale numbers.
		id := string(w.req.view)
		s.wait(s.cfg.ViewWait, func(ctx context.Context) error { return s.cfg.Waiter.WaitView(ctx, id) })
		w.query.Fresh = true
	}
	if err != nil {
		return err
	}
	if err := s.cfg.Reader.Read(s.base, &w.query, &w.answer); err != nil {
		return err
	}
	w.out = append(w.out[:0], `{"site":`...)
	w.out = appendString(w.out, site)
	w.out = appendFields(w.out, w.query.Fields, &w.answer, s.titles(site))
	if w.req.hasNames {
		w.out = appendPages(w.out, w.req.names, w.answer.Pages)
	}
	if len(w.req.view) > 0 {
		w.out = appendMessage(w.out, s.elsewhere(ctx.Referer(), site))
	}
	why := site
	if !w.answer.Stale {
		why = "" // the view was not counted in time
	}
	w.out = s.end(w.out, why, w.answer.Stale || !waited)
	writeJSON(ctx, w.out)
	return nil
}

// elsewhere says why views of the page that asks do not count, if it is of
// another site than the one it counts for: its own visitors would never know.
func (s *Server) elsewhere(referer []byte, site string) string {
	if len(referer) == 0 || !s.cfg.RefererCheck() {
		return "" // the beacon has none either, and counts
	}
	_, rest, ok := bytes.Cut(referer, []byte("://"))
	if !ok {
		return ""
	}
	if end := bytes.IndexAny(rest, "/?#"); end >= 0 {
		rest = rest[:end]
	}
	if from, ok := s.cfg.NormalizeSite(string(rest)); ok && from == site {
		return ""
	}
	host, _, _ := bytes.Cut(rest, []byte(":"))
	return fmt.Sprintf("not counted: %.253s is no host of site %s; the counter needs SITE_ALIASES=%.253s=%s", host, site, host, site)
}

// statsQuery turns the request into a query. Without "fields" all scalars are
// meant, those of the page only if there is one.
func (w *work) statsQuery(s *Server, site string) error {
	r, q := &w.req, &w.query
	q.Site, q.Fields, q.Limit = site, r.fields, r.limit
	if !r.hasFields {
		q.Fields = counter.ScalarFields
		if r.page == nil {
			q.Fields &^= counter.PageFields
		}
	}
	if q.Fields&counter.PageFields != 0 {
		if r.page == nil {
			return missing("page")
		}
		q.Page = s.cfg.NormalizePage(r.page)
	}
	s.nameQuery(w)
	return nil
}

func (s *Server) nameQuery(w *work) {
	for _, name := range w.req.names {
		w.query.Pages = append(w.query.Pages, s.cfg.NormalizePage(name))
	}
}

// batch answers POST /api/batch: the views of many pages.
func (s *Server) batch(ctx *fasthttp.RequestCtx) error {
	w := s.borrow()
	defer s.give(w)
	if err := w.decodeBatch(ctx.Request.Body()); err != nil {
		return err
	}
	site, err := s.site(w.req.site)
	if err != nil {
		return err
	}
	w.query.Site = site
	s.nameQuery(w)
	if err := s.cfg.Reader.Read(s.base, &w.query, &w.answer); err != nil {
		return err
	}
	w.out = append(w.out[:0], `{"site":`...)
	w.out = appendString(w.out, site)
	w.out = appendPages(w.out, w.req.names, w.answer.Pages)
	w.out = s.end(w.out, site, w.answer.Stale)
	writeJSON(ctx, w.out)
	return nil
}

// hot answers GET /api/hot: the most viewed pages of a period.
func (s *Server) hot(ctx *fasthttp.RequestCtx) error {
	w := s.borrow()
	defer s.give(w)
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
	site, err := s.site(args.Peek("site"))
	if err != nil {
		return err
	}
	w.query.Site, w.query.Fields, w.query.Limit = site, period.Field(), limit
	if err := s.cfg.Reader.Read(s.base, &w.query, &w.answer); err != nil {
		return err
	}
	w.out = append(w.out[:0], `{"site":`...)
	w.out = appendString(w.out, site)
	w.out = append(w.out, `,"period":"`...)
	w.out = append(w.out, period.String()...)
	w.out = append(w.out, `","hot_pages":`...)
	w.out = appendHot(w.out, w.answer.Hot[period], s.titles(site))
	w.out = s.end(w.out, site, w.answer.Stale)
	writeJSON(ctx, w.out)
	return nil
}

// wait runs f for at most d and says whether it succeeded. When very many
// requests wait already it does not, so that they cannot use up the server.
func (s *Server) wait(d time.Duration, f func(context.Context) error) bool {
	defer s.waiting.Add(-1)
	if s.waiting.Add(1) > maxWaiting {
		return false
	}
	ctx, cancel := context.WithTimeout(s.base, d)
	defer cancel()
	return f(ctx) == nil
}

// titles tells what pages of a site are called.
func (s *Server) titles(site string) titles {
	return func(page string) string { return s.cfg.Title(s.base, site, page) }
}
