package parser

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"strings"
	"testing"
)

// twoWays parses lines by the short cuts and without them.
type twoWays struct{ short, plain *Parser }

func newTwoWays(t testing.TB, c Config) *twoWays {
	t.Helper()
	var w twoWays
	for _, p := range []**Parser{&w.short, &w.plain} {
		var err error
		if *p, err = New(c); err != nil {
			t.Fatal(err)
		}
	}
	w.plain.plainly = true
	return &w
}

// all is everything that a parser tells of a line.
func (w *twoWays) all(p *Parser, line []byte) (string, *Known) {
	var h Hit
	p.Parse(line, &h)
	known := h.Known
	h.Known = nil
	return fmt.Sprintf("%s | %+v host=%q", describe(&h), h, p.Host()), known
}

// check parses a line both ways; pages holds what Known stood for before.
func (w *twoWays) check(t *testing.T, line []byte, pages map[*Known]string) {
	t.Helper()
	got, known := w.all(w.short, line)
	if want, _ := w.all(w.plain, line); got != want {
		t.Fatalf("%q\nby the short cut %s\nwithout it       %s", line, got, want)
	}
	if known == nil {
		return
	}
	if before, ok := pages[known]; ok && before != string(known.page()) {
		t.Fatalf("%q: one Known for the pages %q and %q", line, before, known.page())
	}
	pages[known] = string(known.page())
}

// TestShortCutsAgree makes lines out of pieces that come again and again, good
// and bad ones, and now and then damages one.
func TestShortCutsAgree(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 11))
	pick := func(from ...string) string { return from[rng.IntN(len(from))] }
	long := strings.Repeat("x", 300)
	for i, c := range []Config{goldenConfig(FormatV1), {Page: PageRules{StripIndex: true, Slash: SlashStrip}}, {GPC: GPCAll, Page: PageRules{KeepQuery: true, KeepFragment: true}}} {
		w := newTwoWays(t, c)
		pages := map[*Known]string{}
		version := 1 + i%2
		var line []byte
		for i := range 3_000 {
			if i%5 > 0 || i < 10 { // else the line before, damaged anew
				often := func(usual string, from ...string) string {
					if rng.IntN(8) > 0 {
						return usual
					}
					return pick(from...)
				}
				page := often(fmt.Sprintf("%%2Fposts%%2F%d%%2f", rng.IntN(50)), "/a//b", "%zz", "", "/", "/index.html", "+%2", "/admin/x", "/private", "https://ddkk.com/x?y#z", "/"+long, "%E6%96%87", `\xE6`)
				query := often("site=ddkk.com&page="+page+"&id="+fmt.Sprintf("%x", rng.IntN(99))+"&ref=x.example",
					"page="+page+"&site=www.ddkk.com", "site=old.example&page="+page, "page="+page, "site=other.example", "site=ddkk.com&category=a%2Eb&action=c&label=+&value=1&page="+page,
					"site=&site=ddkk.com&page=&page="+page, "&&site&=x&page", "site=&a&page=/x&site=ab", "site=&abcdefg&page=/x&site=ddkk.com", "uid=u%20u&id="+long+"&site=ddkk.com", "s=1&sites=2&pages=3&idx=4&refs=5&i=&id", "", "site=ddkk.com&page=%2Fa%3Futm_source%3Dx%26utm_medium%3Demail&w=390", "site=ddkk.com&page=/&c=letter&w=x", "site=ddkk.com&page="+page+"&c=utm_source%3Dy%2By")
				fields := []string{"v1", fmt.Sprintf("%d.%03d", 1763769600+rng.IntN(4)*40_000, rng.IntN(1000)), fmt.Sprintf("%032x", rng.Uint64()),
					often(fmt.Sprintf("%d.%d.%d.%d", rng.IntN(256), rng.IntN(256), rng.IntN(256), rng.IntN(256)), "10.1.2.3", "192.0.2.9", "2001:db8::1", "::ffff:1.2.3.4", "01.2.3.4", "256.1.1.1", "1.2.3", "1.2.3.4.5", "-", "1..2.3", "unix:", "1.2.3.4a", "1.2.3./", "1.2.3.:"),
					often("stats.example", "-", "b.example"), often("GET", "POST", "-"), often("200", "304", "404", "20", "0200"),
					often("/event.png?"+query, "/event.png", "/other", "http://x/event.png?"+query, "-"), often("https://ddkk.com/posts/1/"+long[:rng.IntN(300)], "-", "https://ddkk.com", "https://evil.example/", "null"),
					often("Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/"+fmt.Sprint(rng.IntN(50)), "-", "Googlebot/2.1", "curl/8", long+long, "Mozilla/5.0 (iPhone)"),
					often("-", "prefetch", "x"), often("-", "1", "0"), often("-", "joe"), often("0.000", "1.5", "-", "x"), often("43", "0", "-", "4x"), often("end", "en", "v1")}
				if version == 2 || rng.IntN(20) == 0 {
					fields[0] = "v2"
					fields = append(fields[:15], often([]string{"de-DE,de;q=0.9", "en", "zh-CN"}[rng.IntN(3)], "-", "", `\xE6`, "end", long), fields[15])
				}
				line = []byte(strings.Join(fields, "\t"))
			}
			if i%5 == 0 || rng.IntN(20) == 0 {
				line = bytes.Clone(line)
				at := rng.IntN(len(line))
				switch rng.IntN(4) {
				case 0:
					line[at] = []byte("\t\x00\x1f\x7f\x80\xff\\ 0.&=%")[rng.IntN(13)]
				case 1:
					line = append(line[:at], line[at+1:]...)
				case 2:
					line = append(line[:at], append([]byte{line[at]}, line[at:]...)...)
				case 3:
					line = append(line, '\r')
				}
			}
			w.check(t, line, pages)
		}
		if len(pages) < 20 {
			t.Errorf("only %d pages came often enough to be known", len(pages))
		}
	}
}

