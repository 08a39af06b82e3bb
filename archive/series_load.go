package archive

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"

	"ddkk-stats/parser"
)

// loadCalls adds the calls of a chunk to the sums, in its transaction, which
// has passed the gate.
func (cy *cycles) loadCalls(ctx context.Context, tx *sql.Tx, c *callSums, segment string) error {
	if c.lines == 0 {
		return nil
	}
	since, err := cy.meta(ctx, tx, "api_gone")
	if err != nil {
		return err
	}
	for _, k := range c.sortedDays() {
		rows := c.days[k].rows(k)
		site, date := cy.dialect.bytes([]byte(k.site)), dateText(k.day)
		dirty := 1
		gone, err := cy.gone(ctx, tx, callsKept, k, since)
		if err != nil {
			return err
		}
		if gone {
			// The day's periods are deleted: what came late is added to its sums.
			dirty = 0
			err = cy.addCalls(ctx, tx, "api_daily", "date", site, daily(rows), func(CallRow) any { return date })
		} else {
			err = cy.addCalls(ctx, tx, "api_periods", "period", site, rows, func(r CallRow) any { return r.Period })
		}
		if err != nil {
			return err
		}
		if err := markCalls(ctx, tx, site, date, dirty); err != nil {
			return err
		}
	}
	id := cy.dialect.bytes([]byte(segment))
	_, err = execTx(ctx, tx, "book calls", "INSERT INTO api_segments (segment, calls) VALUES (?, ?)"+cy.dialect.onConflict("segment")+
		"calls = api_segments.calls + "+cy.dialect.added("calls"), id, c.lines)
	return err
}

// markCalls notes that a day has calls, and that it has to be rolled up.
func markCalls(ctx context.Context, tx *sql.Tx, site any, date string, dirty int) error {
	n, err := execTx(ctx, tx, "mark day of calls", "UPDATE api_days SET dirty = CASE WHEN ? = 1 THEN "+markAgain+" ELSE dirty END, "+
		"raw = CASE WHEN ? = 1 THEN 1 ELSE raw END WHERE site = ? AND date = ?", dirty, dirty, site, date)
	if err != nil || n > 0 {
		return err
	}
	_, err = execTx(ctx, tx, "add day of calls", "INSERT INTO api_days (site, date, dirty, raw) VALUES (?, ?, ?, ?)", site, date, dirty, dirty)
	return err
}

// addCalls adds sums to the rows of a table, which are made where they are not
// there; at is the column that tells when.
func (cy *cycles) addCalls(ctx context.Context, tx *sql.Tx, table, at string, site any, rows []CallRow, when func(CallRow) any) error {
	var set []string
	for _, c := range []string{"calls", "failed", "milliseconds"} {
		set = append(set, c+" = "+table+"."+c+" + "+cy.dialect.added(c))
	}
	conflict := cy.dialect.onConflict("site, "+at+", dimension, name") + strings.Join(set, ", ")
	for part := range slices.Chunk(rows, namesPerInsert) {
		args := make([]any, 0, 7*len(part))
		for _, r := range part {
			args = append(args, site, when(r), string(r.Dimension), cy.dialect.bytes([]byte(r.Name)), r.Calls, r.Failed, r.Milliseconds)
		}
		values := strings.TrimSuffix(strings.Repeat("(?,?,?,?,?,?,?),", len(part)), ",")
		if _, err := execTx(ctx, tx, "add calls", "INSERT INTO "+table+" (site, "+at+", dimension, name, calls, failed, milliseconds) VALUES "+
			values+conflict, args...); err != nil {
			return err
		}
	}
	return nil
}

// rollUpCalls computes the sums of the dirty days of one site, or of all.
func (ru *rollups) rollUpCalls(ctx context.Context, site string) (int, error) {
	where, args := "dirty <> 0", []any(nil)
	if site != "" {
		where, args = where+" AND site = ?", append(args, ru.dialect.bytes([]byte(site)))
	}
	days, err := ru.callDays(ctx, where, args...)
	if err != nil {
		return 0, err
	}
	for i, k := range days {
		if err := ru.rollUpCallDay(ctx, k); err != nil {
			return i, fmt.Errorf("roll up calls of %s %d: %w", k.site, k.day, err)
		}
	}
	return len(days), nil
}

