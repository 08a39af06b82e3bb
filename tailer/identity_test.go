package tailer

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestIdentityOf: who has only the beginning of a content tells the identity that
// the log's segments have, also where the first line tells nothing.
func TestIdentityOf(t *testing.T) {
	for _, content := range []string{
		"one\ntwo\n", "\none\n", "\n\n# comment\n\none\ntwo\n", strings.Repeat("\n", 20), "\n", "half", strings.Repeat("x", 70<<10) + "\none\n",
	} {
		path := filepath.Join(t.TempDir(), "log")
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		opt := Options{Path: path, Identify: func(line []byte) string { return hashIdentity(append([]byte("x"), line...)) }}
		files, err := List(opt)
		if err != nil {
			t.Fatal(err)
		}
		want := ""
		if len(files) > 0 {
			want = files[0].ID
		}
		if got := IdentityOf([]byte(content)[:min(len(content), 64<<10)], opt); got != want {
			t.Errorf("%.20q is %q, want %q", content, got, want)
		}
	}
}
