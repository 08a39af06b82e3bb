package queryapi

import (
	"context"
	"errors"
	"fmt"

	"github.com/valyala/fasthttp"
)

// baselines answers GET /api/admin/baselines.
func (o *operations) baselines(ctx *fasthttp.RequestCtx) error {
	site, err := o.onlySite(ctx)
	if err != nil {
		return err
	}
	type baseline struct {
		Page text  `json:"page"`
		PV   int64 `json:"pv"`
		UV   int64 `json:"uv"`
	}
	out := struct {
		Baselines []baseline `json:"baselines"`
	}{[]baseline{}}
	err = o.series(ctx, site, func(ctx context.Context) error {
		all, err := o.cfg.Baselines.Baselines(ctx, site)
		for _, b := range all {
			out.Baselines = append(out.Baselines, baseline{text(b.Page), b.PV, b.UV})
		}
		return err
	})
	if err != nil {
		return err
	}
	return writeValue(ctx, &out)
}

// setBaseline answers PUT /api/admin/baselines.
func (o *operations) setBaseline(ctx *fasthttp.RequestCtx) error {
	r := baselineRequest{fields: []string{"site", "page", "pv", "uv"}}
	if err := r.decode(ctx.Request.Body()); err != nil {
		return err
	}
	if r.given&(1<<2|1<<3) == 0 {
		return missing("pv")
	}
	return o.replaceBaseline(ctx, &r)
}

// deleteBaseline answers DELETE /api/admin/baselines, whose site and page are
// in the query or in the body.
func (o *operations) deleteBaseline(ctx *fasthttp.RequestCtx) error {
	r := baselineRequest{fields: []string{"site", "page"}}
	args := ctx.QueryArgs()
	if body := ctx.Request.Body(); len(body) > 0 {
		if err := knownArgs(args); err != nil {
			return err
		}
		if err := r.decode(body); err != nil {
			return err
		}
	} else {
		if err := knownArgs(args, r.fields...); err != nil {
			return err
		}
		r.site, r.page = args.Peek("site"), args.Peek("page")
		if args.Has("page") {
			r.given |= 1 << 1
		}
	}
	return o.replaceBaseline(ctx, &r)
}

// baselineRequest names a base; given has bit i set if fields[i] was there.
type baselineRequest struct {
	fields     []string
	given      int
	site, page []byte
	pv, uv     int
}

func (r *baselineRequest) decode(body []byte) error {
	var d decoder
	d.reset(body)
	return d.object(r.fields, func(i int) (err error) {
		r.given |= 1 << i
		switch r.fields[i] {
		case "site":
			r.site, err = d.string()
		case "page":
			r.page, err = d.string()
		case "pv":
			r.pv, err = d.integer(0, maxBase)
		case "uv":
			r.uv, err = d.integer(0, maxBase)
		}
		return err
	})
}

// replaceBaseline sets what was asked for. The page must be named, though it
// may be empty: it would be a pity to replace the whole site's by mistake.
func (o *operations) replaceBaseline(ctx *fasthttp.RequestCtx, r *baselineRequest) error {
	site, err := o.site(ctx, r.site)
	if err != nil {
		return err
	}
	if r.given&(1<<1) == 0 {
		return missing("page")
	}
	b := Baseline{PV: int64(r.pv), UV: int64(r.uv)}
	if len(r.page) > 0 {
		b.Page = o.cfg.NormalizePage(site, r.page)
	}
	if err := o.notes(ctx, "set base", site, fmt.Sprintf("page %q: %d views, %d visitors", b.Page, b.PV, b.UV)); err != nil {
		return err
	}
	err = o.series(ctx, site, func(ctx context.Context) error { return o.cfg.Baselines.SetBaseline(ctx, site, b) })
	if errors.Is(err, ErrStoreAway) {
		o.cfg.Logger.Warn("a base is kept and not shown yet", "site", site, "err", err)
		return fail(fasthttp.StatusServiceUnavailable, CodeUnavailable, "the base is kept, but Redis does not answer: ask again later, so that it shows")
	}
	if err != nil {
		return err
	}
	ctx.SetStatusCode(fasthttp.StatusNoContent)
	return nil
}
