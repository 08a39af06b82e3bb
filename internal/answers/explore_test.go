package answers

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"ddkk-stats/archive"
	"ddkk-stats/internal/config"
	"ddkk-stats/internal/config/configtest"
	"ddkk-stats/internal/logs"
	"ddkk-stats/parser"
	"ddkk-stats/queryapi"
	"ddkk-stats/tailer"
)

// Views of lines that are not archived count by the rules of archived ones.
func TestExploreLines(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "event.log")
	const browser, bot = "Mozilla/5.0 Firefox/140.0", "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"
	const day0 = 1795315000 // 2026-11-22 02:36:40 UTC
	n := 0
	line := func(at int, query, agent string) string {
		n++
		return fmt.Sprintf("v1\t%d.500\t%032x\t203.0.113.7\tc\tGET\t200\t/event.png?site=a.example&%s\t-\t%s\t-\t-\t-\t0.000\t43\tend\n", day0+at, n, query, agent)
	}
	text := line(0, "page=/a&id=1&ref=news.example", browser) + line(1, "page=/a&id=1&ref=news.example", browser) + // twice
		line(2, "page=/a&id=2&ref=a.example", browser) + line(3, "page=/b&id=3", browser) + line(4, "page=/a", bot) +
		line(5, "page=/a&category=shop&action=buy", browser) + line(-86400, "page=/old", browser) + "no line\n" + strings.TrimSuffix(line(6, "page=/torn", browser), "\n")
	if err := os.WriteFile(path, []byte(text), 0o640); err != nil {
		t.Fatal(err)
	}
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
	live := config.NewLive(configtest.Load(t, map[string]string{"DATA_DIR": dir, "TIMEZONE": "UTC"}, ""))
	away := func() (*archive.Archive, error) { return nil, errors.New("none") }
	e := NewExplorer(NewSeries(nil, away), NewLastViews([]logs.Input{{Path: path, Tail: tail}}, live.Get))
	day := time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC)
	ask := func(ctx context.Context, by string, where ...queryapi.ExploreTerm) string {
		t.Helper()
		out, err := e.Explore(ctx, &queryapi.ExploreQuery{Site: "a.example", From: day, To: day, By: by, Where: where})
		if err != nil {
			return err.Error()
		}
		if out.Complete {
			t.Error("complete without the archive")
		}
		var all []string
		for _, r := range out.Rows {
			if r.UV != nil {
				t.Errorf("visitors of %s are told", r.Name)
			}
			all = append(all, fmt.Sprintf("%s %d", r.Name, r.PV))
		}
		return strings.Join(all, ", ")
	}
	for _, c := range []struct {
		by, want string
		where    []queryapi.ExploreTerm
	}{
		{"page", "/a 2, /b 1", nil},
		{"referrer", " 1, news.example 1", nil},
		{"referrer", "news.example 1", []queryapi.ExploreTerm{{Name: "page", Value: "/a"}}},
		{"page", "/a 1", []queryapi.ExploreTerm{{Name: "bot", Value: "yes"}}},
		{"bot", "no 3, yes 1", nil},
		{"event", "shop.buy 1", nil},
		{"day", "2026-11-22 1", []queryapi.ExploreTerm{{Name: "page", Value: "/a", Prefix: true, Not: true}}},
		{"device", "pc 3", nil},
		{"browser", "Firefox 3", nil},
		{"channel", "direct 1, internal 1, referral 1", nil},
		{"channel", "referral 1", []queryapi.ExploreTerm{{Name: "channel", Value: "ref", Prefix: true}}},
		{"campaign", "", nil},
		{"os", " 3", nil},
		{"country", " 3", nil}, // nobody has these addresses
	} {
		if got := ask(t.Context(), c.by, c.where...); got != c.want {
			t.Errorf("by %s of %+v: %q, want %q", c.by, c.where, got, c.want)
		}
	}
	// The time that a look may take is over at once: a part, and no error.
	e.limit = -time.Second
	if got := ask(t.Context(), "page"); got != "" {
		t.Errorf("out of time: %q", got)
	}
	e.limit = time.Minute
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if got := ask(gone, "page"); got != context.Canceled.Error() {
		t.Errorf("whoever asked has gone: %q", got)
	}
}
