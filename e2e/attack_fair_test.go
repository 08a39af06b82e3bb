package e2e

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
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

// TestAttackFairTables: on the first day of a site, junk fills its tables of pages, events and
// referrers, from one address, one network, or many. Names that people of several networks ask
// for have their own at once, and all of their views when the day is over and archived.
func TestAttackFairTables(t *testing.T) {
	const own, views, junkViews, junkEvents = 10, 5, 4000, 26_000
	r := startRig(t, rigOptions{env: map[string]string{"MAX_PAGES_PER_SITE": "1000", "ARCHIVE_CRON": "off"}})
	network := func(n int) string { return fmt.Sprintf("11.%d.%d.7", n>>8&255, n&255) }
	day := time.Now().AddDate(0, 0, -1)
	digits := day.UTC().Format("20060102")
	lines := 0
	write := func(ip, query string) {
		lines++
		r.writer.Raw(0, Line(Request{Beacon: Beacon{IP: ip, UA: "Mozilla/5.0 (X11; Linux x86_64; rv:130.0) Gecko/20100101 Firefox/130.0", Time: day},
			URI: "/event.png?" + query})+"\n")
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
	junk := map[string]func(i int) string{
		"address.com": func(int) string { return "203.0.113.66" },
		"network.com": func(i int) string { return fmt.Sprintf("203.0.113.%d", 1+i%250) },
		"many.com":    network,
	}
	for site, from := range junk {
		for i := range junkViews {
			write(from(i), fmt.Sprintf("site=%s&page=/junk/%d&ref=junk%d.com", site, i, i))
		}
		for i := range junkEvents {
			write(from(i), fmt.Sprintf("site=%s&page=/&category=junk&action=%d", site, i))
		}
	}
	counted()
	for v := range views {
		for site := range junk {
			for i := range own {
				ip := network(5000 + 61*v + 7*i)
				write(ip, fmt.Sprintf("site=%s&page=/own/%d&ref=friend%d.com", site, i, i))
				write(ip, fmt.Sprintf("site=%s&page=/&category=own&action=%d", site, i))
			}
		}
		counted()
	}
	// The least that each of the owner's names has, in each table.
	least := func(site string) (pages, events, referrers int64) {
		pages, events, referrers = views, views, views
		for i := range own {
			page, err := r.client.Get(t.Context(), fmt.Sprintf("ddkk:page:pv:%s:/own/%d", site, i)).Int64()
			if err != nil {
				page = 0
			}
			event, err := r.client.HGet(t.Context(), "ddkk:event:"+site+":"+digits, fmt.Sprintf("own.%d", i)).Int64()
			if err != nil {
				event = 0
			}
			referrer, err := r.client.HGet(t.Context(), "ddkk:facet:"+site+":"+digits, fmt.Sprintf("rfriend%d.com", i)).Int64()
			if err != nil {
				referrer = 0
			}
			pages, events, referrers = min(pages, page), min(events, event), min(referrers, referrer)
		}
		return pages, events, referrers
	}
	total := func(site string) {
		t.Helper()
		var sum int64
		for _, z := range r.client.ZRangeWithScores(t.Context(), "ddkk:hot:"+site+":all", 0, -1).Val() {
			sum += int64(z.Score)
		}
		pv, err := r.client.Get(t.Context(), "ddkk:site:pv:"+site).Int64()
		must(t, err)
		if want := int64(junkViews + own*views); sum != want || pv != want {
			t.Errorf("%s: pages have %d views, the site %d, want %d", site, sum, pv, want)
		}
	}
	for site := range junk {
		need := int64(views - 1) // some network is one of the junk's part of the internet
		if site == "many.com" {
			need = 1
		}
		Eventually(t, settleLimit, "the owner's names on "+site, func() error {
			if p, e, ref := least(site); p < need || e < need || ref < need {
				return fmt.Errorf("pages %d, events %d, referrers %d of %d", p, e, ref, views)
			}
			return nil
		})
		total(site)
	}
	r.archive()
	for site := range junk {
		Eventually(t, settleLimit, "the owner's names on "+site+" when the day is over", func() error {
			if p, e, ref := least(site); p != views || e != views || ref != views {
				return fmt.Errorf("pages %d, events %d, referrers %d of %d", p, e, ref, views)
			}
			return nil
		})
		total(site)
	}
	if out := r.command("verify"); !strings.Contains(out, " 0 differences") {
		t.Errorf("verify:\n%s", out)
	}
	if out := r.archive(); strings.Contains(out, "made anew") {
		t.Errorf("the sites are made anew once more:\n%s", out)
	}
}

// TestAttackSites: a stranger makes up as many sites as there may be. New sites of others are
// counted all the same; when the day is over and archived the made-up ones give their places
// back, and one that is asked for again has what it had.
func TestAttackSites(t *testing.T) {
	const most, junk = 128, 400
	r := startRig(t, rigOptions{env: map[string]string{"MAX_SITES": fmt.Sprint(most), "ARCHIVE_CRON": "* * * * *"}})
	line := func(at time.Time, ip, site string) string {
		return Line(Request{Beacon: Beacon{IP: ip, UA: "Mozilla/5.0 (X11; Linux x86_64; rv:130.0) Gecko/20100101 Firefox/130.0", Time: at}, URI: "/event.png?page=/&site=" + site}) + "\n"
	}
	number := func(key string, want int64) {
		t.Helper()
		Eventually(t, settleLimit, key, func() error {
			got, err := r.client.Get(t.Context(), key).Int64()
			if errors.Is(err, redis.Nil) {
				err = nil
			}
			if err == nil && got != want {
				err = fmt.Errorf("%d, want %d", got, want)
			}
			return err
		})
	}
	yesterday := time.Now().AddDate(0, 0, -1)
	for i := range junk {
		r.writer.Raw(0, line(yesterday, "203.0.113.66", fmt.Sprintf("junk%d.com", i)))
	}
	own := func(at time.Time) {
		for i := range 8 {
			for v := range 2 {
				r.writer.Raw(0, line(at, fmt.Sprintf("11.%d.%d.7", i, v), fmt.Sprintf("own%d.com", i)))
			}
		}
	}
	own(yesterday)
	for i := range 8 {
		number(fmt.Sprintf("ddkk:site:pv:own%d.com", i), 2)
	}
	number(fmt.Sprintf("ddkk:site:pv:junk%d.com", junk-1), 0)
	r.wantLogged("as many sites as MAX_SITES allows")
	r.rotate()
	r.quieten()
	Eventually(t, 3*time.Minute, "made-up sites give their places back", func() error {
		n, err := r.client.SCard(t.Context(), "ddkk:sites").Result()
		if err == nil && n != 8 {
			err = fmt.Errorf("%d sites", n)
		}
		return err
	})
	own(time.Now())
	r.writer.Raw(0, line(time.Now(), "203.0.113.66", "junk7.com"))   // given back
	r.writer.Raw(0, line(time.Now(), "203.0.113.66", "junk399.com")) // had never a place
	number("ddkk:site:pv:own0.com", 4)
	number("ddkk:site:pv:junk7.com", 2)
	number("ddkk:site:pv:junk399.com", 2)
	if n := r.client.SCard(t.Context(), "ddkk:sites").Val(); n != 10 {
		t.Errorf("%d sites, want 10", n)
	}
	r.daemon.Terminate() // a start brings none back
	r.daemon.Start()
	own(time.Now())
	number("ddkk:site:pv:own0.com", 6)
	number("ddkk:site:pv:junk7.com", 2)
	if n := r.client.SCard(t.Context(), "ddkk:sites").Val(); n != 10 {
		t.Errorf("%d sites after a start, want 10", n)
	}
	if out := r.command("verify"); !strings.Contains(out, " 0 differences") {
		t.Errorf("verify:\n%s", out)
	}
}
