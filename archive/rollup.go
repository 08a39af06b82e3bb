package archive

import (
	"context"
	"database/sql"
	"fmt"
	"strings"

	"golang.org/x/sync/errgroup"

	"ddkk-stats/parser"
)

// RollUp computes the sums of every dirty day, and tells how many there were.
func (a *Archive) RollUp(ctx context.Context) (int, error) { return a.rollUp(ctx, "") }

// RollUpSite does so for the days of one site.
func (a *Archive) RollUpSite(ctx context.Context, site string) (int, error) {
	return a.rollUp(ctx, site)
}

func (a *Archive) rollUp(ctx context.Context, site string) (int, error) {
	days, err := a.dirtyDays(ctx, site)
	if err != nil {
		return 0, err
	}
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(a.opt.Workers)
	for _, k := range days {
		g.Go(func() error {
			if err := a.rollUpDay(gctx, k); err != nil {
				return fmt.Errorf("roll up %s %d: %w", k.site, k.day, err)
			}
			return nil
		})
	}
	return len(days), g.Wait()
}

func (a *Archive) dirtyDays(ctx context.Context, site string) (days []siteDay, err error) {
	q, args := "SELECT site, date FROM days WHERE dirty = 1", []any(nil)
	if site != "" {
		q, args = q+" AND site = ?", append(args, a.dialect.bytes([]byte(site)))
	}
	rows, err := a.reads.QueryContext(ctx, q+" ORDER BY date, site", args...)
	if err != nil {
		return nil, fmt.Errorf("find dirty days: %w", err)
	}
	defer closeRows(rows, &err)
	for rows.Next() {
		var site, date string
		if err := rows.Scan(&site, &date); err != nil {
			return nil, fmt.Errorf("find dirty days: %w", err)
		}
		day, err := parseDate(date)
		if err != nil {
			return nil, err
		}
		days = append(days, siteDay{site, day})
	}
	return days, rows.Err()
}

// rollUpDay computes a day's sums and clears its mark. Holding the mark's row
// keeps loads that touch the day from committing meanwhile, so the statements
// agree with each other.
func (a *Archive) rollUpDay(ctx context.Context, k siteDay) error {
	return a.transact(ctx, func(ctx context.Context, tx *sql.Tx) error {
		site, date := a.dialect.bytes([]byte(k.site)), dateText(k.day)
		var dirty int
		err := tx.QueryRowContext(ctx, "SELECT dirty FROM days WHERE site = ? AND date = ?"+a.dialect.forUpdate(), site, date).Scan(&dirty)
		if err != nil {
			return fmt.Errorf("lock day: %w", err)
		}
		if dirty == 0 {
			return nil
		}
		if err := a.sums(ctx, tx, a.rowsOf(k)); err != nil {
			return err
		}
		_, err = execTx(ctx, tx, "mark day as rolled up", "UPDATE days SET dirty = 0, rolled_at = ? WHERE site = ? AND date = ?",
			timeText(a.opt.Now().UnixMilli()), site, date)
		return err
	})
}

// rawRows are some raw rows of one day of a site: a condition with arguments.
type rawRows struct {
	site  any
	date  string
	where string
	args  []any
}

func (a *Archive) rowsOf(k siteDay) rawRows {
	r := rawRows{site: a.dialect.bytes([]byte(k.site)), date: dateText(k.day)}
	from, to := around(k.day)
	r.where = "site = ? AND date = ? AND created_at >= ? AND created_at < ?"
	r.args = []any{r.site, r.date, from, to}
	return r
}

// after narrows rows to those of a segment behind an offset.
func (r rawRows) after(segment, offset int64) rawRows {
	r.where += " AND segment = ? AND end_offset > ?"
	r.args = append(r.args[:len(r.args):len(r.args)], segment, offset)
	return r
}

const (
	isHuman = "potential_bot = 0"
	isView  = "event_key = ''"
	isEvent = "event_key <> ''"
)

var dailyColumns = []string{"pv", "uv", "pv_pc", "pv_mobile", "pv_bot", "events", "events_bot"}

// dailySums selects dailyColumns.
func dailySums() string {
	count := func(conditions ...string) string {
		return "COALESCE(SUM(CASE WHEN " + strings.Join(conditions, " AND ") + " THEN 1 ELSE 0 END), 0)"
	}
	return strings.Join([]string{
		count(isHuman, isView),
		"COUNT(DISTINCT CASE WHEN " + isHuman + " AND " + isView + " AND user_hash <> '' THEN user_hash END)",
		count(isHuman, isView, "device = 0"), count(isHuman, isView, "device = 1"),
		count("potential_bot = 1", isView), count(isHuman, isEvent), count("potential_bot = 1", isEvent),
	}, ", ")
}

