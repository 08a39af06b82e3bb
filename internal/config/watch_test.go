package config

import (
	"os"
	"path/filepath"
	"testing"
)

// Every way in which editors and deployments change a file, each told once and
// only when the file holds still between two looks.
func TestFileWatch(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "ddkk-stats.yaml")
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	write(path, "a")
	w := NewFileWatch(path, os.Stat)
	quiet := func() {
		t.Helper()
		if w.Changed() {
			t.Error("told of a change that is none")
		}
	}
	told := func() {
		t.Helper()
		quiet() // it may still be being written
		if !w.Changed() {
			t.Error("did not tell of the change")
		}
		quiet()
	}
	quiet()

	write(path, "longer") // in place
	told()
	write(path, "still longer")
	quiet()
	write(path, "longer once more") // while it is being written
	told()

	write(path+".new", "longer once more") // renamed over
	must(os.Rename(path+".new", path))
	told()

	must(os.Rename(path, path+"~")) // a backup, then a new file
	quiet()
	write(path, "x")
	told()

	must(os.Remove(path)) // gone, and back
	told()
	write(path, "y")
	told()

	for _, target := range []string{"one", "two"} { // a symlink to a folder, moved on
		must(os.MkdirAll(filepath.Join(dir, target), 0o700))
		write(filepath.Join(dir, target, "f"), target)
	}
	link := filepath.Join(dir, "link")
	must(os.Symlink("one", link))
	w = NewFileWatch(filepath.Join(link, "f"), os.Stat)
	must(os.Symlink("two", link+".new"))
	must(os.Rename(link+".new", link))
	told()

	w.Seen()
	write(filepath.Join(dir, "two", "f"), "seen by somebody else")
	w.Seen()
	quiet()
	quiet()
}
