package archive

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"slices"

	"ddkk-stats/parser"
)

// errGrew: what a recount goes by is not what is there any more.
var errGrew = errors.New("API calls were archived meanwhile, by another host; run the recount again")

// replace puts the calls of a day in the place of those that were there, in one
// transaction.
func (c *callRecounter) replace(ctx context.Context, d parser.Day) error {
	days := map[siteDay]bool{}
	for k := range c.before {
		days[k] = k.day == d
	}
	for k := range c.sums.days {
		days[k] = k.day == d
	}
	maps.DeleteFunc(days, func(_ siteDay, of bool) bool { return !of })
	keys := slices.SortedFunc(maps.Keys(days), func(x, y siteDay) int { return cmp.Compare(x.site, y.site) })
	if !c.q.DryRun {
		err := c.a.transact(ctx, func(ctx context.Context, tx *sql.Tx) error {
			if _, err := c.l.enter(ctx, tx); err != nil {
				return err
			}
			if err := c.unchanged(ctx, tx); err != nil {
				return err
			}
			for _, k := range keys {
				if err := c.write(ctx, tx, k); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return fmt.Errorf("calls of %d: %w", d, err)
		}
	}
	for _, k := range keys {
		_, sums := c.rows(k)
		c.out.Calls = append(c.out.Calls, RecountedCalls{SiteDay: SiteDay{k.site, k.day}, Before: c.before[k], After: totalsOf(sums)})
		delete(c.sums.days, k)
	}
	c.sums.last = nil
	c.progress(0)
	return nil
}

// rows are what was counted of a day, by period and in sum.
func (c *callRecounter) rows(k siteDay) (periods, sums []CallRow) {
	d := c.sums.days[k]
	if d == nil {
		return nil, nil
	}
	periods = d.rows(k)
	return periods, daily(periods)
}

// totalsOf are those of a day's sums.
func totalsOf(sums []CallRow) (t CallTotals) {
	for _, r := range sums {
		switch r.Dimension {
		case parser.CallsTotal:
			t.Calls, t.Failed, t.Milliseconds = r.Calls, r.Failed, r.Milliseconds
		case parser.CallsEndpoint:
			t.Endpoints++
		}
	}
	return t
}

// unchanged makes sure that no calls were archived since the plan was made: a
// lock keeps others from it, but not on every kind of cluster.
func (c *callRecounter) unchanged(ctx context.Context, tx *sql.Tx) error {
	var now [2]int64
	if err := tx.QueryRowContext(ctx, "SELECT COUNT(*), COALESCE(SUM(read_to), 0) FROM segments WHERE "+callSegmentsWhere, c.a.callSegmentsArgs()...).
		Scan(&now[0], &now[1]); err != nil {
		return fmt.Errorf("look at the segments: %w", err)
	}
	if now != c.archived {
		return errGrew
	}
	return nil
}

// write replaces the periods and the sums of a day of a site, which is to be
// rebuilt then.
func (c *callRecounter) write(ctx context.Context, tx *sql.Tx, k siteDay) error {
	if err := c.a.noteSite(ctx, tx, k.site); err != nil {
		return err
	}
	rows, sums := c.rows(k)
	a, site, date := c.a, c.a.dialect.bytes([]byte(k.site)), dateText(k.day)
	from, to := periodsOf(k.day)
	var floor string
	if err := tx.QueryRowContext(ctx, "SELECT value FROM meta WHERE name = 'api_floor'").Scan(&floor); err != nil {
		return fmt.Errorf("read the oldest day of calls: %w", err)
	}
	if _, err := execTx(ctx, tx, "clear api_periods", "DELETE FROM api_periods WHERE site = ? AND period >= ? AND period < ?", site, from, to); err != nil {
		return err
	}
	for _, table := range []string{"api_daily", "api_days"} {
		if _, err := execTx(ctx, tx, "clear "+table, "DELETE FROM "+table+" WHERE site = ? AND date = ?", site, date); err != nil {
			return err
		}
	}
	if len(sums) == 0 {
		return nil
	}
	raw := 0
	if date >= floor {
		raw = 1
		if err := a.cycles.addCalls(ctx, tx, "api_periods", "period", site, rows, func(r CallRow) any { return r.Period }); err != nil {
			return err
		}
	}
	if err := a.cycles.addCalls(ctx, tx, "api_daily", "date", site, sums, func(CallRow) any { return date }); err != nil {
		return err
	}
	if raw == 0 {
		if err := a.cycles.condense(ctx, tx, k); err != nil {
			return err
		}
	}
	_, err := execTx(ctx, tx, "add day of calls", "INSERT INTO api_days (site, date, dirty, raw, rolled_at) VALUES (?, ?, 0, ?, ?)", site, date, raw, a.nowText())
	return err
}

// books writes what became of the lines of segments.
func (c *callRecounter) books(ctx context.Context) error {
	for _, seg := range c.segments {
		if !seg.surveyed {
			continue
		}
		err := c.a.transact(ctx, func(ctx context.Context, tx *sql.Tx) error { return c.writeBook(ctx, tx, seg) })
		if err != nil {
			return fmt.Errorf("%s: %w", seg.name, err)
		}
	}
	return nil
}

// whole tells whether all calls of a segment, by the earlier rules and by those
// of now, were counted again.
func (c *callRecounter) whole(seg *callLog) bool {
	for k := range seg.days {
		if !c.asked(k) || c.kept(k.day) {
			return false
		}
	}
	if seg.was.first == 0 {
		return true
	}
	if c.sites != nil || seg.was.first < c.q.From || seg.was.last > c.q.To {
		return false
	}
	for k := range c.before {
		if seg.was.holds(k.day) && c.kept(k.day) {
			return false
		}
	}
	return true
}

// writeBook books the lines of a segment by the rules of now. Where only some of
// its days were counted again, the book stays as it was, and only the time of
// its calls is made to hold both.
func (c *callRecounter) writeBook(ctx context.Context, tx *sql.Tx, seg *callLog) error {
	id := c.a.dialect.bytes([]byte(seg.id))
	if c.whole(seg) {
		c.current = &seg.oldSegment
		defer func() { c.current = nil }()
		if err := c.closeBook(ctx, tx, &piece{sum: seg.book}); err != nil {
			return err
		}
		if _, err := execTx(ctx, tx, "forget booked calls", "DELETE FROM api_segments WHERE segment = ?", id); err != nil || seg.book.tally.Calls == 0 {
			return err
		}
		_, err := execTx(ctx, tx, "book calls", "INSERT INTO api_segments (segment, calls) VALUES (?, ?)", id, seg.book.tally.Calls)
		return err
	}
	if seg.book.first == 0 {
		return nil
	}
	first, last := timeText(seg.book.first), timeText(seg.book.last)
	_, err := execTx(ctx, tx, "widen the segment's time", "UPDATE segments SET first_time = CASE WHEN first_time IS NULL OR first_time > ? THEN ? ELSE first_time END, "+
		"last_time = CASE WHEN last_time IS NULL OR last_time < ? THEN ? ELSE last_time END WHERE num = ? AND read_to = ?",
		first, first, last, last, seg.num, seg.end)
	return err
}
