package archive

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"ddkk-stats/parser"
)

// fresh has the sums of the days that a run stores all raw rows of. They are
// added up on the way into the table, so that rolling such a day up need not
// read them again, which takes longer than storing them did.
//
// Like windows it is a cache of the raw rows: whatever makes it doubtful, be it
// a load by another host, a transaction that failed or a day that is too large,
// has the day's raw rows read instead.
type fresh struct {
	a    *cycles
	gate string // what the last load of this run left at the gate
	days map[siteDay]*fold
}

// maxFresh bounds what all days together remember to tell things apart. It is
// as much as one pass over raw rows may take.
const maxFresh = 2_000_000

func (cy *cycles) newFresh() *fresh { return &fresh{a: cy, days: map[siteDay]*fold{}} }

// pass notes that a load found one value at the gate and leaves another.
func (f *fresh) pass(found, left string) {
	if f == nil {
		return
	}
	if found != f.gate {
		f.forget()
	}
	f.gate = left
}

// forget is for when it is not known what became of the rows.
func (f *fresh) forget() {
	if f != nil {
		clear(f.days)
	}
}

// of returns what adds up a day; nil: it has raw rows that were not seen here.
func (f *fresh) of(ctx context.Context, w *windows, k siteDay) (*fold, error) {
	if f == nil {
		return nil, nil
	}
	sums, ok := f.days[k]
	if ok {
		return sums, nil
	}
	has, err := w.hasRows(ctx, k)
	if err != nil {
		return nil, err
	}
	if !has {
		sums = newFold(f.a.options())
		sums.begin()
	}
	f.days[k] = sums
	return sums, nil
}

// settle is called when a chunk was committed. Where too much is remembered, the
// days that the log has left behind are rolled up, and if that is not enough
// the others are forgotten. It tells how many days were rolled up.
func (f *fresh) settle(ctx context.Context, touched map[siteDay]*touch) (done int, err error) {
	if f == nil || f.size() <= f.a.maxFresh {
		return 0, nil
	}
	for k, sums := range f.days {
		if touched[k] != nil || sums == nil {
			continue
		}
		if _, err := f.a.rollups.rollUpDay(ctx, k, f, false); err != nil { // one that is full waits for those before it
			return done, fmt.Errorf("roll up %s %d: %w", k.site, k.day, err)
		}
		f.days[k] = nil
		done++
	}
	if f.size() > f.a.maxFresh {
		for k := range f.days {
			f.days[k] = nil // not deleted: it has rows
		}
	}
	return done, nil
}

func (f *fresh) size() (n int) {
	for _, sums := range f.days {
		if sums != nil {
			n += sums.size()
		}
	}
	return n
}

// sums returns those of a day whose row in days tx has locked; nil: they have to
// be read. The lock keeps every load that touches the day from committing, so
// that nobody has touched it who did not pass the gate after this run, and the
// gate tells.
func (f *fresh) sums(ctx context.Context, tx *sql.Tx, k siteDay) (*fold, error) {
	if f == nil || f.days[k] == nil || f.days[k].over {
		return nil, nil
	}
	var gate string
	err := tx.QueryRowContext(ctx, "SELECT value FROM meta WHERE name = 'gate'").Scan(&gate)
	if errors.Is(err, sql.ErrNoRows) || err == nil && gate != f.gate {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("look at the gate: %w", err)
	}
	return f.days[k], nil
}

// begin makes room for what is told apart.
func (f *fold) begin() {
	f.visitors, f.pairs, f.facetPairs = map[parser.Visitor]firstNames{}, map[uint64]struct{}{}, map[uint64]struct{}{}
}

// size is how much a fold remembers.
func (f *fold) size() int {
	n := len(f.visitors) + len(f.pairs) + len(f.facetPairs) + len(f.pages) + len(f.bots) + len(f.events)
	for _, names := range f.facets {
		n += len(names)
	}
	return n
}

// take counts a row on its way into the table.
func (f *fold) take(r *row) {
	h := r.hit
	x := foldRow{visitor: h.Visitor, told: !h.Visitor.IsZero(), bot: h.Bot, mobile: h.Device == parser.Mobile, page: h.Page, event: r.eventKey}
	if len(r.eventKey) == 0 {
		x.hour = f.clock.at(h.Time) / 60
		f.name = append(f.name[:0], h.Site...)
		var ends [parser.NumFacets]int
		for i, facet := range facetsKept {
			name, known := facetColumn(h, facet)
			f.name = append(f.name, name...)
			ends[i] = len(f.name)
			x.known.Set(facet, known)
		}
		x.site = f.name[:len(h.Site)]
		at := len(h.Site)
		for i, facet := range facetsKept {
			x.facets[facet] = f.name[at:ends[i]]
			at = ends[i]
		}
	}
	f.add(&x)
}
