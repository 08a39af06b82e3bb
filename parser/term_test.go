package parser

import (
	"testing"
	"time"
)

func TestTerm(t *testing.T) {
	f := func(term Term, d, first, end Day, name string) {
		t.Helper()
		if a, b, c := term.First(d), term.End(d), term.Name(d); a != first || b != end || c != name {
			t.Errorf("%v of %d: %d to %d, %s; want %d to %d, %s", term, d, a, b, c, first, end, name)
		}
		if back, at, ok := TermNamed(name); back != term || at != first || !ok {
			t.Errorf("%s is %v from %d, %v", name, back, at, ok)
		}
	}
	f(Week, 20261129, 20261123, 20261130, "2026W48")
	f(Week, 20261130, 20261130, 20261207, "2026W49")
	f(Week, 20210103, 20201228, 20210104, "2020W53") // of the year before
	f(Week, 20241230, 20241230, 20250106, "2025W01") // of the year after
	f(Month, 20261130, 20261101, 20261201, "202611")
	f(Month, 20261231, 20261201, 20270101, "202612")
	f(Month, 20240229, 20240201, 20240301, "202402")
	for _, name := range []string{"", "202613", "20261", "2026W00", "2026W54", "2021W53", "2026w48", "2026W4 ", "+02611", "20261130"} {
		if _, _, ok := TermNamed(name); ok {
			t.Errorf("%q is a week or month", name)
		}
	}
}

// TestTermVisitors: within a week or month a visitor is known again, from one to the next,
// and from a term to a day, nobody is; and only where it is asked for.
func TestTermVisitors(t *testing.T) {
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	parsers := map[Uniques]*Parser{}
	for u := range NumUniques {
		parsers[u] = newTestParser(t, Config{Secret: []byte("s1"), Uniques: u, Location: berlin})
	}
	hit := func(u Uniques, at string) Hit {
		t.Helper()
		when, err := time.ParseInLocation("2006-01-02 15:04", at, berlin)
		if err != nil {
			t.Fatal(err)
		}
		return parseOne(t, parsers[u], when, "203.0.113.7", "a.example", "Firefox")
	}
	same := func(a, b Visitor, want bool, what string) {
		t.Helper()
		if (a == b) != want || a.IsZero() || b.IsZero() {
			t.Errorf("%s: %x, %x", what, a, b)
		}
	}
	sunday, monday := hit(UniquesMonth, "2026-11-29 23:59"), hit(UniquesMonth, "2026-11-30 00:00")
	tuesday, before := hit(UniquesMonth, "2026-12-01 00:00"), hit(UniquesMonth, "2026-11-23 00:00")
	same(sunday.Terms[Week], before.Terms[Week], true, "one week")
	same(sunday.Terms[Week], monday.Terms[Week], false, "two weeks")
	same(monday.Terms[Week], tuesday.Terms[Week], true, "a week in two months")
	same(sunday.Terms[Month], monday.Terms[Month], true, "one month")
	same(monday.Terms[Month], tuesday.Terms[Month], false, "two months")
	same(monday.Terms[Week], monday.Terms[Month], false, "week and month")
	same(monday.Terms[Week], monday.Visitor, false, "week and day")

	week, day := hit(UniquesWeek, "2026-11-30 00:00"), hit(UniquesDay, "2026-11-30 00:00")
	same(week.Terms[Week], monday.Terms[Week], true, "whatever UNIQUES is")
	if week.Terms[Month] != (Visitor{}) || day.Terms != ([NumTerms]Visitor{}) {
		t.Errorf("visitors are told that nobody asked for: %x, %x", week.Terms, day.Terms)
	}
	if day.Visitor != monday.Visitor {
		t.Error("the day's visitor is another one")
	}
	p := parsers[UniquesMonth]
	for _, x := range []struct{ query, agent, gpc string }{{"&category=video", "Firefox", "-"}, {"", "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)", "-"}, {"", "Firefox", "1"}} {
		var h Hit
		p.Parse([]byte("v1\t1796000000.000\t0\t203.0.113.7\th\tGET\t200\t/event.png?site=a.example&page=/"+x.query+"\t-\t"+x.agent+"\t-\t"+x.gpc+"\t-\t0.000\t43\tend"), &h)
		if h.Kind > Event || h.Terms != ([NumTerms]Visitor{}) {
			t.Errorf("%+v: %s, terms %x", x, describe(&h), h.Terms)
		}
	}
}

// TestTermsAgain: a raw row keeps who looked, gets who looked where its address tells, and
// loses it where nobody asks any more.
func TestTermsAgain(t *testing.T) {
	old, now := newTestParser(t, Config{Secret: []byte("s1")}), newTestParser(t, Config{Secret: []byte("s1"), Uniques: UniquesMonth})
	at := time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)
	want := parseOne(t, now, at, "203.0.113.7", "a.example", "Firefox")
	was := parseOne(t, old, at, "203.0.113.7", "a.example", "Firefox")
	var h Hit
	if now.Again(keptOf(&was), &h); h.Terms != want.Terms {
		t.Errorf("filled in: %x, want %x", h.Terms, want.Terms)
	}
	k := keptOf(&want)
	k.Terms, k.AddrBits = want.Terms, 24
	if now.Again(k, &h); h.Terms != want.Terms {
		t.Errorf("kept: %x, want %x", h.Terms, want.Terms)
	}
	if old.Again(k, &h); h.Terms != ([NumTerms]Visitor{}) {
		t.Errorf("kept though nobody asks: %x", h.Terms)
	}
	k.Terms = [NumTerms]Visitor{}
	if now.Again(k, &h); h.Terms != ([NumTerms]Visitor{}) {
		t.Errorf("made up: %x", h.Terms)
	}
}
