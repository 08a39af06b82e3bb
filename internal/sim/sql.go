package sim

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"

	_ "modernc.org/sqlite" // the driver of the archive's file
)

// letter is what the fields of a facet begin with.
const letter = "CASE facet WHEN 'channel' THEN 'k' WHEN 'campaign' THEN 'g' ELSE SUBSTR(facet, 1, 1) END"

type tableOf struct {
	query  string
	fields []string // of the ledger: S site, D day, N the name
}

// tables are the queries that read what the archive sums up; their columns are the
// site, the day, a name, and the numbers that are named behind.
var tables = []tableOf{
	{"SELECT site, date, '', pv, uv, pv_pc, pv_mobile, pv_bot, events, events_bot FROM daily_stats",
		[]string{"site:pv:S:D", "site:uv:S:D", "site:books:S:D pc", "site:books:S:D mobile", "site:books:S:D bot", "site:books:S:D events", "site:books:S:D bot_events"}},
	{"SELECT site, date, '', dedup FROM days", []string{"site:books:S:D dedup"}},
	{"SELECT site, date, page, pv, uv FROM page_stats", []string{"hot:S:day:D N", "page of a day:uv:S:D N"}},
	{"SELECT site, date, event_key, pv, uv FROM event_stats", []string{"event:S:D N", "event:S:D N|uv"}},
	{"SELECT site, date, " + letter + " || name, pv, COALESCE(uv, 0) FROM facet_stats", []string{"facet:S:D N", "visitors:S:D N"}},
	{"SELECT site, date, UPPER(" + letter + ") || name, pv_bot FROM facet_stats", []string{"facet:S:D N"}},
	{"SELECT 'uniques of ' || site || ' in ' || period || ' ' || page, '00000000', '', uv FROM uniques", []string{"S"}},
	{"SELECT site, date, '', calls, failed, milliseconds FROM api_daily WHERE dimension = 'total'", []string{"api:S:day:D total", "api:S:day:D failed", "api:S:day:D ms"}},
	{"SELECT site, date, name, calls, failed, milliseconds FROM api_daily WHERE dimension = 'endpoint'",
		[]string{"api:S:day:D endpoint:N", "api:S:day:D failed:N", "api:S:day:D ms:N"}},
	{"SELECT site, date, name, calls FROM api_daily WHERE dimension = 'status'", []string{"api:S:day:D status:N"}},
	{"SELECT site, date, name, calls FROM api_daily WHERE dimension = 'user'", []string{"api:S:day:D user:N"}},
	{"SELECT site, date, name, calls FROM api_daily WHERE dimension = 'latency'", []string{"api:S:day:D:latency N"}},
	{"SELECT site, date, dimension || ':' || name, calls FROM api_daily WHERE dimension IN ('request', 'crawler', 'notfound', 'download')", []string{"requests:S:D N"}},
	{"SELECT site, date, '', CASE WHEN name LIKE 'count:%' THEN 1 ELSE calls END FROM api_daily WHERE dimension = 'reader' AND name NOT LIKE 'blocked:%'", []string{"requests:names:S:D readers"}},
	{"SELECT site, date, SUBSTR(name, INSTR(name, '/')), CASE WHEN name LIKE 'count:%' THEN 1 ELSE calls END FROM api_daily WHERE dimension = 'reading' AND name NOT LIKE 'blocked:%'", []string{"requests:names:S:D read N"}},
	{"SELECT site, date, SUBSTR(name, INSTR(name, '/')), CASE WHEN name LIKE 'count:%' THEN 1 ELSE calls END FROM api_daily WHERE dimension = 'feed' AND name NOT LIKE 'count: %' AND name NOT LIKE 'subscribers:%'",
		[]string{"requests:names:S:D feed N"}},
}

// readSQL is what the archive holds, by the names of the ledger.
func (w *world) readSQL() (got numbers, err error) {
	db, err := sql.Open("sqlite", "file:"+w.archivePath())
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	got = numbers{}
	for _, t := range tables {
		if err := t.read(db, got); err != nil {
			return nil, fmt.Errorf("%s: %w", t.query, err)
		}
	}
	return got, nil
}

func (t *tableOf) read(db *sql.DB, got numbers) error {
	rows, err := db.QueryContext(context.Background(), t.query)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var site, day, name string
		values := make([]int64, len(t.fields))
		into := []any{&site, &day, &name}
		for i := range values {
			into = append(into, &values[i])
		}
		if err := rows.Scan(into...); err != nil {
			return err
		}
		replace := strings.NewReplacer("S", site, "D", strings.ReplaceAll(day, "-", "")[:8], "N", name)
		for i, f := range t.fields {
			if values[i] != 0 {
				got[replace.Replace(f)] += values[i]
			}
		}
	}
	return rows.Err()
}

// checkRaw compares which days have raw rows with those that must: no clock that is
// wrong has any deleted, and what is old is deleted.
func (w *world) checkRaw(k *keeper) (err error) {
	a, err := k.open(context.Background())
	if err != nil {
		return err
	}
	doubt, err := a.ClockTrouble(context.Background())
	if err != nil {
		return err
	}
	db, err := sql.Open("sqlite", "file:"+w.archivePath())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	floor := time.Now().In(w.ledger.loc).AddDate(0, 0, -w.sch.KeepRaw).Format(time.DateOnly)
	old := floor // what is before it is deleted
	if doubt != "" {
		w.strike("clock in doubt")
		old = "" // it waits for an operator
	}
	var site, day, raw sql.NullString
	err = db.QueryRowContext(context.Background(), "SELECT site, date, raw FROM days WHERE raw <> 1 AND SUBSTR(date, 1, 10) >= ? OR raw = 1 AND SUBSTR(date, 1, 10) < ? LIMIT 1", floor, old).Scan(&site, &day, &raw)
	if errors.Is(err, sql.ErrNoRows) {
		return nil
	}
	if err == nil {
		err = fmt.Errorf("raw rows are kept from %s on, and those of %s on %s are %s", floor, site.String, day.String, map[bool]string{true: "there", false: "gone"}[raw.String == "1"])
	}
	return err
}

// inSQL tells whether a number of the ledger is in the tables as well.
func inSQL(name string) bool {
	for _, p := range []string{"site:books:", "facet:", "event:", "page of a day:"} {
		if strings.HasPrefix(name, p) {
			return true
		}
	}
	switch {
	case strings.HasPrefix(name, "site:pv:"), strings.HasPrefix(name, "site:uv:") && !strings.HasPrefix(name, "site:uv:set:"):
		return strings.Count(name, ":") == 3
	case strings.HasPrefix(name, "hot:"):
		return strings.Contains(name, ":day:")
	case strings.HasPrefix(name, "requests:names:"): // how often each was seen is not kept for long
		return !strings.HasSuffix(name, " seen") && !strings.HasSuffix(name, " fetched")
	case strings.HasPrefix(name, "requests:"):
		return true
	case strings.HasPrefix(name, "api:"):
		return strings.Contains(name, ":day:")
	}
	return false
}
