package verify

import (
	"context"
	"errors"
	"fmt"

	"ddkk-stats/archive"
	"ddkk-stats/counter"
)

// page_counts in SQL follows the page totals in Redis by takes. Redis keeps what
// was taken of each page, which pages changed since, and the takes that may not
// be in SQL yet; SQL keeps which takes it has. So at any moment, exactly:
//
//   - a page's sum in SQL is what was taken of it less the takes that SQL does
//     not have,
//   - and what was taken of a page is its total, unless the page is due.
//
// Both are looked at for some pages at a time. A look counts if no take came
// between its first step and its last.

// Mirror is what is needed of the mirror's part in Redis; *counter.Mirror has it.
type Mirror interface {
	State(ctx context.Context, site string) (counter.MirrorState, error)
	Changes(ctx context.Context, site string, seq int64) ([]counter.PageChange, error)
	Look(ctx context.Context, site string, pages []string) (*counter.MirrorLook, error)
	Pages(ctx context.Context, site string, f func(page string) error) error
	Key(site string, bots bool) string
}

// mirrorTries is how often pages are looked at again because a flush came
// between: flushes of a busy site are seconds apart, a look takes milliseconds.
const mirrorTries = 20

var errUnready = errors.New("the mirror is begun anew")

// mirrored is the comparison of one site's mirror.
type mirrored struct {
	*Verifier
	ctx    context.Context
	report *SiteReport
	seen   map[uint64]struct{}
	batch  []string
}

// mirror compares page_counts with the page totals, where the site has a mirror.
func (v *Verifier) mirror(ctx context.Context, r *SiteReport) error {
	if v.opt.Mirror == nil {
		return nil
	}
	state, err := v.opt.Mirror.State(ctx, r.Site)
	if err != nil || state.Life == "" {
		return err
	}
	v.now("page_counts of " + r.Site)
	m := &mirrored{Verifier: v, ctx: ctx, report: r, seen: map[uint64]struct{}{}}
	switch err := m.all(); {
	case errors.Is(err, errUnready):
		r.Notes = append(r.Notes, "page_counts is not compared: the next flush begins its mirror anew and compares every page")
	case counter.WrongKind(err):
		r.cannot("page_counts: " + err.Error())
	case err != nil:
		return fmt.Errorf("compare page_counts of %s: %w", r.Site, err)
	}
	return nil
}

// all compares the pages that SQL has, and then those that only Redis has.
func (m *mirrored) all() error {
	for after := ""; ; {
		names, err := m.opt.Archive.Read().PageNames(m.ctx, m.report.Site, after, pagesPerTrip)
		if err != nil {
			return err
		}
		for _, page := range names {
			if err := m.add(page); err != nil {
				return err
			}
		}
		if len(names) < pagesPerTrip {
			break
		}
		after = names[len(names)-1]
	}
	if err := m.opt.Mirror.Pages(m.ctx, m.report.Site, m.add); err != nil {
		return err
	}
	return m.compare()
}

func (m *mirrored) add(page string) error {
	name := m.rules.hash(page)
	if _, seen := m.seen[name]; seen {
		return nil
	}
	m.seen[name] = struct{}{}
	if m.batch = append(m.batch, page); len(m.batch) < pagesPerTrip {
		return nil
	}
	return m.compare()
}

// compare looks at the pages of the batch until no flush comes between.
func (m *mirrored) compare() error {
	pages := m.batch
	m.batch = nil
	if len(pages) == 0 {
		return nil
	}
	for range mirrorTries {
		done, err := m.look(pages)
		if err != nil || done {
			return err
		}
	}
	m.report.cannot(fmt.Sprintf("page_counts: %d pages from %q on are flushed faster than they can be read", len(pages), pages[0]))
	return nil
}

// look compares pages; false: a flush came between.
//
// The order matters: takes that were open at the first step and are not known to
// SQL at the third were read whole at the second.
func (m *mirrored) look(pages []string) (bool, error) {
	site := m.report.Site
	state, err := m.opt.Mirror.State(m.ctx, site)
	if err != nil {
		return false, err
	}
	if state.Closed || !state.Open || !state.Current || state.Lost {
		return false, errUnready
	}
	changes := map[int64][]counter.PageChange{}
	for seq := range state.Takes {
		if changes[seq], err = m.opt.Mirror.Changes(m.ctx, site, seq); err != nil {
			return false, err
		}
	}
	counts, log, err := m.opt.Archive.PageCountsOf(m.ctx, site, pages)
	if err != nil {
		return false, err
	}
	look, err := m.opt.Mirror.Look(m.ctx, site, pages)
	if err != nil {
		return false, err
	}
	if !look.Ready || look.Life != state.Life || look.Seq != state.Seq {
		return false, nil
	}
	open := missing(&state, &log, changes)
	for i := range look.Pages {
		p := &look.Pages[i]
		c, o := counts[p.Total.Page], open[p.Total.Page]
		m.page(p, false, views4{total: p.Total.PV, taken: p.Taken.PV, open: o.pv, sum: c.PV})
		m.page(p, true, views4{total: p.Total.Bots, taken: p.Taken.Bots, open: o.bot, sum: c.Bots})
	}
	return true, nil
}

// missing adds up the takes that SQL does not have.
func missing(state *counter.MirrorState, log *archive.FlushLog, changes map[int64][]counter.PageChange) map[string]views {
	open := map[string]views{}
	for seq, nonce := range state.Takes {
		if log.Life == state.Life && log.Nonces[seq] == nonce {
			continue
		}
		for _, c := range changes[seq] {
			n := open[c.Page]
			if c.Bots {
				n.bot += c.By
			} else {
				n.pv += c.By
			}
			open[c.Page] = n
		}
	}
	return open
}

// views4 are the views of a page, of people or of bots: in Redis, those that
// were taken, of these those that are on their way, and in SQL.
type views4 struct{ total, taken, open, sum int64 }

func (m *mirrored) page(p *counter.MirroredPage, bots bool, n views4) {
	m.report.Keys++
	key := m.opt.Mirror.Key(m.report.Site, bots) + " " + p.Total.Page
	switch who := ""; {
	case p.TotalsWrong != "":
		m.differ(key, p.TotalsWrong, "numbers")
	case n.sum != n.taken-n.open:
		if bots {
			who = " bots"
		}
		m.differ("page_counts "+m.report.Site+" "+p.Total.Page+who, fmt.Sprint(n.sum), fmt.Sprint(n.taken-n.open))
	case !p.Due && n.taken != n.total:
		m.differ(key, fmt.Sprint(n.taken), fmt.Sprint(n.total))
	}
}

func (m *mirrored) differ(key, have, want string) {
	m.report.Mirror++
	m.report.differ(key, have, want)
}
