package beacon

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"testing"
)

// The rule in one line, as nginx's documentation of log_format has it.
func escapeByRule(b []byte) string {
	out := ""
	for _, c := range b {
		if c < 32 || c > 126 || c == '"' || c == '\\' {
			out += fmt.Sprintf(`\x%02X`, c)
		} else {
			out += string(rune(c))
		}
	}
	return out
}

func TestEscapeEveryByte(t *testing.T) {
	var all []byte
	for c := range 256 {
		all = append(all, byte(c))
		if got, want := string(appendEscaped(nil, []byte{byte(c)})), escapeByRule([]byte{byte(c)}); got != want {
			t.Errorf("byte %#02x: %s, want %s", c, got, want)
		}
	}
	if got, want := string(appendEscaped(nil, all)), escapeByRule(all); got != want {
		t.Errorf("all bytes: %s, want %s", got, want)
	}
}

func TestFieldOfNothing(t *testing.T) {
	if got := string(appendField(nil, []byte(nil))); got != "-\t" {
		t.Errorf("%q", got)
	}
}

func unescape(t *testing.T, b []byte) []byte {
	t.Helper()
	var out []byte
	for len(b) > 0 {
		if b[0] != '\\' {
			out, b = append(out, b[0]), b[1:]
			continue
		}
		if len(b) < 4 || b[1] != 'x' {
			t.Fatalf("bad escape in %q", b)
		}
		c, err := hex.DecodeString(string(b[2:4]))
		if err != nil {
			t.Fatal(err)
		}
		out, b = append(out, c[0]), b[4:]
	}
	return out
}

func FuzzEscape(f *testing.F) {
	f.Add([]byte(`Mozilla/5.0 "quoted" \x41 \`))
	f.Add([]byte("tab\tnewline\nnul\x00del\x7f"))
	f.Add([]byte("文章 \xff\xfe é"))
	f.Fuzz(func(t *testing.T, in []byte) {
		got := appendEscaped(nil, in)
		if string(got) != escapeByRule(in) {
			t.Fatalf("%q becomes %q", in, got)
		}
		if back := unescape(t, got); !bytes.Equal(back, in) {
			t.Fatalf("%q comes back as %q", in, back)
		}
	})
}
