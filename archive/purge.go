package archive

import (
	"context"
	"database/sql"
	"fmt"

	"ddkk-stats/parser"
)

// siteTables have something of a site that is not of one day.
var siteTables = [...]string{"segment_sites", "baselines", "base_days", "page_counts", "page_count_slots", "page_count_flushes", "imports_pending", "uniques", "uniques_due", "names_due"}

// Holding is what the archive has of a site, or of one page, on a day.
type Holding struct {
	Site     string
	Day      parser.Day
	PV, Bots int64
	Events   int64
	Raw      bool // there are raw rows
}

// Holdings are what the archive has of a site, or of one page of it, by day.
func (ru *rollups) Holdings(ctx context.Context, site, page string) (all []Holding, err error) {
	if _, err := ru.rollUp(ctx, site, nil); err != nil {
		return nil, err
	}
	s := ru.dialect.bytes([]byte(site))
	q, args := "SELECT d.date, d.pv, d.pv_bot, d.events + d.events_bot, COALESCE(m.raw, 0) FROM daily_stats d LEFT JOIN days m ON m.site = d.site AND m.date = d.date "+
		"WHERE d.site = ? ORDER BY d.date", []any{s}
	if page != "" {
		q, args = "SELECT d.date, d.pv, d.pv_bot, 0, COALESCE(m.raw, 0) FROM page_stats d LEFT JOIN days m ON m.site = d.site AND m.date = d.date "+
			"WHERE d.site = ? AND d.page = ? ORDER BY d.date", append(args, ru.dialect.bytes([]byte(page)))
	}
	for h, err := range stream(ctx, ru.reads, func(sc scanner) (h Holding, err error) {
		var raw int
		err = sc.Scan(day{&h.Day}, &h.PV, &h.Bots, &h.Events, &raw)
		h.Site, h.Raw = site, raw == 1
		return h, err
	}, q, args...) {
		if err != nil {
			return nil, err
		}
		all = append(all, h)
	}
	return all, nil
}

// PurgeSite deletes all that the archive has of a site up to a moment, day by day. It may
// be killed, and run again. What is dated later stays.
func (rb *ruleBook) PurgeSite(ctx context.Context, site string, until int64) error {
	last := (&windows{loc: rb.opt.Location}).dayOf(until)
	days, err := rb.daysOf(ctx, site, last)
	if err != nil {
		return err
	}
	for _, k := range days {
		if err := rb.transact(ctx, func(ctx context.Context, tx *sql.Tx) error { return rb.purgeDay(ctx, tx, k, until) }); err != nil {
			return fmt.Errorf("delete %s of %d: %w", site, k.day, err)
		}
	}
	if err := rb.ForgetSite(ctx, site); err != nil {
		return err
	}
	return rb.purgeCalls(ctx, site, last)
}

// ForgetSite deletes what the archive has of a site beside its days.
func (rb *ruleBook) ForgetSite(ctx context.Context, site string) error {
	for _, table := range siteTables {
		err := rb.transact(ctx, func(ctx context.Context, tx *sql.Tx) error {
			_, err := execTx(ctx, tx, "delete of "+table, "DELETE FROM "+table+" WHERE site = ?", rb.dialect.bytes([]byte(site)))
			return err
		})
		if err != nil {
			return fmt.Errorf("delete %s: %w", site, err)
		}
	}
	return nil
}

// daysOf are all days up to one of which there is anything.
func (rb *ruleBook) daysOf(ctx context.Context, site string, last parser.Day) (all []siteDay, err error) {
	s, date := rb.dialect.bytes([]byte(site)), dateText(last)
	q, args := "", []any(nil)
	for i, table := range append(dayTables[:], "days", "voided_rows") {
		if i > 0 {
			q += " UNION "
		}
		q, args = q+"SELECT date FROM "+table+" WHERE site = ? AND date <= ?", append(args, s, date)
	}
	for k, err := range stream(ctx, rb.reads, func(sc scanner) (k siteDay, err error) {
		k.site = site
		return k, sc.Scan(day{&k.day})
	}, q+" ORDER BY date", args...) {
		if err != nil {
			return nil, err
		}
		all = append(all, k)
	}
	return all, nil
}

// purgeDay deletes a day. Where it has raw rows that are dated later, its sums are made anew
// of those.
func (rb *ruleBook) purgeDay(ctx context.Context, tx *sql.Tx, k siteDay, until int64) error {
	rows := rowsOf(rb.dialect, k)
	for _, table := range []string{"access_logs", "voided_rows"} {
		if _, err := execTx(ctx, tx, "delete raw rows", "DELETE FROM "+table+" WHERE "+rows.where+" AND created_at < ?", append(rows.args[:len(rows.args):len(rows.args)], timeText(until))...); err != nil {
			return err
		}
	}
	for _, table := range dayTables {
		if _, err := execTx(ctx, tx, "delete of "+table, "DELETE FROM "+table+" WHERE site = ? AND date = ?", rows.site, rows.date); err != nil {
			return err
		}
	}
	some, err := rows.exist(ctx, tx)
	switch {
	case err != nil:
	case some:
		_, err = execTx(ctx, tx, "mark day", "UPDATE days SET dirty = "+markAgain+", dedup = 0 WHERE site = ? AND date = ?", rows.site, rows.date)
	default:
		_, err = execTx(ctx, tx, "forget day", "DELETE FROM days WHERE site = ? AND date = ?", rows.site, rows.date)
	}
	return err
}

