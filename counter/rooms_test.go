package counter

import (
	"context"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"testing"
	"time"

	"ddkk-stats/parser"
)

// addrOf is an address of the n-th /24.
func addrOf(n int) string { return fmt.Sprintf("10.%d.%d.%d", n/256, n%256, 1+n%200) }

// junkers are who sends junk.
var junkers = map[string]func(i int) string{
	"one address":       func(int) string { return "203.0.113.66" },
	"one network":       func(i int) string { return "203.0.113." + strconv.Itoa(1+i%250) },
	"many networks":     func(i int) string { return addrOf(i) },
	"one network by v6": func(i int) string { return fmt.Sprintf("2001:db8:1:2:%x::7", i) },
}

// Junk comes first, on the very first day of a site; the owner's names, which people of
// several networks ask for, get their own in every table, though who comes first is not
// counted under it where the junk came from everywhere.
func TestRoomsAreFair(t *testing.T) {
	t.Parallel()
	const junk, own, limit = 2000, 20, 128
	for who, from := range junkers {
		t.Run(who, func(t *testing.T) {
			r := newRig(t, readClient(t, startReadServer(t).addr()))
			r.opt.MaxPages, r.opt.MaxEvents, r.opt.FacetCaps[parser.Referrer] = limit, limit, limit
			now := time.Now().UTC()
			write := func(name, addr string) {
				h := testHit{at: now, site: "s.example", page: "/" + name, agent: "Mozilla/5.0", addr: addr, ref: name + ".example"}
				e := h
				e.category, e.action, e.ref = "c", name, ""
				r.log.write("a", h.line(), e.line())
			}
			r.start()
			for i := range junk {
				write("junk"+strconv.Itoa(i), from(i))
			}
			r.await()
			for v := range 5 {
				for i := range own {
					write("own"+strconv.Itoa(i), addrOf(3000+61*v+7*i))
				}
				r.await() // so that they come apart
			}
			r.foldAllFacets()
			r.stop()
			for i := range own {
				name := "own" + strconv.Itoa(i)
				for what, got := range map[string]string{
					"page":     r.rdb.Get(context.Background(), "ddkk:page:pv:s.example:/"+name).Val(),
					"event":    r.rdb.HGet(context.Background(), r.opt.Keys.Events("s.example", parser.DayOf(now)), "c."+name).Val(),
					"referrer": r.rdb.HGet(context.Background(), r.opt.Keys.Facets("s.example", parser.DayOf(now)), "r"+name+".example").Val(),
				} {
					// Some of their networks are in the same part of the internet.
					if n, _ := strconv.Atoi(got); n < 2 || strings.HasPrefix(who, "one") && n < 4 {
						t.Errorf("%s %s has %s of 5", what, name, got)
					}
				}
			}
			all := 0
			for _, z := range r.rdb.ZRangeWithScores(context.Background(), r.opt.Keys.HotDay("s.example", parser.DayOf(now)), 0, -1).Val() {
				all += int(z.Score)
			}
			if all != junk+5*own {
				t.Errorf("pages have %d views, want %d", all, junk+5*own)
			}
			if n := r.rdb.ZCard(context.Background(), r.opt.Keys.HotDay("s.example", parser.DayOf(now))).Val(); n > 2*limit+1 {
				t.Errorf("%d pages have names", n)
			}
		})
	}
}

// A part of the internet has its share of a full table and no more; what was full when it was
// read has none.
func TestRoomShares(t *testing.T) {
	a := &aggregate{caps: caps{pages: 128}}
	bring := func(d *dayState, from, to int, addr string) (in int) {
		for i := from; i < to; i++ {
			name := "/" + addr + strconv.Itoa(i)
			if d.admits(&a.caps, tablePages, []byte(name), netip.MustParseAddr(addr)) {
				admit(d.pages, name)
				in++
			}
		}
		return in
	}
	d := &dayState{pages: map[string]*page{}}
	if n := bring(d, 0, 500, "203.0.113.1"); n != 128 || !d.crowded {
		t.Errorf("the first brought %d names, want 128 (crowded: %v)", n, d.crowded)
	}
	if n := bring(d, 0, 500, "198.51.100.1"); n != 2 {
		t.Errorf("another brought %d names, want 2", n)
	}
	d.rooms = rooms{}
	d.loaded(&a.caps)
	if n := bring(d, 0, 500, "192.0.2.1"); n != 0 {
		t.Errorf("one brought %d names to a day that was full when it was read", n)
	}
	for i, need := range map[int]int{0: 2, 95: 2, 96: 4, 111: 4, 112: 8, 126: 64} {
		if got := parser.MeritNeeded(i, 128); got != need {
			t.Errorf("needs %d with %d of 128, want %d", got, i, need)
		}
	}
}

// What is remembered of names is bounded; those that more than one asked for stay.
func TestRoomForgets(t *testing.T) {
	r := &room{}
	r.remember(1, claim{networks: 3})
	for i := range 3 * maxClaims {
		r.remember(uint64(i+2), claim{networks: 1})
	}
	if len(r.claims) > maxClaims || r.claims[1].merit() != 2 {
		t.Errorf("%d claims, the first %+v", len(r.claims), r.claims[1])
	}
}

// A site that has as many pages as it may have for good gets new ones only by merit, after a
// start too; those that it had go on, and so do totals.
func TestPagesEver(t *testing.T) {
	r := newRig(t, readClient(t, startReadServer(t).addr()))
	r.opt.MaxPagesEver = 20
	today := time.Now().UTC()
	n := 0
	view := func(at time.Time, page, addr string) {
		n++
		r.log.write("a", testHit{at: at, site: "s.example", page: page, agent: "Mozilla/5.0", addr: addr}.line())
	}
	want := func(page string, n int64) {
		t.Helper()
		if got, err := r.rdb.Get(context.Background(), "ddkk:page:pv:s.example:"+page).Int64(); got != n && !(n == 0 && isNil(err)) {
			t.Errorf("%s has %d views (%v), want %d", page, got, err, n)
		}
	}
	r.start()
	for i := range 15 {
		view(today.AddDate(0, 0, -1), "/own"+strconv.Itoa(i), "")
	}
	r.await()
	for i := range 50 {
		view(today, "/junk"+strconv.Itoa(i), "203.0.113.66")
	}
	r.await()
	for i := range 10 {
		view(today, "/own"+strconv.Itoa(i), "")
	}
	r.await()
	want("/own9", 2)
	want("/junk4", 1)
	want("/junk5", 0)
	want(parser.OtherPage, 45)
	r.stop()
	r.start()
	view(today, "/own14", "")
	view(today, "/new", addrOf(1))
	r.await()
	view(today, "/new", addrOf(40))
	r.await()
	want("/own14", 2)
	want("/new", 1) // by its second network
	want(parser.OtherPage, 46)
	want("/junk4", 1)
	r.stop()
	if pv := r.rdb.Get(context.Background(), "ddkk:site:pv:s.example").Val(); pv != strconv.Itoa(n) {
		t.Errorf("the site has %s views, want %d", pv, n)
	}
}
