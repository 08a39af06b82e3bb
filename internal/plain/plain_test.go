package plain

import (
	"strings"
	"testing"
)

func TestText(t *testing.T) {
	f := func(in, want string) {
		t.Helper()
		if got := Text(in); got != want {
			t.Errorf("%q: %s, want %s", in, got, want)
		}
	}
	f("/文/a b", "/文/a b")
	f("", "")
	f("/\x1b]0;owned\x07", `"/\x1b]0;owned\a"`)
	f("/a\nddkk.com: 0 differences", `"/a\nddkk.com: 0 differences"`)
	f("/\u202egnp.exe", `"/\u202egnp.exe"`)
	f("/\xff", `"/\xff"`)
	f("/\uFFFD", "/\uFFFD")
	f("/\u009b31m", `"/\u009b31m"`)
}

// TestWriter writes each text in all ways to cut it in two.
func TestWriter(t *testing.T) {
	f := func(in, want string) {
		t.Helper()
		for at := range len(in) + 1 {
			var b strings.Builder
			w := &Writer{To: &b}
			for _, part := range []string{in[:at], in[at:]} {
				if n, err := w.Write([]byte(part)); n != len(part) || err != nil {
					t.Fatalf("%d, %v", n, err)
				}
			}
			if b.String() != want {
				t.Errorf("%q cut at %d: %q, want %q", in, at, b.String(), want)
			}
		}
	}
	f("plain 文\tis\nplain €😀", "plain 文\tis\nplain €😀")
	f("\x1b[2J\x1b]52;c;x\x07 \r\x00\x7f", `\x1b[2J\x1b]52;c;x\a \r\x00\x7f`)
	f("a\u009bb\u202ec\u2028d\xffe", `a\u009bb\u202ec\u2028d\xffe`)
	f("\xe6\x96 x", `\xe6\x96 x`)
}