// purgeCalls deletes the calls of a site's API up to a day.
func (rb *ruleBook) purgeCalls(ctx context.Context, site string, last parser.Day) error {
	s, date := rb.dialect.bytes([]byte(site)), dateText(last)
	err := rb.transact(ctx, func(ctx context.Context, tx *sql.Tx) error {
		for _, table := range []string{"api_daily", "api_days"} {
			if _, err := execTx(ctx, tx, "delete of "+table, "DELETE FROM "+table+" WHERE site = ? AND date <= ?", s, date); err != nil {
				return err
			}
		}
		// A period is named by digits that begin with its day's.
		_, err := execTx(ctx, tx, "delete of api_periods", "DELETE FROM api_periods WHERE site = ? AND period < ?", s, fmt.Sprintf("%08d", addDays(last, 1)))
		return err
	})
	if err != nil {
		return fmt.Errorf("delete calls of %s: %w", site, err)
	}
	return nil
}

// PurgePage takes a page's name off the days of which there are sums alone: what it had
// there is counted with the pages that have no name. Days with raw rows are the recount's:
// what was seen of the page since the rule keeps its name. Its bases go.
func (rb *ruleBook) PurgePage(ctx context.Context, site, page string) error {
	d := rb.dialect
	s, p, other := d.bytes([]byte(site)), d.bytes([]byte(page)), d.bytes([]byte(parser.OtherPage))
	conflict := d.onConflict("site, date, page")
	for _, column := range []string{"pv", "uv", "pv_bot"} {
		if column != "pv" {
			conflict += ", "
		}
		conflict += column + " = page_stats." + column + " + " + d.added(column)
	}
	err := rb.transact(ctx, func(ctx context.Context, tx *sql.Tx) error {
		type sum struct {
			day          parser.Day
			pv, uv, bots int64
		}
		var all []sum
		for x, err := range stream(ctx, tx, func(sc scanner) (x sum, err error) { return x, sc.Scan(day{&x.day}, &x.pv, &x.uv, &x.bots) },
			"SELECT date, pv, uv, pv_bot FROM page_stats WHERE site = ? AND page = ?", s, p) {
			if err != nil {
				return err
			}
			all = append(all, x)
		}
		for _, x := range all {
			if raw, err := rowsOf(d, siteDay{site, x.day}).exist(ctx, tx); err != nil {
				return err
			} else if raw {
				continue
			}
			if _, err := execTx(ctx, tx, "count page with others", "INSERT INTO page_stats (date, site, page, pv, uv, pv_bot) VALUES (?, ?, ?, ?, ?, ?)"+conflict,
				dateText(x.day), s, other, x.pv, x.uv, x.bots); err != nil {
				return err
			}
			if _, err := execTx(ctx, tx, "delete page", "DELETE FROM page_stats WHERE site = ? AND date = ? AND page = ?", s, dateText(x.day), p); err != nil {
				return err
			}
		}
		_, err := execTx(ctx, tx, "delete page of uniques", "DELETE FROM uniques WHERE site = ? AND page = ?", s, p)
		return err
	})
	if err != nil {
		return fmt.Errorf("delete %s of %s: %w", page, site, err)
	}
	return nil
}

// PurgePageCounts deletes a page from page_counts, and its bases.
func (bl *baselines) PurgePageCounts(ctx context.Context, site, page string) error {
	s, p := bl.dialect.bytes([]byte(site)), bl.dialect.bytes([]byte(page))
	err := bl.transact(ctx, func(ctx context.Context, tx *sql.Tx) error {
		if err := bl.enterBases(ctx, tx, s); err != nil {
			return err
		}
		for _, table := range []string{"baselines", "base_days", "page_counts"} {
			if _, err := execTx(ctx, tx, "delete of "+table, "DELETE FROM "+table+" WHERE site = ? AND page = ?", s, p); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("delete %s of %s: %w", page, site, err)
	}
	return nil
}

// SetSum notes what a segment's content is from now on, after lines of it were erased in
// place. One that was archived without its sum stays so.
func (rb *ruleBook) SetSum(ctx context.Context, segment, sum string) error {
	err := rb.transact(ctx, func(ctx context.Context, tx *sql.Tx) error {
		_, err := execTx(ctx, tx, "set the segment's sum", "UPDATE segment_sums SET content_sum = ? WHERE segment = ?",
			rb.dialect.bytes([]byte(sum)), rb.dialect.bytes([]byte(segment)))
		return err
	})
	if err != nil {
		return fmt.Errorf("note erased segment: %w", err)
	}
	return nil
}
