package counter

import (
	"context"
	"log/slog"
	"strconv"
	"strings"
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

// What Redis lost of more sites than MAX_SITES is made anew as far as there is room, without an
// archive too; with one, sites that nobody came to a second time wait for a view.
func TestSpareSites(t *testing.T) {
	gone := func(n int) map[string]string {
		all := map[string]string{}
		for i := range n {
			all["s"+strconv.Itoa(i)+".example"] = ""
		}
		return all
	}
	h := &healer{counts: &aggregate{caps: caps{sites: 10}}, log: slog.New(slog.DiscardHandler)}
	few, many := gone(5), gone(40)
	h.spare(few, 5)
	h.spare(many, 5)
	if len(few) != 5 || len(many) != 15 {
		t.Errorf("%d and %d sites are made anew, want 5 and 15", len(few), len(many))
	}
	h.archive = visited{}
	many = gone(40)
	h.spare(many, 0)
	if _, there := many["s39.example"]; len(many) != 20 || !there {
		t.Errorf("%d sites are made anew, want 20 with the most visited: %v", len(many), many)
	}
}

// visited is an archive where site sN has N visitors, of which the even ones have one.
type visited struct{ *shelf }

func (visited) Knows(string) bool { return true }

func (visited) Visitors(name string) int64 {
	n, _ := strconv.ParseInt(strings.TrimSuffix(strings.TrimPrefix(name, "s"), ".example"), 10, 64)
	if n%2 == 0 {
		return 1
	}
	return n + 2
}
