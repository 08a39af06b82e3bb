package queryapi

import (
	"context"
	"errors"
	"time"

	"github.com/valyala/fasthttp"
)

// operations answer and do what an operator asks of the daemon.
type operations struct {
	*answering
	facts *facts
}

// Views shows the newest lines of the log.
type Views interface {
	// Recent are the last views and events of a site, newest first.
	Recent(ctx context.Context, site string, limit int) ([]View, error)
	// Skipped are the last lines of all logs that became no view of people,
	// newest first.
	Skipped(ctx context.Context, limit int) ([]SkippedLine, error)
}

// View is one view or event, without anything that tells who made it.
type View struct {
	Time     time.Time
	Page     string
	Referrer string // host; empty: direct or unknown
	Mobile   bool
	Bot      bool
	Event    string // its key; empty: a page view
}

// Report says how the daemon is.
type Report struct {
	Version string        `json:"version"`
	Started time.Time     `json:"started"`
	Inputs  []InputReport `json:"inputs"`
	Books   BookReport    `json:"books"`
	Redis   RedisReport   `json:"redis"`
	Archive ArchiveReport `json:"archive"`
	SQL     SQLReport     `json:"sql"`
	Service ServiceReport `json:"service"`
	Alerts  []Alert       `json:"alerts"` // what an operator should look at; empty: all is well
}

// InputReport is a log that is counted.
type InputReport struct {
	Path       string  `json:"path"`
	LagBytes   int64   `json:"lag_bytes"`
	LagSeconds float64 `json:"lag_seconds"`
}

// BookReport is what became of the lines since the start. Closes tells that
// each is accounted for.
type BookReport struct {
	Read      int64            `json:"read"`
	Human     int64            `json:"human"`
	Bot       int64            `json:"bot"`
	Calls     int64            `json:"calls"`
	Dedup     int64            `json:"dedup"`
	Before    int64            `json:"before"`
	Skipped   map[string]int64 `json:"skipped"`   // by reason
	Malformed map[string]int64 `json:"malformed"` // by reason
	Torn      int64            `json:"torn"`
	Closes    bool             `json:"closes"`
}

// RedisReport is the state of Redis; the memory is 0 where it is not known, and
// MaxMemory where there is no limit.
type RedisReport struct {
	Up        bool  `json:"up"`
	Embedded  bool  `json:"embedded"`
	Memory    int64 `json:"memory_bytes"`
	MaxMemory int64 `json:"max_memory_bytes"`

	Clients  int64      `json:"clients"`
	Replicas int64      `json:"replicas"`
	Evicted  int64      `json:"evicted"`
	Saved    *time.Time `json:"saved"`  // when it last saved its data; nil: it does not tell
	Saving   bool       `json:"saving"` // its last snapshot and append-only file were written
}

// SQLReport is how the archive's database is used.
type SQLReport struct {
	Up              bool    `json:"up"`
	Open            int     `json:"open"` // connections
	Idle            int     `json:"idle"`
	Waits           int64   `json:"waits"`        // for a free one, since the start
	Statements      int64   `json:"statements"`   // since the start
	StatementMillis float64 `json:"statement_ms"` // their mean
	Slow            int64   `json:"slow"`         // of them
	WriteLagSeconds float64 `json:"write_lag_seconds"`
}

// ServiceReport is what was done since the start.
type ServiceReport struct {
	Requests     int64 `json:"requests"`
	Errors       int64 `json:"errors"` // answers that were an error of ours
	Cycles       int64 `json:"archive_cycles"`
	CyclesFailed int64 `json:"archive_cycles_failed"`
	AlertsSent   int64 `json:"alerts_sent"`
	AlertsFailed int64 `json:"alerts_failed"` // tries
}

// ArchiveReport is the state of the archive. What is nil did not happen since
// the start, or is not known.
type ArchiveReport struct {
	LastSuccess *time.Time `json:"last_success"`
	LastError   *string    `json:"last_error"` // of a cycle that failed after it
	DirtyDays   *int64     `json:"dirty_days"` // days to be rolled up again
}

