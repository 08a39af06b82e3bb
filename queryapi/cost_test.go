package queryapi

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"ddkk-stats/counter"
	"ddkk-stats/queryapi/edge"
)

// hostile are the longest names that a page may have, each of a byte that costs
// an answer most, or once did.
func hostile(i int) string {
	c := []string{"\x01", "\xff", `"`, "<", "\x7f"}[i%5]
	return fmt.Sprintf("/%03d", i) + strings.Repeat(c, 496)
}

// TestAnswersAreBounded: whatever visitors have chosen, no answer to the public is
// longer than MaxAnswer.
func TestAnswersAreBounded(t *testing.T) {
	b := newBackend()
	for range counter.MaxHotPages { // the worst byte only
		b.hot = append(b.hot, counter.PageCount{Page: "/" + strings.Repeat("\x01", 499), PV: 1 << 62})
	}
	s := newTestServer(t, b, nil)
	f := func(method, target, body string) {
		t.Helper()
		ctx := ask(s, testPeer, method, target, body)
		if ctx.Response.StatusCode() != 200 {
			t.Fatalf("%s: %s", target, ctx.Response.Body())
		}
		if n := len(ctx.Response.Body()); n > MaxAnswer {
			t.Errorf("%s: %d bytes", target, n)
		}
		if !json.Valid(ctx.Response.Body()) {
			t.Errorf("%s: no JSON", target)
		}
	}
	var names []string
	for i := range MaxPages {
		names = append(names, fmt.Sprintf("\"/%03d%s\"", i, strings.Repeat("\u2028", 200)))
	}
	list := "[" + strings.Join(names, ",") + "]"
	f("POST", "/api/stats", `{"site":"ddkk.com","page":"/","limit":100,"fields":["site_pv","site_uv","site_pv_today","site_uv_today","page_pv","page_uv","site_online",`+
		`"hot_pages_today","hot_pages_week","hot_pages_month","hot_pages_all"],"batch_pages":`+list+`}`)
	f("POST", "/api/batch", `{"site":"ddkk.com","pages":`+list+`}`)
	f("GET", "/api/hot?site=ddkk.com&limit=100", "")
	past := pastServer(t, &past{})
	ctx := ask(past, testPeer, "GET", "/api/history?site=ddkk.com&from=2016-11-16&to=2026-11-22", "")
	if n := len(ctx.Response.Body()); n > MaxAnswer || n < 100_000 {
		t.Errorf("history: %d bytes", n)
	}
}

// pagesOfAll plays Ranking with names that are as bad as they can be.
type pagesOfAll []RankedPage

func (p pagesOfAll) Ranked(_ context.Context, q *RankQuery) ([]RankedPage, error) {
	at := 0
	if q.After != nil {
		at = slices.IndexFunc(p, func(x RankedPage) bool { return x.Page == q.After.Page }) + 1
	}
	return p[at:min(at+q.Limit, len(p))], nil
}

// TestCursorsGoThroughAll: what one answer has no room for comes with the next,
// each name once and as it is.
func TestCursorsGoThroughAll(t *testing.T) {
	var pages pagesOfAll
	p := &past{}
	for i := range 2500 {
		pages = append(pages, RankedPage{Page: hostile(i), PV: int64(5000 - i)})
	}
	for i := range 4000 {
		p.events = append(p.events, EventCount{Date: dateAt("2026-11-20"), Key: fmt.Sprintf("a.%05d", i) + strings.Repeat("\"", 790), PV: 1})
	}
	s := newTestServer(t, newBackend(), func(c *Config) {
		c.Ranking, c.Series, c.EventKey = pages, p, func(l ...string) string { return strings.Join(l, ".") }
		c.Now = func() time.Time { return dateAt("2026-11-22") }
	})
	get := func(target, cursor string) (body []byte, next string) {
		t.Helper()
		if cursor != "" {
			target += "&cursor=" + url.QueryEscape(cursor)
		}
		ctx := ask(s, testPeer, "GET", target, "")
		if n := len(ctx.Response.Body()); ctx.Response.StatusCode() != 200 || n > MaxAnswer+1000 { // a cursor may come on top
			t.Fatalf("%s: %d, %d bytes: %.200s", target, ctx.Response.StatusCode(), n, ctx.Response.Body())
		}
		return ctx.Response.Body(), header(ctx, cursorHeader)
	}
	seen, answers := 0, 0
	for cursor := ""; ; answers++ {
		body, _ := get("/api/pages?site=ddkk.com&limit=1000", cursor)
		var got struct {
			Pages []struct {
				Page string
				PV   int64
			}
			Cursor *string
		}
		if err := json.Unmarshal(body, &got); err != nil {
			t.Fatal(err)
		}
		for _, p := range got.Pages {
			if p.PV != int64(5000-seen) || normalizePage([]byte(p.Page)) != pages[seen].Page {
				t.Fatalf("page %d is %q", seen, p.Page)
			}
			seen++
		}
		if got.Cursor == nil {
			break
		}
		cursor = *got.Cursor
	}
	if seen != len(pages) || answers < 2 {
		t.Errorf("%d pages in %d answers", seen, answers)
	}
	seen, answers = 0, 1
	for cursor := ""; ; answers++ {
		body, next := get("/api/events?site=ddkk.com&limit=10000", cursor)
		var got []struct{ EventKey string }
		if err := json.Unmarshal(body, &got); err != nil {
			t.Fatal(err)
		}
		for _, e := range got {
			if e.EventKey != p.events[seen].Key {
				t.Fatalf("event %d is %q", seen, e.EventKey)
			}
			seen++
		}
		if cursor = next; cursor == "" {
			break
		}
	}
	if seen != len(p.events) || answers < 4 {
		t.Errorf("%d events in %d answers", seen, answers)
	}
	ctx := ask(s, testPeer, "GET", "/api/events?site=ddkk.com", "")
	wantError(t, "all at once", string(ctx.Response.Body()), ctx.Response.StatusCode(), 400, CodeTooMany, cursorHeader)
}

