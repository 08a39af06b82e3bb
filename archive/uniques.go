package archive

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"

	"ddkk-stats/parser"
)

// Visitors of weeks and months. Raw rows have a hash for each; while a week or month goes
// on, Redis has its numbers. When it is over they are counted from the raw rows, once, and
// again whenever one of its days is summed up anew.

// termColumn is the column of raw rows that tells visitors of a term.
func termColumn(t parser.Term) string { return t.String() + "_hash" }

// termColumns are those of access_logs.
func termColumns() (all []column) {
	for t := range parser.NumTerms {
		all = append(all, column{name: termColumn(t),
			append: func(_ *encoder, b []byte, r *row) []byte {
				if v := &r.hit.Terms[t]; !v.IsZero() {
					return appendEscaped(b, v[:])
				}
				return append(b, '\\', 'N')
			},
			arg:   func(_ *encoder, r *row, _ dialect) any { return termArg(r.hit.Terms[t]) },
			kept:  func(k *kept) any { return &k.terms[t] },
			again: func(_ *kept, x *judgedRow, _ dialect) any { return termArg(x.hit.Terms[t]) }})
	}
	return all
}

func termArg(v parser.Visitor) any {
	if v.IsZero() {
		return nil
	}
	return v[:]
}

// termRead is a hash as a row has it.
func termRead(b []byte) (v parser.Visitor) {
	if len(b) == len(v) {
		copy(v[:], b)
	}
	return v
}

// TermTotals are the visitors of a week or month; UV is nil where they are not known.
type TermTotals struct {
	Term  parser.Term
	First parser.Day
	Name  string
	UV    *int64
}

// Uniques returns the weeks or months that are over and begin on the days from..to, of a
// page or of the whole site, in order. There is none where nothing was counted.
func (r *sumReader) Uniques(ctx context.Context, site, page string, t parser.Term, from, to parser.Day) iter.Seq2[TermTotals, error] {
	return stream(ctx, r.q, func(s scanner) (v TermTotals, err error) {
		if err := s.Scan(&v.Name, &v.UV); err != nil {
			return v, err
		}
		v.Term, v.First, _ = parser.TermNamed(v.Name)
		return v, nil
	}, "SELECT a.period, CASE WHEN a.uv IS NULL THEN NULL ELSE COALESCE(b.uv, 0) END FROM uniques a "+
		"LEFT JOIN uniques b ON b.site = a.site AND b.period = a.period AND b.page = ? "+
		"WHERE a.site = ? AND a.page = ? AND LENGTH(a.period) = ? AND a.period >= ? AND a.period <= ? ORDER BY a.period",
		r.d.bytes([]byte(page)), r.d.bytes([]byte(site)), r.d.bytes(nil), len(t.Name(from)), t.Name(from), t.Name(to))
}

// ReadTerm calls row for every visitor of a week or month, once, as parser.TermHash, and for
// every page that one saw, as parser.PairHash; the page is valid until row returns. whole is
// false where raw rows of it do not tell their visitor, or are deleted.
func (r *rawReader) ReadTerm(ctx context.Context, site string, t parser.Term, first parser.Day, row func(hash uint64, page []byte) error) (whole bool, err error) {
	x := &termReading{q: r.q, d: r.d, site: site, term: t, first: first, row: row, limit: rowsPerPass}
	err = x.read(ctx)
	return !x.gone && !x.untold, err
}

// termReading is one reading of a term's raw rows.
type termReading struct {
	q     querier
	d     dialect
	site  string
	term  parser.Term
	first parser.Day
	row   func(hash uint64, page []byte) error
	limit int64 // views of a pass, about

	pass, passes uint64
	seen         map[uint64]struct{}
	some         bool // there are days with views
	oldest       parser.Day
	untold       bool // rows do not tell their visitor
	gone         bool // rows are deleted
}

func (x *termReading) read(ctx context.Context) error {
	days, views, err := x.days(ctx)
	if err != nil {
		return err
	}
	for x.passes = uint64((views + x.limit - 1) / x.limit); x.pass < x.passes; x.pass++ {
		x.seen = map[uint64]struct{}{}
		for _, d := range days {
			if err := x.day(ctx, d); err != nil {
				return fmt.Errorf("read visitors of %s on %d: %w", x.site, d, err)
			}
		}
	}
	return nil
}

