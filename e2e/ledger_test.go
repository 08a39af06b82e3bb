package e2e

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

var (
	monday  = time.Date(2026, 12, 28, 12, 0, 0, 0, time.UTC)
	newYear = time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC) // of ISO week 2026W53
)

// smallLedger is a ledger whose counters can be told by hand.
func smallLedger() *Ledger {
	l := NewLedger(time.UTC)
	view := func(at time.Time, page, ua string) {
		l.Record(Beacon{Site: "a.com", Page: page, Time: at, IP: "192.0.2.1", UA: ua})
	}
	view(monday, "/", "x")
	view(monday, "/", "x")
	view(monday, "/文", "y")
	view(newYear, "/", "x")
	l.Record(Beacon{Site: "a.com", Page: "/", Time: monday, IP: "192.0.2.1", UA: "bot", Bot: true})
	l.Record(Beacon{Site: "a.com", Page: "/", Time: monday, UA: "x", Event: []string{"get", "pdf"}})
	l.Record(Beacon{Site: "a.com", Page: "/", Time: monday, UA: "x", Event: []string{"get"}})
	return l
}

// smallCounters are the commands that write what smallLedger implies.
func smallCounters() [][]any {
	return [][]any{
		{"SET", "ddkk:site:pv:a.com", 4}, {"SET", "ddkk:site:uv:a.com", 3},
		{"SET", "ddkk:site:pv:a.com:20261228", 3}, {"SET", "ddkk:site:uv:a.com:20261228", 2},
		{"SET", "ddkk:site:pv:a.com:20270101", 1}, {"SET", "ddkk:site:uv:a.com:20270101", 1},
		{"SET", "ddkk:page:pv:a.com:/", 3}, {"SET", "ddkk:page:uv:a.com:/", 2},
		{"SET", "ddkk:page:pv:a.com:/文", 1}, {"SET", "ddkk:page:uv:a.com:/文", 1},
		{"ZADD", "ddkk:hot:a.com:day:20261228", 2, "/", 1, "/文"},
		{"ZADD", "ddkk:hot:a.com:day:20270101", 1, "/"},
		{"ZADD", "ddkk:hot:a.com:week:2026W53", 3, "/", 1, "/文"},
		{"ZADD", "ddkk:hot:a.com:month:202612", 2, "/", 1, "/文"},
		{"ZADD", "ddkk:hot:a.com:month:202701", 1, "/"},
		{"ZADD", "ddkk:hot:a.com:all", 3, "/", 1, "/文"},
		{"HSET", "ddkk:event:a.com:20261228", "get", 2, "get|uv", 1, "get.pdf", 1, "get.pdf|uv", 1},
		{"HSET", "ddkk:site:books:a.com:20261228", "bot", 1, "pc", 3},
		{"HSET", "ddkk:site:books:a.com:20270101", "pc", 1},
		{"HSET", "ddkk:site:minutes:a.com:20261228", "1200", 3, "b1200", 1}, {"HSET", "ddkk:site:minutes:a.com:20270101", "0000", 1},
		{"HSET", "ddkk:facet:a.com:20261228", "r", 3, "h12", 3, "H12", 1, "cDE", 1, "c", 2, "bChrome", 2, "b", 1, "oAndroid", 3, "dphone", 3, "kdirect", 3},
		{"HSET", "ddkk:facet:a.com:20270101", "r", 1, "h00", 1, "c", 1, "bChrome", 1, "oAndroid", 1, "dphone", 1, "kdirect", 1},
		{"HSET", "ddkk:page:bot:a.com", "/", 1}, {"HSET", "ddkk:page:bot:a.com:20261228", "/", 1},
		// What the ledger does not know about is passed over.
		{"SADD", "ddkk:site:uv:set:a.com:20261228", "v1", "v2"},
		{"SET", "ddkk:page:pairs:a.com:20261228", "12345678"},
		{"HSET", "ddkk:ckpt:a.com", "segment", 100},
		{"SET", "other:page:pv:a.com:/", 9},
	}
}

