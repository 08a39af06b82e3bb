package counter

import (
	"context"
	"strconv"
	"testing"
	"time"
)

// Sites over MAX_SITES: those that other networks bring are counted at once; of the others one
// that is asked for again gets a place as soon as there is one, with all that the log has of it.
func TestSitesAreFair(t *testing.T) {
	r := startLimits(t)
	now := time.Now().UTC()
	write := func(site, addr string) {
		r.log.write("s1", testHit{at: now, site: site, page: "/", agent: "Mozilla/5.0", addr: addr}.line())
	}
	r.limit(Limits{MaxSites: 128})
	for i := range 300 {
		write("junk"+strconv.Itoa(i)+".example", "203.0.113.66")
	}
	for i := range 10 {
		write("own"+strconv.Itoa(i)+".example", addrOf(7*i))
	}
	r.await()
	for i := range 10 {
		r.want("site:pv:own"+strconv.Itoa(i)+".example", "1")
	}
	r.want("site:pv:junk299.example", "")
	write("own0.example", addrOf(7))
	write("late.example", "203.0.113.66") // from where the junk came
	r.await()
	r.want("site:pv:late.example", "")
	write("late.example", addrOf(200)) // and from elsewhere
	eventually(t, func() bool { return r.rdb.Get(context.Background(), "ddkk:site:pv:late.example").Val() == "2" },
		func() {
			t.Errorf("late.example has %q views, want 2", r.rdb.Get(context.Background(), "ddkk:site:pv:late.example").Val())
		})
	r.want("site:pv:junk298.example", "")
	r.stop()
}