// days are those that have sums, with their views.
func (x *termReading) days(ctx context.Context) (days []parser.Day, views int64, err error) {
	type one struct {
		day   parser.Day
		views int64
		gone  bool
	}
	for v, err := range stream(ctx, x.q, func(s scanner) (v one, err error) {
		return v, s.Scan(day{&v.day}, &v.views, &v.gone)
	}, "SELECT d.date, d.pv, CASE WHEN COALESCE(m.raw, 0) = 1 THEN 0 ELSE 1 END FROM daily_stats d LEFT JOIN days m ON m.site = d.site AND m.date = d.date "+
		"WHERE d.site = ? AND d.date >= ? AND d.date < ? AND d.pv > 0 ORDER BY d.date",
		x.d.bytes([]byte(x.site)), dateText(x.first), dateText(x.term.End(x.first))) {
		if err != nil {
			return nil, 0, err
		}
		days, views, x.gone, x.some = append(days, v.day), views+v.views, x.gone || v.gone, true
		x.oldest = days[0]
	}
	return days, views, nil
}

// day reads the views of one day. Their pages have the names that the day's sums have.
func (x *termReading) day(ctx context.Context, d parser.Day) (err error) {
	r := rowsOf(x.d, siteDay{x.site, d})
	named, err := x.named(ctx, r)
	if err != nil {
		return err
	}
	rows, err := x.q.QueryContext(ctx, "SELECT page, "+termColumn(x.term)+" FROM access_logs WHERE "+r.where+" AND "+aView+" AND user_hash <> ''", r.args...)
	if err != nil {
		return err
	}
	defer closeRows(rows, &err)
	var page, hash sql.RawBytes
	for rows.Next() {
		if err := rows.Scan(&page, &hash); err != nil {
			return err
		}
		v := termRead(hash)
		if v.IsZero() {
			x.untold = true
			continue
		}
		name := []byte(page)
		if named != nil && !named[string(name)] {
			name = otherName
		}
		if err := x.tell(parser.TermHash(v), nil); err != nil {
			return err
		}
		if err := x.tell(parser.PairHash(v, name), name); err != nil {
			return err
		}
	}
	return rows.Err()
}

func (x *termReading) tell(hash uint64, page []byte) error {
	if x.passes > 1 && hash%x.passes != x.pass {
		return nil
	}
	if _, ok := x.seen[hash]; ok {
		return nil
	}
	x.seen[hash] = struct{}{}
	return x.row(hash, page)
}

// named are the pages that have a name of their own on a day; nil: all have.
func (x *termReading) named(ctx context.Context, r rawRows) (map[string]bool, error) {
	all := map[string]bool{}
	for name, err := range stream(ctx, x.q, func(s scanner) (name string, err error) {
		return name, s.Scan(&name)
	}, "SELECT page FROM page_stats WHERE site = ? AND date = ? AND pv > 0", r.site, r.date) {
		if err != nil {
			return nil, err
		}
		all[name] = true
	}
	if !all[parser.OtherPage] {
		return nil, nil
	}
	return all, nil
}

// markTerms notes that the week and the month of a day have to be counted again.
func (st *store) markTerms(ctx context.Context, tx *sql.Tx, k siteDay) error {
	for t := range parser.Term(st.opt.Uniques) {
		_, err := execTx(ctx, tx, "mark a "+t.String(), "INSERT INTO uniques_due (site, period, dirty) VALUES (?, ?, 1)"+
			st.dialect.onConflict("site, period")+"dirty = uniques_due.dirty + 1", st.dialect.bytes([]byte(k.site)), t.Name(k.day))
		if err != nil {
			return err
		}
	}
	return nil
}

// siteTerm is a week or month of a site.
type siteTerm struct {
	site, name string
	term       parser.Term
	first      parser.Day
}

