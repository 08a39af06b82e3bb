package beacon

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"ddkk-stats/parser"
)

func testOptions() Options { return Options{SegmentID: parser.SegmentID} }

func openTest(t *testing.T, path string) *Log {
	t.Helper()
	l, err := OpenLog(path, testOptions())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	return l
}

func testRecord(uri string) Record {
	return Record{
		Time:        time.UnixMilli(1700000000042),
		Addr:        netip.MustParseAddr("203.0.113.7"),
		Host:        []byte("ddkk.com"),
		Method:      []byte("GET"),
		Status:      200,
		URI:         []byte(uri),
		Referer:     []byte("https://ddkk.com/文"),
		UserAgent:   []byte("Mozilla/5.0 \"x\""),
		RequestTime: 1500 * time.Microsecond,
		BytesSent:   int64(len(GIF)),
	}
}

func mustAppend(t *testing.T, l *Log, uri string) Position {
	t.Helper()
	pos, err := l.Append(testRecord(uri))
	if err != nil {
		t.Fatal(err)
	}
	return pos
}

func read(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestLine(t *testing.T) {
	path := filepath.Join(t.TempDir(), "event.log")
	l := openTest(t, path)
	pos := mustAppend(t, l, "/event.png?page=/a")
	want := regexp.MustCompile(`\Av2\t1700000000\.042\t[0-9a-f]{32}\t203\.0\.113\.7\tddkk\.com\tGET\t200\t/event\.png\?page=/a\t` +
		`https://ddkk\.com/\\xE6\\x96\\x87\tMozilla/5\.0 \\x22x\\x22\t-\t-\t-\t0\.001\t43\t-\tend\n\z`)
	got := read(t, path)
	if !want.MatchString(got) {
		t.Errorf("line %q", got)
	}
	if id := strings.Split(got, "\t")[2]; pos != (Position{id, int64(len(got))}) {
		t.Errorf("position %v, want the end of the first line of segment %s", pos, id)
	}
	if next := mustAppend(t, l, "/"); next.Segment != pos.Segment || next.End <= pos.End {
		t.Errorf("second line at %v, the first at %v", next, pos)
	}
}

func TestLineOfNothing(t *testing.T) {
	got := string(appendLine(nil, &Record{Time: time.UnixMilli(5)}, nil))
	if want := "v2\t0.005\t-\t-\t-\t-\t0\t-\t-\t-\t-\t-\t-\t0.000\t0\t-\tend\n"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestAddresses(t *testing.T) {
	f := func(addr, want string) {
		t.Helper()
		if got := string(appendAddr(nil, netip.MustParseAddr(addr))); got != want+"\t" {
			t.Errorf("%s is written %q", addr, got)
		}
	}
	f("203.0.113.7", "203.0.113.7")
	f("2001:db8::1", "2001:db8::1")
	f("::ffff:203.0.113.7", "::ffff:203.0.113.7") // as nginx does on a dual-stack socket
	f("fe80::1%eth0", "fe80::1")
}

// Every caller's position is the end of its own line, whoever wrote the group.
func TestPositionsOfManyCallers(t *testing.T) {
	path := filepath.Join(t.TempDir(), "event.log")
	l := openTest(t, path)
	const callers, each = 16, 200
	positions := make([][each]Position, callers)
	var wg sync.WaitGroup
	for c := range callers {
		wg.Go(func() {
			for i := range each {
				pos, err := l.Append(testRecord(fmt.Sprintf("/c%d/%d", c, i)))
				if err != nil {
					t.Error(err)
					return
				}
				positions[c][i] = pos
			}
		})
	}
	wg.Wait()
	data := read(t, path)
	if n := strings.Count(data, "\n"); n != callers*each {
		t.Errorf("%d lines, want %d", n, callers*each)
	}
	first, _, _ := strings.Cut(data, "\n")
	id := parser.SegmentID([]byte(first))
	for c := range callers {
		for i, pos := range positions[c] {
			line := lineBefore(data, pos.End)
			if uri := fmt.Sprintf("\t/c%d/%d\t", c, i); !strings.Contains(line, uri) || pos.Segment != id {
				t.Fatalf("caller %d's line %d: position %v is after %q", c, i, pos, line)
			}
		}
	}
}

func lineBefore(data string, end int64) string {
	head := data[:end]
	return head[strings.LastIndexByte(strings.TrimSuffix(head, "\n"), '\n')+1:]
}

func TestOpenExistingLogKeepsItsSegment(t *testing.T) {
	path := filepath.Join(t.TempDir(), "event.log")
	l := openTest(t, path)
	before := mustAppend(t, l, "/1")
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	after := mustAppend(t, openTest(t, path), "/2")
	if after.Segment != before.Segment || after.End != int64(len(read(t, path))) {
		t.Errorf("position %v after %v", after, before)
	}
}

// A torn last line never joins the next one, and never becomes a whole line.
func TestOpenLogWithTornLine(t *testing.T) {
	whole := string(appendLine(nil, &Record{RequestID: bytes.Repeat([]byte("a"), 32), URI: []byte("/first")}, nil))
	for cut := 1; cut < len(whole); cut++ {
		for _, before := range []string{"", whole} {
			path := filepath.Join(t.TempDir(), "event.log")
			if err := os.WriteFile(path, []byte(before+whole[:cut]), 0o600); err != nil {
				t.Fatal(err)
			}
			l := openTest(t, path)
			pos := mustAppend(t, l, "/next")
			checkAfterTorn(t, read(t, path), pos, strings.Count(before, "\n"))
		}
	}
}

func checkAfterTorn(t *testing.T, data string, pos Position, wholeBefore int) {
	t.Helper()
	lines := strings.Split(strings.TrimSuffix(data, "\n"), "\n")
	if len(lines) != wholeBefore+2 {
		t.Fatalf("lines %q", lines)
	}
	torn, next := lines[wholeBefore], lines[wholeBefore+1]
	if strings.HasSuffix(torn, "\tend") {
		t.Errorf("the torn line is whole now: %q", torn)
	}
	if !strings.HasPrefix(next, "v2\t") || !strings.HasSuffix(next, "\tend") {
		t.Errorf("the next line is not whole: %q", next)
	}
	if pos.Segment != parser.SegmentID([]byte(lines[0])) || pos.End != int64(len(data)) {
		t.Errorf("position %v in %q", pos, data)
	}
}

func TestTwoWritersAreRefused(t *testing.T) {
	path := filepath.Join(t.TempDir(), "event.log")
	l := openTest(t, path)
	if _, err := OpenLog(path, testOptions()); !errors.Is(err, ErrLocked) {
		t.Errorf("second writer: %v", err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	openTest(t, path)
}

func TestTooLongIsRefused(t *testing.T) {
	path := filepath.Join(t.TempDir(), "event.log")
	l := openTest(t, path)
	if _, err := l.Append(testRecord(strings.Repeat("é", MaxLine/8))); !errors.Is(err, ErrTooLong) {
		t.Errorf("error %v", err)
	}
	if data := read(t, path); data != "" {
		t.Errorf("%d bytes were written", len(data))
	}
	if pos := mustAppend(t, l, strings.Repeat("é", MaxLine/8-50)); pos.End > MaxLine {
		t.Errorf("a line of %d bytes was let through", pos.End)
	}
}

func TestClosed(t *testing.T) {
	l := openTest(t, filepath.Join(t.TempDir(), "event.log"))
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := l.Append(testRecord("/")); !errors.Is(err, ErrClosed) {
		t.Errorf("append: %v", err)
	}
	if err := l.Reopen(context.Background()); !errors.Is(err, ErrClosed) {
		t.Errorf("reopen: %v", err)
	}
}

func TestOpenRefusesWhatIsNoFile(t *testing.T) {
	dir := t.TempDir()
	if _, err := OpenLog(dir, testOptions()); err == nil {
		t.Error("a folder was opened")
	}
	if _, err := OpenLog(filepath.Join(dir, "missing", "event.log"), testOptions()); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("missing folder: %v", err)
	}
	huge := filepath.Join(dir, "huge")
	if err := os.WriteFile(huge, make([]byte, 1<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenLog(huge, testOptions()); err == nil {
		t.Error("a file without lines was opened")
	}
}

func TestPixel(t *testing.T) {
	if len(GIF) != 43 {
		t.Errorf("the pixel has %d bytes", len(GIF))
	}
}
