package beacon

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

func TestReopenWithoutRenameDoesNothing(t *testing.T) {
	l := openTest(t, filepath.Join(t.TempDir(), "event.log"))
	before := mustAppend(t, l, "/1")
	if err := l.Reopen(context.Background()); err != nil {
		t.Fatal(err)
	}
	if after := mustAppend(t, l, "/2"); after.Segment != before.Segment {
		t.Errorf("segment %s became %s", before.Segment, after.Segment)
	}
}

func TestReopenTakesTheFileThatLogrotateMade(t *testing.T) {
	path := filepath.Join(t.TempDir(), "event.log")
	l := openTest(t, path)
	mustAppend(t, l, "/1")
	if err := os.Rename(path, path+".1"); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	// Until told, it goes on in the renamed file.
	mustAppend(t, l, "/2")
	if err := l.Reopen(context.Background()); err != nil {
		t.Fatal(err)
	}
	mustAppend(t, l, "/3")
	if old, fresh := read(t, path+".1"), read(t, path); strings.Count(old, "\n") != 2 || !strings.Contains(fresh, "\t/3\t") {
		t.Errorf("old %q, new %q", old, fresh)
	}
}

func TestFailedReopenGoesOnInTheOldFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "event.log")
	l := openTest(t, path)
	mustAppend(t, l, "/1")
	if err := os.Rename(path, path+".1"); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(path, 0o700); err != nil { // nothing can be opened here
		t.Fatal(err)
	}
	if err := l.Reopen(context.Background()); err == nil {
		t.Fatal("reopened a folder")
	}
	mustAppend(t, l, "/2")
	if old := read(t, path+".1"); strings.Count(old, "\n") != 2 {
		t.Errorf("old %q", old)
	}
}

// Lines that are appended while the log is rotated again and again are all
// there, once, and each where its position says.
func TestRotationUnderLoad(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "event.log")
	l := openTest(t, path)
	const callers, each, rotations = 8, 300, 20
	var wg sync.WaitGroup
	positions := make([][each]Position, callers)
	for c := range callers {
		wg.Go(func() {
			for i := range each {
				pos, err := l.Append(testRecord(fmt.Sprintf("/c%d/%d", c, i)))
				if err != nil {
					t.Error(err)
				}
				positions[c][i] = pos
			}
		})
	}
	for i := range rotations {
		if err := os.Rename(path, fmt.Sprintf("%s.%d", path, i)); err != nil {
			t.Error(err)
		}
		if err := l.Reopen(context.Background()); err != nil {
			t.Error(err)
		}
	}
	wg.Wait()
	segments := map[string]string{} // identity -> content
	names, err := filepath.Glob(path + "*")
	if err != nil {
		t.Fatal(err)
	}
	lines := 0
	for _, name := range names {
		data := read(t, name)
		lines += strings.Count(data, "\n")
		if data != "" {
			segments[strings.Split(data, "\t")[2]] = data
		}
	}
	if lines != callers*each {
		t.Errorf("%d lines, want %d", lines, callers*each)
	}
	for c := range callers {
		for i, pos := range positions[c] {
			if line := lineBefore(segments[pos.Segment], pos.End); !strings.Contains(line, fmt.Sprintf("\t/c%d/%d\t", c, i)) {
				t.Fatalf("caller %d's line %d is not at %v", c, i, pos)
			}
		}
	}
}
