package parser

import (
	"flag"
	"fmt"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"
)

var update = flag.Bool("update", false, "write the golden files anew")

// goldenConfig sets a bit of everything.
func goldenConfig(f Format) Config {
	return Config{
		Format:       f,
		Location:     time.FixedZone("CST", 8*3600),
		Secret:       []byte("golden secret"),
		Sites:        []string{"ddkk.com", "bücher.example", "[::1]"},
		Aliases:      map[string]string{"old.example": "ddkk.com"},
		RefererCheck: true,
		Blocked:      []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")},
		Self:         []netip.Prefix{netip.MustParsePrefix("192.0.2.9/32")},
		BlockedPaths: []string{"/private", "/admin/*"},
	}
}

// checkGolden compares got with the golden file.
func checkGolden(t *testing.T, name, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(name, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	want, have := strings.Split(string(b), "\n"), strings.Split(got, "\n")
	for i := range max(len(want), len(have)) {
		if i >= len(want) || i >= len(have) || want[i] != have[i] {
			t.Fatalf("%s:%d differs (go test -update writes it anew)\ngot  %q\nwant %q", name, i+1, have[min(i, len(have)-1)], want[min(i, len(want)-1)])
		}
	}
}

// goldenLines are the lines of a testdata file with their escapes undone.
func goldenLines(t testing.TB, f Format) []string {
	b, err := os.ReadFile("testdata/" + f.String() + ".log")
	if err != nil {
		t.Fatal(err)
	}
	return strings.Split(strings.TrimSuffix(string(b), "\n"), "\n")
}

func unquoteLine(t testing.TB, s string) []byte {
	line, err := strconv.Unquote(`"` + s + `"`)
	if err != nil {
		t.Fatalf("unquote %q: %v", s, err)
	}
	return []byte(line)
}

// describe is a hit as one readable line.
func describe(h *Hit) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s", h.Kind)
	if h.Reason != ReasonNone {
		fmt.Fprintf(&b, " reason=%s", h.Reason)
	}
	if h.Kind == Malformed {
		return b.String()
	}
	fmt.Fprintf(&b, " day=%d ms=%d addr=%s %s %q status=%d took=%g sent=%d", h.Day, h.Time, h.Addr, h.Method, short(h.URI), h.Status, h.RequestTime, h.BytesSent)
	for _, f := range []struct {
		name string
		text []byte
	}{{"id", h.ViewID}, {"uid", h.UID}, {"user", h.RemoteUser}, {"ref", h.Referer}, {"ua", h.UserAgent}} {
		if len(f.text) > 0 {
			fmt.Fprintf(&b, " %s=%q", f.name, short(f.text))
		}
	}
	if h.Kind == Skipped {
		return b.String()
	}
	fmt.Fprintf(&b, " | %s %q visitor=%s bot=%t %s", h.Site, h.Page, h.Visitor, h.Bot, h.Device)
	if h.Kind == Event {
		key, ends, n := AppendEventKeys(nil, h)
		fmt.Fprintf(&b, " event=%q levels=%v", key, ends[:n])
	}
	return b.String()
}

// short cuts what would make the golden file unreadable.
func short(b []byte) []byte {
	if len(b) > 120 {
		return fmt.Appendf(nil, "%s...%d", b[:100], len(b))
	}
	return b
}

func TestGolden(t *testing.T) {
	for _, f := range []Format{FormatV1, FormatCombined, FormatJSON} {
		t.Run(f.String(), func(t *testing.T) {
			p, err := New(goldenConfig(f))
			if err != nil {
				t.Fatal(err)
			}
			var b strings.Builder
			var h Hit
			for i, s := range goldenLines(t, f) {
				if strings.HasPrefix(s, "# ") {
					fmt.Fprintln(&b, s)
					continue
				}
				p.Parse(unquoteLine(t, s), &h)
				fmt.Fprintf(&b, "%d: %s\n", i+1, describe(&h))
				if n := outcomes(&h); n != 1 {
					t.Errorf("line %d has %d outcomes: %s", i+1, n, describe(&h))
				}
			}
			checkGolden(t, "testdata/"+f.String()+".golden", b.String())
		})
	}
}

// outcomes counts how many entries of the books a hit would make: always one.
func outcomes(h *Hit) int {
	n := 0
	if (h.Kind == Pageview || h.Kind == Event) && h.Reason == ReasonNone && h.Site != "" && len(h.Page) > 0 {
		n++
	}
	if h.Kind == APICall && h.Reason == ReasonNone && h.Site != "" && len(h.Endpoint) > 0 {
		n++
	}
	if h.Kind == Skipped && h.Reason > ReasonNone && h.Reason < BadVersion && h.Site == "" {
		n++
	}
	if h.Kind == Malformed && h.Reason.Malformed() {
		n++
	}
	return n
}

// TestMalformedEverywhere cuts a good line at every byte and glues a good one
// on: no piece may pass for a line.
func TestMalformedEverywhere(t *testing.T) {
	p, err := New(goldenConfig(FormatV1))
	if err != nil {
		t.Fatal(err)
	}
	good := benchLines(t, 1)[0]
	var h Hit
	for n := range good {
		if p.Parse(good[:n], &h); h.Kind != Malformed {
			t.Errorf("cut at %d: %s", n, describe(&h))
		}
		if n == 0 {
			continue
		}
		glued := append(append([]byte{}, good[:n]...), good...)
		if p.Parse(glued, &h); h.Kind != Malformed {
			t.Errorf("cut at %d and glued: %s", n, describe(&h))
		}
	}
	if p.Parse(good, &h); h.Kind == Malformed {
		t.Errorf("whole line: %s", describe(&h))
	}
}

func TestLineLimit(t *testing.T) {
	p, err := New(Config{})
	if err != nil {
		t.Fatal(err)
	}
	f := func(size int, want Reason) {
		t.Helper()
		line := v1Line(1763769600000, 1, "203.0.113.7", "/event.png?site=a.b&page=/", "-", "")
		line = []byte(strings.Replace(string(line), "\t\t-", "\t"+strings.Repeat("u", size-len(line))+"\t-", 1))
		var h Hit
		p.Parse(line, &h)
		if len(line) != size || h.Reason != want {
			t.Errorf("line of %d: %v, want %v", len(line), h.Reason, want)
		}
	}
	f(MaxLine, ReasonNone)
	f(MaxLine+1, BadLength)
}
