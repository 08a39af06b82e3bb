package archive

import (
	"bufio"
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"

	"ddkk-stats/parser"
)

// importSource is the name of the source of imported files.
const importSource = "import"

// plan finds what is to be done and what it can be done from. It returns the
// segments that are read again, in the order in which they were archived.
func (r *recounter) plan(ctx context.Context) ([]*oldSegment, error) {
	var err error
	if r.was, err = r.totals(ctx); err != nil {
		return nil, err
	}
	if err := r.refuse(ctx); err != nil {
		return nil, err
	}
	if err := r.findSegments(ctx); err != nil {
		return nil, err
	}
	if r.days, err = r.a.daysWhere(ctx, "raw = 1 AND date >= ? AND date <= ?", dateText(addDays(r.from, -1)), dateText(addDays(r.q.To, 1))); err != nil {
		return nil, err
	}
	r.days = slices.DeleteFunc(r.days, func(k siteDay) bool { return !r.wants(k.site) })
	for _, k := range r.days {
		if err := r.findOrigin(ctx, k); err != nil {
			return nil, err
		}
	}
	return r.toRead(ctx)
}

// refuse looks for days whose raw rows are deleted.
func (r *recounter) refuse(ctx context.Context) error {
	var last sql.NullString
	if err := r.a.reads.QueryRowContext(ctx, "SELECT MAX(date) FROM days WHERE raw <> 1 AND rolled_at IS NOT NULL").Scan(&last); err != nil {
		return fmt.Errorf("find days without raw rows: %w", err)
	}
	if last.Valid {
		day, err := parseDate(last.String)
		if err != nil {
			return err
		}
		r.from = max(r.from, addDays(day, 1))
	}
	for k, t := range r.was {
		if r.wants(k.site) && k.day < r.from && t.PV+t.Bot+t.Events+t.BotEvents > 0 {
			r.out.Left = append(r.out.Left, SiteDay{k.site, k.day})
		}
	}
	slices.SortFunc(r.out.Left, func(x, y SiteDay) int { return cmp.Or(cmp.Compare(x.Day, y.Day), cmp.Compare(x.Site, y.Site)) })
	if len(r.out.Left) > 0 && !r.q.Force {
		return &NoRawError{r.out.Left}
	}
	return nil
}

// findSegments learns what is archived of each segment, and which are on the
// disk with all of that.
func (r *recounter) findSegments(ctx context.Context) error {
	type file struct {
		Segment
		source *Source
	}
	files := map[string]file{}
	for i := range r.q.Logs {
		for _, s := range r.q.Logs[i].Segments {
			files[s.ID()] = file{s, &r.q.Logs[i]}
		}
	}
	for s, err := range stream(ctx, r.a.reads, func(s scanner) (*oldSegment, error) {
		var o oldSegment
		var source string
		err := s.Scan(&o.num, &o.id, &o.end, &o.lines, &source)
		o.imported = source == importSource
		return &o, err
	}, "SELECT num, id, read_to, lines_read, source FROM segments") {
		if err != nil {
			return err
		}
		switch f, ok := files[s.id]; {
		case !ok || s.imported || r.q.Facets:
		case f.Size() < s.end:
			r.a.log.Warn("a segment is shorter than what was archived of it: its raw rows are judged instead", "file", f.Name(), "archived", s.end, "size", f.Size())
		default:
			s.file, s.source = f.Segment, f.source
		}
		r.segments[s.num] = s
	}
	return nil
}

// findOrigin tells which segments a day's raw rows came from.
func (r *recounter) findOrigin(ctx context.Context, k siteDay) error {
	rows := rowsOf(r.a.dialect, k)
	type part struct{ num, n int64 }
	o := &origin{}
	for p, err := range stream(ctx, r.a.reads, func(s scanner) (p part, err error) { return p, s.Scan(&p.num, &p.n) },
		"SELECT segment, COUNT(*) FROM access_logs WHERE "+rows.where+" GROUP BY segment", rows.args...) {
		if err != nil {
			return err
		}
		seg := r.segments[p.num]
		if seg == nil {
			return fmt.Errorf("BUG: raw rows of %s %d are of a segment %d that nobody knows", k.site, k.day, p.num)
		}
		seg.inScope = true
		if seg.file != nil {
			o.lines += p.n
			continue
		}
		o.rows += p.n
		r.lost[k], r.partial[k.day] = true, true
	}
	r.counts[k] = o
	r.total += o.rows
	return nil
}

// toRead are the segments on the disk that may hold lines of the days.
func (r *recounter) toRead(ctx context.Context) ([]*oldSegment, error) {
	var todo []*oldSegment
	for _, s := range r.segments {
		if s.file == nil {
			continue
		}
		if !s.inScope {
			begins, err := r.begins(ctx, s)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", s.file.Name(), err)
			}
			if begins > r.q.To {
				continue
			}
		}
		todo = append(todo, s)
		r.total += s.lines
	}
	slices.SortFunc(todo, func(x, y *oldSegment) int { return cmp.Compare(x.num, y.num) })
	return todo, nil
}

// begins is the day of a segment's first good line; 0: it has none.
func (r *recounter) begins(ctx context.Context, s *oldSegment) (_ parser.Day, err error) {
	f, err := s.file.Open(ctx, 0)
	if err != nil {
		return 0, fmt.Errorf("open segment: %w", err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	lines := bufio.NewReaderSize(f, scanBuffer)
	var h parser.Hit
	for range 1000 {
		line, err := lines.ReadSlice('\n')
		if err != nil {
			break // reading all of it will tell what is wrong
		}
		if s.source.parse(line[:len(line)-1], &h); h.Day != 0 {
			return h.Day, nil
		}
	}
	return 0, nil
}