// FuzzShortCuts parses three lines in a row both ways, the first one twice.
func FuzzShortCuts(f *testing.F) {
	lines := goldenLines(f, FormatV1)
	for i := range lines {
		a, b := unquoteLine(f, lines[i]), unquoteLine(f, lines[(i+1)%len(lines)])
		if len(a)+len(b) < 2000 {
			f.Add(a, b, uint16(i), byte(i))
		}
	}
	w := newTwoWays(f, goldenConfig(FormatV1))
	f.Fuzz(func(t *testing.T, a, b []byte, at uint16, c byte) {
		pages := map[*Known]string{}
		w.check(t, a, pages)
		w.check(t, a, pages)
		w.check(t, b, pages)
		if len(a) > 0 {
			a = bytes.Clone(a)
			a[int(at)%len(a)] = c
			w.check(t, a, pages)
		}
	})
}

// FuzzWordAddr compares the reader of IPv4 addresses by words with the plain
// one: it may leave an address to that, and never reads one differently.
func FuzzWordAddr(f *testing.F) {
	for _, s := range []string{"1.2.3.4", "255.255.255.255", "256.0.0.0", "01.2.3.4", "0.0.0.0", "1..2.3", "1.2.3.", "1.2.3.4.", "300.1.1.1", "1.2.3.4\tx", "/.0.0.0", ":.0.0.0", "\xff.0.0.0", "192.168.100.200"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		s = s[:min(len(s), addrRoom)]
		var room [addrRoom]byte
		for _, fill := range []byte{'\t', '.', '0', '9'} { // what follows does not matter
			for i := range room {
				room[i] = fill
			}
			copy(room[:], s)
			ip, ok := wordAddr4(&room, len(s))
			want, is := parseAddr([]byte(s))
			if ok && (!is || want != netip.AddrFrom4(ip)) {
				t.Fatalf("%q is read as %v, want %v, %t", s, ip, want, is)
			}
			if is && !ok && !strings.Contains(s, ":") {
				t.Fatalf("%q is not read", s)
			}
		}
	})
}
