package answers

import (
	"fmt"
	"testing"
	"time"

	"ddkk-stats/internal/config"
	"ddkk-stats/parser"
	"ddkk-stats/queryapi"
)

// What Redis has of a site's own log is added up as the routes show it.
func TestRequestsOfRedis(t *testing.T) {
	r := newPastRig(t)
	cfg := &config.Config{Timezone: time.UTC}
	q := NewRequests(r.reader, r.vault.Opened, func() *config.Config { return cfg })
	q.now = func() time.Time { return time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC) }
	for day, n := range map[parser.Day]string{20261121: "2", 20261122: "3"} {
		r.redis.HSet(r.keys.Requests("a.example", day), "request:count:all", "9", "request:people:page", n, "request:crawlers:page", "4", "request:bytes:page", "100",
			"crawler:2xx:Googlebot", n, "crawler:4xx:Googlebot", "1", "crawler:pages:Googlebot", "2", "crawler:bytes:Googlebot", "50", "crawler:robots:Googlebot", "1",
			"crawler:other:odd", "1", "notfound:count:/x /from", n, "notfound:count:/y ", "1", "download:count:/b.pdf", n, "download:bytes:/b.pdf", "70")
		r.redis.HSet(r.keys.RequestNames("a.example", day), "feed:count:Feedbin=7 /feed", "3", "feed:count:Feedbin=9 /feed", n, "feed:count:Feedly#1=60 /feed", "1", "feed:count:Feedly#2=40 /feed", "1",
			"feed:count:0123456789abcdef /feed", n, "feed:count: /feed", "8")
	}
	r.redis.HSet(r.keys.RequestNames("a.example", 20261122), "feed:count:0123456789abcdee /feed", "1")
	from, to := parseDay("2026-11-20"), parseDay("2026-11-22")
	same := func(what string, got any, stale bool, err error, want string) {
		t.Helper()
		r.must(err)
		if text := fmt.Sprint(got); text != want || stale {
			t.Errorf("%s: stale %v\ngot  %s\nwant %s", what, stale, text, want)
		}
	}
	days, stale, err := q.Kinds(t.Context(), "a.example", from, to)
	r.must(err)
	if len(days) != 3 || stale || days[0].Kinds["page"] != (queryapi.KindCounts{}) || days[1].Kinds["page"] != (queryapi.KindCounts{People: 2, Crawlers: 4, Bytes: 100}) || days[2].Kinds["page"].People != 3 || len(days[2].Kinds) != 8 {
		t.Errorf("kinds: %v %+v", stale, days)
	}
	crawlers, stale, err := q.Crawlers(t.Context(), "a.example", from, to)
	same("crawlers", crawlers, stale, err, "[{Googlebot Google search 7 4 100 true {5 0 2 0}} {odd  other 2 0 0 false {0 0 0 0}}]")
	missing, stale, err := q.NotFound(t.Context(), "a.example", from, to)
	same("not found", missing, stale, err, "[{/x /from 5} {/y  2}]")
	files, stale, err := q.Downloads(t.Context(), "a.example", from, to)
	same("downloads", files, stale, err, "[{/b.pdf 5 140}]")
	feeds, stale, err := q.Feeds(t.Context(), "a.example", from, to)
	same("feeds", feeds, stale, err, "[{/feed 2 109}]") // of the best day
	for i, d := range []byte{1, 2, 3, 4} {
		v := parser.Visitor{d}
		r.redis.HSet(r.keys.RequestNames("a.example", 20261122), "reader:count:"+v.String(), "1", "reading:count:"+v.String()+" /a", "1", "reading:count:"+v.String()+" /"+string('b'+d%2), "2")
		if i > 0 {
			_, err := r.redis.SAdd(r.keys.Visitors("a.example", 20261122), string(v[:]))
			r.must(err)
		}
	}
	blocked, stale, err := q.Blocked(t.Context(), "a.example", from, to)
	r.must(err)
	if len(blocked) != 1 || stale || blocked[0].Readers != 4 || blocked[0].Blocked != 1 || blocked[0].Share != 0.25 {
		t.Errorf("blocked: %v %+v", stale, blocked)
	}
	pages, stale, err := q.BlockedPages(t.Context(), "a.example", from, to)
	same("blocked by page", pages, stale, err, "[{/a 4 1 0.25} {/c 2 1 0.5} {/b 2 0 0}]")
	cfg.LogViews = []parser.LogView{{Site: "a.example"}}
	if blocked, _, err := q.Blocked(t.Context(), "a.example", from, to); len(blocked) > 0 || err != nil {
		t.Errorf("a site without beacons: %+v, %v", blocked, err)
	}
	if pages, _, err := q.BlockedPages(t.Context(), "a.example", from, to); len(pages) > 0 || err != nil {
		t.Errorf("a site without beacons, by page: %+v, %v", pages, err)
	}
	r.redis.SetError("LOADING")
	if _, stale, err := q.Kinds(t.Context(), "a.example", from, to); !stale || err != nil {
		t.Errorf("without Redis: stale %v, %v", stale, err)
	}
}