// sums replaces the sums of a day.
func (a *Archive) sums(ctx context.Context, tx *sql.Tx, r rawRows) error {
	if _, err := execTx(ctx, tx, "clear day", "DELETE FROM daily_stats WHERE site = ? AND date = ?", r.site, r.date); err != nil {
		return err
	}
	if err := a.insertDaily(ctx, tx, r, ""); err != nil {
		return err
	}
	for _, n := range a.named() {
		if err := n.replace(ctx, tx, r); err != nil {
			return err
		}
	}
	return nil
}

func (a *Archive) insertDaily(ctx context.Context, tx *sql.Tx, r rawRows, conflict string) error {
	_, err := execTx(ctx, tx, "sum up day", "INSERT INTO daily_stats (date, site, "+strings.Join(dailyColumns, ", ")+") SELECT ?, ?, "+
		dailySums()+" FROM access_logs WHERE "+r.where+conflict, append([]any{r.date, r.site}, r.args...)...)
	return err
}

// named is a table of sums by a name: page_stats or event_stats.
type named struct {
	table, column string
	limit         int // names of a day that keep their own row
	// parts are the pairs of an expression for the name and a condition on raw
	// rows, each of which gives a row one name.
	parts [][2]string
}

func (a *Archive) named() []named {
	events := named{table: "event_stats", column: "event_key", limit: a.opt.MaxEvents}
	for n := 1; n <= 4; n++ {
		events.parts = append(events.parts, [2]string{a.dialect.eventLevel(n), isHuman + " AND " + isEvent + " AND " + a.dialect.hasLevel(n)})
	}
	return []named{
		{table: "page_stats", column: "page", limit: a.opt.MaxPages, parts: [][2]string{{"page", isHuman + " AND " + isView}}},
		events,
	}
}

// names selects (name, user_hash, created_at) once for each name of each row.
func (n named) names(r rawRows) (query string, args []any) {
	var all []string
	for _, p := range n.parts {
		all = append(all, "SELECT "+p[0]+" AS name, user_hash, created_at FROM access_logs WHERE "+r.where+" AND "+p[1])
		args = append(args, r.args...)
	}
	return strings.Join(all, " UNION ALL "), args
}

// insert adds a row for each name. Where capped, only the names that came first
// keep theirs and all the others share parser.OtherPage.
func (n named) insert(ctx context.Context, tx *sql.Tx, r rawRows, capped bool, conflict string) (int64, error) {
	names, args := n.names(r)
	name, join := "x.name", ""
	if capped {
		name = "COALESCE(kept.name, '" + parser.OtherPage + "')"
		join = fmt.Sprintf(" LEFT JOIN (SELECT y.name AS name FROM (%s) y GROUP BY y.name ORDER BY MIN(y.created_at), y.name LIMIT %d) kept ON kept.name = x.name",
			names, n.limit)
		args = append(args, args...)
	}
	return execTx(ctx, tx, "sum up "+n.table, "INSERT INTO "+n.table+" (date, site, "+n.column+", pv, uv) SELECT ?, ?, "+name+
		" AS n, COUNT(*), COUNT(DISTINCT CASE WHEN x.user_hash <> '' THEN x.user_hash END) FROM ("+names+") x"+join+" GROUP BY n"+conflict,
		append([]any{r.date, r.site}, args...)...)
}

func (n named) replace(ctx context.Context, tx *sql.Tx, r rawRows) error {
	clear := func() error {
		_, err := execTx(ctx, tx, "clear "+n.table, "DELETE FROM "+n.table+" WHERE site = ? AND date = ?", r.site, r.date)
		return err
	}
	if err := clear(); err != nil {
		return err
	}
	rows, err := n.insert(ctx, tx, r, false, "")
	if err != nil || rows <= int64(n.limit) {
		return err
	}
	if err := clear(); err != nil {
		return err
	}
	_, err = n.insert(ctx, tx, r, true, "")
	return err
}

// addLate adds the rows of a segment behind its place to the sums of a day whose
// raw rows are deleted, and deletes them too. It is in the transaction that
// moves the place, so it happens once.
func (a *Archive) addLate(ctx context.Context, tx *sql.Tx, k siteDay, seg segmentRow) error {
	r := a.rowsOf(k).after(seg.num, seg.readTo)
	adding := func(table, key string, columns ...string) string {
		var set []string
		for _, c := range columns {
			set = append(set, c+" = "+table+"."+c+" + "+a.dialect.added(c))
		}
		return a.dialect.onConflict(key) + strings.Join(set, ", ")
	}
	if err := a.insertDaily(ctx, tx, r, adding("daily_stats", "site, date", dailyColumns...)); err != nil {
		return err
	}
	for _, n := range a.named() {
		if _, err := n.insert(ctx, tx, r, true, adding(n.table, "site, date, "+n.column, "pv", "uv")); err != nil {
			return err
		}
	}
	_, err := execTx(ctx, tx, "delete late rows", "DELETE FROM access_logs WHERE "+r.where, r.args...)
	return err
}
