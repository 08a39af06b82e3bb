package archive

import (
	"os"
	"regexp"
	"testing"
	"time"
)

// TestForgetVisitor does what PRIVACY.md says, word for word: every sum is right,
// and stays so when it is computed again.
func TestForgetVisitor(t *testing.T) {
	text, err := os.ReadFile("../PRIVACY.md")
	check(t, err)
	statement := regexp.MustCompile("(?s)```sql\n(UPDATE access_logs .*?;)\n```").FindSubmatch(text)
	if statement == nil {
		t.Fatal("PRIVACY.md has no statement")
	}
	eachPlace(t, func(t *testing.T, at place) {
		a := open(t, at)
		day := now.Add(-24 * time.Hour)
		seg := segmentOf("one", view{at: day, addr: "203.0.113.7", uid: "alice"}, view{at: day, addr: "203.0.113.7", page: "/b", uid: "alice"},
			view{at: day, addr: "203.0.113.8", event: "play video"})
		run(t, a, seg)
		before := query(t, a, "SELECT * FROM daily_stats") + query(t, a, "SELECT * FROM page_stats ORDER BY page")
		_, err := a.db.Exec(string(statement[1]))
		check(t, err)
		wants(t, a, "0", "SELECT COUNT(*) FROM access_logs WHERE ip = '203.0.113.7' OR uid <> ''")
		d, err := parseDate(day.Format(dateLayout))
		check(t, err)
		wrong, err := a.Read().CheckDay(t.Context(), "a.example", d)
		check(t, err)
		if len(wrong) != 0 {
			t.Errorf("verify finds %+v", wrong)
		}
		sums := func(how string) {
			t.Helper()
			if got := query(t, a, "SELECT * FROM daily_stats") + query(t, a, "SELECT * FROM page_stats ORDER BY page"); got != before {
				t.Errorf("after %s:\n%s\nwant:\n%s", how, got, before)
			}
		}
		_, err = a.db.Exec("UPDATE days SET dirty = 1") // as a repair does
		check(t, err)
		_, err = a.RollUp(t.Context())
		check(t, err)
		sums("rolling up again")
		_, err = a.Recount(t.Context(), ruleSet{}.recounting(t, allFrom, allTo))
		check(t, err)
		sums("a recount")
	})
}
