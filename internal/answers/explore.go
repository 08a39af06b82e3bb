package answers

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"ddkk-stats/archive"
	"ddkk-stats/parser"
	"ddkk-stats/queryapi"
	"ddkk-stats/tailer"
)

// Explorer answers about views that share something: of a page by referrers, of a referrer
// by pages, and the like, which no counter has. It looks at raw rows: those in SQL, and the
// lines of this host's logs that are not archived yet. Counting does nothing for it.
type Explorer struct {
	series *Series
	logs   *LastViews
	limit  time.Duration

	turn chan struct{} // one looks at a time, with the parsers of logs
}

// exploreTime bounds how long one look takes; what was seen by then is answered, as a part.
const exploreTime = 4 * time.Second

// exploreNames bounds the names that one look remembers.
const exploreNames = 100_000

// NewExplorer looks at what series has archived and at the lines of logs. It uses a parser
// of its own beside that of logs.
func NewExplorer(series *Series, logs *LastViews) *Explorer {
	return &Explorer{series: series, logs: &LastViews{inputs: logs.inputs, cfg: logs.cfg}, limit: exploreTime, turn: make(chan struct{}, 1)}
}

// ExploreArchive looks at what is archived, for as long as it may take: of the site that
// is asked for, or of all together. The visitors of sites are others.
func ExploreArchive(ctx context.Context, a *archive.Archive, q *queryapi.ExploreQuery, within time.Duration) (queryapi.Explored, error) {
	e := &Explorer{series: NewSeries(nil, func() (*archive.Archive, error) { return a, nil }), logs: &LastViews{}, limit: within, turn: make(chan struct{}, 1)}
	if q.Site != "" {
		return e.Explore(ctx, q)
	}
	sites, err := a.Read().Sites(ctx)
	if err != nil {
		return queryapi.Explored{}, fmt.Errorf("read sites: %w", err)
	}
	all := newLook(q)
	until := time.Now().Add(within)
	for _, site := range sites {
		one := *q
		one.Site, e.limit = site, time.Until(until)
		found, err := e.Explore(ctx, &one)
		if err != nil {
			return found, err
		}
		for _, r := range found.Rows {
			all.add(r.Name, r.PV, r.UV)
		}
		all.out.Scanned += found.Scanned
		all.out.Complete = all.out.Complete && found.Complete
	}
	return all.ranked(), nil
}

// look is one question under way.
type look struct {
	q        *queryapi.ExploreQuery
	terms    archive.Terms
	from, to parser.Day
	rows     map[string]*queryapi.ExploredRow
	seen     map[string]bool // view ids of lines; a second one is a duplicate
	out      queryapi.Explored
}

// Explore implements queryapi.Explorer.
func (e *Explorer) Explore(ctx context.Context, q *queryapi.ExploreQuery) (queryapi.Explored, error) {
	select {
	case e.turn <- struct{}{}:
		defer func() { <-e.turn }()
	case <-ctx.Done():
		return queryapi.Explored{}, ctx.Err()
	}
	limited, cancel := context.WithTimeout(ctx, e.limit)
	defer cancel()
	l := newLook(q)
	archived, err := e.past(limited, l)
	if err == nil {
		err = e.lines(limited, l, archived)
	}
	if errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
		l.out.Complete, err = false, nil
	}
	return l.ranked(), err
}

func newLook(q *queryapi.ExploreQuery) *look {
	l := &look{q: q, from: parser.DayOf(q.From), to: parser.DayOf(q.To), rows: map[string]*queryapi.ExploredRow{}, seen: map[string]bool{}}
	l.out.Complete = true
	for _, t := range q.Where {
		l.terms = append(l.terms, archive.Term(t))
	}
	return l
}

// ranked is what was found, most views first.
func (l *look) ranked() queryapi.Explored {
	for _, row := range l.rows {
		l.out.Rows = append(l.out.Rows, *row)
	}
	slices.SortFunc(l.out.Rows, func(a, b queryapi.ExploredRow) int {
		return cmp.Or(cmp.Compare(b.PV, a.PV), cmp.Compare(a.Name, b.Name))
	})
	return l.out
}

// past adds what is archived, newest days first, and returns up to where segments are.
func (e *Explorer) past(ctx context.Context, l *look) (map[string]archive.ArchivedSegment, error) {
	r, err := e.series.read()
	if err != nil { // there is none, or it does not answer: the logs have the newest
		l.out.Complete = false
		return nil, nil
	}
	archived, err := r.ArchivedSegments(ctx)
	if err != nil {
		return nil, errors.Join(queryapi.ErrArchiveAway, err)
	}
	days, whole, err := r.RowsOfDays(ctx, l.q.Site, l.from, l.to)
	if err != nil {
		return nil, errors.Join(queryapi.ErrArchiveAway, err)
	}
	l.out.Complete = whole
	for _, d := range days {
		looked, err := r.ExploreDay(ctx, l.q.Site, d, l.q.By, l.terms, func(v archive.NameTotals) { l.add(v.Name, v.PV, &v.UV) })
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if err != nil {
			return nil, errors.Join(queryapi.ErrArchiveAway, err)
		}
		l.out.Scanned += looked
	}
	return archived, nil
}

