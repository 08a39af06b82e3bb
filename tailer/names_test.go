package tailer

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestNamesThatRotationsGive(t *testing.T) {
	for _, c := range []struct {
		base string
		yes  []string
		no   []string
	}{
		{"event.log", []string{
			"event.log.20261128T000000Z-1", "event.log.20260101T000000Z-003", "event.log.20261128T000000Z-1.gz", // ours
			"event.log.0", "event.log.1", "event.log.14.gz", "event.log.2.bz2", "event.log.3.xz", "event.log.4.zst", "event.log.365", // numbers
			"event.log-20261128", "event.log-20261128.gz", "event.log.20261128-1795737600", "event.log.20261128-1795737600.gz", // dateext
			"event.log-2026112806", "event.log-20261128-06", "event.log-2026-11-28", "event.log.2026-11-28_06-00", "event.log_20261128",
			"event.log-2026-11-28T06:00:00+0000", "event.log-2026112806.gz", "event.log-1795737600", "event.log.1795737600", "event.log-202611",
			"event.log-2026-W48", "event.log-28-11-2026", "event.log-2026", "event.log-20261128-1",
			"event.1.log", "event-20261128.log", "event-20261128.log.gz", "event-2026-11-28T00-00-00.000.log", "event.log.1.gz-2026112806.backup",
		}, []string{
			"event.log", "event.log.", "event.log-", "event.log-blog.example.com", "event.log.keep-for-the-lawyers", "event_log.processed",
			"event.log.all", "event.log.old", "event.log.bak", "event.log.1.anon", "event.log.copy", "event.log.1~", "event.log.swp", "event.log.gz",
			"event.log.pid", "event.log.99999", "event.log-1", "event.log.20261328", "event.log-20261199", "event.log.1.gz.gpg", "event.log.later-1",
			"event.logs.1", "myevent.log.1", "event.log.1.log", "event.log-20261128.keep", "event.log.backup", "event.log.v1", "event.log.12.34.56.78",
			"event-blog.log", "event.log.1.2026.sum", "eventX20261128.log", "event-1.log", "event.log.192.168.1.1",
		}},
		{"access_log", []string{"access_log.1", "access_log-20261128.gz", "access_log.1795737600"},
			[]string{"access_log.processed", "access_log.blog", "access-20261128_log", "access_log-ssl"}},
		{"blog.example.com.access.log", []string{"blog.example.com.access.log.1", "blog.example.com.access-20261128.log"},
			[]string{"blog.example.com.access.log.error", "blog.example.org.access.log.1"}},
	} {
		for _, name := range c.yes {
			if !isRotation(c.base, name) {
				t.Errorf("%s is no rotation of %s", name, c.base)
			}
		}
		for _, name := range c.no {
			if isRotation(c.base, name) {
				t.Errorf("%s is a rotation of %s", name, c.base)
			}
		}
	}
}

// Whatever only begins like the log is not touched, and told of.
func TestFilesThatOnlyBeginLikeTheLog(t *testing.T) {
	path := logPath(t)
	write(t, path, lines("a", 0, 5))
	write(t, path+".1", lines("b", 0, 5))
	others := []string{"-blog.example.com", ".keep-for-the-lawyers", ".all", ".1.anon"}
	for i, o := range others {
		write(t, path+o, lines(fmt.Sprint("o", i), 0, 5))
	}
	stem := strings.TrimSuffix(path, ".log")
	write(t, stem+"_log.processed", lines("p", 0, 5))
	opt := testOptions(path)
	r := read(t, opt)
	r.until("read", func() bool { return r.closed["b"] == 1 && r.handed["a"] == 5 })
	r.during(60 * time.Millisecond)
	if len(r.image) != 2 {
		t.Errorf("read %v", r.order)
	}
	l, err := Look(opt)
	must(t, err)
	if len(l.Files) != 2 || len(l.Passed) != len(others)+1 {
		t.Errorf("%d segments, passed over %v", len(l.Files), l.Passed)
	}
}

// A file of another format has the name of a rotation by chance.
func TestFilesOfAnotherFormat(t *testing.T) {
	path := logPath(t)
	write(t, path, strings.Repeat("junk\n", 50)+lines("a", 0, 5))
	write(t, path+".1", strings.Repeat("junk\n", 50)+lines("b", 0, 5))
	write(t, path+".2", strings.Repeat("other 1\n", 50))
	write(t, path+".3", zipped(t, strings.Repeat("other 2\n", 50)))
	opt := testOptions(path)
	opt.Identify = func(line []byte) string { return "id-" + firstWord(line) }
	opt.Identify = nil
	opt.Time = func(line []byte) int64 {
		if w := firstWord(line); w == "a" || w == "b" {
			return 1
		}
		return 0
	}
	l, err := Look(opt)
	must(t, err)
	if len(l.Passed) != 2 || !strings.Contains(l.Passed[0].Why, "format") || l.Passed[0].Name != path+".2" || l.Passed[1].Name != path+".3" {
		t.Errorf("passed over %v", l.Passed)
	}
	if len(l.Files) != 1 { // the two that are left begin with the same lines
		t.Errorf("segments %v", l.Files)
	}
}

// Patterns name what rotation calls otherwise, also in another folder.
func TestPatternsOfSegments(t *testing.T) {
	path := logPath(t)
	old := filepath.Join(t.TempDir(), "old")
	must(t, os.Mkdir(old, 0o755))
	write(t, path, lines("live", 0, 3))
	write(t, path+".1", lines("a", 0, 5))
	write(t, path+".old", lines("b", 0, 5))
	write(t, filepath.Join(old, "access-monday.log"), lines("c", 0, 5))
	write(t, filepath.Join(old, "error-monday.log"), lines("no", 0, 5))
	write(t, path+".old.tmp", lines("no", 0, 5))
	opt := testOptions(path)
	opt.Segments = []string{"access.log.o*", filepath.Join(old, "access-*.log")}
	r := read(t, opt)
	r.until("all are closed", func() bool { return r.closed["a"]+r.closed["b"]+r.closed["c"] == 3 })
	r.during(60 * time.Millisecond)
	if len(r.image) != 4 {
		t.Errorf("read %v", r.order)
	}
	r.once()
	must(t, r.Rewind("c", 0))
	r.until("read again", func() bool { return r.closed["c"] == 2 })
	for _, bad := range []string{"/var/*/x.log", "a[.log"} {
		if _, err := Open(Options{Path: path, Segments: []string{bad}}); !errors.Is(err, errPattern) {
			t.Errorf("%s: %v", bad, err)
		}
	}
}
