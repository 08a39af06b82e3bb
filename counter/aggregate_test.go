package counter

import (
	"bytes"
	"net/netip"
	"strings"
	"testing"
	"time"

	"ddkk-stats/parser"
)

// testAggregate is an aggregate without anything around it.
func testAggregate() *aggregate {
	opt := Options{MaxPages: 3, MaxEvents: 2, Location: time.UTC}
	opt.FacetCaps[parser.Referrer] = 2
	opt.defaults()
	return &aggregate{caps: opt.caps(), sites: map[string]*site{}, refused: map[string]refusal{},
		open: newBatch(1, 1), number: 1, now: testDay.Add(time.Hour), serial: 1}
}

var testDay = time.Date(2026, 11, 30, 0, 0, 0, 0, time.UTC)

// know has the aggregate know a site: one that Redis has, or a new one.
func (a *aggregate) know(name, epoch string) *site {
	s := &site{name: name, epoch: epoch, offsets: map[string]*offsets{}, days: map[parser.Day]*dayState{}, ids: newRecent(RuleID, DefaultIDWindow)}
	a.sites[name] = s
	return s
}

func testView(page string, visitor byte) *parser.Hit {
	return &parser.Hit{Kind: parser.Pageview, Site: "ddkk.com", Page: []byte(page), Day: 20261130, Minute: 30,
		Time: testDay.UnixMilli() + 30*60_000, Visitor: parser.Visitor{visitor}, Referrer: "ddkk.com", Addr: netip.MustParseAddr("192.0.2.1")}
}

// supply has all in memory that w wants, as if Redis had nothing of it.
func (a *aggregate) supply(w *wanted) {
	for _, d := range w.days {
		d.site.days[d.day] = a.newDay(d.day)
	}
	for _, d := range w.calls {
		d.site.keepCalls(newCallDay(d.day))
	}
	for _, b := range w.buckets {
		b.rule.buckets[b.number] = &bucket{number: b.number}
	}
}

func TestAggregateCountsAView(t *testing.T) {
	a := testAggregate()
	s := a.know("ddkk.com", "")
	for i, h := range []*parser.Hit{testView("/a", 1), testView("/a", 1), testView("/a", 2), testView("/b", 2)} {
		if o := a.add(h, "seg", int64(100*i), int64(100*(i+1))); o != lineCounts {
			t.Fatalf("view %d: outcome %d", i, o)
		}
	}
	a.countViews()
	p := a.open.parts[0]
	d := p.days[0]
	if p.pv != 4 || d.pv != 4 || len(d.pages) != 2 || d.pages[0].pv != 3 || d.pages[0].uv != 2 || d.pages[1].uv != 1 {
		t.Errorf("part: %d views, day %d, pages %+v", p.pv, d.pv, d.pages)
	}
	if got := len(d.visitors) / len(parser.Visitor{}); got != 2 {
		t.Errorf("%d visitors, want 2", got)
	}
	if len(d.minutes) != 1 || d.minutes[0] != (minuteChange{minute: 30, pv: 4}) || d.books.pc != 4 {
		t.Errorf("minutes %+v, books %+v", d.minutes, d.books)
	}
	if s.offsets["seg"].open != 400 {
		t.Errorf("the site is counted up to %d, want 400", s.offsets["seg"].open)
	}
	if o := a.add(testView("/a", 1), "seg", 300, 400); o != lineBefore {
		t.Errorf("a line that was counted: outcome %d", o)
	}
}

// A hit that lacks something changes nothing, and lacks names all that it needs.
func TestAggregateLacks(t *testing.T) {
	withID := testView("/a", 1)
	withID.ViewID = []byte("0123456789abcdef")
	call := &parser.Hit{Kind: parser.APICall, Site: "ddkk.com", Day: 20261130, Time: testDay.UnixMilli(), Endpoint: []byte("GET /a")}
	for name, h := range map[string]*parser.Hit{"view": testView("/a", 1), "view with an id": withID, "call": call} {
		t.Run(name, func(t *testing.T) {
			a := testAggregate()
			w := newWanted()
			if o := a.add(h, "seg", 0, 100); o != lineLacks {
				t.Fatalf("site unknown: outcome %d", o)
			}
			if a.lacks(w, h, "seg", 0); len(w.sites) != 1 || w.len() != 1 {
				t.Fatalf("it lacks %+v, want its site alone", w)
			}
			s := a.know("ddkk.com", "epoch")
			s.keepWindow(time.Hour)
			if o := a.add(h, "seg", 0, 100); o != lineLacks {
				t.Fatalf("day unknown: outcome %d", o)
			}
			if at := s.at("seg").open; at != none {
				t.Errorf("a hit that lacks something moved the site to %d", at)
			}
			w = newWanted()
			a.lacks(w, h, "seg", 0)
			a.supply(w)
			if o := a.add(h, "seg", 0, 100); o == lineLacks {
				t.Fatal("it lacks what it did not name")
			}
			if a.lacks(newWanted(), h, "seg", 0); s.at("seg").open != 100 {
				t.Errorf("the site stands at %d, want 100", s.at("seg").open)
			}
		})
	}
}

