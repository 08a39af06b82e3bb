package tailer

import (
	"bytes"
	"compress/gzip"
	"context"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// A folder that cannot be listed may hold segments: nobody may take that for
// none. One that is not there holds none.
func TestListOfAFolderThatCannotBeRead(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	identify := func(line []byte) string { return string(line) }
	if files, err := List(Options{Path: filepath.Join(file, "event.log"), Identify: identify}); err == nil {
		t.Errorf("a file in the folder's place: %v", files)
	}
	if files, err := List(Options{Path: filepath.Join(dir, "none", "event.log"), Identify: identify}); err != nil || len(files) != 0 {
		t.Errorf("no folder: %v, %v", files, err)
	}
}

func TestListFindsEachContentOnce(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "event.log")
	write := func(name, text string, age time.Duration) {
		t.Helper()
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		at := time.Now().Add(-age)
		if err := os.Chtimes(name, at, at); err != nil {
			t.Fatal(err)
		}
	}
	pack := func(text string) string {
		var b bytes.Buffer
		z := gzip.NewWriter(&b)
		if _, err := io.WriteString(z, text); err != nil {
			t.Fatal(err)
		}
		if err := z.Close(); err != nil {
			t.Fatal(err)
		}
		return b.String()
	}
	write(path, "live\nline\n", 0)
	write(path+".1", "one\nmore\n", time.Hour)
	write(path+".1.gz", pack("one\nmore\n"), time.Hour)
	write(path+".2.gz", pack("two\nmuch more\n"), 2*time.Hour)
	write(path+".3", "no first line yet", time.Second) // in an hour it is one
	files, err := List(Options{Path: path})
	if err != nil {
		t.Fatal(err)
	}
	want := []struct {
		name, rest string
		from, size int64
	}{{path + ".2.gz", "much more\n", 4, 14}, {path + ".1", "more\n", 4, 9}, {path, "line\n", 5, 10}}
	if len(files) != len(want) {
		t.Fatalf("%d segments, want %d: %+v", len(files), len(want), files)
	}
	ctx := context.Background()
	for i, w := range want {
		f := files[i]
		size, err := f.Size(ctx)
		if f.Name != w.name || size != w.size || err != nil {
			t.Errorf("segment %d is %s with %d bytes (%v), want %s with %d", i, f.Name, size, err, w.name, w.size)
		}
		r, err := f.Open(ctx, w.from)
		if err != nil {
			t.Fatal(err)
		}
		rest, err := io.ReadAll(r)
		if err != nil || string(rest) != w.rest {
			t.Errorf("%s from %d reads %q (%v), want %q", f.Name, w.from, rest, err, w.rest)
		}
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if !files[2].Live || files[0].Live {
		t.Error("the live log is not told from the others")
	}
}
