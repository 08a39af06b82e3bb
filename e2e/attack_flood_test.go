package e2e

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"
)

// TestAttackFlood sends made-up pages, sites, events and user agents, many times
// what the caps allow: totals stay exact, keys and memory bounded.
func TestAttackFlood(t *testing.T) {
	const maxPages, maxSites = 300, 20
	r := startRig(t, rigOptions{env: map[string]string{"MAX_PAGES_PER_SITE": fmt.Sprint(maxPages), "MAX_SITES": fmt.Sprint(maxSites)}})
	const ua = "Mozilla/5.0 (X11; Linux x86_64; rv:130.0) Gecko/20100101 Firefox/130.0"
	now := time.Now()
	lines := 0
	write := func(uri, agent string) {
		lines++
		r.writer.Raw(0, Line(Request{Beacon: Beacon{IP: "198.51.100.7", UA: agent, Time: now}, URI: uri})+"\n")
	}
	const pages, sites, events, agents, long = 9000, 3000, 12_000, 6000, 200
	for i := range pages {
		write(fmt.Sprintf("/event.png?site=pages.example&page=/%x-%d", r.rand.Uint64(), i), ua)
	}
	for i := range agents {
		write("/event.png?site=agents.example&page=/", fmt.Sprintf("%s %x-%d", ua, r.rand.Uint64(), i))
	}
	for i := range events {
		write(fmt.Sprintf("/event.png?site=events.example&page=/&category=c%x-%d&action=a", r.rand.Uint64(), i), ua)
	}
	for i := range long {
		write(fmt.Sprintf("/event.png?site=long.example&page=/%s%d", strings.Repeat("x", 6000), i), ua)
	}
	for i := range sites {
		write(fmt.Sprintf("/event.png?site=s%x-%d.example&page=/", r.rand.Uint64(), i), ua)
	}
	Eventually(t, settleLimit, "all lines are read", func() error {
		b, err := readBooks(r.daemon)
		if err == nil && b.sum("ddkk_log_lines_read_total") < float64(lines) {
			err = fmt.Errorf("%v of %d lines", b.sum("ddkk_log_lines_read_total"), lines)
		}
		return err
	})
	b := checkBooks(t, r.daemon)
	admitted := float64(maxSites - 4)
	if got, want := b.sum("ddkk_log_lines_total", `result="human"`), float64(pages+agents+events+long)+admitted; got != want {
		t.Errorf("%v lines counted, want %v\n%s", got, want, b.lines())
	}
	if got, want := b.sum("ddkk_log_lines_total", `result="skipped"`, `reason="site"`), sites-admitted; got != want {
		t.Errorf("%v lines skipped for their site, want %v", got, want)
	}

	ctx := t.Context()
	number := func(key string, want int64) {
		t.Helper()
		if got, err := r.client.Get(ctx, key).Int64(); err != nil || got != want {
			t.Errorf("%s is %d, %v; want %d", key, got, err, want)
		}
	}
	number("ddkk:site:pv:pages.example", pages)
	number("ddkk:site:uv:pages.example", 1)
	number("ddkk:site:pv:agents.example", agents)
	number("ddkk:site:uv:agents.example", agents)
	number("ddkk:site:pv:long.example", long)
	number("ddkk:page:pv:pages.example:__other__", pages-maxPages)
	keys, err := r.client.Keys(ctx, "ddkk:page:pv:pages.example:*").Result()
	must(t, err)
	if len(keys) != maxPages+1 {
		t.Errorf("%d pages have keys, want %d and __other__", len(keys), maxPages)
	}
	var sum int64
	for _, key := range keys {
		n, err := r.client.Get(ctx, key).Int64()
		must(t, err)
		sum += n
	}
	if sum != pages {
		t.Errorf("the pages have %d views together, want %d", sum, pages)
	}
	for _, key := range []string{"ddkk:page:pv:long.example:*", "ddkk:hot:long.example:*"} {
		names, err := r.client.Keys(ctx, key).Result()
		must(t, err)
		for _, name := range names {
			if len(name) > 600 {
				t.Errorf("a key of %d bytes", len(name))
			}
		}
	}
	known, err := r.client.SCard(ctx, "ddkk:sites").Result()
	must(t, err)
	if known != maxSites {
		t.Errorf("%d sites, want %d", known, maxSites)
	}
	fields, err := r.client.HLen(ctx, "ddkk:event:events.example:"+r.today()).Result()
	must(t, err)
	if fields > 2*10_001 { // views and visitors of each key
		t.Errorf("%d fields of events", fields)
	}
	// The race detector's memory is its own.
	if rss := b.sum("process_resident_memory_bytes"); os.Getenv("DDKK_E2E_RACE") == "0" && rss > 150<<20 {
		t.Errorf("the daemon uses %.0f MB", rss/(1<<20))
	}
	t.Logf("%d lines, %d keys of pages, %d fields of events, %.0f MB", lines, len(keys), fields, b.sum("process_resident_memory_bytes")/(1<<20))
}
