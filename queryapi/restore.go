package queryapi

import (
	"context"
	"errors"
	"strconv"
	"time"

	"github.com/valyala/fasthttp"

	"ddkk-stats/counter"
)

// Restorer rebuilds sites from the archive, one at a time.
type Restorer interface {
	// Restore rebuilds a site and waits for the end; when ctx ends before that
	// the restore goes on by itself. Its errors wrap ErrRestoring,
	// ErrUnknownSite, ErrArchiveAway or ErrEnding, or the restore failed.
	Restore(ctx context.Context, site string) (counter.Restored, error)
	// State is the restore that runs, or the last one.
	State() RestoreState
}

// Errors of Restorer.
var (
	// ErrRestoring says that a restore runs already.
	ErrRestoring = errors.New("a restore is running")
	// ErrUnknownSite says that the archive has nothing of the site.
	ErrUnknownSite = errors.New("the archive does not know the site")
	// ErrEnding says that the server is being stopped.
	ErrEnding = errors.New("the server is being stopped")
)

// RestoreState is what is known of a restore; the zero value: there was none.
type RestoreState struct {
	Running bool
	Site    string
	Rows    int64 // written so far
	Started time.Time
	Ended   time.Time // zero while it runs
	Done    counter.Restored
	Failed  bool // the log says why
}

// restoreRequest is the body of POST /api/restore. The options choose what is
// reported: a site's totals, days and pages come from the same lines, so a
// restore makes all of them right or none.
type restoreRequest struct {
	site                   []byte
	noSite, noPages, noHot bool // not to be reported
	daysBack               int  // days at most; 0: all
	narrowed               bool // an option was given
}

var (
	restoreFields  = []string{"source", "site", "options"}
	restoreOptions = []string{"restore_site_stats", "restore_page_stats", "restore_hot_pages", "days_back"}
)

// restore answers POST /api/restore when the restore has ended.
func (o *operations) restore(ctx *fasthttp.RequestCtx) error {
	var req restoreRequest
	if err := req.decode(ctx.Request.Body()); err != nil {
		return err
	}
	if len(req.site) == 0 {
		return missing("site")
	}
	site, ok := o.cfg.NormalizeSite(string(req.site))
	if !ok {
		return unknownSite(req.site)
	}
	if err := o.notes(ctx, "restore", site, ""); err != nil {
		return err
	}
	done, err := o.cfg.Restorer.Restore(o.base, site)
	switch {
	case errors.Is(err, ErrUnknownSite):
		return unknownSite(req.site)
	case errors.Is(err, ErrRestoring):
		return fail(fasthttp.StatusConflict, CodeRestoring, "a restore is running: GET /api/restore tells how far it is")
	case errors.Is(err, ErrEnding) || err != nil && o.base.Err() != nil:
		return fail(fasthttp.StatusServiceUnavailable, CodeUnavailable, "the server is being stopped; what was begun is done again at its next start")
	case errors.Is(err, ErrArchiveAway):
		o.cfg.Logger.Warn("cannot restore a site", "site", site, "err", err)
		return fail(fasthttp.StatusServiceUnavailable, CodeArchiveAway, "the archive does not answer: nothing was changed")
	case err != nil:
		o.cfg.Logger.Error("restore failed", "site", site, "err", err)
		return fail(fasthttp.StatusInternalServerError, CodeRestoreFailed, "%s", restoreFailed)
	}
	out := append([]byte(`{"success":true,"message":`), appendString(nil, req.message(&done))...)
	out = req.appendStats(append(out, `,"stats":`...), &done)
	writeJSON(ctx, append(out, '}'))
	return nil
}

const restoreFailed = "the restore failed and may be repeated; the log says why"

func unknownSite(site []byte) error {
	return fail(fasthttp.StatusNotFound, CodeUnknownSite, "site: the archive has nothing of %q; nothing was changed", site[:min(len(site), 253)])
}

