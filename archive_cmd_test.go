package main

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"log/slog"
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
				1795000000+i, segment, i, i)
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
	cfg, err := LoadConfig("", func(name string) (string, bool) {
		v, ok := map[string]string{"DATA_DIR": dir, "SECRET": "secret", "TIMEZONE": "UTC"}[name]
		return v, ok
	})
	if err != nil {
		t.Fatal(err)
	}
	f := func(want string) {
		t.Helper()
		var out strings.Builder
		if err := archiveNow(t.Context(), cfg, slog.New(slog.DiscardHandler), &out); err != nil {
			t.Fatal(err)
		}
		if !strings.HasPrefix(out.String(), want) {
			t.Errorf("printed %q, want %q", out.String(), want)
		}
	}
	f("archived 2 segments: 110 lines, 110 rows; 1 days rolled up")
	f("archived 0 segments: 0 lines")
	// A compressed segment is known again; one that is broken keeps none away.
	if err := os.Remove(log + ".1"); err != nil {
		t.Fatal(err)
	}
	f("archived 0 segments: 0 lines")
	write(log+".2", lines(4, 1000), time.Hour)
	write(log+".4.gz", nil, time.Hour)
	if err := os.WriteFile(log+".5.gz", []byte("\x1f\x8bbroken"), 0o640); err != nil {
		t.Fatal(err)
	}
	old := time.Now().Add(-time.Hour)
	if err := os.Chtimes(log+".5.gz", old, old); err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	err = archiveNow(t.Context(), cfg, slog.New(slog.DiscardHandler), &out)
	if err == nil || !strings.Contains(err.Error(), ".5.gz") {
		t.Errorf("a broken file is not told of: %v", err)
	}
	if want := "archived 1 segments: 1000 lines"; !strings.HasPrefix(out.String(), want) {
		t.Errorf("printed %q, want %q", out.String(), want)
	}
}
