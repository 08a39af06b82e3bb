package archive

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"maps"
)

// finish writes what only all pieces together tell: the duplicates of days, and
// which days have nothing left. Then the days are rolled up.
func (r *recounter) finish(ctx context.Context) error {
	keys := map[siteDay]bool{}
	for _, k := range r.days {
		if r.inDays(k.day) || r.touched[k] {
			keys[k] = true
		}
	}
	maps.Copy(keys, r.touched)
	for k := range r.dedup {
		keys[k] = true
	}
	for k := range keys {
		if err := r.settle(ctx, k); err != nil {
			return fmt.Errorf("settle %s %d: %w", k.site, k.day, err)
		}
	}
	_, err := r.a.rollups.RollUp(ctx)
	return err
}

// settle sets a day's duplicates, where all of its lines were read, and takes
// its sums away when it has no raw rows any more.
func (r *recounter) settle(ctx context.Context, k siteDay) error {
	return r.a.transact(ctx, func(ctx context.Context, tx *sql.Tx) error {
		rows := rowsOf(r.a.dialect, k)
		var dedup int64
		var raw bool
		there := true
		err := tx.QueryRowContext(ctx, "SELECT dedup, raw FROM days WHERE site = ? AND date = ?"+r.a.dialect.forUpdate(), rows.site, rows.date).Scan(&dedup, &raw)
		if errors.Is(err, sql.ErrNoRows) {
			there, err = false, nil
		}
		if err != nil {
			return fmt.Errorf("lock day: %w", err)
		}
		if !r.q.Facets && r.wants(k.site) && r.inDays(k.day) && !r.partial[k.day] {
			dedup = r.dedup[k]
		}
		switch {
		case !there && dedup == 0:
			return nil
		case !there:
			_, err := execTx(ctx, tx, "add day", "INSERT INTO days (site, date, dirty, raw, dedup) VALUES (?, ?, 0, 0, ?)", rows.site, rows.date, dedup)
			return err
		}
		if _, err := execTx(ctx, tx, "set the day's duplicates", "UPDATE days SET dedup = ? WHERE site = ? AND date = ?", dedup, rows.site, rows.date); err != nil || !raw {
			return err
		}
		if some, err := rows.exist(ctx, tx); some || err != nil {
			return err
		}
		if err := r.a.rollups.markTerms(ctx, tx, k); err != nil {
			return err
		}
		return r.empty(ctx, tx, rows, dedup)
	})
}

// empty takes away the sums of a day that has no raw rows any more.
func (r *recounter) empty(ctx context.Context, tx *sql.Tx, rows rawRows, dedup int64) error {
	if err := clearSums(ctx, tx, rows); err != nil {
		return err
	}
	if dedup == 0 {
		_, err := execTx(ctx, tx, "forget day", "DELETE FROM days WHERE site = ? AND date = ?", rows.site, rows.date)
		return err
	}
	_, err := execTx(ctx, tx, "mark day as empty", "UPDATE days SET dirty = 0, raw = 0, rolled_at = NULL WHERE site = ? AND date = ?", rows.site, rows.date)
	return err
}