// add counts views under a name; uv is nil where their visitors are not known.
func (l *look) add(name string, pv int64, uv *int64) {
	row := l.rows[name]
	if row == nil {
		if len(l.rows) >= exploreNames {
			l.out.Complete = false
			return
		}
		var none int64
		row = &queryapi.ExploredRow{Name: name, UV: &none}
		l.rows[name] = row
	}
	row.PV += pv
	if row.UV != nil && uv != nil {
		*row.UV += *uv
	} else {
		row.UV = nil // a visitor of these lines may be one of the archived
	}
}

// lines adds the lines that are not archived.
func (e *Explorer) lines(ctx context.Context, l *look, archived map[string]archive.ArchivedSegment) error {
	for _, in := range e.logs.inputs {
		if in.Calls {
			continue
		}
		p, err := e.logs.parserOf(in)
		if err != nil {
			return err
		}
		for _, seg := range in.Tail.Segments() {
			end := archived[seg.ID].End
			switch {
			case seg.Deleted || seg.Refused || seg.LastWrite.Before(l.q.From.Add(-48*time.Hour)):
			case seg.Compressed && end == 0:
				l.out.Complete = false // it waits for the archive
			case !seg.Compressed && end < seg.Size:
				if err := l.read(ctx, p, seg, end); err != nil {
					return err
				}
			}
		}
	}
	return ctx.Err()
}

// read adds the complete lines of a segment from an offset on.
func (l *look) read(ctx context.Context, p *parser.Parser, seg tailer.Segment, from int64) (err error) {
	f, err := os.Open(seg.Name)
	if errors.Is(err, os.ErrNotExist) {
		return nil // renamed a moment ago, or deleted
	}
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	buf, kept := make([]byte, 1<<20), 0
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		n, err := f.ReadAt(buf[kept:], from+int64(kept))
		data := buf[:kept+n]
		whole := bytes.LastIndexByte(data, '\n') + 1
		l.parse(p, data[:whole])
		from += int64(whole)
		kept = copy(buf, data[whole:])
		if kept == len(buf) { // no line is so long
			from, kept = from+int64(kept), 0
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

func (l *look) parse(p *parser.Parser, data []byte) {
	var h parser.Hit
	for line := range bytes.Lines(data) {
		l.out.Scanned++
		p.Parse(line[:len(line)-1], &h)
		if h.Site != l.q.Site || h.Kind != parser.Pageview && h.Kind != parser.Event || h.Day < l.from || h.Day > l.to {
			continue
		}
		if name, ok := l.wanted(&h); ok && !l.again(&h) {
			l.add(name, 1, nil)
		}
	}
}

// again says that a line repeats the view before it.
func (l *look) again(h *parser.Hit) bool {
	if len(h.ViewID) == 0 || len(l.seen) >= exploreNames {
		return false
	}
	key := string(h.ViewID)
	if l.seen[key] {
		return true
	}
	l.seen[key] = true
	return false
}

// counts tells whether a line has a name, if it is asked for by a facet.
func counts(by string, h *parser.Hit) bool {
	for f := range parser.NumFacets {
		if f.Spec().Column == by && f != parser.Hour {
			name, known := h.FacetName(f)
			return f.Counts([]byte(h.Site), []byte(name), known)
		}
	}
	return true
}

// wanted is the name that a line counts under, if the terms want it, by the rules of
// archive.Terms.
func (l *look) wanted(h *parser.Hit) (name string, ok bool) {
	of := func(name string) string {
		switch name {
		case "day":
			return dateOf(h.Day).Format(time.DateOnly)
		case "page":
			return string(h.Page)
		case "device":
			if h.Device == parser.Mobile {
				return "mobile"
			}
			return "pc"
		case "bot":
			if h.Bot {
				return "yes"
			}
			return "no"
		}
		for f := range parser.NumFacets {
			if f.Spec().Column == name {
				text, _ := h.FacetName(f)
				return text
			}
		}
		if h.Kind != parser.Event {
			return ""
		}
		key, _, _ := parser.AppendEventKeys(nil, h)
		return string(key)
	}
	if h.Bot && !l.terms.Has("bot") && l.q.By != "bot" {
		return "", false
	}
	event := h.Kind == parser.Event
	if l.q.By == "event" && !event || l.q.By != "event" && event && !l.terms.Has("event") {
		return "", false
	}
	if !counts(l.q.By, h) {
		return "", false
	}
	for _, t := range l.terms {
		is := of(t.Name) == t.Value
		if t.Prefix {
			is = strings.HasPrefix(of(t.Name), t.Value)
		}
		if is == t.Not {
			return "", false
		}
	}
	return of(l.q.By), true
}
