package answers

import (
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"ddkk-stats/internal/config"
	"ddkk-stats/internal/config/configtest"
	"ddkk-stats/internal/logs"
	"ddkk-stats/parser"
	"ddkk-stats/tailer"
)

// titleBench is a log to which a test appends views that tell titles.
type titleBench struct {
	t    *testing.T
	path string
	n    int
	now  time.Time
	all  *Titles
}

func newTitleBench(t *testing.T) *titleBench {
	t.Helper()
	dir := t.TempDir()
	b := &titleBench{t: t, path: filepath.Join(dir, "event.log"), now: time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)}
	b.view("198.51.100.1", "/first", "")
	tail, err := tailer.Open(tailer.Options{Path: b.path, Identify: parser.SegmentID})
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
	b.all = NewTitles([]logs.Input{{Path: b.path, Tail: tail}}, live.Get, func() time.Time { return b.now }, slog.New(slog.DiscardHandler))
	return b
}

// view appends a line of someone whose page says its title.
func (b *titleBench) view(addr, page, title string, more ...string) {
	b.t.Helper()
	b.n++
	query := "/event.png?site=a.example&page=" + url.QueryEscape(page) + "&title=" + url.QueryEscape(title) + strings.Join(more, "")
	f, err := os.OpenFile(b.path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o640)
	if err != nil {
		b.t.Fatal(err)
	}
	fmt.Fprintf(f, "v1\t%d.500\t%032x\t%s\tc\tGET\t200\t%s\t-\tMozilla/5.0 Firefox/140.0\t-\t-\t-\t0.000\t43\tend\n", b.now.Unix(), b.n, addr, query)
	if err := f.Close(); err != nil {
		b.t.Fatal(err)
	}
}

// later lets so much time pass that the log is looked at again.
func (b *titleBench) later() { b.now = b.now.Add(titlesEvery) }

func (b *titleBench) is(page, want string) {
	b.t.Helper()
	b.later()
	if got := b.all.Title(b.t.Context(), "a.example", page); got != want {
		b.t.Errorf("%s is called %q, want %q", page, got, want)
	}
}

func TestTitles(t *testing.T) {
	b := newTitleBench(t)
	b.is("/a", "")
	b.view("203.0.113.1", "/a", "Hello,  <b>world</b>\n")
	b.is("/a", "Hello, <b>world</b>") // a text, whatever is in it
	if got := b.all.Title(t.Context(), "b.example", "/a"); got != "" {
		t.Errorf("of another site: %q", got)
	}
	// Looking twice at a line changes nothing, nor do many lines of one network.
	for range 20 {
		b.view("198.51.100.7", "/a", "Buy pills")
		b.view("198.51.100.8", "/a", "Buy pills")
	}
	b.is("/a", "Hello, <b>world</b>")
	b.view("203.0.113.200", "/a", "Hello, <b>world</b>") // the network of the first
	b.view("192.0.2.1", "/a", "Hello, <b>world</b>")
	b.view("2001:db8:1::1", "/a", "Buy pills")
	b.view("2001:db8:1:ffff::1", "/a", "Buy pills") // the same /48
	b.is("/a", "Hello, <b>world</b>")               // two against two: what stood stays
	// An event and a bot tell nothing.
	b.view("10.1.0.1", "/b", "Event", "&category=x")
	b.is("/b", "")
}

// An owner who renames a page sees the new title when nobody tells the old one any more.
func TestTitlesOfYesterday(t *testing.T) {
	b := newTitleBench(t)
	for i := range 3 {
		b.view(fmt.Sprintf("203.0.%d.1", i), "/a", "Old")
	}
	b.is("/a", "Old")
	b.now = b.now.Add(24 * time.Hour)
	b.view("203.0.0.1", "/a", "New")
	b.is("/a", "Old") // three of yesterday, one of today
	b.now = b.now.Add(24 * time.Hour)
	b.view("203.0.1.1", "/a", "New")
	b.is("/a", "New")
	b.now = b.now.Add(20 * 24 * time.Hour)
	b.is("/a", "New") // nobody says otherwise
	b.now = b.now.Add(20 * 24 * time.Hour)
	b.is("/a", "")
}

// Made-up titles neither fill the memory nor keep the true one out.
func TestTitlesAreBounded(t *testing.T) {
	b := newTitleBench(t)
	for i := range 40 {
		b.view(fmt.Sprintf("198.51.%d.1", i), "/a", fmt.Sprint("Spam ", i))
	}
	b.view("203.0.113.1", "/a", "True")
	b.view("192.0.2.1", "/a", "True")
	b.is("/a", "True")
	if n := len(b.all.pages[sitePage{"a.example", "/a"}].tales); n > maxTales {
		t.Errorf("%d titles are remembered", n)
	}
	for _, c := range []struct{ told, want string }{
		{strings.Repeat("长", 300), strings.Repeat("长", maxTitle)}, {"a\u202egnp.exe\x00\x1b[31m\u200b!", "agnp.exe[31m!"}, {" \t ", ""}, {"\xff\xfeA", "A"}, {"👩\u200d👩", "👩\u200d👩"},
	} {
		if got := titleOf([]byte("/event.png?title=" + url.QueryEscape(c.told))); got != c.want {
			t.Errorf("%q became %q, want %q", c.told, got, c.want)
		}
	}
}
