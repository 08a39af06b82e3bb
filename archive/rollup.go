package archive

import (
	"context"
	"database/sql"
	"fmt"
	"maps"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"
)

// rollups sum raw rows up by day.
type rollups struct {
	*store
	foldRows int64 // see rowsPerPass
}

// markAgain is the mark of a day that has to be rolled up: 1, or 2 where it was 1.
// Each mark must change the row, since Galera takes notice of nothing else: a
// load on one node that found the day marked already would not collide with the
// rolling up of it on another node, which clears the mark without having seen
// the load's rows.
const markAgain = "CASE WHEN dirty = 1 THEN 2 ELSE 1 END"

// RollUp computes the sums of every dirty day, and tells how many there were.
func (ru *rollups) RollUp(ctx context.Context) (int, error) { return ru.rollUp(ctx, "", nil) }

// rollUp does so for the days of one site, or of all. Sums that are known need
// not be computed; nil: none are.
func (ru *rollups) rollUp(ctx context.Context, site string, known *fresh) (int, error) {
	ctx = of(ctx, KindRollUp)
	where, args := "dirty <> 0", []any(nil)
	if site != "" {
		where, args = where+" AND site = ?", append(args, ru.dialect.bytes([]byte(site)))
	}
	days, err := ru.daysWhere(ctx, where, args...)
	if err != nil {
		return 0, err
	}
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(ru.opt.Workers)
	full := make([]bool, len(days))
	for i, k := range days {
		g.Go(func() (err error) {
			if full[i], err = ru.rollUpDay(gctx, k, known, false); err != nil {
				return fmt.Errorf("roll up %s %d: %w", k.site, k.day, err)
			}
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return len(days), err
	}
	// Which names are kept on a day that is full, the days before it have a say in.
	for i, k := range days {
		if !full[i] {
			continue
		}
		if _, err := ru.rollUpDay(ctx, k, known, true); err != nil {
			return len(days), fmt.Errorf("roll up %s %d: %w", k.site, k.day, err)
		}
	}
	if err := ru.countTerms(ctx, site); err != nil {
		return len(days), err
	}
	calls, err := ru.rollUpCalls(ctx, site)
	return len(days) + calls, err
}

func (st *store) daysWhere(ctx context.Context, where string, args ...any) ([]siteDay, error) {
	var days []siteDay
	for k, err := range stream(ctx, st.reads, func(s scanner) (k siteDay, err error) {
		return k, s.Scan(&k.site, day{&k.day})
	}, "SELECT site, date FROM days WHERE "+where+" ORDER BY date, site", args...) {
		if err != nil {
			return nil, err
		}
		days = append(days, k)
	}
	return days, nil
}

// rollUpDay computes a day's sums and clears its mark. Holding the mark's row
// keeps loads that touch the day from committing meanwhile, so what is read
// agrees with the mark that is cleared.
//
// A day that has more names than keep their own is left as it is and told as full, but in
// the last round, when the days before it have their sums.
func (ru *rollups) rollUpDay(ctx context.Context, k siteDay, known *fresh, last bool) (full bool, err error) {
	err = ru.transact(ctx, func(ctx context.Context, tx *sql.Tx) error {
		r := rowsOf(ru.dialect, k)
		var dirty int
		err := tx.QueryRowContext(ctx, "SELECT dirty FROM days WHERE site = ? AND date = ?"+ru.dialect.forUpdate(), r.site, r.date).Scan(&dirty)
		if err != nil {
			return fmt.Errorf("lock day: %w", err)
		}
		if dirty == 0 {
			return nil
		}
		f, err := known.sums(ctx, tx, k)
		if f != nil {
			beyond, berr := ru.beyondEver(ctx, tx, r, len(f.pages))
			if err = berr; beyond {
				f = nil
			}
		}
		if f == nil && err == nil {
			f, err = ru.foldAll(ctx, tx, r)
		}
		if full = f != nil && f.full.any(); err != nil || full && !last {
			return err
		}
		if full && f.chosen {
			if err := ru.noteNames(ctx, tx, r); err != nil {
				return err
			}
		}
		if err := clearSums(ctx, tx, r); err != nil {
			return err
		}
		if err := f.write(ctx, tx, ru.store, r, false); err != nil {
			return err
		}
		if err := ru.markTerms(ctx, tx, k); err != nil {
			return err
		}
		_, err = execTx(ctx, tx, "mark day as rolled up", "UPDATE days SET dirty = 0, rolled_at = ? WHERE site = ? AND date = ?",
			timeText(ru.opt.Now().UnixMilli()), r.site, r.date)
		return err
	})
	return full, err
}

// addLate adds the rows of a segment behind its place to the sums of a day whose
// raw rows are deleted, and deletes them too. It is in the transaction that
// moves the place, so it happens once.
func (ru *rollups) addLate(ctx context.Context, tx *sql.Tx, k siteDay, seg segmentRow) error {
	r := rowsOf(ru.dialect, k).after(seg.num, seg.readTo)
	f, err := ru.foldAll(ctx, tx, r)
	if err != nil {
		return err
	}
	if err := f.write(ctx, tx, ru.store, r, true); err != nil {
		return err
	}
	_, err = execTx(ctx, tx, "delete late rows", "DELETE FROM access_logs WHERE "+r.where, r.args...)
	return err
}

// dayTables have the sums of days.
var dayTables = [...]string{"daily_stats", "page_stats", "facet_stats", "event_stats"}

// clearSums deletes the sums of a day.
func clearSums(ctx context.Context, tx *sql.Tx, r rawRows) error {
	for _, table := range dayTables {
		where := ""
		if table == "facet_stats" {
			where = " AND " + knownFacets
		}
		if _, err := execTx(ctx, tx, "clear "+table, "DELETE FROM "+table+" WHERE site = ? AND date = ?"+where, r.site, r.date); err != nil {
			return err
		}
	}
	return nil
}

// namesPerInsert is the number of rows of one statement.
const namesPerInsert = 500

// nameRows are the sums of names of one day: counts of each.
type nameRows struct {
	table, column string
	counts        []string // columns
	rows          map[string][]int64
}

// sorted are the names in order: that is how the key lies.
func (w *nameRows) sorted() []string { return slices.Sorted(maps.Keys(w.rows)) }

func (w *nameRows) columns() string {
	return "date, site, " + w.column + ", " + strings.Join(w.counts, ", ")
}

// write stores a row for each name. conflict is the clause for rows that exist;
// empty: there are none.
func (w *nameRows) write(ctx context.Context, tx *sql.Tx, d dialect, r rawRows, conflict string) error {
	if conflict == "" {
		if done, err := d.loadNames(ctx, tx, w, r); done || err != nil {
			return err
		}
	}
	insert := "INSERT INTO " + w.table + " (" + w.columns() + ") VALUES "
	row := "(?,?,?" + strings.Repeat(",?", len(w.counts)) + "),"
	for names := range slices.Chunk(w.sorted(), namesPerInsert) {
		args := make([]any, 0, (3+len(w.counts))*len(names))
		for _, n := range names {
			args = append(args, r.date, r.site, d.bytes([]byte(n)))
			for _, v := range w.rows[n] {
				args = append(args, v)
			}
		}
		values := strings.TrimSuffix(strings.Repeat(row, len(names)), ",")
		if _, err := execTx(ctx, tx, "write sums", insert+values+conflict, args...); err != nil {
			return err
		}
	}
	return nil
}