// Alert is a state that an operator should look at. Names are stable.
type Alert struct {
	Name    string    `json:"name"`
	Effect  string    `json:"effect"` // waits, some or noted: what it does to the numbers
	Message string    `json:"message"`
	Do      string    `json:"do"`    // what an operator does about it
	Alert   string    `json:"alert"` // which is raised; empty: none
	Since   time.Time `json:"since"`
}

// Verifier recounts everything, one run at a time.
type Verifier interface {
	// Start begins a run in the background: of a site, or of all where it is
	// empty, with the raw rows of so many days back, or of all where it is 0. Its errors
	// are ErrVerifying and ErrEnding.
	Start(site string, days int) error
	// State is the run that goes on, or the last one.
	State() VerifyState
}

// ErrVerifying says that a verification goes on already.
var ErrVerifying = errors.New("a verification is running")

// VerifyState is what is known of a verification; the zero value: there was
// none since the start.
type VerifyState struct {
	Running   bool
	Site      string // empty: all
	Started   time.Time
	Ended     time.Time
	Sites     int    // to be looked at; 0: not known yet
	SitesDone int    // of them
	Now       string // what is being looked at
	Lines     int64  // counted again so far
	Report    any    // marshals as JSON; nil until it ended well
	Failed    string // why it ended without a report
}

// Baselines are what earlier counters had counted, which is added to totals.
type Baselines interface {
	// Baselines lists those of a site, its own first.
	Baselines(ctx context.Context, site string) ([]Baseline, error)
	// SetBaseline replaces whatever there is of a page, or of the site where
	// Page is empty; two zeros delete. It is in what is read when it returns.
	SetBaseline(ctx context.Context, site string, b Baseline) error
}

// Baseline is the base of one page, or of the whole site where Page is empty.
type Baseline struct {
	Page   string
	PV, UV int64
}

const (
	defaultViews = 50
	// MaxViews is how many views one answer may have.
	MaxViews = 500
	// maxBase bounds a baseline.
	maxBase = 1<<40 - 1
)

// routes are the routes of the dashboard that show or change how the
// daemon works.
func (o *operations) routes() (rs []route) {
	get := func(path string, handle func(*fasthttp.RequestCtx) error, open openTo) {
		rs = append(rs, route{method: "GET", path: path, handle: handle, admin: true, open: open})
	}
	if o.cfg.Views != nil {
		get("/api/admin/views", o.facts.adminViews, toViewers)
		get("/api/admin/skipped", o.facts.adminSkipped, toOwner)
	}
	if o.cfg.Report != nil {
		get("/api/admin/health", o.adminHealth, toOwner)
	}
	if o.cfg.Verifier != nil {
		get("/api/admin/verify", o.verifyState, toOwner)
		rs = append(rs, route{method: "POST", path: "/api/admin/verify", handle: o.verify, admin: true, maxBody: maxBody})
	}
	if o.cfg.Baselines != nil {
		const path = "/api/admin/baselines"
		get(path, o.baselines, toViewers)
		rs = append(rs, route{method: "PUT", path: path, handle: o.setBaseline, admin: true, open: toAdmins, maxBody: maxBody},
			route{method: "DELETE", path: path, handle: o.deleteBaseline, admin: true, open: toAdmins, maxBody: maxBody})
	}
	return append(rs, o.voidRoutes()...)
}

