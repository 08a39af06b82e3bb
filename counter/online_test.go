package counter

import (
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

// TestOnlineFromTheFuture: views that a clock stamped which was years ahead keep
// nobody online for years, neither those to come nor those that are there.
func TestOnlineFromTheFuture(t *testing.T) {
	r := newRig(t, readClient(t, startReadServer(t).addr()))
	const site = "s0.example"
	key, ahead := r.opt.Keys.Online(site), time.Now().AddDate(7, 0, 0)
	if err := r.rdb.ZAdd(t.Context(), key, redis.Z{Score: float64(ahead.Unix()), Member: "of an earlier version"}).Err(); err != nil {
		t.Fatal(err)
	}
	reader, err := NewReader(r.rdb, r.opt.Keys, ReaderOptions{Location: time.UTC})
	if err != nil {
		t.Fatal(err)
	}
	online := func() int64 {
		var a Answer
		if err := reader.Read(t.Context(), &Query{Site: site, Fields: FieldSiteOnline, Fresh: true}, &a); err != nil || a.Stale {
			t.Fatal(err, a.Stale)
		}
		return a.SiteOnline
	}
	if n := online(); n != 0 {
		t.Errorf("%d online before any view", n)
	}
	r.log.write("a", testHit{at: ahead, site: site, page: "/", agent: "Mozilla/5.0 Firefox/140.0"}.line())
	r.start()
	r.await()
	if n := online(); n != 1 {
		t.Errorf("%d online, want 1", n)
	}
	all, err := r.rdb.ZRangeWithScores(t.Context(), key, 0, -1).Result()
	if err != nil || len(all) != 1 || time.Since(time.Unix(int64(all[0].Score), 0)) < 0 {
		t.Errorf("%v, %v", all, err)
	}
	r.stop()
}
