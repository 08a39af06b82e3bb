package parser

import (
	"strings"
	"testing"
	"time"
)

// refHit parses a beacon with a Referer and a query behind site and page.
func refHit(t *testing.T, p *Parser, referer, query string) Hit {
	t.Helper()
	var h Hit
	p.Parse(v1Line(1763769600000, 1, "203.0.113.7", "/event.png?site=ddkk.com&page=/a"+query, referer, "Mozilla/5.0 Firefox/140.0"), &h)
	return h
}

func TestReferrer(t *testing.T) {
	p, err := New(Config{Aliases: map[string]string{"old.example": "ddkk.com", "m.news.example": "news.example"}})
	if err != nil {
		t.Fatal(err)
	}
	f := func(referer, query, want string) {
		t.Helper()
		for range 2 { // computed, then remembered
			if h := refHit(t, p, referer, query); h.Kind != Pageview || h.Referrer != want {
				t.Errorf("Referer %q, query %q: %v %q, want %q", referer, query, h.Kind, h.Referrer, want)
			}
		}
	}
	// The widget says it; the Referer is the page itself.
	f("https://ddkk.com/a", "&ref=News.example", "news.example")
	f("https://ddkk.com/a", "&ref=www.news.example%3A8443", "news.example")
	f("https://ddkk.com/a", "&ref=https%3A%2F%2Fm.news.example%2Fitem%3Fid%3D1", "news.example")
	f("https://ddkk.com/a", "&ref=b%C3%BCcher.example", "xn--bcher-kva.example")
	f("https://ddkk.com/a", "&ref=android-app%3A%2F%2Fcom.example.mail%2F", "com.example.mail")
	f("-", "&ref=%5B2001%3Adb8%3A%3A1%5D", "[2001:db8::1]")
	// Nothing is known.
	f("https://ddkk.com/a", "", "")
	f("https://ddkk.com/a", "&ref=", "")
	f("https://ddkk.com/a", "&ref=%2Fpath", "")
	f("https://ddkk.com/a", "&ref=a%20b%7Cc", "")
	f("https://ddkk.com/a", "&ref="+strings.Repeat("a.", 600), "")
	f("-", "", "")
	// Within the site, also by another name of it.
	f("https://ddkk.com/a", "&ref=www.ddkk.com", "ddkk.com")
	f("https://ddkk.com/a", "&ref=old.example", "ddkk.com")
	// A pixel on somebody else's page.
	f("https://www.news.example/item", "", "news.example")
	f("https://www.news.example/item", "&ref=other.example", "other.example")
}

func TestReferrerIsCheckedLikeBefore(t *testing.T) {
	p, err := New(Config{RefererCheck: true})
	if err != nil {
		t.Fatal(err)
	}
	if h := refHit(t, p, "https://evil.example/", "&ref=ddkk.com"); h.Reason != SkipReferer || h.Referrer != "" {
		t.Errorf("%v, referrer %q", h.Reason, h.Referrer)
	}
}

// The Referer of a request for the page itself is where its reader was before.
func TestReferrerOfImport(t *testing.T) {
	p, err := New(Config{})
	if err != nil {
		t.Fatal(err)
	}
	for referer, want := range map[string]string{"https://www.news.example/x": "news.example", "https://ddkk.com/": "ddkk.com", "-": "", "null": ""} {
		h := refHit(t, p, referer, "")
		p.PageOf(&h, "ddkk.com", []byte("/a"))
		if h.Kind != Pageview || h.Referrer != want {
			t.Errorf("%q: %v %q, want %q", referer, h.Kind, h.Referrer, want)
		}
	}
}

func TestReferrerAllocatesNothing(t *testing.T) {
	p, err := New(Config{})
	if err != nil {
		t.Fatal(err)
	}
	var lines [][]byte
	for _, ref := range []string{"news.example", "ddkk.com", "other.example%3A80", ""} {
		lines = append(lines, v1Line(1763769600000, 1, "203.0.113.7", "/event.png?site=ddkk.com&page=/a&ref="+ref, "https://ddkk.com/a", "Mozilla/5.0"))
	}
	var h Hit
	if n := testing.AllocsPerRun(100, func() {
		for _, l := range lines {
			p.Parse(l, &h)
		}
	}); n > 0 {
		t.Errorf("%v allocations", n)
	}
}

// The minute is the one that clocks show, also where an hour comes twice, is
// left out, or is half an hour off.
func TestMinute(t *testing.T) {
	for _, zone := range []string{"UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata", "Asia/Kathmandu", "Australia/Lord_Howe", "Pacific/Apia", "America/Sao_Paulo"} {
		loc, err := time.LoadLocation(zone)
		if err != nil {
			t.Fatal(err)
		}
		p, err := New(Config{Location: loc})
		if err != nil {
			t.Fatal(err)
		}
		var h Hit
		for _, year := range []int{2011, 2018, 2026} {
			for at := time.Date(year, 1, 1, 0, 0, 59, 999e6, time.UTC); at.Year() == year; at = at.Add(29 * time.Minute) {
				p.Parse(v1Line(at.UnixMilli(), 1, "203.0.113.7", "/event.png?site=ddkk.com&page=/a", "-", "Mozilla/5.0"), &h)
				local := at.In(loc)
				if want := 60*local.Hour() + local.Minute(); int(h.Minute) != want || h.Day != DayOf(local) {
					t.Fatalf("%s: %s is minute %d of %d, want %d", zone, local, h.Minute, h.Day, want)
				}
			}
		}
	}
}
