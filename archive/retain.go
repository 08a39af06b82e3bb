package archive

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"ddkk-stats/parser"
)

// Retain deletes raw rows of days that are older than KeepRaw said and rolled
// up, and tells how many days of a site that were. It stops before the oldest
// day that is not rolled up, and goes by no clock alone: see believed.
func (cy *cycles) Retain(ctx context.Context) (int, error) {
	m, err := cy.clocks.believed(ctx)
	if err != nil {
		return 0, err
	}
	return cy.retain(ctx, m.day)
}

// retain does so if it is a certain day.
func (cy *cycles) retain(ctx context.Context, today parser.Day) (int, error) {
	days := int(cy.rawDays.Load())
	if days <= 0 {
		return 0, nil
	}
	floor, err := cy.moveFloor(ctx, rawRowsKept, addDays(today, -days))
	if err != nil {
		return 0, err
	}
	if err := cy.dropVoided(ctx, floor); err != nil {
		return 0, err
	}
	return cy.deleteMarked(ctx, floor)
}

// retained is one of the things that are deleted by age: it lies in table by
// day, and name+"_floor" and name+"_gone" tell how far.
type retained struct{ name, days string }

var (
	rawRowsKept = retained{"raw", "days"}
	callsKept   = retained{"api", "api_days"}
)

// moveFloor moves the day before which nothing is kept, at most to the oldest
// day that is not rolled up, and marks the days before it. Who loads later finds
// the marks, so what is marked can be deleted at leisure. It passes the gate as a
// load does: none is under way meanwhile. It may move back, as when a clock had
// been wrong: days whose rows are gone stay marked.
func (cy *cycles) moveFloor(ctx context.Context, k retained, to parser.Day) (floor string, err error) {
	err = cy.transact(ctx, func(ctx context.Context, tx *sql.Tx) error {
		var gate, was, gone string
		if err := tx.QueryRowContext(ctx, "SELECT value FROM meta WHERE name = 'gate'"+cy.dialect.forUpdate()).Scan(&gate); err != nil {
			return fmt.Errorf("lock the gate: %w", err)
		}
		if err := tx.QueryRowContext(ctx, "SELECT value FROM meta WHERE name = ?"+cy.dialect.forUpdate(), k.name+"_floor").Scan(&was); err != nil {
			return fmt.Errorf("read the oldest day: %w", err)
		}
		if err := tx.QueryRowContext(ctx, "SELECT value FROM meta WHERE name = ?"+cy.dialect.forUpdate(), k.name+"_gone").Scan(&gone); err != nil {
			return fmt.Errorf("read the oldest day: %w", err)
		}
		var dirty sql.NullString
		if err := tx.QueryRowContext(ctx, "SELECT MIN(date) FROM "+k.days+" WHERE dirty <> 0").Scan(&dirty); err != nil {
			return fmt.Errorf("find dirty days: %w", err)
		}
		if floor = dateText(to); floor < was {
			cy.log.Warn("days keep their raw rows, or periods, again from an earlier one on", "table", k.days, "from", floor, "before", was)
		}
		if dirty.Valid && dirty.String < floor {
			floor = dirty.String
		}
		if _, err := execTx(ctx, tx, "mark days", "UPDATE "+k.days+" SET raw = 2 WHERE raw = 1 AND dirty = 0 AND date < ?", floor); err != nil {
			return err
		}
		for name, value := range map[string]string{"_floor": floor, "_gone": max(gone, floor)} {
			if _, err := execTx(ctx, tx, "move the oldest day", "UPDATE meta SET value = ? WHERE name = ?", cy.dialect.bytes([]byte(value)), k.name+name); err != nil {
				return err
			}
		}
		return nil
	})
	return floor, err
}

// deleteMarked deletes raw rows of marked days: whole partitions below the floor
// where there are any, and what is left day by day.
func (cy *cycles) deleteMarked(ctx context.Context, floor string) (int, error) {
	days, err := cy.daysWhere(ctx, "raw = 2")
	if err != nil || len(days) == 0 {
		return 0, err
	}
	day, err := parseDate(floor)
	if err != nil {
		return 0, err
	}
	if err := cy.dialect.drop(ctx, day); err != nil {
		return 0, err
	}
	for i, k := range days {
		err := cy.transact(ctx, func(ctx context.Context, tx *sql.Tx) error {
			r := rowsOf(cy.dialect, k)
			if _, err := execTx(ctx, tx, "delete raw rows", "DELETE FROM access_logs WHERE "+r.where, r.args...); err != nil {
				return err
			}
			_, err := execTx(ctx, tx, "mark day as without raw rows", "UPDATE days SET raw = 0 WHERE site = ? AND date = ? AND raw = 2", r.site, r.date)
			return err
		})
		if err != nil {
			return i, err
		}
	}
	return len(days), nil
}

// gone tells whether what a day had was deleted, so that its sums cannot be
// computed anew. A day before the floor that never had anything, as an import
// brings them, is rolled up like all others before its rows are deleted. since
// is the highest floor that there was.
func (st *store) gone(ctx context.Context, tx *sql.Tx, of retained, k siteDay, since string) (bool, error) {
	d, date := st.dialect, dateText(k.day)
	if date >= since {
		return false, nil
	}
	var raw int
	var rolled sql.NullString
	err := tx.QueryRowContext(ctx, "SELECT raw, rolled_at FROM "+of.days+" WHERE site = ? AND date = ?", d.bytes([]byte(k.site)), date).Scan(&raw, &rolled)
	if errors.Is(err, sql.ErrNoRows) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("look for the day's rows: %w", err)
	}
	return raw != 1 && rolled.Valid, nil
}
