package counter

import (
	"context"
	"strconv"
	"testing"
	"time"

	"ddkk-stats/parser"
)

// Junk that comes first on a day takes no name from the pages of earlier days,
// whatever is restarted or rebuilt in between; there is room for as many of them
// again, and no more.
func TestEarlierPagesKeepTheirNames(t *testing.T) {
	s := startReadServer(t)
	r := newRig(t, readClient(t, s.addr()))
	r.opt.MaxPages = 10
	today := time.Now().UTC()
	view := func(at time.Time, page string) {
		r.log.write("a", testHit{at: at, site: "s.example", page: page, agent: "Mozilla/5.0"}.line())
	}
	views := func(at time.Time, prefix string, n int) {
		for i := range n {
			view(at, prefix+strconv.Itoa(i))
		}
	}
	want := func(page string, n int64) {
		t.Helper()
		if got, err := r.rdb.Get(context.Background(), "ddkk:page:pv:s.example:"+page).Int64(); got != n && !(n == 0 && isNil(err)) {
			t.Errorf("%s has %d views (%v), want %d", page, got, err, n)
		}
	}
	r.start()
	views(today.AddDate(0, 0, -2), "/own", 8)
	r.await()
	views(today.AddDate(0, 0, -1), "/old", 10)
	r.await()
	views(today, "/junk", 50)
	r.await()
	views(today, "/own", 4)
	r.await()
	want("/own0", 2)
	want("/own3", 2)
	want("/junk9", 1)
	want("/junk10", 0)
	want(parser.OtherPage, 40)
	r.stop()
	r.start() // what is in memory must not matter
	views(today, "/own", 5)
	view(today, "/new")
	r.await()
	want("/own0", 3)
	want("/own4", 2)
	want("/new", 0)
	want(parser.OtherPage, 41)
	views(today, "/old", 10) // when most of the room is taken, a visitor of before and one of now are too few
	r.await()
	want("/old2", 2)
	want("/old3", 1)
	want(parser.OtherPage, 48)
	views(today, "/old", 10) // whoever asks again speaks for nothing
	r.await()
	want("/old2", 3)
	want("/old3", 1)
	want(parser.OtherPage, 55)
	r.stop()
	if pv := r.rdb.Get(context.Background(), "ddkk:site:pv:s.example").Val(); pv != "98" {
		t.Errorf("the site has %s views, want 98", pv)
	}
}
