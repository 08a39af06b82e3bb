package static

import (
	"bytes"
	"compress/gzip"
	"io/fs"
	"os"
	"regexp"
	"testing"

	"ddkk-stats/static/internal/widget"
)

func TestWidgetIsCurrent(t *testing.T) {
	source, err := os.ReadFile(widget.Source)
	if err != nil {
		t.Fatal(err)
	}
	want, err := widget.Minify(source)
	if err != nil {
		t.Fatal(err)
	}
	got, err := Files.ReadFile(widget.Target)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Error("ddkk-stats.js is not the build of src/ddkk-stats.js: run `go generate ./static`")
	}
}

func TestWidgetIsSmall(t *testing.T) {
	code, err := Files.ReadFile(widget.Target)
	if err != nil {
		t.Fatal(err)
	}
	var buf bytes.Buffer
	z, err := gzip.NewWriterLevel(&buf, gzip.BestCompression)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := z.Write(code); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	t.Logf("%d bytes, %d gzipped", len(code), buf.Len())
	if buf.Len() > 2048 {
		t.Errorf("widget has %d bytes gzipped, more than 2048", buf.Len())
	}
}

// What would let a page's name become markup, or break a strict CSP.
func TestFilesAreSafe(t *testing.T) {
	unsafe := regexp.MustCompile(`innerHTML|outerHTML|insertAdjacentHTML|document\.write|sendBeacon|eval\(|new Function|style=|<style|<script>| on[a-z]+="`)
	err := fs.WalkDir(Files, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := Files.ReadFile(path)
		if err != nil {
			return err
		}
		if found := unsafe.FindString(string(b)); found != "" {
			t.Errorf("%s: %q", path, found)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
