package static

import (
	"bytes"
	"compress/gzip"
	"crypto/sha512"
	"encoding/base64"
	"io/fs"
	"os"
	"regexp"
	"slices"
	"testing"

	"ddkk-stats/static/internal/widget"
)

func TestWidgetIsCurrent(t *testing.T) {
	for _, b := range widget.Builds {
		want, err := b.Make(".")
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(read(t, b.Target), want) {
			t.Errorf("%s is not the build of the sources: run `go generate ./static`", b.Target)
		}
	}
}

func TestGuideIsCurrent(t *testing.T) {
	want, err := os.ReadFile("../docs/WIDGET.md")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(read(t, "demo/widget.md"), want) {
		t.Error("demo/widget.md is not docs/WIDGET.md: run `go generate ./static`")
	}
}

// The demo says the same in both languages.
func TestDemoLanguagesAreEqual(t *testing.T) {
	shape := regexp.MustCompile(`<[a-z]+|(?:id|class|data-[a-z-]+|src)="[^"]*ddkk[^"]*"|data-page-id="[^"]*"|id="[^"]*"`)
	en, zh := shape.FindAllString(string(read(t, "demo/index.html")), -1), shape.FindAllString(string(read(t, "demo/zh-CN.html")), -1)
	if !slices.Equal(en, zh) {
		t.Errorf("the pages differ: %d and %d elements and names", len(en), len(zh))
	}
}

func TestWidgetIsSmall(t *testing.T) {
	for _, b := range widget.Builds {
		code := read(t, b.Target)
		size := gzipped(t, code)
		t.Logf("%s: %d bytes, %d gzipped", b.Target, len(code), size)
		if size > b.MaxGzip {
			t.Errorf("%s has %d bytes gzipped, more than %d", b.Target, size, b.MaxGzip)
		}
	}
}

// frozen are the versions that pages may have pinned. A hash here never
// changes; a new version gets a new line.
var frozen = map[string]string{
	"ddkk-stats.v1.js": "sha384-9UvgdNJuNUz3bfGsZBZZw+A3S9YE+xbLbBG7/XKdAtjgGRYN9cT4UEVdZdGm12BC",
	"ddkk-stats.v2.js": "sha384-LMIw8xar6Ygk5kkAbrj17Hm9s9P3/9+rWZJ6lzeCoJqkjlodvQoHBVIamdFneBUM",
}

func TestVersionsAreFrozen(t *testing.T) {
	files, err := fs.Glob(Files, "ddkk-stats.v*.js")
	if err != nil || len(files) != len(frozen) {
		t.Errorf("versions %q, %v; %d are known", files, err, len(frozen))
	}
	for _, file := range files {
		sum := sha512.Sum384(read(t, file))
		if got := "sha384-" + base64.StdEncoding.EncodeToString(sum[:]); got != frozen[file] {
			t.Errorf("%s is %s, was %s: pages pin the hash; restore the file and make a new version (generate -freeze)", file, got, frozen[file])
		}
	}
}

// The types name what the module exports.
func TestTypesMatchModule(t *testing.T) {
	names := func(file, pattern string) (found []string) {
		for _, m := range regexp.MustCompile(pattern).FindAllSubmatch(read(t, file), -1) {
			found = append(found, string(m[1]))
		}
		slices.Sort(found)
		return found
	}
	typed := append(names("ddkk-stats.d.mts", `export function (\w+)`), "default")
	slices.Sort(typed)
	if built := names("ddkk-stats.mjs", `[A-Za-z_$]+ as (\w+)`); !slices.Equal(typed, built) {
		t.Errorf("types of %q, module of %q", typed, built)
	}
}

func read(t *testing.T, name string) []byte {
	t.Helper()
	b, err := Files.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func gzipped(t *testing.T, code []byte) int {
	t.Helper()
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
	return buf.Len()
}

// What would let a page's name become markup, or break a strict CSP.
func TestFilesAreSafe(t *testing.T) {
	unsafe := regexp.MustCompile(`innerHTML|outerHTML|insertAdjacentHTML|document\.write|sendBeacon|eval\(|new Function|[^-]style=|<style|<script>| on[a-z]+="`)
	files := append(slices.DeleteFunc(demoFiles(t), func(name string) bool { return name == "demo/widget.md" }), // a text, served as such
		"admin/index.html", "admin/public.html", "admin/dashboard.js", "admin/public.js", "ddkk-stats.js", "ddkk-stats.lite.js", "ddkk-stats.mjs", "ddkk-stats.v1.js", "ddkk-stats.v2.js")
	for _, file := range files {
		if found := unsafe.Find(read(t, file)); found != nil {
			t.Errorf("%s: %q", file, found)
		}
	}
}

func demoFiles(t *testing.T) []string {
	t.Helper()
	files, err := fs.Glob(Files, "demo/*")
	if err != nil || len(files) == 0 {
		t.Fatalf("demo files: %q, %v", files, err)
	}
	return files
}
