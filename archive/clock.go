package archive

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"ddkk-stats/parser"
)

// clocks decide which day it is, before something is deleted as too old.
type clocks struct{ *store }

// Clock is one more that knows the time, beside this host's and the database's.
type Clock struct {
	Name string
	Now  func(context.Context) (time.Time, error)
}

// clockLimit is how far clocks may be apart.
const clockLimit = time.Hour

// moment is the time as far as something may be deleted by it.
type moment struct {
	now     time.Time  // the earliest of the clocks, or the last day that is believed
	day     parser.Day // its day
	trouble string     // what is wrong with the clock, for a person; empty: nothing
}

// believed looks what time it is. No clock is believed alone: of several the
// earliest counts, since what is deleted too late can still be deleted. And a day
// that is further from the last cycle's than the schedule, and than the days of
// which something was counted since, is not believed if that would delete
// anything: it waits for Confirm. Then the last cycle's day stays today.
func (k *clocks) believed(ctx context.Context) (moment, error) {
	m, err := k.clocks(ctx)
	if err != nil {
		return m, err
	}
	last, err := k.lastDay(ctx, m.day)
	if err != nil {
		return m, err
	}
	passed, usual := daysBetween(last, m.day), max(int(k.usual.Load()), 1)
	if passed < -usual-1 {
		m.trouble = fmt.Sprintf("it is %s by the clocks, and was %s in the last archive cycle; nothing new is deleted until then. "+
			"Set the clock right, or if it is, run `ddkk-stats archive --confirm`", dateText(m.day), dateText(last))
		return m, k.note(ctx, last, m.trouble)
	}
	seen, err := k.daysSeen(ctx, last, m.day)
	if err != nil {
		return m, err
	}
	if passed <= max(usual, seen)+1 {
		return m, k.note(ctx, m.day, m.trouble)
	}
	doomed, err := k.doomed(ctx, last, m.day)
	if err != nil {
		return m, err
	}
	said := m.day
	m.day = last
	m.now = last.Date(k.opt.Location)
	if doomed == 0 {
		// Nothing depends on it. It is believed day by day.
		return m, k.note(ctx, addDays(last, usual), m.trouble)
	}
	m.trouble = fmt.Sprintf("it is %s by the clocks, %d days after the last archive cycle, and something was counted on %d of them. "+
		"What %d days hold would be deleted as too old: nothing is, until you have looked at the clock and run `ddkk-stats archive --confirm`",
		dateText(said), passed, seen, doomed)
	return m, k.note(ctx, last, m.trouble)
}

// Confirm has the clocks be believed: somebody looked at them.
func (k *clocks) Confirm(ctx context.Context) error {
	m, err := k.clocks(ctx)
	if err != nil {
		return err
	}
	return k.note(ctx, m.day, m.trouble)
}

// ClockTrouble is what the last cycle found wrong with the clock; empty: nothing.
func (k *clocks) ClockTrouble(ctx context.Context) (string, error) {
	return k.meta(ctx, k.reads, "clock_trouble")
}

// clocks asks all of them. One that does not answer is left out.
func (k *clocks) clocks(ctx context.Context) (moment, error) {
	first := Clock{Name: "this host"}
	now := k.opt.Now()
	earliest, latest := now, now
	who, whoLate := first.Name, first.Name
	look := func(name string, at time.Time) {
		if at.Before(earliest) {
			earliest, who = at, name
		}
		if at.After(latest) {
			latest, whoLate = at, name
		}
	}
	at, has, err := k.dialect.now(ctx)
	if err != nil {
		return moment{}, fmt.Errorf("ask the database for the time: %w", err)
	}
	if has {
		look("the database", at)
	}
	for _, c := range k.opt.Clocks {
		if at, err := c.Now(ctx); err == nil {
			look(c.Name, at)
		} else {
			k.log.Warn("cannot compare clocks", "with", c.Name, "err", err)
		}
	}
	m := moment{now: earliest, day: parser.DayOf(earliest.In(k.opt.Location))}
	if latest.Sub(earliest) > clockLimit {
		m.trouble = fmt.Sprintf("clocks differ: it is %s by %s and %s by %s; the earlier one counts for what is deleted. Set them right (timedatectl, chronyc)",
			latest.UTC().Format(time.DateTime), whoLate, earliest.UTC().Format(time.DateTime), who)
	}
	return m, nil
}

