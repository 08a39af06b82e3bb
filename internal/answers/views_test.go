package answers

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"ddkk-stats/internal/config"
	"ddkk-stats/internal/config/configtest"
	"ddkk-stats/internal/logs"
	"ddkk-stats/parser"
	"ddkk-stats/tailer"
)

// The newest lines of all segments, of one site, without torn ones.
func TestLastViews(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "event.log")
	line := func(at int, query, agent string) string {
		return fmt.Sprintf("v1\t%d.500\t%032x\t203.0.113.7\tc\tGET\t200\t/event.png?%s\t-\t%s\t-\t-\t-\t0.000\t43\tend\n", 1795315000+at, at, query, agent)
	}
	const browser, bot = "Mozilla/5.0 Firefox/140.0", "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"
	write := func(name string, lines ...string) {
		if err := os.WriteFile(name, []byte(strings.Join(lines, "")), 0o640); err != nil {
			t.Fatal(err)
		}
	}
	write(path+".1", line(1, "site=a.example&page=/old", browser), line(2, "site=b.example&page=/b", browser))
	write(path, line(3, "site=a.example&page=/a", browser), "no line\n", line(4, "site=a.example&page=/a&category=h5&action=pv", bot),
		strings.TrimSuffix(line(5, "site=a.example&page=/torn", browser), "\n"))
	tail, err := tailer.Open(tailer.Options{Path: path, Identify: parser.SegmentID})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := tail.Close(); err != nil {
			t.Error(err)
		}
	})
	if _, err := tail.Next(t.Context()); err != nil {
		t.Fatal(err)
	}
	cfg := configtest.Load(t, map[string]string{"DATA_DIR": dir, "TIMEZONE": "UTC"}, "")
	live := config.NewLive(cfg)
	l := NewLastViews([]logs.Input{{Path: path, Tail: tail}}, live.Get)
	ask := func(site string, limit int, want string) {
		t.Helper()
		all, err := l.Recent(t.Context(), site, limit)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, v := range all {
			got = append(got, fmt.Sprintf("%d %s %v %s", v.Time.Unix()-1795315000, v.Page, v.Bot, v.Event))
		}
		if s := strings.Join(got, ", "); s != want {
			t.Errorf("%s %d: %q, want %q", site, limit, s, want)
		}
	}
	ask("a.example", 9, "4 /a true h5.pv, 3 /a false , 1 /old false ")
	ask("a.example", 1, "4 /a true h5.pv")
	ask("b.example", 9, "2 /b false ")
	ask("c.example", 9, "")
	skipped, err := l.Skipped(t.Context(), 9)
	if err != nil || len(skipped) != 2 || skipped[0].Reason != "bot" || !strings.Contains(skipped[0].Request, "category=h5") || skipped[1].Request != "no line" || !skipped[1].Time.IsZero() {
		t.Errorf("skipped %v, %v", skipped, err)
	}
}