// TestCostIsCharged: who is answered much, or has much worked for, waits longer for
// the next answer; nobody else does, and the admin never.
func TestCostIsCharged(t *testing.T) {
	now := time.Unix(1_700_000_000, 0)
	b := newBackend()
	for range counter.MaxHotPages {
		b.hot = append(b.hot, counter.PageCount{Page: "/" + strings.Repeat("x", 499)})
	}
	work := time.Duration(0)
	s := newTestServer(t, b, func(c *Config) {
		c.Now = func() time.Time { return now }
		c.APILimit = edge.Limit{Rate: 10, Burst: 20}
		c.AdminToken = "t"
		c.Series, c.EventKey = slowPast{work: func() { now = now.Add(work) }}, func(...string) string { return "" }
	})
	f := func(what, ip, target string, wait int, headers ...string) {
		t.Helper()
		ctx := ask(s, &net.TCPAddr{IP: net.ParseIP(ip), Port: 1}, "GET", target, "", headers...)
		if got := header(ctx, "Retry-After"); got != map[bool]string{true: fmt.Sprint(wait)}[wait > 0] {
			t.Errorf("%s: %d, Retry-After %q, want %d", what, ctx.Response.StatusCode(), got, wait)
		}
	}
	const hot = "/api/hot?site=ddkk.com&limit=100" // 52 KB: three tokens on top
	for range 5 {
		f("large answers", "203.0.113.1", hot, 0)
	}
	f("the sixth", "203.0.113.1", hot, 1)
	f("another client", "203.0.113.2", hot, 0)

	work = 2 * time.Second // 200 tokens
	f("slow work", "203.0.113.3", "/api/history?site=ddkk.com", 0)
	f("after slow work", "203.0.113.3", "/api/hot?site=ddkk.com&limit=1", 19)
	now = now.Add(19 * time.Second)
	f("later", "203.0.113.3", "/api/hot?site=ddkk.com&limit=1", 0)

	work = time.Hour
	f("no debt is endless", "203.0.113.4", "/api/history?site=ddkk.com", 0)
	f("after an hour's work", "203.0.113.4", "/api/hot?site=ddkk.com&limit=1", 61)
}

// slowPast is a Series that takes its time.
type slowPast struct {
	past
	work func()
}

func (s slowPast) Days(context.Context, *DaysQuery) ([]DayCount, bool, error) {
	s.work()
	return nil, false, nil
}

func (s slowPast) Events(context.Context, *EventsQuery) (EventPage, error) {
	s.work()
	return EventPage{}, nil
}

// TestTurns: slow requests of one site, or one lane, leave room for others'.
func TestTurns(t *testing.T) {
	turns := edge.NewTurns(edge.MaxLane)
	var backs []func()
	for range edge.MaxLane {
		back, ok := turns.Take(t.Context(), "busy.example")
		if !ok {
			t.Fatal("no turn")
		}
		backs = append(backs, back)
	}
	over, cancel := context.WithCancel(t.Context())
	cancel()
	if _, ok := turns.Take(over, "busy.example"); ok {
		t.Error("one site has more turns than a lane")
	}
	other := "other.example"
	for i := 0; ; i++ {
		if back, ok := turns.Take(over, other); ok { // ctx is over and the turn is free: either may be taken
			backs = append(backs, back)
			break
		}
		if i > 100 {
			other = fmt.Sprintf("other%d.example", i) // it was of the same lane
		}
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		back, ok := turns.Take(t.Context(), "busy.example")
		if !ok {
			t.Error("no turn after waiting")
			return
		}
		back()
	})
	for _, back := range backs {
		back()
	}
	wg.Wait()
	if len(turns.All) != 0 {
		t.Errorf("%d turns were not given back", len(turns.All))
	}
}
