package archive

import (
	"context"
	"database/sql"
	"fmt"

	"ddkk-stats/parser"
)

// Raw rows that a rule voids and whose log is gone are kept aside (voided_rows), as long
// as raw rows are kept at all: undoing the rule puts them back. What is in the log needs no
// such thing.

// park puts a raw row aside, in the transaction that deletes it.
func (st *store) park(ctx context.Context, tx *sql.Tx, day siteDay, at rowPlace) error {
	d := st.dialect
	_, err := execTx(ctx, tx, "put raw row aside", "INSERT "+d.ignore()+" INTO voided_rows ("+rowColumns+") SELECT "+rowColumns+
		" FROM access_logs WHERE site = ? AND created_at = ? AND segment = ? AND end_offset = ? AND date = ?",
		d.bytes([]byte(day.site)), timeText(at.at), at.segment, at.end, dateText(day.day))
	return err
}

// Unpark puts raw rows of a site back that were voided between two moments (until 0: to
// the end), and tells how many. Rules that still take some of them have to be applied
// afterwards, by a recount. Rows of days whose other rows were deleted meanwhile are added to the
// sums of these: their visitors may count twice.
func (rc *recounts) Unpark(ctx context.Context, site string, from, until int64) (n int64, err error) {
	d := rc.dialect
	where, args := "site = ? AND created_at >= ?", []any{d.bytes([]byte(site)), timeText(from)}
	if until > 0 {
		where, args = where+" AND created_at < ?", append(args, timeText(until))
	}
	var days []siteDay
	for k, err := range stream(ctx, rc.reads, func(s scanner) (k siteDay, err error) {
		k.site = site
		return k, s.Scan(day{&k.day})
	}, "SELECT DISTINCT date FROM voided_rows WHERE "+where+" ORDER BY date", args...) {
		if err != nil {
			return 0, err
		}
		days = append(days, k)
	}
	for _, k := range days {
		var back int64
		err := rc.transact(ctx, func(ctx context.Context, tx *sql.Tx) (err error) {
			back, err = rc.unparkDay(ctx, tx, k, where+" AND date = ?", append(args[:len(args):len(args)], dateText(k.day)))
			return err
		})
		if err != nil {
			return n, fmt.Errorf("put raw rows of %s %d back: %w", site, k.day, err)
		}
		n += back
	}
	return n, nil
}

func (rc *recounts) unparkDay(ctx context.Context, tx *sql.Tx, k siteDay, where string, args []any) (int64, error) {
	var gate, gone string
	if err := tx.QueryRowContext(ctx, "SELECT value FROM meta WHERE name = 'gate'"+rc.dialect.forUpdate()).Scan(&gate); err != nil {
		return 0, fmt.Errorf("lock the gate: %w", err)
	}
	if err := tx.QueryRowContext(ctx, "SELECT value FROM meta WHERE name = 'raw_gone'").Scan(&gone); err != nil {
		return 0, fmt.Errorf("read the oldest day: %w", err)
	}
	late, err := rc.gone(ctx, tx, rawRowsKept, k, gone)
	if err != nil {
		return 0, err
	}
	n, err := execTx(ctx, tx, "put raw rows back", "INSERT INTO access_logs ("+rowColumns+") SELECT "+rowColumns+" FROM voided_rows WHERE "+where, args...)
	if err != nil {
		return 0, err
	}
	if _, err := execTx(ctx, tx, "forget voided rows", "DELETE FROM voided_rows WHERE "+where, args...); err != nil {
		return 0, err
	}
	if err := rc.noteSite(ctx, tx, k.site); err != nil {
		return 0, err
	}
	rows := rowsOf(rc.dialect, k)
	if late {
		f, err := rc.rollups.foldAll(ctx, tx, rows)
		if err == nil {
			err = f.write(ctx, tx, rc.store, rows, true)
		}
		if err == nil {
			_, err = execTx(ctx, tx, "delete late rows", "DELETE FROM access_logs WHERE "+rows.where, rows.args...)
		}
		return n, err
	}
	marked, err := execTx(ctx, tx, "mark day", "UPDATE days SET dirty = "+markAgain+", raw = 1 WHERE site = ? AND date = ?", rows.site, rows.date)
	if err == nil && marked == 0 {
		_, err = execTx(ctx, tx, "add day", "INSERT INTO days (site, date, dirty, raw, dedup) VALUES (?, ?, 1, 1, 0)", rows.site, rows.date)
	}
	return n, err
}

// PurgeVoided deletes voided rows that a deletion is about.
func (rc *recounts) PurgeVoided(ctx context.Context, rules *parser.Parser) error {
	d := rc.dialect
	var days []siteDay
	for k, err := range stream(ctx, rc.reads, func(s scanner) (k siteDay, err error) { return k, s.Scan(&k.site, day{&k.day}) }, "SELECT DISTINCT site, date FROM voided_rows") {
		if err != nil {
			return err
		}
		days = append(days, k)
	}
	for _, k := range days {
		var gone []rowPlace
		err := rc.eachVoided(ctx, k, func(row *kept) {
			var h parser.Hit
			rules.Again(rc.keptOf(row, k.site, true), &h)
			if h.Reason == parser.SkipDeleted {
				gone = append(gone, row.place)
			}
		})
		if err != nil {
			return err
		}
		err = rc.transact(ctx, func(ctx context.Context, tx *sql.Tx) error {
			for _, p := range gone {
				if _, err := execTx(ctx, tx, "delete voided row", "DELETE FROM voided_rows WHERE site = ? AND created_at = ? AND segment = ? AND end_offset = ?",
					d.bytes([]byte(k.site)), timeText(p.at), p.segment, p.end); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return fmt.Errorf("delete voided rows of %s %d: %w", k.site, k.day, err)
		}
	}
	return nil
}

func (rc *recounts) eachVoided(ctx context.Context, k siteDay, each func(*kept)) (err error) {
	found, err := rc.reads.QueryContext(ctx, "SELECT "+keptColumns+" FROM voided_rows WHERE site = ? AND date = ?", rc.dialect.bytes([]byte(k.site)), dateText(k.day))
	if err != nil {
		return fmt.Errorf("read voided rows: %w", err)
	}
	defer closeRows(found, &err)
	var row kept
	for found.Next() {
		if err := row.scan(found); err != nil {
			return err
		}
		each(&row)
	}
	return found.Err()
}

// dropVoided deletes voided rows of days whose raw rows are deleted.
func (cy *cycles) dropVoided(ctx context.Context, floor string) error {
	return cy.transact(ctx, func(ctx context.Context, tx *sql.Tx) error {
		_, err := execTx(ctx, tx, "delete voided rows", "DELETE FROM voided_rows WHERE date < ?", floor)
		return err
	})
}
