package archive

import (
	"testing"
	"time"
)

// Rules that change while the archive is open hold from the next cycle on; what
// is archived stays as it was judged.
func TestJudge(t *testing.T) {
	eachPlace(t, func(t *testing.T, at place) {
		noon := time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
		// Each page three times by one address, a minute apart.
		views := func(from time.Time) (all []view) {
			for i := range 3 {
				for _, page := range []string{"/a", "/b", "/c"} {
					all = append(all, view{at: from.Add(time.Duration(i) * time.Minute), page: page})
				}
			}
			return all
		}
		hour := Rules{MaxPages: 2, DedupeWindow: func(string) time.Duration { return time.Hour }}
		a := open(t, at)
		run(t, a, segmentOf("1", views(noon)...))
		wants(t, a, "9|0", "SELECT SUM(human), SUM(dedup) FROM segments")
		wants(t, a, "3", "SELECT COUNT(*) FROM page_stats")

		a.Judge(hour)
		run(t, a, segmentOf("2", views(noon.Add(10*time.Minute))...))
		wants(t, a, "12|6", "SELECT SUM(human), SUM(dedup) FROM segments")
		wants(t, a, "/a|4\n/b|4\n__other__|4", "SELECT page, pv FROM page_stats ORDER BY page")

		a.Judge(Rules{}) // the defaults again
		run(t, a, segmentOf("3", views(noon.Add(20*time.Minute))...))
		wants(t, a, "21|6", "SELECT SUM(human), SUM(dedup) FROM segments")
		wants(t, a, "/a|7\n/b|7\n/c|7", "SELECT page, pv FROM page_stats ORDER BY page")

		again := open(t, at, func(o *Options) { o.MaxPages, o.DedupeWindow = hour.MaxPages, hour.DedupeWindow })
		run(t, again, segmentOf("4", views(noon.Add(90*time.Minute))...))
		wants(t, a, "24|12", "SELECT SUM(human), SUM(dedup) FROM segments")
	})
}
