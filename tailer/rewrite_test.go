package tailer

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// blank overwrites lines that have a word.
func blank(word string) Edit {
	return func(_ int64, line []byte) bool {
		if !bytes.Contains(line, []byte(word)) {
			return false
		}
		for i := range line {
			line[i] = '#'
		}
		return true
	}
}

// TestRewrite: lines of a rotated file are overwritten where they stand, and all else stays: size,
// other lines, time, rights and compression. Nothing is left beside it.
func TestRewrite(t *testing.T) {
	const maxLine = 100
	long := strings.Repeat("secret ", 40)
	text := "one\nsecret two\n\n" + long + "\nthree\nsecret at the end"
	want := "one\n##########\n\n" + long + "\nthree\n#################"
	now := time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)
	for _, zip := range []bool{false, true} {
		name := filepath.Join(t.TempDir(), "event.log.1")
		content := []byte(text)
		if zip {
			content = []byte(zipped(t, text))
		}
		if err := os.WriteFile(name, content, 0o604); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(name, 0o604); err != nil {
			t.Fatal(err)
		}
		old := now.Add(-48 * time.Hour)
		if err := os.Chtimes(name, old, old); err != nil {
			t.Fatal(err)
		}
		if n, err := Matching(t.Context(), name, maxLine, blank("secret")); n != 2 || err != nil {
			t.Errorf("%d lines would go, %v", n, err)
		}
		done, err := Rewrite(t.Context(), name, now, time.Minute, maxLine, blank("secret"))
		if err != nil || done.Lines != 2 {
			t.Fatalf("%+v, %v", done, err)
		}
		fi, err := os.Stat(name)
		if err != nil || fi.Mode().Perm() != 0o604 || !fi.ModTime().Equal(old) {
			t.Errorf("%v, %v", fi, err)
		}
		f := File{Name: name, Compressed: zip, stored: fi.Size(), LastWrite: fi.ModTime()}
		r, err := f.Open(t.Context(), 0)
		if err != nil {
			t.Fatal(err)
		}
		var got bytes.Buffer
		if _, err := got.ReadFrom(r); err != nil || got.String() != want {
			t.Errorf("zipped %v: %q, %v", zip, got.String(), err)
		}
		if err := r.Close(); err != nil {
			t.Error(err)
		}
		before, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if done, err := Rewrite(t.Context(), name, now, time.Minute, maxLine, blank("secret")); err != nil || done.Lines != 0 {
			t.Errorf("again: %+v, %v", done, err)
		}
		if after, err := os.ReadFile(name); err != nil || !bytes.Equal(before, after) {
			t.Errorf("a second time changed the file: %v", err)
		}
		if left, err := os.ReadDir(filepath.Dir(name)); err != nil || len(left) != 1 {
			t.Errorf("%v, %v", left, err)
		}
	}
}

// TestRewriteLeavesAlone: a file that somebody may write to stays as it is.
func TestRewriteLeavesAlone(t *testing.T) {
	name := filepath.Join(t.TempDir(), "event.log.1")
	if err := os.WriteFile(name, []byte("secret\n"), 0o640); err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	if _, err := Rewrite(t.Context(), name, now, time.Minute, 100, blank("secret")); !errors.Is(err, ErrBusy) {
		t.Errorf("just written: %v", err)
	}
	old := now.Add(-time.Hour)
	if err := os.Chtimes(name, old, old); err != nil {
		t.Fatal(err)
	}
	w, err := os.OpenFile(name, os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Rewrite(t.Context(), name, now, time.Minute, 100, blank("secret")); !errors.Is(err, ErrBusy) {
		t.Errorf("open to write: %v", err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if b, err := os.ReadFile(name); err != nil || string(b) != "secret\n" {
		t.Errorf("%q, %v", b, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Rewrite(ctx, name, now, time.Minute, 100, blank("secret")); !errors.Is(err, context.Canceled) {
		t.Errorf("ended: %v", err)
	}
	if done, err := Rewrite(t.Context(), name+".gone", now, time.Minute, 100, blank("secret")); err != nil || !done.Skipped {
		t.Errorf("gone: %+v, %v", done, err)
	}
}
