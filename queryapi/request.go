package queryapi

import (
	"bytes"

	"github.com/valyala/fasthttp"

	"ddkk-stats/counter"
)

// Limits of what one request may ask for.
const (
	// MaxPages is how many pages one request may name.
	MaxPages = 100
	maxView  = 64 // bytes of a view id
)

// work is the memory of one request, reused for the next.
type work struct {
	dec    decoder
	req    request
	query  counter.Query
	answer counter.Answer
	out    []byte
}

// request is what the body of a request asks for. Byte slices point into the
// body.
type request struct {
	site      []byte
	page      []byte // nil: none
	fields    counter.Fields
	hasFields bool
	count     bool
	names     [][]byte // pages as they were asked for, each once
	hasNames  bool
	limit     int
	view      []byte
}

func (a *answering) borrow() *work { return a.pool.Get().(*work) }

// give takes the memory back, but for what an odd request made grow.
func (a *answering) give(w *work) {
	if cap(w.out) > maxBody || cap(w.dec.text) > maxBody {
		return
	}
	w.dec.in = nil
	clear(w.req.names)
	clear(w.query.Pages)
	w.req = request{names: w.req.names[:0]}
	w.query = counter.Query{Pages: w.query.Pages[:0]}
	a.pool.Put(w)
}

var (
	statsFields = []string{"site", "page", "fields", "action", "batch_pages", "limit", "view"}
	batchFields = []string{"site", "pages"}
)

func (w *work) decodeStats(body []byte) error {
	d, r := &w.dec, &w.req
	d.reset(body)
	return d.object(statsFields, func(i int) (err error) {
		switch statsFields[i] {
		case "site":
			r.site, err = d.string()
		case "page":
			if r.page, err = d.string(); err == nil && len(r.page) == 0 {
				err = badValue("page", "must not be empty")
			}
		case "fields":
			r.hasFields = true
			err = w.fieldNames()
		case "action":
			err = w.action()
		case "batch_pages":
			err = w.pageNames()
		case "limit":
			r.limit, err = d.integer(1, counter.MaxHotPages)
		case "view":
			if r.view, err = d.string(); err == nil && !validView(r.view) {
				err = badValue("view", "must be 1 to %d letters, digits, - or _", maxView)
			}
		}
		return err
	})
}

func (w *work) decodeBatch(body []byte) error {
	d, r := &w.dec, &w.req
	d.reset(body)
	err := d.object(batchFields, func(i int) (err error) {
		if batchFields[i] == "site" {
			r.site, err = d.string()
			return err
		}
		return w.pageNames()
	})
	if err == nil && !r.hasNames {
		return missing("pages")
	}
	return err
}

func (w *work) fieldNames() error {
	return w.dec.list(func() error {
		name, err := w.dec.string()
		if err != nil {
			return err
		}
		f, ok := parseField(name)
		if !ok {
			return badValue("fields", "%q is not among %q, hot_pages_today, _week, _month and _all", name[:min(len(name), 64)], scalarNames)
		}
		w.req.fields |= f
		return nil
	})
}

func (w *work) action() error {
	v, err := w.dec.string()
	if err != nil {
		return err
	}
	switch string(v) {
	case "query":
	case "count":
		w.req.count = true
	default:
		return badValue("action", "must be query or count")
	}
	return nil
}

func (w *work) pageNames() error {
	r, n := &w.req, 0
	r.hasNames = true
	return w.dec.list(func() error {
		name, err := w.dec.string()
		if err != nil {
			return err
		}
		if n++; n > MaxPages {
			return badValue(w.dec.field, "more than %d pages", MaxPages)
		}
		if len(name) == 0 {
			return badValue(w.dec.field, "a page must not be empty")
		}
		for _, other := range r.names {
			if bytes.Equal(other, name) {
				return nil
			}
		}
		r.names = append(r.names, name)
		return nil
	})
}

func validView(id []byte) bool {
	for _, c := range id {
		letter := c|0x20 >= 'a' && c|0x20 <= 'z'
		if !letter && (c < '0' || c > '9') && c != '-' && c != '_' {
			return false
		}
	}
	return len(id) > 0 && len(id) <= maxView
}

// site normalises a site that was asked for, and refuses those that the asker's token is
// not for.
func (a *answering) site(ctx *fasthttp.RequestCtx, raw []byte) (string, error) {
	if len(raw) == 0 {
		return "", missing("site")
	}
	site, ok := a.cfg.NormalizeSite(string(raw))
	if !ok {
		return "", fail(fasthttp.StatusForbidden, CodeSiteDenied, "site: %q is not counted here: see SITES", raw[:min(len(raw), 253)])
	}
	return site, permit(ctx, site)
}