// countTerms counts the weeks and months that are over and have days that were summed up
// since: of one site, or of all.
func (ru *rollups) countTerms(ctx context.Context, site string) error {
	if ru.opt.Uniques == parser.UniquesDay {
		return nil
	}
	where, args := "dirty <> 0", []any(nil)
	if site != "" {
		where, args = where+" AND site = ?", append(args, ru.dialect.bytes([]byte(site)))
	}
	var due []siteTerm
	today := parser.DayOf(ru.opt.Now().In(ru.opt.Location))
	for k, err := range stream(ctx, ru.reads, func(s scanner) (k siteTerm, err error) {
		return k, s.Scan(&k.site, &k.name)
	}, "SELECT site, period FROM uniques_due WHERE "+where+" ORDER BY site, period", args...) {
		if err != nil {
			return err
		}
		var ok bool
		if k.term, k.first, ok = parser.TermNamed(k.name); ok && ru.opt.Uniques.Has(k.term) && k.term.End(k.first) <= today {
			due = append(due, k)
		}
	}
	for _, k := range due {
		if err := ru.countTerm(ctx, k); err != nil {
			return fmt.Errorf("count visitors of %s in %s: %w", k.site, k.name, err)
		}
	}
	return nil
}

// countTerm counts one. Holding its mark keeps those who sum up a day of it from committing
// meanwhile, so what is read agrees with the mark that is cleared.
func (ru *rollups) countTerm(ctx context.Context, k siteTerm) error {
	return ru.transact(ctx, func(ctx context.Context, tx *sql.Tx) error {
		site := ru.dialect.bytes([]byte(k.site))
		var dirty int64
		err := tx.QueryRowContext(ctx, "SELECT dirty FROM uniques_due WHERE site = ? AND period = ?"+ru.dialect.forUpdate(), site, k.name).Scan(&dirty)
		if err != nil || dirty == 0 {
			return err
		}
		pages := map[string]int64{"": 0}
		x := &termReading{q: tx, d: ru.dialect, site: k.site, term: k.term, first: k.first, limit: ru.foldRows,
			row: func(_ uint64, page []byte) error { pages[string(page)]++; return nil }}
		if err := x.read(ctx); err != nil {
			return err
		}
		known := false
		if x.gone && !x.untold { // what was counted while all rows were there stays
			if known, err = termKnown(ctx, tx, site, k.name); err != nil {
				return err
			}
		}
		switch {
		case !x.some: // the site has nothing of it any more
			return ru.forgetTerm(ctx, tx, site, k.name)
		case !known:
			if err := ru.writeTerm(ctx, tx, site, k.name, pages, !x.gone && !x.untold); err != nil {
				return err
			}
		}
		_, err = execTx(ctx, tx, "mark as counted", "UPDATE uniques_due SET dirty = 0 WHERE site = ? AND period = ?", site, k.name)
		return err
	})
}

// termKnown tells whether visitors of a term were counted before.
func termKnown(ctx context.Context, tx *sql.Tx, site any, name string) (bool, error) {
	var uv sql.NullInt64
	err := tx.QueryRowContext(ctx, "SELECT uv FROM uniques WHERE site = ? AND period = ? AND page = ''", site, name).Scan(&uv)
	if errors.Is(err, sql.ErrNoRows) {
		err = nil
	}
	return uv.Valid, err
}

func (ru *rollups) forgetTerm(ctx context.Context, tx *sql.Tx, site any, name string) error {
	for _, table := range []string{"uniques", "uniques_due"} {
		if _, err := execTx(ctx, tx, "clear "+table, "DELETE FROM "+table+" WHERE site = ? AND period = ?", site, name); err != nil {
			return err
		}
	}
	return nil
}

func (ru *rollups) writeTerm(ctx context.Context, tx *sql.Tx, site any, name string, pages map[string]int64, whole bool) error {
	if _, err := execTx(ctx, tx, "clear uniques", "DELETE FROM uniques WHERE site = ? AND period = ?", site, name); err != nil {
		return err
	}
	if !whole {
		_, err := execTx(ctx, tx, "write uniques", "INSERT INTO uniques (site, period, page, uv) VALUES (?, ?, ?, NULL)", site, name, ru.dialect.bytes(nil))
		return err
	}
	for names := range slices.Chunk(slices.Sorted(maps.Keys(pages)), namesPerInsert) {
		args := make([]any, 0, 4*len(names))
		for _, page := range names {
			args = append(args, site, name, ru.dialect.bytes([]byte(page)), pages[page])
		}
		values := strings.TrimSuffix(strings.Repeat("(?,?,?,?),", len(names)), ",")
		if _, err := execTx(ctx, tx, "write uniques", "INSERT INTO uniques (site, period, page, uv) VALUES "+values, args...); err != nil {
			return err
		}
	}
	return nil
}