func TestAggregateDuplicates(t *testing.T) {
	a := testAggregate()
	s := a.know("ddkk.com", "")
	s.keepWindow(time.Hour)
	first, again, other := testView("/a", 1), testView("/a", 1), testView("/a", 2)
	first.ViewID, again.ViewID = []byte("one"), []byte("one")
	for i, x := range []struct {
		h    *parser.Hit
		want outcome
	}{{first, lineCounts}, {again, lineDup}, {other, lineDup}} {
		if o := a.add(x.h, "seg", int64(i), int64(i+1)); o != x.want {
			t.Errorf("hit %d: outcome %d, want %d", i, o, x.want)
		}
	}
	a.countViews()
	if p := a.open.parts[0]; p.pv != 1 || p.days[0].books.dedup != 2 || len(p.dups) != 2 {
		t.Errorf("%d views, %+v, duplicates end at %v", p.pv, p.days[0].books, p.dups)
	}
}

// What is over a cap counts under one name, so that totals stay exact.
func TestAggregateCaps(t *testing.T) {
	a := testAggregate()
	a.know("ddkk.com", "")
	for i, page := range []string{"/1", "/2", "/3", "/4", "/5", "/1"} {
		h := testView(page, 1)
		h.Facets[parser.Referrer] = parser.NewValue(parser.Referrer, page+".example")
		a.add(h, "seg", int64(i), int64(i+1))
		h = testView(page, 1)
		h.Bot = true
		a.add(h, "seg2", int64(i), int64(i+1))
	}
	a.countViews()
	views, referrers := map[string]int64{}, map[string]int64{}
	for _, p := range a.open.parts {
		for _, d := range p.days {
			for _, ch := range d.pages {
				views[ch.page.name] += ch.pv
			}
			for _, ch := range d.facets {
				referrers[ch.page.name] += ch.pv
			}
		}
	}
	if len(views) != 4 || views["/1"] != 2 || views[parser.OtherPage] != 2 {
		t.Errorf("pages: %v", views)
	}
	if len(referrers) != 3 || referrers[parser.Referrer.Field(parser.OtherPage)] != 3 {
		t.Errorf("referrers: %v", referrers)
	}
}

func TestAggregateSetsASiteAside(t *testing.T) {
	a := testAggregate()
	s := a.know("ddkk.com", "epoch")
	s.health = parked
	if o := a.add(testView("/a", 1), "seg", 0, 100); o != lineCounts || !s.assumes("seg", 100) || len(a.open.parts) != 0 {
		t.Errorf("outcome %d, assumed %v, %d parts", o, s.assumed, len(a.open.parts))
	}
	a.refused["evil.com"] = refusal{}
	h := testView("/a", 1)
	h.Site = "evil.com"
	if o := a.add(h, "seg", 100, 200); o != lineRefused {
		t.Errorf("a site over the limit: outcome %d", o)
	}
}

// BenchmarkAggregate is what counting costs beside reading, parsing and Redis.
func BenchmarkAggregate(b *testing.B) {
	for name, t := range map[string]benchTraffic{
		"pixels": {lines: 200_000, pages: 20_000, visitors: 147_000, sites: 1},
		"widget": {lines: 200_000, pages: 20_000, visitors: 147_000, sites: 1, ids: true},
	} {
		b.Run(name, func(b *testing.B) {
			p, err := parser.New(parser.Config{Secret: bytes.Repeat([]byte{1}, 32), Location: time.UTC})
			if err != nil {
				b.Fatal(err)
			}
			all := bytes.Split(bytes.TrimSuffix(t.log(), newline), newline)
			var h parser.Hit
			b.ReportAllocs()
			var a *aggregate
			n := 0
			for b.Loop() {
				if n%len(all) == 0 {
					a = testAggregate()
					opt := Options{Location: time.UTC}
					opt.defaults()
					a.caps = opt.caps()
					a.now = time.Now()
				}
				p.Parse(all[n%len(all)], &h)
				if a.sites[h.Site] == nil {
					a.know(strings.Clone(h.Site), "")
				}
				n++
				if o := a.add(&h, "bench", int64(n-1), int64(n)); o != lineCounts {
					b.Fatalf("line %d: outcome %d, reason %v", n, o, h.Reason)
				}
			}
			a.countViews()
		})
	}
}
