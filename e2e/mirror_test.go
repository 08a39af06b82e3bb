package e2e

import (
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// flushCron is every second.
const flushCron = "* * * * * *"

// wantMirrored waits until page_counts equals the ledger. dsn is the database's.
func (r *rig) wantMirrored(dsn string) {
	r.t.Helper()
	Eventually(r.t, settleLimit, "page_counts equals the ledger", func() error {
		have, err := readMirror(r.t, dsn)
		if err != nil {
			return err
		}
		want := r.ledger.mirror()
		var wrong []string
		for k, n := range want {
			if have[k] != n {
				wrong = append(wrong, fmt.Sprintf("%s is %d, want %d", k, have[k], n))
			}
		}
		for k, n := range have {
			if _, ok := want[k]; !ok && n != 0 {
				wrong = append(wrong, fmt.Sprintf("%s is %d and should not be there", k, n))
			}
		}
		if len(wrong) > 0 {
			slices.Sort(wrong)
			return fmt.Errorf("%d rows differ: %s", len(wrong), strings.Join(wrong[:min(len(wrong), 10)], "; "))
		}
		return nil
	})
}

func readMirror(t *testing.T, dsn string) (_ map[string]int64, err error) {
	t.Helper()
	db, err := sql.Open("mysql", dsn)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	rows, err := db.QueryContext(t.Context(), "SELECT site, page, potential_bot, SUM(count) FROM page_counts GROUP BY site, page, potential_bot")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	all := map[string]int64{}
	for rows.Next() {
		var site, page string
		var bots int
		var n int64
		if err := rows.Scan(&site, &page, &bots, &n); err != nil {
			return nil, err
		}
		all[fmt.Sprintf("%s %s %d", site, page, bots)] = n
	}
	return all, rows.Err()
}

// mirror is what page_counts must have.
func (l *Ledger) mirror() map[string]int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	all := map[string]int64{}
	for site, book := range l.sites {
		for page, t := range book.pages {
			all[fmt.Sprintf("%s %s 0", site, page)] = t.pv
		}
		for page, n := range book.bots {
			all[fmt.Sprintf("%s %s 1", site, page)] = n
		}
	}
	return all
}

// mirrorRig is a rig whose daemon flushes into MariaDB every second.
func mirrorRig(t *testing.T) (r *rig, m *MariaDB, dsn string) {
	t.Helper()
	m = StartMariaDB(t)
	r = newRig(t, rigOptions{env: map[string]string{"FLUSH_CRON": flushCron}})
	dsn = createDatabase(t, m)
	r.daemon.Env["MYSQL_DSN"] = dsn
	return r, m, dsn
}

// TestMirrorFollows counts views of people and bots, and rebuilds.
func TestMirrorFollows(t *testing.T) {
	r, _, dsn := mirrorRig(t)
	r.daemon.Start()
	r.write(800)
	r.exact()
	r.wantMirrored(dsn)
	r.write(200)
	r.wantMirrored(dsn)
	r.forget()
	r.write(100)
	r.exact()
	r.wantMirrored(dsn)
	db, err := sql.Open("mysql", dsn)
	must(t, err)
	falsify := func(statement string) {
		_, err := db.ExecContext(t.Context(), statement)
		must(t, err)
	}
	falsify("UPDATE page_counts SET count = count + 3 WHERE site = 'ddkk.com'")
	r.command("mirror", "--rebuild", "--site", "ddkk.com")
	r.wantMirrored(dsn)
	r.verified()
	stop := r.feed() // differences are named, and nothing else, while all goes on
	falsify("UPDATE page_counts SET count = count + 1000000 WHERE site = 'ddkk.com' AND potential_bot = 0")
	out, err := Run(t, r.daemon.Env, "verify")
	if err == nil || !strings.Contains(out, "  page_counts ddkk.com /") || strings.Contains(out, "  ddkk:") || strings.Contains(out, "cannot be verified") {
		t.Errorf("verify does not name what differs in page_counts: %v\n%s", err, out)
	}
	out = r.command("verify", "--repair")
	stop()
	if !strings.Contains(out, "rebuilding its mirror") || !strings.Contains(out, " 0 differences, 0 problems") {
		t.Errorf("verify --repair did not mend page_counts:\n%s", out)
	}
	must(t, db.Close())
	r.exact()
	r.wantMirrored(dsn)
	r.verified()
}

// TestMirrorFaults kills daemon, Redis and MariaDB under load, with a second
// flusher at work.
func TestMirrorFaults(t *testing.T) {
	r, m, dsn := mirrorRig(t)
	r.daemon.Start()
	stop := r.feed()
	for range 4 {
		r.some(1500)
		r.daemon.Kill()
		r.daemon.Start()
		r.some(1500)
		r.killed(200*time.Millisecond, "mirror")
		r.killed(300*time.Millisecond, "mirror", "--rebuild")
	}
	r.some(1500)
	m.Kill()
	r.some(1500)
	m.Start()
	for range 2 {
		r.more(1000)
		r.redis.Kill()
		r.redis.Start()
	}
	stop()
	r.exact()
	r.releaseMirrors()
	r.write(60) // what is idle is not looked at
	r.exact()
	r.wantMirrored(dsn)
	r.verified()
}

// releaseMirrors lets the time pass for which a rebuild that was killed keeps
// others away.
func (r *rig) releaseMirrors() {
	r.t.Helper()
	for _, site := range r.ledger.Sites() {
		key := prefix + "mirror:state:" + site
		phase, err := r.client.HGet(r.t.Context(), key, "phase").Result()
		if err == nil && phase == "fill" {
			must(r.t, r.client.HSet(r.t.Context(), key, "at", 0).Err())
		}
	}
}
