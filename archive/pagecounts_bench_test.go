package archive

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
)

// BenchmarkFlushers has four hosts flush the same 200 pages at the same time:
// into a slot of each one's own, and all into one, which is what a table with a
// single counter a page makes them do.
func BenchmarkFlushers(b *testing.B) {
	const hosts, pages = 4, 200
	for _, slots := range []int{hosts, 1} {
		b.Run(fmt.Sprint("slots ", slots), func(b *testing.B) {
			at := mariaPlace(b)
			all := make([]*Archive, hosts)
			for i := range all {
				all[i] = open(b, at)
			}
			check(b, all[0].BeginLife(b.Context(), "a.example", "l"))
			changes := make([]PageChange, pages)
			for i := range changes {
				changes[i] = PageChange{fmt.Sprintf("/posts/%d/", i), false, 1}
			}
			var last atomic.Int64
			b.ResetTimer()
			var wg sync.WaitGroup
			for i, a := range all {
				wg.Go(func() {
					for {
						seq := last.Add(1)
						if seq > int64(b.N) {
							return
						}
						f := flushOf(seq, i%slots, changes...)
						if _, err := a.ApplyFlush(b.Context(), f); err != nil {
							b.Error(err)
							return
						}
					}
				})
			}
			wg.Wait()
			b.ReportMetric(float64(b.N*pages)/b.Elapsed().Seconds(), "rows/s")
		})
	}
}