// lastDay is the day of the last cycle. Before the first one nothing can be
// deleted, and in an archive of an earlier version the newest line tells it.
func (k *clocks) lastDay(ctx context.Context, today parser.Day) (parser.Day, error) {
	text, err := k.meta(ctx, k.db, "last_day")
	if err != nil {
		return 0, err
	}
	if text != "" {
		return parseDate(text)
	}
	var newest sql.NullString
	if err := k.db.QueryRowContext(ctx, "SELECT MAX(last_time) FROM segments").Scan(&newest); err != nil {
		return 0, fmt.Errorf("find the newest line: %w", err)
	}
	if !newest.Valid {
		return today, nil
	}
	at, err := parseTime(newest.String)
	if err != nil {
		return 0, err
	}
	return min(today, parser.DayOf(time.UnixMilli(at).In(k.opt.Location))), nil
}

// firstCycle notes the day of the first cycle of an archive that has nothing yet.
func (k *clocks) firstCycle(ctx context.Context) error {
	text, err := k.meta(ctx, k.db, "last_day")
	if err != nil || text != "" {
		return err
	}
	var n int
	if err := k.db.QueryRowContext(ctx, "SELECT COUNT(*) FROM segments").Scan(&n); err != nil {
		return fmt.Errorf("count segments: %w", err)
	}
	if n > 0 {
		return nil
	}
	return k.Confirm(ctx)
}

// daysSeen is on how many of the days after one up to another something was counted.
func (k *clocks) daysSeen(ctx context.Context, after, to parser.Day) (n int, err error) {
	from, until := dateText(after), dateText(to)
	err = k.db.QueryRowContext(ctx, "SELECT COUNT(*) FROM (SELECT date FROM days WHERE date > ? AND date <= ? UNION "+
		"SELECT date FROM api_days WHERE date > ? AND date <= ?) seen", from, until, from, until).Scan(&n)
	if err != nil {
		return 0, fmt.Errorf("count days: %w", err)
	}
	return n, nil
}

// doomed is how many days' raw rows, periods and latencies are deleted if it is
// one day rather than another.
func (k *clocks) doomed(ctx context.Context, was, is parser.Day) (n int, err error) {
	q := "SELECT date FROM api_days WHERE raw = 1 AND date >= ? AND date < ? UNION SELECT date FROM api_daily WHERE dimension = 'latency' AND date >= ? AND date < ?"
	args := []any{dateText(addDays(was, -callPeriodDays)), dateText(addDays(is, -callPeriodDays)),
		dateText(addDays(was, -callLatencyDays)), dateText(addDays(is, -callLatencyDays))}
	if days := int(k.rawDays.Load()); days > 0 {
		q += " UNION SELECT date FROM days WHERE raw = 1 AND date >= ? AND date < ?"
		args = append(args, dateText(addDays(was, -days)), dateText(addDays(is, -days)))
	}
	if err := k.db.QueryRowContext(ctx, "SELECT COUNT(*) FROM ("+q+") doomed", args...).Scan(&n); err != nil {
		return 0, fmt.Errorf("count days: %w", err)
	}
	return n, nil
}

// note writes the day that is believed and what is wrong.
func (k *clocks) note(ctx context.Context, d parser.Day, trouble string) error {
	return k.transact(ctx, func(ctx context.Context, tx *sql.Tx) error {
		for name, value := range map[string]string{"last_day": dateText(d), "clock_trouble": trouble} {
			if _, err := execTx(ctx, tx, "note the day of the cycle", "UPDATE meta SET value = ? WHERE name = ?",
				k.dialect.bytes(cut([]byte(value), 1024)), name); err != nil {
				return err
			}
		}
		return nil
	})
}

// meta is a value of the archive's own.
func (st *store) meta(ctx context.Context, q querier, name string) (value string, err error) {
	if err := q.QueryRowContext(ctx, "SELECT value FROM meta WHERE name = ?", name).Scan(&value); err != nil {
		return "", fmt.Errorf("read %s: %w", name, err)
	}
	return value, nil
}

func daysBetween(from, to parser.Day) int {
	return int(to.Date(time.UTC).Sub(from.Date(time.UTC)) / (24 * time.Hour))
}