// restoreState answers GET /api/restore: how far the restore is, or what the
// last one came to.
func (o *operations) restoreState(ctx *fasthttp.RequestCtx) error {
	st := o.cfg.Restorer.State()
	out := strconv.AppendBool([]byte(`{"running":`), st.Running)
	if st.Site == "" {
		writeJSON(ctx, append(out, '}'))
		return nil
	}
	out = appendString(append(out, `,"site":`...), st.Site)
	out = strconv.AppendInt(append(out, `,"rows":`...), st.Rows, 10)
	out = appendTime(append(out, `,"started_at":`...), st.Started)
	if !st.Running {
		var all restoreRequest
		out = appendTime(append(out, `,"ended_at":`...), st.Ended)
		out = strconv.AppendBool(append(out, `,"success":`...), !st.Failed)
		if st.Failed {
			out = appendString(append(out, `,"message":`...), restoreFailed)
		} else {
			out = appendString(append(out, `,"message":`...), all.message(&st.Done))
			out = all.appendStats(append(out, `,"stats":`...), &st.Done)
		}
	}
	writeJSON(ctx, append(out, '}'))
	return nil
}

// appendTime appends a moment as RFC 3339 in UTC.
func appendTime(dst []byte, t time.Time) []byte {
	dst = append(dst, '"')
	dst = t.UTC().AppendFormat(dst, time.RFC3339)
	return append(dst, '"')
}

// message says what was done and what is still to come.
func (r *restoreRequest) message(done *counter.Restored) string {
	text := "what the archive has is back; the log since then is being counted again"
	if done.Took == 0 {
		text = "another daemon restored the site meanwhile; the log since then is being counted again"
	}
	if r.narrowed {
		text += ". The whole site was restored: the options only choose what is reported"
	}
	return text
}

// appendStats appends the parts of the result that were asked for.
func (r *restoreRequest) appendStats(dst []byte, done *counter.Restored) []byte {
	add := func(name string, n int64) {
		dst = append(dst, '"')
		dst = append(dst, name...)
		dst = strconv.AppendInt(append(dst, '"', ':'), n, 10)
		dst = append(dst, ',')
	}
	dst = append(dst, '{')
	if !r.noSite {
		add("site_pv", done.SitePV)
		add("site_uv", done.SiteUV)
	}
	if !r.noPages {
		add("pages_restored", done.Pages)
	}
	if !r.noHot {
		add("hot_pages_restored", done.HotPages)
	}
	if !r.noSite {
		days := done.Days
		if r.daysBack > 0 {
			days = min(days, int64(r.daysBack))
		}
		add("daily_stats_restored", days)
	}
	dst = append(dst, `"duration_seconds":`...)
	dst = strconv.AppendFloat(dst, done.Took.Seconds(), 'f', 3, 64)
	return append(dst, '}')
}

func (r *restoreRequest) decode(body []byte) error {
	var d decoder
	d.reset(body)
	return d.object(restoreFields, func(i int) (err error) {
		switch restoreFields[i] {
		case "source":
			var source []byte
			if source, err = d.string(); err == nil && string(source) != "mysql" {
				err = badValue("source", "must be mysql, which also stands for the embedded SQLite")
			}
		case "site":
			r.site, err = d.string()
		case "options":
			err = r.decodeOptions(&d)
		}
		return err
	})
}

func (r *restoreRequest) decodeOptions(d *decoder) error {
	if !d.take('{') {
		return d.wrongType("an object")
	}
	var seen uint64
	for first := true; !d.take('}'); first = false {
		if !first && !d.take(',') {
			return d.syntax("a comma or the end of the object")
		}
		d.field = "options"
		i, err := d.key(restoreOptions, &seen)
		if err != nil {
			return err
		}
		r.narrowed = true
		var yes bool
		switch restoreOptions[i] {
		case "restore_site_stats":
			yes, err = d.boolean()
			r.noSite = !yes
		case "restore_page_stats":
			yes, err = d.boolean()
			r.noPages = !yes
		case "restore_hot_pages":
			yes, err = d.boolean()
			r.noHot = !yes
		case "days_back":
			r.daysBack, err = d.integer(0, MaxSeriesDays)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// boolean reads true or false.
func (d *decoder) boolean() (bool, error) {
	d.peek()
	for _, word := range []string{"true", "false"} {
		if end := d.at + len(word); end <= len(d.in) && string(d.in[d.at:end]) == word {
			d.at = end
			return word == "true", nil
		}
	}
	return false, d.wrongType("true or false")
}
