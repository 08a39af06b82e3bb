package queryapi

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/valyala/fasthttp"
)

// Voider takes views out of all numbers by rules, and puts them back, one at a time.
type Voider interface {
	// Void makes a rule and counts its days again; when ctx ends before that, it goes on by
	// itself. Its errors wrap ErrVoiding, ErrArchiveAway or ErrEnding.
	Void(ctx context.Context, v *VoidAsked) (num int64, err error)
	// Unvoid undoes a rule of the site, also one that was undone half way; ErrNoRule.
	Unvoid(ctx context.Context, site string, num int64, by string) error
	// Voids are the rules that a site ever had, and the number of the one that is being
	// carried out; 0: none.
	Voids(ctx context.Context, site string) (all []VoidRule, running int64, err error)
}

// Errors of Voider.
var (
	ErrVoiding = errors.New("another rule is being carried out")
	ErrNoRule  = errors.New("the site has no such rule")
)

// VoidAsked are the views that are to go: those of some days of which all terms are true.
type VoidAsked struct {
	Site     string
	From, To time.Time // dates, both included
	Where    []ExploreTerm
	By       string // who asks
}

// VoidRule is a rule that takes views out, or did.
type VoidRule struct {
	Num         int64
	MadeAt      time.Time
	MadeBy      string
	From, Until time.Time // moments; the second is not included, zero: without an end
	About       string    // which views, as text
	Done        bool      // its days were counted again
	UndoneAt    time.Time // zero: it is in force
}

func (o *operations) voidRoutes() []route {
	if o.cfg.Voider == nil {
		return nil
	}
	const path = "/api/admin/void"
	return []route{
		{method: "GET", path: path, handle: o.voids, admin: true, open: toAdmins},
		{method: "POST", path: path, handle: o.void, admin: true, open: toAdmins, maxBody: maxBody},
		{method: "DELETE", path: path, handle: o.unvoid, admin: true, open: toAdmins, maxBody: maxBody},
	}
}

// askerName is who asks, as rules and the audit log have it.
func askerName(ctx *fasthttp.RequestCtx) string {
	if p := asker(ctx); p != nil {
		return p.Name
	}
	return "owner"
}

// voids answers GET /api/admin/void.
func (o *operations) voids(ctx *fasthttp.RequestCtx) error {
	site, err := o.onlySite(ctx)
	if err != nil {
		return err
	}
	type rule struct {
		Num      int64   `json:"num"`
		MadeAt   string  `json:"made_at"`
		MadeBy   text    `json:"made_by"`
		From     *string `json:"from"`
		Until    *string `json:"until"`
		About    text    `json:"about"`
		State    string  `json:"state"`
		UndoneAt *string `json:"undone_at,omitempty"`
	}
	out := struct {
		Rules []rule `json:"rules"`
	}{[]rule{}}
	moment := func(t time.Time) *string {
		if t.IsZero() {
			return nil
		}
		s := t.In(o.cfg.Location).Format(time.RFC3339)
		return &s
	}
	err = o.series(ctx, site, func(ctx context.Context) error {
		all, running, err := o.cfg.Voider.Voids(ctx, site)
		for _, r := range all {
			state := "in force"
			switch {
			case r.Num == running:
				state = "running"
			case !r.UndoneAt.IsZero():
				state = "undone"
			case !r.Done:
				state = "unfinished"
			}
			out.Rules = append(out.Rules, rule{r.Num, *moment(r.MadeAt), text(r.MadeBy), moment(r.From), moment(r.Until), text(r.About), state, moment(r.UndoneAt)})
		}
		return err
	})
	if err != nil {
		return err
	}
	return writeValue(ctx, &out)
}

// voidRequest is the body of POST and DELETE /api/admin/void.
type voidRequest struct {
	site, from, to, where []byte
	dryRun                bool
	num                   int
}

func (r *voidRequest) decode(body []byte, fields ...string) error {
	var d decoder
	d.reset(body)
	return d.object(fields, func(i int) (err error) {
		switch fields[i] {
		case "site":
			r.site, err = d.string()
		case "from":
			r.from, err = d.string()
		case "to":
			r.to, err = d.string()
		case "where":
			r.where, err = d.string()
		case "dry_run":
			r.dryRun, err = d.boolean()
		case "num":
			r.num, err = d.integer(1, 1<<31)
		}
		return err
	})
}

// asked is what views the request names. There must be some term: nobody takes a whole
// site out by a slip.
func (r *voidRequest) asked(site string) (v VoidAsked, err error) {
	v.Site = site
	for _, x := range []struct {
		name string
		text []byte
		into *time.Time
	}{{"from", r.from, &v.From}, {"to", r.to, &v.To}} {
		if len(x.text) == 0 {
			return v, missing(x.name)
		}
		if *x.into, err = time.Parse(time.DateOnly, string(x.text)); err != nil {
			return v, badValue(x.name, "must be a date such as 2026-11-22")
		}
	}
	if v.From.After(v.To) {
		return v, badValue("from", "must not be after to")
	}
	if v.To.Sub(v.From) >= MaxSeriesDays*24*time.Hour {
		return v, badValue("from", "must be less than %d days before to", MaxSeriesDays)
	}
	if v.Where, err = ParseWhere(string(r.where)); err == nil && len(v.Where) == 0 {
		err = missing("where")
	}
	return v, err
}

