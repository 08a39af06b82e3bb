package counter

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"
)

// TestBacklogIsSaidToLag: while a backlog is counted, an answer that is not said to
// be stale has as many views of pages as it has views of the site.
func TestBacklogIsSaidToLag(t *testing.T) {
	t.Parallel()
	s := startReadServer(t)
	r := newRig(t, readClient(t, s.addr()))
	r.opt.BatchSize = 300 // the pages of any batch are more than that
	const pages, site = 300, "s0.example"
	hits := randomHits(rand.New(rand.NewPCG(41, 42)), 5_000, pages)
	var names []string
	for i := range pages {
		names = append(names, fmt.Sprintf("/p%d", i))
	}
	reader, err := NewReader(r.rdb, r.opt.Keys, ReaderOptions{Location: time.UTC, Timeout: 10 * time.Second, FreshFor: 2 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	r.opt.Stale = reader.MarkStale
	want := tallyUp(hits)["site:pv:"+site]
	for at := range 10 {
		r.log.write(fmt.Sprint("segment", at), lines(hits[500*at:500*(at+1)])...)
	}
	r.start()
	lagged := 0
	eventually(t, func() bool {
		for range 10 {
			var a Answer
			q := Query{Site: site, Fields: FieldSitePV, Pages: names}
			if err := reader.Read(t.Context(), &q, &a); err != nil {
				t.Fatal(err)
			}
			if a.Stale {
				lagged++
				continue
			}
			sum := int64(0)
			for _, pv := range a.Pages {
				sum += pv
			}
			if sum != a.SitePV {
				t.Fatalf("pages have %d views, the site %d, and nothing says that they lag", sum, a.SitePV)
			}
			if text(sum) == want {
				return true
			}
		}
		return false
	}, func() { r.check(hits) })
	if lagged == 0 {
		t.Error("no answer was stale: pages were never pending")
	}
	r.stop()
}
