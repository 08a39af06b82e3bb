package archive

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// TestPartTexts stores more agents and referrers than a statement names, in more
// than one part, with bytes that mean something to SQL and to LOAD DATA.
func TestPartTexts(t *testing.T) {
	odd := []string{`\`, `'`, `\'`, "%", "\x01", "é", `\N`, `x''`, "@agent", "0", "1"}
	var views []view
	for i := range 6000 {
		o := odd[i%len(odd)]
		views = append(views, view{
			at: now.Add(-30 * time.Hour).Add(time.Duration(i) * time.Second), page: "/" + fmt.Sprint(i),
			agent:   fmt.Sprintf("Browser/%d %s %s", i%(partTexts+200), o, strings.Repeat("a", 80)),
			referer: fmt.Sprintf("https://a.example/%d?%s", i, strings.Repeat("r", 60)),
		})
	}
	views[5998].agent, views[5999].agent = "1", "0" // as if they were numbers
	eachPlace(t, func(t *testing.T, at place) {
		a := open(t, at)
		sum := run(t, a, segmentOf("one", views...))
		if sum.Rows != int64(len(views)) {
			t.Errorf("%d rows", sum.Rows)
		}
		var want []string
		for _, v := range views {
			want = append(want, v.page+"|"+v.agent+"|"+v.referer)
		}
		got := strings.Split(query(t, a, "SELECT page, user_agent, referer FROM access_logs ORDER BY end_offset"), "\n")
		if len(got) != len(want) {
			t.Fatalf("%d rows", len(got))
		}
		for i := range want {
			if got[i] != want[i] {
				t.Fatalf("row %d\ngot:  %s\nwant: %s", i, got[i], want[i])
			}
		}
	})
}
