package e2e

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"
)

// TestAttackFair: a flood of junk comes first today. The pages that the owner had
// yesterday keep their names, whatever is restarted, archived, verified and made anew; a
// full table is told.
func TestAttackFair(t *testing.T) {
	const maxPages, own, junk = 300, 100, 3000
	r := startRig(t, rigOptions{env: map[string]string{"MAX_PAGES_PER_SITE": fmt.Sprint(maxPages), "ARCHIVE_CRON": "off"}})
	now := time.Now()
	lines := 0
	write := func(at time.Time, page, ip string) {
		lines++
		r.writer.Raw(0, Line(Request{Beacon: Beacon{IP: ip, UA: "Mozilla/5.0 (X11; Linux x86_64; rv:130.0) Gecko/20100101 Firefox/130.0", Time: at},
			URI: "/event.png?site=ddkk.com&page=" + page})+"\n")
	}
	views := func(at time.Time) {
		for i := range own {
			write(at, fmt.Sprintf("/own/%d", i), fmt.Sprintf("198.51.100.%d", i))
		}
	}
	counted := func() {
		t.Helper()
		Eventually(t, settleLimit, "all lines are read", func() error {
			b, err := readBooks(r.daemon)
			if err == nil && b.sum("ddkk_log_lines_read_total") < float64(lines) {
				err = fmt.Errorf("%v of %d lines", b.sum("ddkk_log_lines_read_total"), lines)
			}
			return err
		})
	}
	number := func(key string, want int64) {
		t.Helper()
		Eventually(t, settleLimit, key, func() error {
			got, err := r.client.Get(t.Context(), key).Int64()
			if err == nil && got != want {
				err = fmt.Errorf("%d, want %d", got, want)
			}
			return err
		})
	}
	numbers := func(views int64) {
		t.Helper()
		number("ddkk:page:pv:ddkk.com:/own/0", views)
		number(fmt.Sprintf("ddkk:page:pv:ddkk.com:/own/%d", own-1), views)
		number("ddkk:page:pv:ddkk.com:__other__", junk-maxPages)
		number("ddkk:site:pv:ddkk.com", own*views+junk)
	}
	views(now.AddDate(0, 0, -1))
	counted()
	for i := range junk {
		write(now, fmt.Sprintf("/junk/%d", i), "203.0.113.66")
	}
	views(now)
	counted()
	numbers(2)
	r.wantLogged("a table of names is full")
	r.wantMetric(1, "ddkk_full_tables")
	if out, err := Run(t, r.daemon.Env, "check"); !strings.Contains(out, "MAX_PAGES_PER_SITE") {
		t.Errorf("check does not tell of the full table (%v):\n%s", err, out)
	}
	r.daemon.Terminate()
	r.daemon.Start()
	views(now)
	lines = 0
	numbers(3)
	r.archive()
	out := r.command("verify")
	if !strings.Contains(out, " 0 differences") {
		t.Errorf("verify:\n%s", out)
	}
	r.daemon.Terminate()
	for _, name := range r.segments() {
		must(t, os.Remove(name))
	}
	r.forget()
	r.daemon.Start()
	numbers(3)
	out = r.command("verify")
	if !strings.Contains(out, " 0 differences") {
		t.Errorf("verify after the rebuild:\n%s", out)
	}
}
