package static

import (
	"bytes"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"ddkk-stats/static/internal/dashboard"
)

func TestDashboardIsCurrent(t *testing.T) {
	for _, b := range dashboard.Builds {
		want, err := b.Make(".")
		if err != nil {
			t.Fatal(err)
		}
		got := read(t, b.Target)
		if !bytes.Equal(got, want) {
			t.Errorf("%s is not the build of the sources: run `go generate ./static`", b.Target)
		}
		size := gzipped(t, got)
		t.Logf("%s: %d bytes, %d gzipped", b.Target, len(got), size)
		if size > b.MaxGzip {
			t.Errorf("%s has %d bytes gzipped, more than %d", b.Target, size, b.MaxGzip)
		}
		if !bytes.Contains(got, []byte("The MIT License (MIT)")) || !bytes.Contains(got, []byte("uPlot 1.6.32")) {
			t.Errorf("%s does not name the licence of uPlot", b.Target)
		}
	}
}

// dashboardSources are the sources of the dashboard that are ours, by path.
func dashboardSources(t *testing.T) map[string]string {
	t.Helper()
	files := map[string]string{}
	err := filepath.WalkDir("admin/src", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		files[path] = string(text)
		return err
	})
	if err != nil || len(files) == 0 {
		t.Fatalf("%d sources, %v", len(files), err)
	}
	return files
}

func dictionary(t *testing.T, language string) map[string]string {
	t.Helper()
	d := map[string]string{}
	for _, name := range []string{language, "system." + language} {
		text, err := os.ReadFile("admin/src/lang/" + name + ".json")
		if err != nil {
			t.Fatal(err)
		}
		n, own := len(d), map[string]string{}
		if err := errors.Join(json.Unmarshal(text, &d), json.Unmarshal(text, &own)); err != nil {
			t.Fatal(err)
		}
		if len(d) != n+len(own) {
			t.Errorf("%s.json says something again", name)
		}
	}
	return d
}

var placeholder = regexp.MustCompile(`\{\w+\}`)

// Both languages say everything, with the same names in it.
func TestLanguagesAreEqual(t *testing.T) {
	en, zh := dictionary(t, "en"), dictionary(t, "zh-CN")
	names := func(text string) []string {
		found := placeholder.FindAllString(text, -1)
		slices.Sort(found)
		return found
	}
	for key, text := range en {
		other, ok := zh[key]
		switch {
		case !ok:
			t.Errorf("zh-CN lacks %s", key)
		case strings.TrimSpace(text) == "" || strings.TrimSpace(other) == "":
			t.Errorf("%s is empty", key)
		case !slices.Equal(names(text), names(other)):
			t.Errorf("%s has %q in en and %q in zh-CN", key, names(text), names(other))
		}
	}
	for key := range zh {
		if _, ok := en[key]; !ok {
			t.Errorf("en lacks %s", key)
		}
	}
}

var (
	literalKey = regexp.MustCompile(`['"\x60]([a-z]\w*(?:\.\w+)+)['"\x60]`)
	askedKey   = regexp.MustCompile(`\b(?:t|count)\('([^']+)'`)
	madeKey    = regexp.MustCompile("\\bt\\(`([^`]+)`")
	expression = regexp.MustCompile(`\$\{[^}]*(?:\{[^}]*\}[^}]*)*\}`)
)

// Every text that the code asks for is there, and every text is asked for.
func TestTextsAreUsed(t *testing.T) {
	texts := dictionary(t, "en")
	used := map[string]bool{}
	for path, source := range dashboardSources(t) {
		if filepath.Ext(path) != ".js" {
			continue
		}
		for _, m := range askedKey.FindAllStringSubmatch(source, -1) {
			used[m[1]] = true
			if _, ok := texts[m[1]]; !ok {
				t.Errorf("%s asks for %s, which no dictionary has", path, m[1])
			}
		}
		for _, m := range literalKey.FindAllStringSubmatch(source, -1) {
			used[m[1]] = true
		}
		for _, m := range madeKey.FindAllStringSubmatch(source, -1) {
			parts := expression.Split(m[1], -1)
			for i := range parts {
				parts[i] = regexp.QuoteMeta(parts[i])
			}
			pattern := regexp.MustCompile("^" + strings.Join(parts, `\w+`) + "$")
			n := 0
			for key := range texts {
				if pattern.MatchString(key) {
					used[key] = true
					n++
				}
			}
			if n == 0 {
				t.Errorf("%s asks for %s, which no dictionary has", path, m[1])
			}
		}
	}
	for key := range texts {
		if !used[strings.TrimSuffix(key, ".one")] { // that of count, for one thing
			t.Errorf("nothing asks for %s", key)
		}
	}
}

// What would let a visitor's text become markup, or break the policy.
func TestDashboardSourcesAreSafe(t *testing.T) {
	unsafe := regexp.MustCompile(`innerHTML|outerHTML|insertAdjacentHTML|document\.write|DOMParser|createContextualFragment|srcdoc|eval\(|new Function|setAttribute\('style|javascript:|https?://[a-z]+\.[a-z]|<style|style="`)
	for path, source := range dashboardSources(t) {
		if found := unsafe.FindString(source); found != "" && !strings.Contains(source, "http://www.w3.org/2000/svg") {
			t.Errorf("%s: %q", path, found)
		}
		if lines := strings.Count(source, "\n"); lines > 500 && filepath.Ext(path) == ".js" {
			t.Errorf("%s has %d lines", path, lines)
		}
	}
}
