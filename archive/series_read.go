package archive

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"iter"
	"slices"

	"ddkk-stats/parser"
)

// CallSpan says from which periods on calls are wanted, by their digits.
type CallSpan struct{ Minute, Hour, Day string }

// Calls returns the sums of a site's minutes, hours and days of calls, in no
// order. Minutes have totals alone, and go back 31 days as hours do.
func (r *callReader) Calls(ctx context.Context, site string, from CallSpan) iter.Seq2[CallRow, error] {
	name := r.d.bytes([]byte(site))
	read := func(query string, args ...any) iter.Seq2[CallRow, error] {
		return stream(ctx, r.q, func(s scanner) (v CallRow, err error) {
			return v, s.Scan(&v.Period, &v.Dimension, &v.Name, &v.Calls, &v.Failed, &v.Milliseconds)
		}, query, args...)
	}
	return func(yield func(CallRow, error) bool) {
		for _, rows := range []iter.Seq2[CallRow, error]{
			read("SELECT period, dimension, name, calls, failed, milliseconds FROM api_periods "+
				"WHERE site = ? AND period >= ? AND LENGTH(period) = 12 ORDER BY period", name, from.Minute),
			read("SELECT SUBSTR(period, 1, 10), dimension, name, SUM(calls), SUM(failed), SUM(milliseconds) FROM api_periods "+
				"WHERE site = ? AND period >= ? AND LENGTH(period) >= 10 GROUP BY SUBSTR(period, 1, 10), dimension, name ORDER BY 1", name, from.Hour),
			r.callDays(ctx, name, from.Day),
		} {
			for v, err := range rows {
				if !yield(v, err) || err != nil {
					return
				}
			}
		}
	}
}

func (r *callReader) callDays(ctx context.Context, site any, from string) iter.Seq2[CallRow, error] {
	first, err := parsePeriod(from)
	return func(yield func(CallRow, error) bool) {
		if err != nil {
			yield(CallRow{}, err)
			return
		}
		for v, err := range stream(ctx, r.q, scanCallDay, "SELECT date, dimension, name, calls, failed, milliseconds FROM api_daily "+
			"WHERE site = ? AND date >= ? ORDER BY date", site, dateText(first)) {
			if !yield(v, err) {
				return
			}
		}
	}
}

func scanCallDay(s scanner) (v CallRow, err error) {
	var d parser.Day
	err = s.Scan(day{&d}, &v.Dimension, &v.Name, &v.Calls, &v.Failed, &v.Milliseconds)
	v.Period, _ = periodsOf(d)
	return v, err
}

func parsePeriod(day string) (parser.Day, error) {
	var d int32
	if _, err := fmt.Sscanf(day, "%8d", &d); err != nil {
		return 0, fmt.Errorf("read period %q: %w", day, err)
	}
	return parser.Day(d), nil
}

// CallDay returns the sums of a site's calls of one day; none: it has no calls,
// or they are not archived yet.
func (r *callReader) CallDay(ctx context.Context, site string, d parser.Day) iter.Seq2[CallRow, error] {
	return r.dayRows(ctx, site, d, " AND dimension IN ('total', 'endpoint', 'status', 'user', 'latency')")
}

func (r *callReader) dayRows(ctx context.Context, site string, d parser.Day, where string) iter.Seq2[CallRow, error] {
	return stream(ctx, r.q, scanCallDay, "SELECT date, dimension, name, calls, failed, milliseconds FROM api_daily WHERE site = ? AND date = ?"+where,
		r.d.bytes([]byte(site)), dateText(d))
}

// CallDayVersion is a text that differs whenever CallDay does: a roll-up and a
// recount leave their time, and what comes later is in the total. "" stands for a
// day without calls.
func (r *callReader) CallDayVersion(ctx context.Context, site string, d parser.Day) (string, error) {
	var rolled sql.NullString
	var dirty, calls, failed, milliseconds int64
	err := r.q.QueryRowContext(ctx, "SELECT a.rolled_at, a.dirty, COALESCE(d.calls, 0), COALESCE(d.failed, 0), COALESCE(d.milliseconds, 0) FROM api_days a "+
		"LEFT JOIN api_daily d ON d.site = a.site AND d.date = a.date AND d.dimension = 'total' AND d.name = ? WHERE a.site = ? AND a.date = ?",
		r.d.bytes([]byte{}), r.d.bytes([]byte(site)), dateText(d)).Scan(&rolled, &dirty, &calls, &failed, &milliseconds)
	if errors.Is(err, sql.ErrNoRows) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("read version of calls: %w", err)
	}
	return fmt.Sprint(rolled.String, " ", dirty, " ", calls, " ", failed, " ", milliseconds), nil
}

// RawCallDays are the days of a site, from one on, whose sums can be computed
// from periods again, in order.
func (r *callReader) RawCallDays(ctx context.Context, site string, from parser.Day) ([]parser.Day, error) {
	return r.daysAbove(ctx, "api_days", "api_floor", site, from)
}

// CheckCallDay adds the periods of a site's day up and compares that with its
// sums.
func (r *callReader) CheckCallDay(ctx context.Context, site string, d parser.Day) ([]Mismatch, error) {
	from, to := periodsOf(d)
	var periods, have []CallRow
	for v, err := range stream(ctx, r.q, func(s scanner) (v CallRow, err error) {
		return v, s.Scan(&v.Dimension, &v.Name, &v.Calls, &v.Failed, &v.Milliseconds)
	}, "SELECT dimension, name, calls, failed, milliseconds FROM api_periods WHERE site = ? AND period >= ? AND period < ?",
		r.d.bytes([]byte(site)), from, to) {
		if err != nil {
			return nil, err
		}
		periods = append(periods, v)
	}
	for v, err := range r.dayRows(ctx, site, d, "") {
		if err != nil {
			return nil, err
		}
		v.Period = ""
		have = append(have, v)
	}
	type key struct{ dimension, name string }
	sums := map[key][2]CallRow{}
	for i, rows := range [][]CallRow{have, daily(periods)} {
		for _, v := range rows {
			k := key{string(v.Dimension), v.Name}
			pair := sums[k]
			pair[i] = v
			sums[k] = pair
		}
	}
	var found []Mismatch
	for k, pair := range sums {
		for _, x := range []struct {
			column     string
			have, want int64
		}{{"calls", pair[0].Calls, pair[1].Calls}, {"failed", pair[0].Failed, pair[1].Failed}, {"milliseconds", pair[0].Milliseconds, pair[1].Milliseconds}} {
			if x.have != x.want {
				found = append(found, Mismatch{Table: "api_daily", Column: x.column, Day: d, Name: k.dimension + " " + k.name, Have: x.have, Want: x.want})
			}
		}
	}
	slices.SortFunc(found, func(a, b Mismatch) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Column, b.Column))
	})
	return found, nil
}

// RedoCalls computes the sums of a site's days of calls from their periods
// again.
func (ru *rollups) RedoCalls(ctx context.Context, site string, days []parser.Day) error {
	for _, d := range days {
		err := ru.transact(ctx, func(ctx context.Context, tx *sql.Tx) error {
			_, err := execTx(ctx, tx, "mark day of calls as dirty", "UPDATE api_days SET dirty = "+markAgain+" WHERE site = ? AND date = ? AND raw = 1",
				ru.dialect.bytes([]byte(site)), dateText(d))
			return err
		})
		if err == nil {
			err = ru.rollUpCallDay(ctx, siteDay{site, d})
		}
		if err != nil {
			return fmt.Errorf("sum up calls of %s %d again: %w", site, d, err)
		}
	}
	return nil
}
