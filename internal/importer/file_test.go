package importer

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"github.com/ulikunitz/xz"

	"ddkk-stats/parser"
)

const oneLine = `203.0.113.7 - - [20/Nov/2026:10:00:00 +0000] "GET /a HTTP/1.1" 200 5 "-" "Mozilla/5.0 Firefox/140.0"`

// writeLog writes a file that changed at a time before now.
func writeLog(t *testing.T, content string, ago time.Duration) (name string) {
	t.Helper()
	name = filepath.Join(t.TempDir(), "access.log")
	if err := os.WriteFile(name, []byte(content), 0o640); err != nil {
		t.Fatal(err)
	}
	at := testNow.Add(-ago)
	if err := os.Chtimes(name, at, at); err != nil {
		t.Fatal(err)
	}
	return name
}

var testNow = time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)

func openLog(t *testing.T, name string) *File {
	t.Helper()
	f, err := Open(name, testNow)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	})
	return f
}

func parserFor(format parser.Format) (*parser.Parser, error) {
	return parser.New(parser.Config{Format: format, Secret: []byte("importer")})
}

// survey is what a file comes to as pages of a site.
func survey(t *testing.T, f *File, format parser.Format, site string) *Survey {
	t.Helper()
	p, err := parserFor(format)
	if err != nil {
		t.Fatal(err)
	}
	c, err := NewClassifier(site, false, Rules{})
	if err != nil {
		t.Fatal(err)
	}
	s, err := f.Survey(t.Context(), SurveyOptions{Parser: p, Classifier: c})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// pack is content compressed in some way; bzip2 has no writer.
func pack(t *testing.T, how, content string) string {
	t.Helper()
	var b bytes.Buffer
	var w io.WriteCloser
	var err error
	switch how {
	case "gzip":
		w = gzip.NewWriter(&b)
	case "zstd":
		w, err = zstd.NewWriter(&b)
	case "xz":
		w, err = xz.NewWriter(&b)
	}
	if err != nil {
		t.Fatal(err)
	}
	if _, err = io.WriteString(w, content); err == nil {
		err = w.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// bzip2Lines are oneLine twice, in two members, as bzip2 writes them.
const bzip2Name = "testdata/two_members.bz2"

// TestPacked: whatever a file is called, its content is read, all members of it,
// and has the identity that it has when it is plain; a half of it is damaged.
func TestPacked(t *testing.T) {
	plain := openLog(t, writeLog(t, oneLine+"\n"+oneLine+"\n", time.Hour))
	want := survey(t, plain, parser.FormatCombined, "a.example")
	bz, err := os.ReadFile(bzip2Name)
	if err != nil {
		t.Fatal(err)
	}
	for how, content := range map[string]string{
		"gzip":  pack(t, "gzip", oneLine+"\n") + pack(t, "gzip", oneLine+"\n"),
		"zstd":  pack(t, "zstd", oneLine+"\n") + pack(t, "zstd", oneLine+"\n"),
		"xz":    pack(t, "xz", oneLine+"\n") + pack(t, "xz", oneLine+"\n"),
		"bzip2": string(bz),
	} {
		t.Run(how, func(t *testing.T) {
			f := openLog(t, writeLog(t, content, time.Hour))
			s := survey(t, f, parser.FormatCombined, "a.example")
			if f.ID() != plain.ID() || s.Sum != want.Sum || s.Views != 2 || s.End != want.End {
				t.Errorf("%s: %s %d views, sum %s; want %s, %s", how, f.ID(), s.Views, s.Sum, plain.ID(), want.Sum)
			}
			r, err := f.Open(t.Context(), int64(len(oneLine)+1))
			if err != nil {
				t.Fatal(err)
			}
			if rest, err := io.ReadAll(r); err != nil || string(rest) != oneLine+"\n" {
				t.Errorf("from the second line on: %q, %v", rest, err)
			}
			for _, n := range []int{len(content) / 4, len(content) * 3 / 4, len(content) - 3} {
				if err := surveyCut(t, content[:n]); err == nil || !strings.Contains(err.Error(), "is damaged") {
					t.Errorf("%d of %d bytes: %v", n, len(content), err)
				}
			}
		})
	}
}

// surveyCut reads a file to its end.
func surveyCut(t *testing.T, content string) error {
	f, err := Open(writeLog(t, content, time.Hour), testNow)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = f.Sums(t.Context(), []int64{1 << 40})
	return err
}

// TestNoLog: a file that cannot be read says what it is and what to do.
func TestNoLog(t *testing.T) {
	tar := "access.log" + strings.Repeat("\x00", 247) + "ustar" + strings.Repeat("\x00", 600)
	for content, words := range map[string]string{
		"PK\x03\x04xxxx":                       "zip unzip -p",
		"7z\xbc\xaf\x27\x1cxx":                 "7-Zip 7z x -so",
		"\x04\x22\x4d\x18xxxx":                 "lz4 lz4 -dc",
		"\x1f\x9dxxxxxx":                       "compress gzip -dc",
		"\xff\xfe2\x000\x003\x00\n\x00":        "UTF-16 iconv",
		oneLine + "\r" + oneLine + "\r":        "CR tr '\\r' '\\n'",
		tar:                                    "tar tar -xf",
		pack(t, "gzip", tar):                   "tar tar -xf",
		pack(t, "xz", oneLine+"\r"+oneLine):    "CR tr",
		"":                                     "empty",
		oneLine[:40]:                           "no complete line",
		"\x1f\x8b\x08\x00\x00\x00\x00\x00\xff": "damaged gzip -dc",
	} {
		f, err := Open(writeLog(t, content, time.Second), testNow)
		if err == nil {
			err = errors.Join(errors.New("no error"), f.Close())
		}
		for word := range strings.FieldsSeq(words) {
			if !strings.Contains(err.Error(), word) {
				t.Errorf("%.20q: %v; want %q", content, err, words)
			}
		}
		var nothing *NothingError
		if errors.As(err, &nothing) != (content == "" || content == oneLine[:40]) {
			t.Errorf("%.20q: %T", content, err)
		}
	}
}

// TestLastLine: the last line of a file that has not changed for a minute is one
// although it has no newline; that of a file that is being written waits.
func TestLastLine(t *testing.T) {
	for _, content := range []string{oneLine + "\n" + oneLine, oneLine} {
		for how, packed := range map[string]string{"plain": content, "gzip": pack(t, "gzip", content)} {
			old := openLog(t, writeLog(t, packed, time.Minute))
			s := survey(t, old, parser.FormatCombined, "a.example")
			lines := int64(strings.Count(content, "\n") + 1)
			if s.Views != lines || s.Torn || s.End != int64(len(content)+1) || old.Size() != s.End {
				t.Errorf("%s, %d lines: %d views, torn %t, end %d", how, lines, s.Views, s.Torn, s.End)
			}
			for _, from := range []int64{0, int64(len(content)) - 3, int64(len(content) + 1)} {
				r, err := old.Open(t.Context(), from)
				if err != nil {
					t.Fatal(err)
				}
				if got, err := io.ReadAll(r); err != nil || string(got) != (content + "\n")[from:] {
					t.Errorf("%s from %d: %q, %v", how, from, got, err)
				}
			}
			// The same when it got its newline, and more.
			grown := openLog(t, writeLog(t, content+"\n"+oneLine+"\n", time.Second))
			if sums, err := grown.Sums(t.Context(), []int64{s.End}); err != nil || sums[0] != s.Sum || grown.ID() != old.ID() {
				t.Errorf("%s, grown: %v, %v, want %s", how, sums, err, s.Sum)
			}
		}
	}
	f := openLog(t, writeLog(t, oneLine+"\n"+oneLine, 59*time.Second))
	if s := survey(t, f, parser.FormatCombined, "a.example"); s.Views != 1 || !s.Torn || s.End != int64(len(oneLine)+1) {
		t.Errorf("a log that is being written: %d views, torn %t, end %d", s.Views, s.Torn, s.End)
	}
}

// TestBlocksOfNUL: what a power loss leaves costs one line, wherever it is and
// however long.
func TestBlocksOfNUL(t *testing.T) {
	for _, n := range []int{10, 5000, 70 << 10, 3 << 20} {
		nul := strings.Repeat("\x00", n)
		for content, views := range map[string]int64{
			nul + oneLine + "\n" + oneLine + "\n":        1, // the block and the line behind it are one
			oneLine + "\n" + nul + "\n" + oneLine + "\n": 2,
			oneLine + "\n" + oneLine + "\n" + nul:        2,
			oneLine + "\n" + nul + oneLine + "\n":        1,
		} {
			for _, ago := range []time.Duration{0, time.Hour} {
				f := openLog(t, writeLog(t, content, ago))
				format, err := f.Format(t.Context(), nil, parserFor)
				if err != nil || format != parser.FormatCombined {
					t.Fatalf("%d NULs: %v, %v", n, format, err)
				}
				s := survey(t, f, format, "a.example")
				var bad int64
				for _, m := range s.Malformed {
					bad += m
				}
				if s.Views != views || bad > 1 || bad == 0 && !s.Torn {
					t.Errorf("%d NULs, %v old: %d views, %d malformed, torn %t; want %d views", n, ago, s.Views, bad, s.Torn, views)
				}
				if sums, err := f.Sums(t.Context(), []int64{s.End}); err != nil || sums[0] != s.Sum {
					t.Errorf("%d NULs: the sum is %s, want %v, %v", n, s.Sum, sums, err)
				}
			}
		}
	}
}

// TestFormatIsFound: by the first lines, or further on where none of those can be
// read; one that is named is believed as soon as a line of it comes.
func TestFormatIsFound(t *testing.T) {
	const json = `{"time":"2026-11-20T10:00:00Z","remote_addr":"203.0.113.7","request":"GET /a HTTP/1.1","status":200}`
	lines := func(n int, line string) string { return strings.Repeat(line+"\n", n) }
	all := map[string]parser.Format{"v1": parser.FormatV1, "combined": parser.FormatCombined, "json": parser.FormatJSON}
	f := func(content, want, format string, words ...string) {
		t.Helper()
		file := openLog(t, writeLog(t, content, time.Hour))
		var named *parser.Format
		if want != "" {
			format := all[want]
			named = &format
		}
		got, err := file.Format(t.Context(), named, parserFor)
		if format != "" && (err != nil || got != all[format]) {
			t.Errorf("%v, %v; want %s", got, err, format)
		}
		if format == "" && err == nil {
			t.Errorf("read as %v", got)
		}
		for _, w := range words {
			if err != nil && !strings.Contains(err.Error(), w) {
				t.Errorf("%v; want %q", err, w)
			}
		}
	}
	f(lines(3, oneLine), "", "combined")
	f(lines(3, json), "", "json")
	f(lines(3, oneLine)+lines(4, json), "", "json")
	f(lines(150, "# not a line")+lines(1, oneLine), "", "combined")
	f(lines(150, "# not a line")+lines(1, oneLine), "combined", "combined")
	f(lines(150, json)+lines(1, oneLine), "combined", "combined")
	f(lines(150, json)+lines(1, oneLine), "", "json")
	f(lines(150, json), "combined", "", "does not read as combined", "line 1 (addr)", "looks like json: use --format=json")
	f(lines(150, "# not a line"), "", "", "does not read as v1, combined or json", "line 1", "# not a line")
	f(lines(2, strings.Replace(oneLine, "GET /a HTTP/1.1", `\x16\x03\x01`, 1)), "", "combined") // nothing but scanners
	f(lines(2, `{"time":"2026-11-20T10:00:00Z","level":"info","msg":"started"}`), "", "", "line 1 (request)")
	f(strings.Repeat("x", 80<<10)+"\n"+oneLine+"\n", "", "combined")
}

// TestCasesAsViews: what the logs of other servers come to as views.
func TestCasesAsViews(t *testing.T) {
	for name, want := range map[string]string{
		"c02_upstream_retries.log": "5 views, 0 of bots, 0 nameless, skipped map[status:1], malformed map[]",
		"c18_fields_behind.log":    "11 views, 0 of bots, 0 nameless, skipped map[], malformed map[]",
		"c03_first_field.log":      "12 views, 0 of bots, 5 nameless, skipped map[], malformed map[]",
		"c04_binary_requests.log":  "1 views, 0 of bots, 0 nameless, skipped map[method:1], malformed map[request:11]",
		"c06_json_times.json":      "19 views, 0 of bots, 0 nameless, skipped map[], malformed map[]",
		"c07_json_numbers.json":    "17 views, 0 of bots, 0 nameless, skipped map[], malformed map[]",
		"c08_json_status.json":     "4 views, 0 of bots, 0 nameless, skipped map[status:4], malformed map[]",
		"c09_json_addr.json":       "8 views, 0 of bots, 3 nameless, skipped map[], malformed map[]",
	} {
		f := openLog(t, filepath.Join("../../parser/testdata/cases", name))
		format, err := f.Format(t.Context(), nil, parserFor)
		if err != nil {
			t.Fatal(err)
		}
		s := survey(t, f, format, "ddkk.com")
		got := fmt.Sprintf("%d views, %d of bots, %d nameless, skipped %v, malformed %v", s.Views, s.BotViews, s.Nameless, s.Skipped, s.Malformed)
		if got != want {
			t.Errorf("%s: %s; want %s", name, got, want)
		}
		if zoneless := int64(strings.Count(name, "c06")) * 2; s.Zoneless != zoneless {
			t.Errorf("%s: %d lines without a zone", name, s.Zoneless)
		}
	}
}

// TestHeads: two servers' logs are told from a log and its copy.
func TestHeads(t *testing.T) {
	head := func(content string) *Head {
		s := survey(t, openLog(t, writeLog(t, content, time.Hour)), parser.FormatCombined, "a.example")
		return &s.Head
	}
	view := func(second int, page, addr string) string {
		at := time.Date(2026, 11, 20, 10, 0, second, 0, time.UTC).Format("02/Jan/2006:15:04:05 -0700")
		return fmt.Sprintf(`%s - - [%s] "GET %s HTTP/1.1" 200 5 "-" "Mozilla/5.0 Firefox/140.0"`+"\n", addr, at, page)
	}
	const probe = `10.0.0.9 - - [20/Nov/2026:10:00:00 +0000] "GET /healthz HTTP/1.1" 200 2 "-" "kube-probe/1.30"` + "\n"
	var one, two, masked, filtered, grown strings.Builder
	for i := range 200 {
		one.WriteString(view(i, fmt.Sprintf("/p%d", i%20), "203.0.113.7"))
		masked.WriteString(view(i, fmt.Sprintf("/p%d", i%20), "203.0.113.0"))
		two.WriteString(view(i, fmt.Sprintf("/p%d", (i+7)%20), "203.0.113.7")) // the same pages, at other times
		if i%10 == 0 {
			filtered.WriteString(view(i, fmt.Sprintf("/p%d", i%20), "203.0.113.7"))
		}
	}
	grown.WriteString(one.String() + two.String())
	file, err := os.ReadFile("testdata/t12_web1.log")
	if err != nil {
		t.Fatal(err)
	}
	other, err := os.ReadFile("testdata/t12_web2.log")
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range []struct {
		what, a, b string
		want       bool
	}{
		{"t12", string(file), string(other), false},
		{"itself", probe + one.String(), probe + one.String(), true},
		{"anonymised", probe + one.String(), probe + masked.String(), true},
		{"filtered", probe + one.String(), probe + filtered.String(), true},
		{"cut", probe + one.String(), probe + one.String()[:2000], true},
		{"grown", probe + one.String(), probe + grown.String(), true},
		{"another server", probe + one.String(), probe + two.String(), false},
		{"a small one", probe + one.String(), probe + view(500, "/p1", "203.0.113.7"), false},
		{"nothing but probes", probe + one.String(), probe + probe, false},
	} {
		a, b := head(x.a), head(x.b)
		if a.Alike(b.String()) != x.want || b.Alike(a.String()) != x.want {
			t.Errorf("%s: alike %t and %t, want %t", x.what, a.Alike(b.String()), b.Alike(a.String()), x.want)
		}
	}
	if d := (Head{}); d.String() == "" || d.Alike(d.String()) || len(head(probe+one.String()).String()) != 1+8*headViews {
		t.Error("a head without views, or its length")
	}
}

// TestCancelled: a reading ends with its context.
func TestCancelled(t *testing.T) {
	f := openLog(t, writeLog(t, oneLine+"\n", time.Hour))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := f.Sums(ctx, []int64{1}); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}