// void answers POST /api/admin/void: what would go, or that it has gone.
func (o *operations) void(ctx *fasthttp.RequestCtx) error {
	var r voidRequest
	if err := r.decode(ctx.Request.Body(), "site", "from", "to", "where", "dry_run"); err != nil {
		return err
	}
	site, err := o.site(ctx, r.site)
	if err != nil {
		return err
	}
	asked, err := r.asked(site)
	if err != nil {
		return err
	}
	if r.dryRun {
		return o.foresee(ctx, &asked)
	}
	asked.By = askerName(ctx)
	if err := o.notes(ctx, "views taken out", site, fmt.Sprintf("%s to %s: %.500s", asked.From.Format(time.DateOnly), asked.To.Format(time.DateOnly), r.where)); err != nil {
		return err
	}
	num, err := o.cfg.Voider.Void(o.base, &asked)
	if err != nil {
		return o.voidFailed(num, err)
	}
	out := struct {
		Num int64 `json:"num"`
	}{num}
	return writeValue(ctx, &out)
}

func (o *operations) voidFailed(num int64, err error) error {
	switch {
	case errors.Is(err, ErrVoiding):
		return fail(fasthttp.StatusConflict, CodeVoiding, "another rule is being carried out: GET /api/admin/void lists it; nothing was changed")
	case errors.Is(err, ErrNoRule):
		return fail(fasthttp.StatusNotFound, CodeNotFound, "num: the site has no such rule; GET /api/admin/void lists them")
	case num != 0:
		o.cfg.Logger.Error("a rule was made, and its days could not be counted again", "rule", num, "err", err)
		return fail(fasthttp.StatusServiceUnavailable, CodeUnavailable, "rule %d is kept, and its days could not be counted again: run ddkk-stats recount for them, or undo the rule; the log says why", num)
	case errors.Is(err, ErrEnding):
		return fail(fasthttp.StatusServiceUnavailable, CodeUnavailable, "the server is being stopped; nothing was changed")
	}
	o.cfg.Logger.Warn("cannot make a rule", "err", err)
	return archiveAway()
}

// foresee tells how much would go.
func (o *operations) foresee(ctx *fasthttp.RequestCtx, v *VoidAsked) error {
	type day struct {
		Date   string `json:"date"`
		PV     int64  `json:"pv"`
		Bots   int64  `json:"pv_bot"`
		Events int64  `json:"events"`
	}
	out := struct {
		DryRun   bool  `json:"dry_run"`
		PV       int64 `json:"pv"`
		Bots     int64 `json:"pv_bot"`
		Events   int64 `json:"events"`
		Days     []day `json:"days"`
		Complete bool  `json:"complete"`
	}{DryRun: true, Complete: true, Days: []day{}}
	days := map[string]*day{}
	has := func(name string) bool {
		for _, t := range v.Where {
			if t.Name == name {
				return true
			}
		}
		return false
	}
	count := func(ctx context.Context, extra []ExploreTerm, add func(d *day, n int64)) error {
		q := ExploreQuery{Site: v.Site, From: v.From, To: v.To, By: "day", Where: append(v.Where[:len(v.Where):len(v.Where)], extra...)}
		found, err := o.cfg.Explorer.Explore(ctx, &q)
		out.Complete = out.Complete && found.Complete
		for _, r := range found.Rows {
			if days[r.Name] == nil {
				days[r.Name] = &day{Date: r.Name}
			}
			add(days[r.Name], r.PV)
		}
		return err
	}
	// Explore looks at people's views unless it is asked for others; a rule takes them all.
	kinds := []struct {
		bot, event bool
	}{{false, false}, {true, false}, {false, true}, {true, true}}
	err := o.series(ctx, v.Site, func(ctx context.Context) error {
		for _, k := range kinds {
			var extra []ExploreTerm
			if !has("bot") {
				extra = append(extra, ExploreTerm{Name: "bot", Value: map[bool]string{false: "no", true: "yes"}[k.bot]})
			} else if k.bot {
				continue
			}
			if !has("event") && k.event {
				extra = append(extra, ExploreTerm{Name: "event", Not: true})
			} else if k.event {
				continue
			}
			bots := k.bot || wantsBots(v.Where)
			events := k.event || has("event")
			err := count(ctx, extra, func(d *day, n int64) {
				switch {
				case events:
					d.Events += n
				case bots:
					d.Bots += n
				default:
					d.PV += n
				}
			})
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	for at := v.To; !at.Before(v.From); at = at.AddDate(0, 0, -1) {
		if d := days[at.Format(time.DateOnly)]; d != nil {
			out.Days = append(out.Days, *d)
			out.PV, out.Bots, out.Events = out.PV+d.PV, out.Bots+d.Bots, out.Events+d.Events
		}
	}
	return writeValue(ctx, &out)
}

// wantsBots tells whether terms leave bots alone.
func wantsBots(terms []ExploreTerm) bool {
	for _, t := range terms {
		if t.Name == "bot" {
			return strings.HasPrefix("yes", t.Value) != t.Not
		}
	}
	return false
}

// unvoid answers DELETE /api/admin/void.
func (o *operations) unvoid(ctx *fasthttp.RequestCtx) error {
	var r voidRequest
	if err := r.decode(ctx.Request.Body(), "site", "num"); err != nil {
		return err
	}
	site, err := o.site(ctx, r.site)
	if err != nil {
		return err
	}
	if r.num == 0 {
		return missing("num")
	}
	if err := o.notes(ctx, "views put back", site, fmt.Sprintf("rule %d", r.num)); err != nil {
		return err
	}
	if err := o.cfg.Voider.Unvoid(o.base, site, int64(r.num), askerName(ctx)); err != nil {
		return o.voidFailed(0, err)
	}
	ctx.SetStatusCode(fasthttp.StatusNoContent)
	return nil
}