func (ru *rollups) callDays(ctx context.Context, where string, args ...any) ([]siteDay, error) {
	var days []siteDay
	for k, err := range stream(ctx, ru.reads, func(s scanner) (k siteDay, err error) {
		return k, s.Scan(&k.site, day{&k.day})
	}, "SELECT site, date FROM api_days WHERE "+where+" ORDER BY date, site", args...) {
		if err != nil {
			return nil, err
		}
		days = append(days, k)
	}
	return days, nil
}

// rollUpCallDay adds a day's periods up and clears its mark. Holding the mark's
// row keeps loads of that day from committing meanwhile.
func (ru *rollups) rollUpCallDay(ctx context.Context, k siteDay) error {
	return ru.transact(ctx, func(ctx context.Context, tx *sql.Tx) error {
		site, date := ru.dialect.bytes([]byte(k.site)), dateText(k.day)
		var dirty int
		err := tx.QueryRowContext(ctx, "SELECT dirty FROM api_days WHERE site = ? AND date = ?"+ru.dialect.forUpdate(), site, date).Scan(&dirty)
		if errors.Is(err, sql.ErrNoRows) || err == nil && dirty == 0 {
			return nil
		}
		if err != nil {
			return fmt.Errorf("lock day: %w", err)
		}
		if _, err := execTx(ctx, tx, "clear api_daily", "DELETE FROM api_daily WHERE site = ? AND date = ?", site, date); err != nil {
			return err
		}
		from, to := periodsOf(k.day)
		if _, err := execTx(ctx, tx, "write api_daily", "INSERT INTO api_daily (date, site, dimension, name, calls, failed, milliseconds) "+
			"SELECT ?, site, dimension, name, SUM(calls), SUM(failed), SUM(milliseconds) FROM api_periods "+
			"WHERE site = ? AND period >= ? AND period < ? GROUP BY site, dimension, name", date, site, from, to); err != nil {
			return err
		}
		_, err = execTx(ctx, tx, "mark day as rolled up", "UPDATE api_days SET dirty = 0, rolled_at = ? WHERE site = ? AND date = ?",
			timeText(ru.opt.Now().UnixMilli()), site, date)
		return err
	})
}

// How long calls are kept. Hours live 30 days in Redis and days 365, so that
// these bring back all of them.
const (
	callPeriodDays  = 31
	callLatencyDays = 400
)

// retainCalls deletes periods that are old and rolled up, and of sums that are
// older than a year how long calls took; the other sums stay for good.
func (cy *cycles) retainCalls(ctx context.Context, today parser.Day) error {
	if _, err := cy.moveFloor(ctx, callsKept, addDays(today, -callPeriodDays)); err != nil {
		return err
	}
	days, err := cy.rollups.callDays(ctx, "raw = 2")
	if err != nil {
		return err
	}
	for _, k := range days {
		err := cy.transact(ctx, func(ctx context.Context, tx *sql.Tx) error {
			site := cy.dialect.bytes([]byte(k.site))
			from, to := periodsOf(k.day)
			if _, err := execTx(ctx, tx, "delete periods", "DELETE FROM api_periods WHERE site = ? AND period >= ? AND period < ?", site, from, to); err != nil {
				return err
			}
			if err := cy.condense(ctx, tx, k); err != nil {
				return err
			}
			_, err := execTx(ctx, tx, "mark day as without periods", "UPDATE api_days SET raw = 0 WHERE site = ? AND date = ? AND raw = 2", site, dateText(k.day))
			return err
		})
		if err != nil {
			return err
		}
	}
	return cy.transact(ctx, func(ctx context.Context, tx *sql.Tx) error {
		_, err := execTx(ctx, tx, "delete old latencies", "DELETE FROM api_daily WHERE dimension = 'latency' AND date < ?",
			dateText(addDays(today, -callLatencyDays)))
		return err
	})
}