func TestHarnessLedgerAgreesAndDiffers(t *testing.T) {
	r := StartRedis(t)
	c := r.Client(t)
	ctx := t.Context()
	ledger := smallLedger()
	write := func() {
		t.Helper()
		must(t, c.FlushAll(ctx).Err())
		for _, command := range smallCounters() {
			must(t, c.Do(ctx, command...).Err())
		}
	}
	write()
	must(t, ledger.Equal(ctx, c))
	if ledger.PV("a.com") != 4 || ledger.UV("a.com") != 3 || ledger.Count() != 7 {
		t.Errorf("PV %d, UV %d, %d beacons", ledger.PV("a.com"), ledger.UV("a.com"), ledger.Count())
	}

	// Each single change must be found, and be the only thing that is found.
	f := func(want string, command ...any) {
		t.Helper()
		write()
		must(t, c.Do(ctx, command...).Err())
		got, err := ledger.Compare(ctx, c)
		must(t, err)
		if len(got) != 1 || !strings.Contains(got[0], want) {
			t.Errorf("after %v: %q, want one difference about %q", command, got, want)
		}
	}
	f("site:pv:a.com is 5, want 4", "INCR", "ddkk:site:pv:a.com")
	f("site:uv:a.com is 0, want 3", "DEL", "ddkk:site:uv:a.com")
	f("page:pv:a.com:/文 is 2, want 1", "INCR", "ddkk:page:pv:a.com:/文")
	f("page:pv:a.com:/b is there", "SET", "ddkk:page:pv:a.com:/b", 1)
	f("site:pv:b.com is there", "SET", "ddkk:site:pv:b.com", 1)
	f("hot:a.com:all ranks \"/\" at 4, want 3", "ZINCRBY", "ddkk:hot:a.com:all", 1, "/")
	f("ranks \"/b\"", "ZADD", "ddkk:hot:a.com:all", 1, "/b")
	f("does not rank \"/\"", "ZREM", "ddkk:hot:a.com:week:2026W53", "/")
	f("hot:a.com:week:2027W01 is there", "ZADD", "ddkk:hot:a.com:week:2027W01", 1, "/")
	f("field get.pdf|uv is 2, want 1", "HINCRBY", "ddkk:event:a.com:20261228", "get.pdf|uv", 1)
	f("has field put", "HSET", "ddkk:event:a.com:20261228", "put", 1)
	f("page:bot:a.com field / is 3, want 1", "HINCRBY", "ddkk:page:bot:a.com", "/", 2)
	f("has field /x (1) and should not", "HINCRBY", "ddkk:page:bot:a.com", "/x", 1)
	f("field bot is 2, want 1", "HINCRBY", "ddkk:site:books:a.com:20261228", "bot", 1)
}

func TestHarnessLedgerInACluster(t *testing.T) {
	e := smallLedger().expected(true)
	for _, name := range []string{"ddkk:page:pv:{a.com}:/", "ddkk:site:uv:{a.com}:20270101"} {
		if !e.has(name) {
			t.Errorf("%s is not expected", name)
		}
	}
}

// TestHarnessLedgerDays: the day is taken in the daemon's zone.
func TestHarnessLedgerDays(t *testing.T) {
	shanghai, err := time.LoadLocation("Asia/Shanghai")
	must(t, err)
	l := NewLedger(shanghai)
	l.Record(Beacon{Site: "a.com", Page: "/", Time: time.Date(2026, 12, 31, 16, 0, 0, 0, time.UTC)})
	e := l.expected(false)
	if !e.has("ddkk:site:pv:a.com:20270101") || !e.has("ddkk:hot:a.com:month:202701") || !e.has("ddkk:hot:a.com:week:2026W53") {
		t.Errorf("expected %v", fmt.Sprint(e.numbers))
	}
}
