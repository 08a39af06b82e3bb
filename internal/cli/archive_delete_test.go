package cli

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"ddkk-stats/internal/config/configtest"
)

// deleteRig has the logs of two formats in one folder, and files of others
// beside them, all untouched for 40 days.
type deleteRig struct {
	t    *testing.T
	dir  string
	line int
}

func newDeleteRig(t *testing.T) *deleteRig {
	t.Helper()
	r := &deleteRig{t: t, dir: t.TempDir()}
	for name, value := range map[string]string{"DATA_DIR": filepath.Join(r.dir, "data"), "SECRET": "secret-of-the-tests", "TIMEZONE": "UTC",
		"ACCESS_LOG": r.path("event.log"), "SITE_LOG": r.path("access.log"), "SITE_LOG_FORMAT": "combined", "API_SITE": "api.example", "LOG_RETENTION": "720h"} {
		t.Setenv(name, value)
	}
	return r
}

func (r *deleteRig) path(name string) string { return filepath.Join(r.dir, name) }

func (r *deleteRig) write(name, text string) {
	r.t.Helper()
	configtest.WriteFile(r.t, r.path(name), text, 0o640)
	old := time.Now().Add(-40 * 24 * time.Hour)
	if err := os.Chtimes(r.path(name), old, old); err != nil {
		r.t.Fatal(err)
	}
}

// beacons are lines of format v1, calls of format combined.
func (r *deleteRig) beacons(n int) string {
	var b strings.Builder
	for range n {
		r.line++
		fmt.Fprintf(&b, "v1\t%d.000\t%032x\t203.0.113.7\tstats.example\tGET\t200\t/event.png?site=a.example&page=/%d\t-\tMozilla/5.0 Firefox/140.0\t-\t-\t-\t0.000\t43\tend\n",
			1795315000+r.line, r.line, r.line)
	}
	return b.String()
}

func (r *deleteRig) calls(n int) string {
	var b strings.Builder
	for range n {
		r.line++
		at := time.Unix(1795315000+int64(r.line), 0).UTC()
		fmt.Fprintf(&b, "203.0.113.7 - - [%s] \"GET /api/%d HTTP/1.1\" 200 12 \"-\" \"curl/8.0\"\n", at.Format("02/Jan/2006:15:04:05 -0700"), r.line)
	}
	return b.String()
}

// archive runs a cycle and returns what it printed and said.
func (r *deleteRig) archive() (printed, said string) {
	r.t.Helper()
	var out, errs strings.Builder
	if code := Run("test", []string{"archive"}, &out, &errs); code != 0 {
		r.t.Fatalf("exit %d: %s", code, &errs)
	}
	return out.String(), errs.String()
}

func (r *deleteRig) wantFiles(want ...string) {
	r.t.Helper()
	entries, err := os.ReadDir(r.dir)
	if err != nil {
		r.t.Fatal(err)
	}
	var have []string
	for _, e := range entries {
		if !e.IsDir() {
			have = append(have, e.Name())
		}
	}
	slices.Sort(want)
	if !slices.Equal(have, want) {
		r.t.Errorf("there are %v, want %v", have, want)
	}
}

// What only begins like a log is neither archived nor deleted, however old.
func TestArchiveTouchesNothingOfOthers(t *testing.T) {
	r := newDeleteRig(t)
	r.write("event.log", r.beacons(2))
	r.write("event.log.1", r.beacons(10))
	r.write("access.log", r.calls(2))
	r.write("access.log.1", r.calls(20))
	r.write("access-20261018.log", r.calls(30))
	others := map[string]string{
		"access.log-blog.example.com": r.calls(40), "access.log.keep-for-the-lawyers": r.calls(50), "access_log.processed": r.calls(60),
		"access.log.all": r.calls(70), "event.log.keep": r.beacons(80), "event.log.9": "Dear lawyer,\n", "event.log.8": r.calls(90), "access.log.7": r.beacons(5),
	}
	for name, text := range others {
		r.write(name, text)
	}
	if printed, _ := r.archive(); !strings.HasPrefix(printed, "3 segments, 60 lines") {
		t.Errorf("printed %q", printed)
	}
	r.wantFiles("event.log", "access.log", "access.log-blog.example.com", "access.log.keep-for-the-lawyers", "access_log.processed",
		"access.log.all", "event.log.keep", "event.log.9", "event.log.8", "access.log.7")
	for name, text := range others {
		if have, err := os.ReadFile(r.path(name)); err != nil || string(have) != text {
			t.Errorf("%s: %d bytes, %v", name, len(have), err)
		}
	}
}

// Only what is exactly what was archived is deleted.
func TestArchiveDeletesOnlyWhatWasCounted(t *testing.T) {
	r := newDeleteRig(t)
	t.Setenv("LOG_RETENTION", "0")
	r.write("event.log", r.beacons(1))
	edited, same := r.beacons(10), r.beacons(5)
	r.write("event.log.1", edited)
	r.write("event.log.2", same)
	busy := r.beacons(7)
	r.write("event.log.3", busy)
	r.archive()
	r.wantFiles("event.log", "event.log.1", "event.log.2", "event.log.3")

	t.Setenv("LOG_RETENTION", "720h")
	r.write("event.log.1", strings.Replace(edited, "203.0.113.7", "203.0.113.0", 1)) // as long, as many lines
	writer, err := os.OpenFile(r.path("event.log.3"), os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		t.Fatal(err)
	}
	_, said := r.archive()
	r.wantFiles("event.log", "event.log.1", "event.log.3")
	if !strings.Contains(said, "event.log.1") || !strings.Contains(said, "edited or replaced") {
		t.Errorf("said %s", said)
	}
	if !strings.Contains(said, "another program may still write to it") {
		t.Errorf("said %s", said)
	}
	if err := writer.Close(); err != nil {
		t.Fatal(err)
	}
	r.archive()
	r.wantFiles("event.log", "event.log.1")
}

// A log that is read twice, for its calls and for its views, is deleted when both are
// archived.
func TestArchiveOfALogThatIsReadTwice(t *testing.T) {
	r := newDeleteRig(t)
	t.Setenv("LOG_RETENTION", "0")
	r.write("access.log", r.calls(1))
	r.write("access.log.1", r.calls(20))
	r.archive() // its calls
	t.Setenv("LOG_RETENTION", "720h")
	t.Setenv("LOG_VIEWS", "api.example")
	if printed, _ := r.archive(); !strings.HasPrefix(printed, "1 segment, 20 lines") && !strings.HasPrefix(printed, "1 segments, 20 lines") {
		t.Errorf("printed %q", printed)
	}
	r.wantFiles("access.log")
	r.write("access.log.1", r.calls(7))
	if printed, _ := r.archive(); !strings.HasPrefix(printed, "2 segments, 14 lines") {
		t.Errorf("printed %q", printed)
	}
	r.wantFiles("access.log")
}
