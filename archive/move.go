package archive

import (
	"context"
	"database/sql"
	"fmt"
	"strings"

	"ddkk-stats/parser"
)

// moved is a table whose rows go to another site with it: those that are there already
// get the sums of both.
type moved struct {
	table string
	keys  string   // columns of the key beside the site
	sums  []string // columns that add up
}

// movedDays have the sums of days.
var movedDays = []moved{
	{"daily_stats", "date", []string{"pv", "uv", "pv_pc", "pv_mobile", "pv_bot", "events", "events_bot"}},
	{"page_stats", "date, page", []string{"pv", "uv", "pv_bot"}},
	{"facet_stats", "facet, date, name", []string{"pv", "pv_bot", "uv"}},
	{"event_stats", "date, event_key", []string{"pv", "uv"}},
}

// movedWhole have no raw rows to be made of.
var movedWhole = []moved{
	{"api_daily", "date, dimension, name", []string{"calls", "failed", "milliseconds"}},
	{"api_periods", "period, dimension, name", []string{"calls", "failed", "milliseconds"}},
	{"baselines", "source, page", []string{"pv", "uv"}},
	{"base_days", "source, page, date", []string{"pv", "uv"}},
	{"uniques", "period, page", []string{"uv"}}, // those of raw rows are counted anew
}

// move moves the rows of a table that a condition is true of.
func (m moved) move(ctx context.Context, tx *sql.Tx, d dialect, from, to any, where string, args ...any) error {
	columns, conflict := append(strings.Split(m.keys, ", "), m.sums...), d.onConflict("site, "+m.keys)
	for i, c := range m.sums {
		if i > 0 {
			conflict += ", "
		}
		conflict += c + " = " + m.table + "." + c + " + " + d.added(c)
	}
	if m.table == "baselines" {
		columns = append(columns, "changed_at")
	}
	insert := "INSERT INTO " + m.table + " (site, " + strings.Join(columns, ", ") + ") SELECT ?, s." + strings.Join(columns, ", s.") + " FROM " + m.table + " s WHERE s.site = ?" + where
	if _, err := execTx(ctx, tx, "move "+m.table, insert+conflict, append([]any{to, from}, args...)...); err != nil {
		return err
	}
	_, err := execTx(ctx, tx, "move "+m.table, "DELETE FROM "+m.table+" WHERE site = ?"+where, append([]any{from}, args...)...)
	return err
}

// MoveSite gives another site what the archive has of one beside raw rows and what is made
// of them: sums of days whose raw rows are deleted, calls, baselines. Visitors of both add up.
// It is one transaction for each day and table: it may be killed, and run again.
func (ru *rollups) MoveSite(ctx context.Context, from, to string) error {
	d := ru.dialect
	f, t := d.bytes([]byte(from)), d.bytes([]byte(to))
	var days []parser.Day
	for day, err := range stream(ctx, ru.reads, func(s scanner) (x parser.Day, err error) { return x, s.Scan(day{&x}) },
		"SELECT s.date FROM daily_stats s LEFT JOIN days m ON m.site = s.site AND m.date = s.date WHERE s.site = ? AND COALESCE(m.raw, 0) <> 1 ORDER BY s.date", f) {
		if err != nil {
			return err
		}
		days = append(days, day)
	}
	for _, k := range days {
		err := ru.transact(ctx, func(ctx context.Context, tx *sql.Tx) error {
			date := dateText(k)
			for _, m := range movedDays {
				if err := m.move(ctx, tx, d, f, t, " AND date = ?", date); err != nil {
					return err
				}
			}
			return ru.moveDay(ctx, tx, f, t, date)
		})
		if err != nil {
			return fmt.Errorf("move %s of %d: %w", from, k, err)
		}
	}
	for _, m := range movedWhole {
		err := ru.transact(ctx, func(ctx context.Context, tx *sql.Tx) error { return m.move(ctx, tx, d, f, t, "") })
		if err != nil {
			return fmt.Errorf("move %s: %w", from, err)
		}
	}
	if err := ru.transact(ctx, func(ctx context.Context, tx *sql.Tx) error {
		_, err := execTx(ctx, tx, "move voided rows", "UPDATE voided_rows SET site = ? WHERE site = ?", t, f)
		return err
	}); err != nil {
		return fmt.Errorf("move %s: %w", from, err)
	}
	return ru.transact(ctx, func(ctx context.Context, tx *sql.Tx) error {
		_, err := execTx(ctx, tx, "move days of calls", "INSERT "+d.ignore()+" INTO api_days (site, date, dirty, raw, rolled_at) SELECT ?, date, dirty, raw, rolled_at FROM api_days WHERE site = ?", t, f)
		if err == nil {
			_, err = execTx(ctx, tx, "move days of calls", "DELETE FROM api_days WHERE site = ?", f)
		}
		return err
	})
}

// moveDay moves what is noted of a day that has sums alone.
func (ru *rollups) moveDay(ctx context.Context, tx *sql.Tx, from, to any, date string) error {
	d := ru.dialect
	_, err := execTx(ctx, tx, "move day", "INSERT INTO days (site, date, dirty, raw, dedup, rolled_at) SELECT ?, s.date, s.dirty, s.raw, s.dedup, s.rolled_at FROM days s WHERE s.site = ? AND s.date = ?"+
		d.onConflict("site, date")+"dedup = days.dedup + "+d.added("dedup"), to, from, date)
	if err != nil {
		return err
	}
	_, err = execTx(ctx, tx, "move day", "DELETE FROM days WHERE site = ? AND date = ?", from, date)
	return err
}
