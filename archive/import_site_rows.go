package archive

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"ddkk-stats/parser"
)

// insert stores rows of any tables that are not there yet.
func (im *siteImport) insert(ctx context.Context, tx *sql.Tx, lines []portableLine, fixed []string, values []any) error {
	of := map[*portable][]portableLine{}
	for _, l := range lines {
		of[l.of] = append(of[l.of], l)
	}
	for _, p := range slices.SortedFunc(maps.Keys(of), func(a, b *portable) int { return strings.Compare(a.table, b.table) }) {
		names, with := fixed, values
		if p.table == "api_days" {
			names, with = append(slices.Clip(names), "dirty"), append(slices.Clip(with), 0)
		}
		for some := range slices.Chunk(of[p], sqliteInsertRows) {
			var args []any
			for _, l := range some {
				line, err := l.values()
				if err != nil {
					return err
				}
				row, err := p.args(im.tr.dialect, line, nil)
				if err != nil {
					return err
				}
				args = append(append(args, with...), row...)
			}
			if _, err := execTx(ctx, tx, "insert into "+p.table, p.insert(im.tr.dialect, p.table, names, len(some)), args...); err != nil {
				return err
			}
		}
	}
	return nil
}

// storeRows stores some raw rows of a day, each that is not there yet.
func (im *siteImport) storeRows(ctx context.Context, tx *sql.Tx, out *ImportedSite) error {
	d := im.tr.dialect
	into := map[string][][]any{} // by table
	segments := map[string]int64{}
	ruled := im.rules.Ruled(im.name)
	for _, l := range im.rows {
		line, err := l.values()
		if err != nil {
			return err
		}
		var id portableText
		if err := json.Unmarshal(line["segment"], &id); err != nil {
			return fmt.Errorf("segment: %w", err)
		}
		if _, ok := segments[string(id)]; !ok {
			if segments[string(id)], err = im.segment(ctx, tx, string(id)); err != nil {
				return err
			}
		}
		table := "access_logs"
		if ruled {
			switch reason, err := im.judge(line); {
			case err != nil:
				return err
			case reason == parser.SkipDeleted:
				out.Ruled++
				continue
			case reason != parser.ReasonNone:
				out.Ruled++
				table = "voided_rows"
			}
		}
		args, err := portableRows.args(d, line, segments)
		if err != nil {
			return err
		}
		into[table] = append(into[table], append([]any{im.site, im.day.Date}, args...))
	}
	for id := range segments {
		im.segments[id] = true
	}
	for _, table := range slices.Sorted(maps.Keys(into)) {
		for some := range slices.Chunk(into[table], sqliteInsertRows) {
			n, err := execTx(ctx, tx, "insert raw rows", portableRows.insert(d, table, []string{"site", "date"}, len(some)), slices.Concat(some...)...)
			if err != nil {
				return err
			}
			if table == "access_logs" {
				out.Rows += n
			}
		}
	}
	if out.Rows == 0 {
		return nil
	}
	n, err := execTx(ctx, tx, "mark day", "UPDATE days SET dirty = "+markAgain+", raw = 1 WHERE site = ? AND date = ?", im.site, im.day.Date)
	if err == nil && n == 0 {
		_, err = execTx(ctx, tx, "add day", "INSERT INTO days (site, date, dirty, raw, dedup) VALUES (?, ?, 1, 1, ?)", im.site, im.day.Date, im.day.Dedup)
	}
	return err
}

// judge tells whether a rule takes a raw row out.
func (im *siteImport) judge(line map[string]json.RawMessage) (parser.Reason, error) {
	var texts struct{ page, agent, event, ip, hash portableText }
	var at, bot int64
	for name, into := range map[string]any{"page": &texts.page, "user_agent": &texts.agent, "event_key": &texts.event,
		"ip": &texts.ip, "user_hash": &texts.hash, "created_at": &at, "potential_bot": &bot} {
		if err := json.Unmarshal(line[name], into); err != nil {
			return 0, fmt.Errorf("%s: %w", name, err)
		}
	}
	var device int64
	if err := json.Unmarshal(line["device"], &device); err != nil {
		return 0, fmt.Errorf("device: %w", err)
	}
	row := kept{bot: []byte{flag(bot == 1)}, device: []byte{flag(device == 1)}, page: sql.RawBytes(texts.page), agent: sql.RawBytes(texts.agent), event: sql.RawBytes(texts.event), ip: sql.RawBytes(texts.ip), place: rowPlace{at: at}}
	for _, f := range facetsKept {
		text := portableText{1} // not known, see readFacet
		if raw := line[f.Spec().Column]; len(raw) > 0 {
			if err := json.Unmarshal(raw, &text); err != nil {
				return 0, fmt.Errorf("%s: %w", f.Spec().Column, err)
			}
		}
		row.facets[f] = sql.RawBytes(text)
	}
	if _, err := hex.Decode(row.visitor[:], texts.hash); err != nil {
		row.visitor = parser.Visitor{}
	}
	return im.rules.Takes(im.tr.keptOf(&row, im.name, true)), nil
}