// adminViews answers GET /api/admin/views: the last views of a site.
func (f *facts) adminViews(ctx *fasthttp.RequestCtx) error {
	args := ctx.QueryArgs()
	if err := knownArgs(args, "site", "limit"); err != nil {
		return err
	}
	limit, err := intArg(args, "limit", defaultViews, 1, MaxViews)
	if err != nil {
		return err
	}
	site, err := f.site(ctx, args.Peek("site"))
	if err != nil {
		return err
	}
	type view struct {
		Time     time.Time `json:"time"`
		Page     text      `json:"page"`
		Referrer string    `json:"referrer"`
		Device   string    `json:"device"`
		Bot      bool      `json:"bot"`
		Event    text      `json:"event"`
	}
	out := struct {
		Views []view `json:"views"`
	}{[]view{}}
	err = f.series(ctx, site, func(ctx context.Context) error {
		all, err := f.cfg.Views.Recent(ctx, site, limit)
		for _, v := range all {
			device := "pc"
			if v.Mobile {
				device = "mobile"
			}
			out.Views = append(out.Views, view{v.Time.UTC(), text(v.Page), v.Referrer, device, v.Bot, text(v.Event)})
		}
		return err
	})
	if err != nil {
		return err
	}
	return writeValue(ctx, &out)
}

// adminHealth answers GET /api/admin/health.
func (o *operations) adminHealth(ctx *fasthttp.RequestCtx) error {
	if err := knownArgs(ctx.QueryArgs()); err != nil {
		return err
	}
	asking, cancel := context.WithTimeout(o.base, reportTimeout)
	defer cancel()
	r := o.cfg.Report(asking)
	if r.Books.Skipped == nil {
		r.Books.Skipped = map[string]int64{}
	}
	if r.Books.Malformed == nil {
		r.Books.Malformed = map[string]int64{}
	}
	if r.Inputs == nil {
		r.Inputs = []InputReport{}
	}
	if r.Alerts == nil {
		r.Alerts = []Alert{}
	}
	return writeValue(ctx, &r)
}

// reportTimeout bounds the questions behind a report: it must come while a
// database hangs, too.
const reportTimeout = 2 * time.Second

// verify answers POST /api/admin/verify: it begins a recount.
func (o *operations) verify(ctx *fasthttp.RequestCtx) error {
	var d decoder
	var raw []byte
	days := 0
	fields := []string{"site", "days"}
	d.reset(ctx.Request.Body())
	err := d.object(fields, func(i int) (err error) {
		if fields[i] == "site" {
			raw, err = d.string()
		} else {
			days, err = d.integer(0, MaxSeriesDays)
		}
		return err
	})
	if err != nil {
		return err
	}
	site := ""
	if len(raw) > 0 {
		if site, err = o.site(ctx, raw); err != nil {
			return err
		}
	}
	switch err := o.cfg.Verifier.Start(site, days); {
	case errors.Is(err, ErrVerifying):
		return fail(fasthttp.StatusConflict, CodeVerifying, "a verification is running: GET /api/admin/verify tells how far it is")
	case errors.Is(err, ErrEnding):
		return fail(fasthttp.StatusServiceUnavailable, CodeUnavailable, "the server is being stopped")
	case err != nil:
		return err
	}
	writeJSON(ctx, []byte(`{"running":true}`))
	ctx.SetStatusCode(fasthttp.StatusAccepted)
	return nil
}

// verifyState answers GET /api/admin/verify.
func (o *operations) verifyState(ctx *fasthttp.RequestCtx) error {
	type progress struct {
		Sites     int    `json:"sites"`
		SitesDone int    `json:"sites_done"`
		Now       string `json:"now"`
		Lines     int64  `json:"lines"`
	}
	st := o.cfg.Verifier.State()
	out := struct {
		Running  bool       `json:"running"`
		Site     string     `json:"site,omitempty"`
		Started  *time.Time `json:"started,omitempty"`
		Ended    *time.Time `json:"ended,omitempty"`
		Progress *progress  `json:"progress,omitempty"`
		Report   any        `json:"report,omitempty"`
		Error    string     `json:"error,omitempty"`
	}{Running: st.Running, Site: st.Site, Report: st.Report, Error: st.Failed}
	if !st.Started.IsZero() {
		out.Started = utc(st.Started)
		out.Progress = &progress{st.Sites, st.SitesDone, st.Now, st.Lines}
	}
	if !st.Ended.IsZero() {
		out.Ended = utc(st.Ended)
	}
	return writeValue(ctx, &out)
}

func utc(t time.Time) *time.Time {
	t = t.UTC()
	return &t
}
