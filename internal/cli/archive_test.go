package cli

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestArchiveCommand: of the files beside a log, it archives each closed
// segment once, under whatever name it lies there.
func TestArchiveCommand(t *testing.T) {
	dir := t.TempDir()
	log := filepath.Join(dir, "log", "event.log")
	if err := os.MkdirAll(filepath.Dir(log), 0o750); err != nil {
		t.Fatal(err)
	}
	lines := func(segment, n int) []byte {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, "v1\t%d.000\t%016x%016x\t203.0.113.%d\tstats.example\tGET\t200\t/event.png?site=a.example&page=/\t-\tMozilla/5.0 Firefox/140.0\t-\t-\t-\t0.000\t43\tend\n",
				1795000000+i, segment, i, i%250)
		}
		return []byte(b.String())
	}
	write := func(name string, data []byte, age time.Duration) {
		t.Helper()
		if strings.HasSuffix(name, ".gz") {
			var b bytes.Buffer
			zw := gzip.NewWriter(&b)
			if _, err := zw.Write(data); err != nil {
				t.Fatal(err)
			}
			if err := zw.Close(); err != nil {
				t.Fatal(err)
			}
			data = b.Bytes()
		}
		if err := os.WriteFile(name, data, 0o640); err != nil {
			t.Fatal(err)
		}
		at := time.Now().Add(-age)
		if err := os.Chtimes(name, at, at); err != nil {
			t.Fatal(err)
		}
	}
	write(log, lines(1, 1), time.Hour)               // live
	write(log+".copy", lines(1, 1), time.Hour)       // of the live one
	write(log+".1", lines(2, 10), time.Hour)         // rotated
	write(log+".1.gz", lines(2, 10), time.Hour)      // and its copy
	write(log+"-2026.gz", lines(3, 100), time.Hour)  // compressed
	write(log+".2", lines(4, 1000), time.Second)     // not quiet yet
	write(log+".3", []byte("no newline"), time.Hour) // no line yet
	write(log+".tmp", lines(5, 1), time.Hour)        // not a segment
	t.Setenv("DATA_DIR", dir)
	t.Setenv("SECRET", "secret")
	t.Setenv("TIMEZONE", "UTC")
	f := func(want string, also ...string) {
		t.Helper()
		var out, errs strings.Builder
		if code := Run("test", []string{"archive"}, &out, &errs); code != 0 {
			t.Fatalf("exit %d: %s", code, &errs)
		}
		if !strings.HasPrefix(out.String(), want) {
			t.Errorf("printed %q, want %q; said %q", &out, want, &errs)
		}
		for _, part := range also {
			if !strings.Contains(out.String(), part) {
				t.Errorf("printed %q, without %q", &out, part)
			}
		}
	}
	toCome := []string{"not archived yet: 1001 lines in 2 segments\n", log + ": 1 lines (", " bytes), live; archived after its rotation\n",
		log + ".2: 1000 lines (", " bytes), written to a moment ago; archived from ", ", by the daemon at "}
	f("2 segments, 110 lines, 110 rows, 1 days", toCome...)
	f("0 segments, 0 lines", toCome...)
	// A compressed segment is known again; one that is broken keeps none away.
	if err := os.Remove(log + ".1"); err != nil {
		t.Fatal(err)
	}
	write(log+".2", lines(4, 1000), time.Hour)
	write(log+".5.gz", lines(5, 1000), time.Hour)
	if err := os.Truncate(log+".5.gz", 600); err != nil {
		t.Fatal(err)
	}
	old := time.Now().Add(-time.Hour)
	if err := os.Chtimes(log+".5.gz", old, old); err != nil {
		t.Fatal(err)
	}
	f("1 segments, 1000 lines, 1000 rows, 1 days")
}

// TestArchiveOfTheFuture: a segment that was written while the clock was years
// ahead is archived, and its file is as old as its entry in the archive.
func TestArchiveOfTheFuture(t *testing.T) {
	dir := t.TempDir()
	name := filepath.Join(dir, "log", "event.log.1")
	if err := os.MkdirAll(filepath.Dir(name), 0o750); err != nil {
		t.Fatal(err)
	}
	ahead := time.Now().AddDate(7, 0, 0)
	line := fmt.Sprintf("v1\t%d.000\t%032x\t203.0.113.1\tstats.example\tGET\t200\t/event.png?site=a.example&page=/\t-\tMozilla/5.0 Firefox/140.0\t-\t-\t-\t0.000\t43\tend\n", ahead.Unix(), 1)
	if err := os.WriteFile(name, []byte(line), 0o640); err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(name, ahead, ahead); err != nil {
		t.Fatal(err)
	}
	for k, v := range map[string]string{"DATA_DIR": dir, "SECRET": "secret", "TIMEZONE": "UTC", "LOG_RETENTION": "1ms"} {
		t.Setenv(k, v)
	}
	for i, want := range []string{"1 segments, 1 lines, 1 rows", "0 segments"} {
		var out, errs strings.Builder
		if code := Run("test", []string{"archive"}, &out, &errs); code != 0 || !strings.HasPrefix(out.String(), want) {
			t.Fatalf("run %d: exit %d, %q, %s", i, code, &out, &errs)
		}
	}
	if _, err := os.Stat(name); !os.IsNotExist(err) {
		t.Errorf("its file is still there: %v", err)
	}
}
