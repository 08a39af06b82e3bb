package counter

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
	"time"
)

// Several hosts with logs of their own count the same visitors of the same
// sites into one Redis: at the live edge, and while one of them catches up.
func TestIngestManyHosts(t *testing.T) {
	t.Parallel()
	for _, backlog := range []int{0, 30_000} {
		t.Run(fmt.Sprint("backlog ", backlog), func(t *testing.T) {
			s := startReadServer(t)
			rdb := readClient(t, s.addr())
			hits := randomHits(rand.New(rand.NewPCG(11, 12)), 6000+backlog, 800)
			hosts := make([]*ingestRig, 3)
			for i := range hosts {
				hosts[i] = newRig(t, rdb)
				hosts[i].log = newMemoryLog(uint64(i))
			}
			if backlog > 0 {
				hosts[0].log.block = 5000
				hosts[0].log.write("h0", lines(hits[:backlog])...)
			}
			sent := make([]int, len(hosts))
			sent[0] = backlog
			for _, h := range hosts {
				h.start()
			}
			for i := backlog; i < len(hits); i += 20 {
				n := i / 20 % len(hosts)
				hosts[n].log.write(fmt.Sprint("h", n), lines(hits[i:i+20])...)
				sent[n] += 20
			}
			for _, h := range hosts {
				h.await()
			}
			hosts[0].awaitExactly(hits)
			for _, h := range hosts {
				h.stop()
			}
			hosts[0].check(hits)
			dups, rebuilds := int64(0), int64(0)
			for i, h := range hosts {
				st := h.in.Stats()
				dups, rebuilds = dups+st.Books.Dedup, rebuilds+st.Rebuilds
				h.books(sent[i])
			}
			// Which host's line is the duplicate may change when a site is rebuilt.
			if want := dedups(hits); rebuilds == 0 && dups != want {
				t.Errorf("%d lines are booked as duplicates, want %d", dups, want)
			}
		})
	}
}

func dedups(hits []testHit) int64 {
	n := int64(0)
	for k, v := range tallyUp(hits) {
		if strings.HasSuffix(k, " dedup") {
			m, _ := strconv.ParseInt(v, 10, 64)
			n += m
		}
	}
	return n
}

// awaitExactly waits until Redis holds what the hits make. Hosts that begin a
// site at the same time may rebuild it, which counts as read before it is.
func (r *ingestRig) awaitExactly(hits []testHit) {
	r.t.Helper()
	want := r.tally(hits)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); <-tick.C {
		if maps.Equal(want, dump(r.t, r.rdb)) {
			return
		}
	}
}