// segment is the number of a segment here, which has what came of one there.
func (im *siteImport) segment(ctx context.Context, tx *sql.Tx, id string) (num int64, err error) {
	d := im.tr.dialect
	own := im.segmentID(id)
	err = tx.QueryRowContext(ctx, "SELECT num FROM segments WHERE id = ?"+d.forUpdate(), own).Scan(&num)
	if !errors.Is(err, sql.ErrNoRows) {
		return num, err
	}
	res, err := tx.ExecContext(ctx, "INSERT INTO segments (id, name, source, size, read_to, lines_read, human, bot, dedup, skipped, "+
		"malformed, torn, reasons, archived_at) VALUES (?, ?, ?, 0, 0, 0, 0, 0, 0, 0, 0, 0, '{}', ?)",
		own, d.bytes(cut([]byte("export of "+im.name+": "+id), 1024)), d.bytes([]byte(importSource)), timeText(im.tr.opt.Now().UnixMilli()))
	if err != nil {
		return 0, fmt.Errorf("add segment: %w", err)
	}
	return res.LastInsertId()
}

// segmentID is the identity of what came of a segment: it is none of a log here.
func (im *siteImport) segmentID(id string) any {
	sum := sha256.Sum256([]byte(im.name + "\n" + id))
	return im.tr.dialect.bytes([]byte("export." + hex.EncodeToString(sum[:20])))
}

// finish writes what is of no day, and the books of segments.
func (im *siteImport) finish(ctx context.Context) error {
	if err := im.keepBooks(ctx); err != nil {
		return err
	}
	deleted := im.rules.DeletedUntil(im.name) > 0
	of := map[string][]portableLine{}
	for _, l := range im.whole {
		of[l.of.table] = append(of[l.of.table], l)
	}
	if deleted {
		for table := range of {
			im.out.Skipped = append(im.out.Skipped, table)
		}
		slices.Sort(im.out.Skipped)
		return nil
	}
	if err := im.bases(ctx, of["baselines"]); err != nil {
		return err
	}
	if err := im.uniques(ctx, of["uniques"]); err != nil {
		return err
	}
	return im.calls(ctx, slices.Concat(of["api_days"], of["api_daily"], of["api_periods"]))
}

func (im *siteImport) bases(ctx context.Context, lines []portableLine) error {
	var all []Baseline
	for _, l := range lines {
		var x struct {
			Source, Page portableText
			PV, UV       int64
		}
		if err := json.Unmarshal(l.text, &x); err != nil {
			return err
		}
		if len(x.Page) > 0 && im.rules.PageDeleted(im.name, x.Page, 0) {
			continue
		}
		all = append(all, Baseline{Source: string(x.Source), Site: im.name, Page: string(x.Page), PV: x.PV, UV: x.UV})
	}
	if len(all) == 0 {
		return nil
	}
	if err := (&baselines{im.tr.store}).SetBaselines(ctx, all); err != nil {
		return err
	}
	return im.tr.transact(ctx, func(ctx context.Context, tx *sql.Tx) error { return im.tr.noteSite(ctx, tx, im.name) })
}

