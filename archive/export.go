package archive

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"ddkk-stats/parser"
)

// transfers carry a site from one archive to another.
type transfers struct {
	*store
	rollups *rollups
}

// ExportVersion is that of the lines that ExportSite writes.
const ExportVersion = 1

// ExportHead is the first line.
type ExportHead struct {
	Export   int    `json:"ddkk_export"` // ExportVersion
	Site     string `json:"site"`
	MadeAt   string `json:"made_at"`
	Timezone string `json:"timezone"`
}

// exportDay comes before what is of a day.
type exportDay struct {
	Table string `json:"table"` // "day"
	Date  string `json:"date"`
	Raw   bool   `json:"raw"` // its raw rows follow its sums
	Dedup int64  `json:"dedup"`
}

// exportEnd is the last line: what is before it is whole.
type exportEnd struct {
	Table  string `json:"table"` // "end"
	Lines  int64  `json:"lines"` // before it
	SHA256 string `json:"sha256"`
}

// Exported is what an export came to.
type Exported struct {
	Days, SumsAlone int // of these: without raw rows
	Rows            int64
	Lines           int64
}

// ExportSite writes all that is archived of a site: for each day its sums and, where they
// are kept, its raw rows; bases, visitors of weeks and months, calls. What rules took out is not
// in it. Nothing is archived meanwhile; ErrLocked where another process does.
func (tr *transfers) ExportSite(ctx context.Context, site string, to io.Writer, progress func(rows int64)) (out Exported, err error) {
	unlock, ok, err := tr.dialect.lock(ctx, lockArchive, false)
	if err != nil {
		return out, err
	}
	defer func() { err = errors.Join(err, unlock()) }()
	if !ok {
		return out, ErrLocked
	}
	if _, err := tr.rollups.rollUp(ctx, site, nil); err != nil {
		return out, err
	}
	e := &exporter{tr: tr, site: tr.dialect.bytes([]byte(site)), w: bufio.NewWriterSize(to, 1<<16), out: &out, progress: progress, segments: map[int64]string{}}
	sum := sha256.New()
	e.to = io.MultiWriter(e.w, sum)
	if err := e.write(ctx, site); err != nil {
		return out, fmt.Errorf("export %s: %w", site, err)
	}
	end := exportEnd{"end", out.Lines, hex.EncodeToString(sum.Sum(nil))}
	if err := e.line(end); err != nil {
		return out, fmt.Errorf("export %s: %w", site, err)
	}
	return out, e.w.Flush()
}

type exporter struct {
	tr       *transfers
	site     any
	w        *bufio.Writer
	to       io.Writer
	out      *Exported
	progress func(int64)
	segments map[int64]string
	buf      []byte
}

func (e *exporter) write(ctx context.Context, site string) error {
	if err := e.line(ExportHead{ExportVersion, site, timeText(e.tr.opt.Now().UnixMilli()), e.tr.opt.Location.String()}); err != nil {
		return err
	}
	type segment struct {
		num int64
		id  string
	}
	for s, err := range stream(ctx, e.tr.reads, func(s scanner) (x segment, err error) { return x, s.Scan(&x.num, &x.id) }, "SELECT num, id FROM segments") {
		if err != nil {
			return err
		}
		e.segments[s.num] = s.id
	}
	type dayRow struct {
		day   parser.Day
		raw   int
		dedup int64
	}
	var days []dayRow
	for d, err := range stream(ctx, e.tr.reads, func(s scanner) (d dayRow, err error) { return d, s.Scan(day{&d.day}, &d.raw, &d.dedup) },
		"SELECT date, raw, dedup FROM days WHERE site = ? ORDER BY date", e.site) {
		if err != nil {
			return err
		}
		days = append(days, d)
	}
	for _, d := range days {
		if err := e.line(exportDay{"day", dateText(d.day), d.raw == 1, d.dedup}); err != nil {
			return err
		}
		e.out.Days++
		for i := range portableDays {
			if err := e.table(ctx, &portableDays[i], "site = ? AND date = ?", e.site, dateText(d.day)); err != nil {
				return err
			}
		}
		if d.raw != 1 {
			e.out.SumsAlone++
			continue
		}
		rows := rowsOf(e.tr.dialect, siteDay{site, d.day})
		if err := e.table(ctx, &portableRows, rows.where, rows.args...); err != nil {
			return err
		}
	}
	for i := range portableSite {
		if err := e.table(ctx, &portableSite[i], "site = ?", e.site); err != nil {
			return err
		}
	}
	return nil
}

func (e *exporter) table(ctx context.Context, p *portable, where string, args ...any) error {
	rows, err := e.tr.reads.QueryContext(ctx, "SELECT "+p.selected()+" FROM "+p.table+" WHERE "+where+" ORDER BY "+p.order, args...)
	if err != nil {
		return fmt.Errorf("read %s: %w", p.table, err)
	}
	return eachPortable(rows, p, func(r *portableRow) error {
		var err error
		if e.buf, err = p.append(e.buf[:0], r, e.segments); err != nil {
			return err
		}
		if p == &portableRows {
			if e.out.Rows++; e.progress != nil && e.out.Rows%1000 == 0 {
				e.progress(e.out.Rows)
			}
		}
		return e.put(e.buf)
	})
}

func (e *exporter) line(v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return e.put(b)
}

func (e *exporter) put(line []byte) error {
	e.out.Lines++
	_, err := e.to.Write(append(line, '\n'))
	return err
}
