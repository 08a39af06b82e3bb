package archive

import (
	"context"
	"database/sql"
	"fmt"
)

// Retain deletes raw rows of days that are older than KeepRaw said and rolled
// up, and tells how many days of a site that were. It stops before the oldest
// day that is not rolled up.
func (a *Archive) Retain(ctx context.Context) (int, error) {
	days := int(a.rawDays.Load())
	if days <= 0 {
		return 0, nil
	}
	floor := dateText(addDays(a.today(), -days))
	if err := a.raiseFloor(ctx, &floor); err != nil {
		return 0, err
	}
	return a.deleteBefore(ctx, floor)
}

// raiseFloor moves the day before which no raw rows are kept. From when it is
// committed no load leaves raw rows before that day, so they can be deleted at
// leisure. It passes the gate as a load does: none is under way meanwhile.
func (a *Archive) raiseFloor(ctx context.Context, floor *string) error {
	wanted := *floor
	return a.transact(ctx, func(ctx context.Context, tx *sql.Tx) error {
		var gate, was string
		if err := tx.QueryRowContext(ctx, "SELECT value FROM meta WHERE name = 'gate'"+a.dialect.forUpdate()).Scan(&gate); err != nil {
			return fmt.Errorf("lock the gate: %w", err)
		}
		if err := tx.QueryRowContext(ctx, "SELECT value FROM meta WHERE name = 'raw_floor'"+a.dialect.forUpdate()).Scan(&was); err != nil {
			return fmt.Errorf("read the oldest day: %w", err)
		}
		var dirty sql.NullString
		if err := tx.QueryRowContext(ctx, "SELECT MIN(date) FROM days WHERE dirty <> 0").Scan(&dirty); err != nil {
			return fmt.Errorf("find dirty days: %w", err)
		}
		*floor = wanted
		if dirty.Valid && dirty.String < *floor {
			*floor = dirty.String
		}
		if was >= *floor {
			// It never goes back: rows were deleted up to there. But what came
			// since for days that had none is kept until it is rolled up.
			if *floor = was; dirty.Valid && dirty.String < was {
				*floor = dirty.String
			}
			return nil
		}
		_, err := execTx(ctx, tx, "move the oldest day", "UPDATE meta SET value = ? WHERE name = 'raw_floor'", a.dialect.bytes([]byte(*floor)))
		return err
	})
}

// deleteBefore deletes raw rows below the floor: whole partitions where there
// are any, and what is left day by day.
func (a *Archive) deleteBefore(ctx context.Context, floor string) (int, error) {
	day, err := parseDate(floor)
	if err != nil {
		return 0, err
	}
	if err := a.dialect.drop(ctx, day); err != nil {
		return 0, err
	}
	days, err := a.daysWhere(ctx, "raw = 1 AND dirty = 0 AND date < ?", floor)
	if err != nil {
		return 0, err
	}
	for i, k := range days {
		err := a.transact(ctx, func(ctx context.Context, tx *sql.Tx) error {
			r := rowsOf(a.dialect, k)
			if _, err := execTx(ctx, tx, "delete raw rows", "DELETE FROM access_logs WHERE "+r.where, r.args...); err != nil {
				return err
			}
			_, err := execTx(ctx, tx, "mark day as without raw rows", "UPDATE days SET raw = 0 WHERE site = ? AND date = ?", r.site, r.date)
			return err
		})
		if err != nil {
			return i, err
		}
	}
	return len(days), nil
}