// uniques stores the visitors of weeks and months that raw rows here do not tell.
func (im *siteImport) uniques(ctx context.Context, lines []portableLine) error {
	periods := map[string][]portableLine{}
	for _, l := range lines {
		var x struct{ Period string }
		if err := json.Unmarshal(l.text, &x); err != nil {
			return err
		}
		periods[x.Period] = append(periods[x.Period], l)
	}
	for _, period := range slices.Sorted(maps.Keys(periods)) {
		err := im.tr.transact(ctx, func(ctx context.Context, tx *sql.Tx) error {
			var uv sql.NullInt64
			err := tx.QueryRowContext(ctx, "SELECT uv FROM uniques WHERE site = ? AND period = ? AND page = ?", im.site, period, im.tr.dialect.bytes(nil)).Scan(&uv)
			if err != nil && !errors.Is(err, sql.ErrNoRows) || uv.Valid {
				return err
			}
			if _, err := execTx(ctx, tx, "clear uniques", "DELETE FROM uniques WHERE site = ? AND period = ?", im.site, period); err != nil {
				return err
			}
			return im.insert(ctx, tx, periods[period], []string{"site"}, []any{im.site})
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// calls stores the calls of the site's API where there are none.
func (im *siteImport) calls(ctx context.Context, lines []portableLine) error {
	if len(lines) == 0 {
		return nil
	}
	return im.tr.transact(ctx, func(ctx context.Context, tx *sql.Tx) error {
		if _, err := im.enter(ctx, tx); err != nil {
			return err
		}
		var one int
		err := tx.QueryRowContext(ctx, "SELECT 1 FROM api_days WHERE site = ? LIMIT 1", im.site).Scan(&one)
		if err == nil {
			im.out.Skipped = append(im.out.Skipped, "api calls")
			return nil
		}
		if !errors.Is(err, sql.ErrNoRows) {
			return fmt.Errorf("look for calls: %w", err)
		}
		if err := im.insert(ctx, tx, lines, []string{"site"}, []any{im.site}); err != nil {
			return err
		}
		_, err = execTx(ctx, tx, "note days of calls", "UPDATE api_days SET rolled_at = ? WHERE site = ?", timeText(im.tr.opt.Now().UnixMilli()), im.site)
		if err != nil {
			return err
		}
		var last sql.NullString
		if err := tx.QueryRowContext(ctx, "SELECT MAX(date) FROM api_days WHERE site = ? AND raw <> 1", im.site).Scan(&last); err != nil {
			return fmt.Errorf("find days of calls: %w", err)
		}
		if !last.Valid {
			return nil
		}
		day, err := parseDate(last.String)
		if err != nil {
			return err
		}
		return im.raise(ctx, tx, "api_gone", day)
	})
}

// raise notes that days up to one may have sums alone, so that what comes later for one of them is
// added to its sums.
func (im *siteImport) raise(ctx context.Context, tx *sql.Tx, name string, day parser.Day) error {
	was, err := im.tr.meta(ctx, tx, name)
	after := dateText(addDays(day, 1))
	if err != nil || was >= after {
		return err
	}
	_, err = execTx(ctx, tx, "note days without raw rows", "UPDATE meta SET value = ? WHERE name = ?", im.tr.dialect.bytes([]byte(after)), name)
	return err
}

// keepBooks has the books of segments say what came of them.
func (im *siteImport) keepBooks(ctx context.Context) error {
	for ids := range slices.Chunk(slices.Sorted(maps.Keys(im.segments)), 200) {
		err := im.tr.transact(ctx, func(ctx context.Context, tx *sql.Tx) error { return im.keepSome(ctx, tx, ids) })
		if err != nil {
			return fmt.Errorf("write books: %w", err)
		}
	}
	return nil
}

// segmentRows are the raw rows of one segment.
type segmentRows struct {
	num, human, bot, end int64
	first, last          string
}

func (im *siteImport) keepSome(ctx context.Context, tx *sql.Tx, ids []string) error {
	args := []any{im.site}
	for _, id := range ids {
		args = append(args, im.segmentID(id))
	}
	found := map[int64]*segmentRows{}
	q := "SELECT segment, potential_bot, COUNT(*), MAX(end_offset), MIN(created_at), MAX(created_at) FROM access_logs WHERE site = ? AND segment IN (SELECT num FROM segments WHERE id IN (" +
		strings.TrimSuffix(strings.Repeat("?,", len(ids)), ",") + ")) GROUP BY segment, potential_bot"
	type part struct {
		segmentRows
		bots, n int64
	}
	for p, err := range stream(ctx, querier(tx), func(s scanner) (p part, err error) {
		return p, s.Scan(&p.num, &p.bots, &p.n, &p.end, &p.first, &p.last)
	}, q, args...) {
		if err != nil {
			return err
		}
		r := found[p.num]
		if r == nil {
			r = &segmentRows{num: p.num, first: p.first}
			found[p.num] = r
		}
		if p.bots == 1 {
			r.bot += p.n
		} else {
			r.human += p.n
		}
		r.end, r.first, r.last = max(r.end, p.end), min(r.first, p.first), max(r.last, p.last)
	}
	for _, num := range slices.Sorted(maps.Keys(found)) {
		r := found[num]
		// Rows may have been deleted by their age since: books never shrink.
		if _, err := execTx(ctx, tx, "write book", "UPDATE segments SET size = ?, read_to = ?, lines_read = ?, human = ?, bot = ?, first_time = ?, last_time = ?, archived_at = ? WHERE num = ? AND lines_read < ?",
			r.end, r.end, r.human+r.bot, r.human, r.bot, r.first, r.last, timeText(im.tr.opt.Now().UnixMilli()), num, r.human+r.bot); err != nil {
			return err
		}
		if err := im.tr.noteEnds(ctx, tx, num, map[string]int64{im.name: r.end}); err != nil {
			return err
		}
	}
	return nil
}
