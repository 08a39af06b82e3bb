package queryapi

import (
	"bytes"
	"strings"
	"testing"
)

// The widget sends no beacons where a site's own log is counted, and is the build itself
// everywhere else. Frozen versions, which pages may pin, never change.
func TestQuietScript(t *testing.T) {
	var hosts []string
	s := newTestServer(t, newBackend(), func(c *Config) { c.QuietHosts = func() []string { return hosts } })
	body := func(path string) []byte { return bytes.Clone(ask(s, testPeer, "GET", path, "").Response.Body()) }
	tag := func(path string) string { return header(ask(s, testPeer, "GET", path, ""), "ETag") }
	paths := []string{"/ddkk-stats.js", "/ddkk-stats.lite.js", "/js"}
	plain := map[string][]byte{}
	tags := map[string]string{}
	for _, path := range append(paths, "/ddkk-stats.v2.js") {
		plain[path], tags[path] = body(path), tag(path)
	}
	hosts = []string{"blog.example", `</script>"`}
	for _, path := range paths {
		got := string(body(path))
		start, found := strings.CutSuffix(got, string(plain[path]))
		if !found || !strings.Contains(start, `["blog.example","\u003c/script\u003e\""]`) || strings.Count(start, "\n") != 1 || tag(path) == tags[path] {
			t.Errorf("%s begins with %.300q, tag %s", path, got, tag(path))
		}
	}
	if !bytes.Equal(body("/ddkk-stats.v2.js"), plain["/ddkk-stats.v2.js"]) {
		t.Error("a frozen version changed")
	}
	hosts = []string{"other.example"}
	if got := string(body("/ddkk-stats.js")); !strings.Contains(got, `["other.example"]`) {
		t.Errorf("other hosts: %.200q", got)
	}
	hosts = nil
	for path, want := range plain {
		if !bytes.Equal(body(path), want) || tag(path) != tags[path] {
			t.Errorf("%s is not what it was", path)
		}
	}
}
