package verify

import (
	"fmt"
	"hash/maphash"
	"io"
	"net/netip"
	"strings"
	"testing"

	"ddkk-stats/counter"
	"ddkk-stats/parser"
)

func newRecount(maxPages int, window int64) *recount {
	r := &recount{
		rules: &rules{maxPages: maxPages, maxEvents: 100, seed: maphash.MakeSeed()}, site: "a.example",
		days: map[parser.Day]*day{}, ids: newWindow(600_000), begin: func(parser.Day, *day) error { return nil },
	}
	if window > 0 {
		r.again = newWindow(window)
	}
	return r
}

// hit is a page view by a visitor (0: not to be told) at a time in seconds.
func hit(at int64, visitor byte, page, id string) *parser.Hit {
	return &parser.Hit{Addr: netip.MustParseAddr("203.0.113.9"), Time: at * 1000, Day: 20260101, Site: "a.example", Page: []byte(page),
		Visitor: parser.Visitor{visitor}, ViewID: []byte(id)}
}

func TestRecountViews(t *testing.T) {
	r := newRecount(2, 0)
	bots := hit(9, 4, "/bot", "")
	bots.Bot = true
	mobile := hit(9, 2, "/a", "")
	mobile.Device = parser.Mobile
	for _, h := range []*parser.Hit{
		hit(1, 1, "/a", ""), hit(2, 1, "/a", ""), hit(3, 1, "/b", ""), mobile, hit(4, 0, "/a", ""),
		hit(5, 1, "/c", ""), hit(6, 1, "/d", ""), hit(7, 3, "/d", ""), bots,
	} {
		if _, err := r.add(h); err != nil {
			t.Fatal(err)
		}
	}
	d := r.days[20260101]
	if d.pv != 8 || d.uv != 3 || d.pc != 7 || d.mobile != 1 || d.bot != 1 || r.pv != 8 || r.uv != 3 {
		t.Errorf("the day has %+v", d)
	}
	for page, want := range map[string]count{"/a": {4, 2}, "/b": {1, 1}, parser.OtherPage: {3, 2}} {
		if got := r.total(page); got != want {
			t.Errorf("%s has %+v, want %+v", page, got, want)
		}
	}
}

func TestRecountEvents(t *testing.T) {
	r := newRecount(10, 0)
	for _, v := range []byte{1, 1, 2, 0} {
		h := hit(1, v, "/", "")
		h.Kind, h.Category, h.Action = parser.Event, []byte("get"), []byte("a.b")
		if _, err := r.add(h); err != nil {
			t.Fatal(err)
		}
	}
	d := r.days[20260101]
	for key, want := range map[string]count{"get": {4, 2}, "get.a%2Eb": {4, 2}} {
		if c := d.events[key]; c == nil || *c != want {
			t.Errorf("%s has %+v, want %+v", key, c, want)
		}
	}
	if d.pv != 0 || len(d.events) != 2 {
		t.Errorf("the day has %+v", d)
	}
}

func TestRecountDuplicates(t *testing.T) {
	r := newRecount(10, 60_000)
	add := func(want outcome, h *parser.Hit) {
		t.Helper()
		if got, err := r.add(h); err != nil || got != want {
			t.Errorf("line at %d of visitor %d is %v (%v), want %v", h.Time, h.Visitor[0], got, err, want)
		}
	}
	add(human, hit(1000, 1, "/a", "x"))
	add(duplicate, hit(1599, 1, "/b", "x")) // the same view, within 10 minutes
	add(duplicate, hit(401, 1, "/b", "x"))  // before it
	add(human, hit(1600, 1, "/b", "x"))     // not any more
	add(human, hit(1001, 2, "/c", "x"))     // another visitor
	add(duplicate, hit(1059, 3, "/a", "y")) // the same page and address, within a minute
	add(human, hit(1060, 3, "/a", "y"))     // and y was not remembered
	add(duplicate, hit(1200, 3, "/z", "y")) // now it is
	for range 2 {                           // nobody knows whether they are of the same address
		nameless := hit(1061, 0, "/a", "")
		nameless.Addr = netip.Addr{}
		add(human, nameless)
	}
	if d := r.days[20260101]; d.dedup != 4 || d.pv != 6 {
		t.Errorf("the day has %+v", d)
	}
	r.ids.forget(3_600_000)
	if r.ids.size != 0 || len(r.ids.slots) != 0 {
		t.Errorf("after all is over %d keys are remembered", r.ids.size)
	}
}

func TestLines(t *testing.T) {
	long := strings.Repeat("x", parser.MaxLine)
	text := "one\n" + long + "\n" + long + "y\n" + strings.Repeat(long, 40) + "\n\ntorn"
	l := newLines(strings.NewReader(text), 100)
	for i, want := range []string{"one", long, "<nil>", "<nil>", ""} {
		line, _, err := l.next()
		got := string(line)
		if line == nil {
			got = "<nil>"
		}
		if err != nil || got != want {
			t.Fatalf("line %d is %.20q (%v), want %.20q", i, got, err, want)
		}
	}
	line, torn, err := l.next()
	if string(line) != "torn" || torn != 4 || err != io.EOF || l.pos != 100+int64(len(text))-4 {
		t.Errorf("at the end: %q, %d torn bytes, %v, at %d", line, torn, err, l.pos)
	}
}

func TestClaims(t *testing.T) {
	for _, x := range []struct {
		have, pending, before, now int64
		moved, want                bool
	}{
		{5, 0, 5, 5, false, true},
		{4, 0, 5, 5, false, false},
		{6, 0, 5, 5, false, false},
		{6, 0, 5, 7, false, true}, // the site went on counting
		{8, 0, 5, 7, false, false},
		{3, 2, 5, 5, false, true}, // two are pending
		{5, 2, 5, 5, false, false},
		{5, 2, 5, 5, true, true}, // they went over meanwhile
		{3, 2, 5, 5, true, true}, // or did not
		{6, 2, 5, 5, true, false},
		{2, 2, 5, 5, true, false},
	} {
		c := claim{have: counter.Value{N: x.have}, pending: x.pending, before: x.before, want: func() int64 { return x.now }}
		if got := c.holds(x.moved); got != x.want {
			t.Errorf("%+v holds: %v", x, got)
		}
	}
	c := claim{key: "k", have: counter.Value{Wrong: "a key of another type"}, want: func() int64 { return 0 }}
	if _, have, want := c.difference(); c.holds(true) || have != "a key of another type" || want != "0" {
		t.Errorf("a key of another type: have %q, want %q", have, want)
	}
}

func TestBookCloses(t *testing.T) {
	b := Book{Lines: 9, Human: 1, Bot: 1, Dedup: 1, Torn: 1, Waiting: 1, Other: 1}
	for _, r := range []parser.Reason{parser.SkipSite, parser.SkipSite, parser.BadEnd} {
		h := parser.Hit{Kind: parser.Skipped, Reason: r}
		if r.Malformed() {
			h.Kind = parser.Malformed
		}
		if !b.refuse(&h) {
			t.Errorf("%v is a hit", r)
		}
	}
	want := "9 lines = 1 human + 1 bot + 1 deduplicated + 2 skipped (site 2) + 1 malformed (end 1) + 1 torn + 1 not counted yet + 1 of other sites"
	if !b.Closes() || b.text() != want {
		t.Errorf("got %q, want %q", b.text(), want)
	}
	b.Lines++
	if b.Closes() || !strings.HasSuffix(b.text(), "DOES NOT CLOSE") {
		t.Errorf("a book that does not close says %q", fmt.Sprint(b.text()))
	}
}
