package parser

import (
	"bytes"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// slowLine is a v1 line as the plainest possible reader sees it.
type slowLine struct {
	reason Reason
	fields []string
}

// slowV1 reads a v1 line with the standard library alone, for comparison.
func slowV1(line string) slowLine {
	if len(line) > MaxLine {
		return slowLine{reason: BadLength}
	}
	line = strings.TrimSuffix(line, "\r")
	fields := strings.Split(line, "\t")
	raw := slices.Clone(fields)
	bad := func(r Reason) slowLine { return slowLine{reason: r} }
	want, texts := 16, []int{2, 4, 5, 7, 8, 9, 10, 11, 12}
	if fields[0] == "v2" {
		want, texts = 17, append(texts, 15)
	}
	switch {
	case line == "":
		return bad(BadEmpty)
	case strings.ContainsFunc(line, func(r rune) bool { return r < ' ' && r != '\t' || r > '~' }):
		return bad(BadBytes)
	case fields[0] != "v1" && fields[0] != "v2" || len(fields) == 1:
		return bad(BadVersion)
	case len(fields) > want:
		return bad(BadFields)
	case fields[len(fields)-1] != "end":
		return bad(BadEnd)
	case len(fields) < want:
		return bad(BadFields)
	}
	sec, ms, dot := strings.Cut(fields[1], ".")
	n, err := strconv.ParseUint(sec+ms, 10, 64)
	if err != nil || !dot || len(ms) != 3 || sec == "" || n < minTime || n >= maxTime {
		return bad(BadTime)
	}
	addr, ok := slowClient(fields[3])
	if !ok {
		return bad(BadAddr)
	}
	fields[3] = addr.String()
	if !isDigits(fields[6]) || len(fields[6]) != 3 || !isSeconds(fields[13]) || fields[14] != "-" && !isDigits(fields[14]) {
		return bad(BadFields)
	}
	for _, i := range texts {
		text, ok := slowUnescape(fields[i])
		if !ok {
			return bad(BadEscape)
		}
		if fields[i] = text; text == "-" {
			fields[i] = ""
		}
	}
	if !slowMethod.MatchString(fields[5]) || raw[5] == "-" || raw[7] == "-" || !slowTarget.MatchString(fields[7]) && (fields[5] != "OPTIONS" || fields[7] != "*") {
		return bad(BadRequest)
	}
	return slowLine{fields: fields}
}

var (
	slowMethod = regexp.MustCompile("^[!#$%&'*+.^_`|~0-9A-Za-z-]+$")
	slowTarget = regexp.MustCompile(`^(/|[A-Za-z][A-Za-z0-9+.-]*://)`)
	slowPort   = regexp.MustCompile(`^([0-9.]+):[0-9]{1,5}$`)
	slowQuoted = regexp.MustCompile(`^\[([^\]]*)\](:[0-9]{1,5})?$`)
	slowName   = regexp.MustCompile(`^([-?]?|unix:.*|[A-Za-z0-9._:*-]*[A-Za-z*][A-Za-z0-9._:*-]*)$`)
)

// slowClient is the last address of a list, as the standard library reads it.
func slowClient(s string) (netip.Addr, bool) {
	elements := strings.Split(s, ",")
	for _, e := range slices.Backward(elements) {
		e = strings.Trim(e, " \t\"'")
		isName := slowName.MatchString(e) && (strings.HasPrefix(e, "unix:") || strings.Count(e, ":") < 2 || strings.ContainsAny(e, "xX*"))
		m := slowQuoted.FindStringSubmatch(e)
		if m != nil {
			e = m[1]
		}
		if before, _, ok := strings.Cut(e, "%"); ok && strings.Contains(before, ":") {
			e = before
		}
		addr, err := netip.ParseAddr(e)
		if port := slowPort.FindStringSubmatch(e); err != nil && m == nil && port != nil {
			addr, err = netip.ParseAddr(port[1])
		}
		if err == nil {
			return addr.Unmap(), true
		}
		if !isName {
			return netip.Addr{}, false
		}
	}
	return netip.Addr{}, true
}

func isDigits(s string) bool {
	_, err := strconv.ParseUint(s, 10, 64)
	return err == nil && len(s) <= 18
}

func isSeconds(s string) bool {
	whole, frac, dot := strings.Cut(s, ".")
	return s == "-" || isDigits(whole) && (!dot || isDigits(frac))
}

func slowUnescape(s string) (string, bool) {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' {
			b.WriteByte(s[i])
			continue
		}
		if i+4 > len(s) || s[i+1] != 'x' {
			return "", false
		}
		n, err := strconv.ParseUint(s[i+2:i+4], 16, 8)
		if err != nil {
			return "", false
		}
		b.WriteByte(byte(n))
		i += 3
	}
	return b.String(), true
}

// FuzzParseV1 compares the fast reader with the slow one.
func FuzzParseV1(f *testing.F) {
	for _, s := range goldenLines(f, FormatV1) {
		if line := unquoteLine(f, s); len(line) < 1000 {
			f.Add(line)
		}
	}
	p, err := New(goldenConfig(FormatV1))
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, line []byte) {
		var h Hit
		keep := bytes.Clone(line)
		p.Parse(line, &h)
		if !bytes.Equal(line, keep) {
			t.Fatal("the line was written to")
		}
		fresh, err := New(goldenConfig(FormatV1))
		if err != nil {
			t.Fatal(err)
		}
		var h2 Hit
		if fresh.Parse(line, &h2); describe(&h) != describe(&h2) {
			t.Fatalf("with what the caches hold: %s, without: %s", describe(&h), describe(&h2))
		}
		slow := slowV1(string(line))
		if n := outcomes(&h); n != 1 {
			t.Fatalf("%d outcomes: %s", n, describe(&h))
		}
		if (h.Kind == Malformed) != (slow.reason != ReasonNone) || slow.reason != ReasonNone && h.Reason != slow.reason {
			t.Fatalf("%s, want %v", describe(&h), slow.reason)
		}
		if h.Kind == Malformed {
			return
		}
		got := []string{string(h.RequestID), h.Addr.String(), string(p.Host()), string(h.Method), string(h.URI), string(h.Referer), string(h.UserAgent), string(h.RemoteUser)}
		want := []string{slow.fields[2], slow.fields[3], slow.fields[4], slow.fields[5], slow.fields[7], slow.fields[8], slow.fields[9], slow.fields[12]}
		for i := range got {
			// A "-" that was escaped is a text, not a mark.
			if got[i] != want[i] && !(got[i] == "-" && want[i] == "") {
				t.Fatalf("text %d is %q, want %q", i, got[i], want[i])
			}
		}
		if h.Kind != Skipped && slow.fields[0] == "v2" && !strings.HasPrefix(strings.ToLower(strings.TrimLeft(slow.fields[15], " \t")), h.Facets[Language].Name()) {
			t.Fatalf("%q is the language %s", slow.fields[15], h.Facets[Language])
		}
		checkHit(t, &h)
	})
}

// checkHit looks for what must hold of any hit.
func checkHit(t *testing.T, h *Hit) {
	t.Helper()
	if len(h.Page) > MaxPage || len(h.ViewID) > maxToken || len(h.UID) > maxToken {
		t.Fatalf("page of %d, id of %d, uid of %d bytes", len(h.Page), len(h.ViewID), len(h.UID))
	}
	if h.Site != "" {
		if again, ok := NormalizeSite(h.Site); !ok || again != h.Site {
			t.Fatalf("site %q is normalised to %q", h.Site, again)
		}
	}
	if (h.Kind == Event) != (len(h.Category) > 0) {
		t.Fatalf("%v with category %q", h.Kind, h.Category)
	}
}

// FuzzParseForeign reads any bytes as the foreign formats.
func FuzzParseForeign(f *testing.F) {
	parsers, calls := map[Format]*Parser{}, map[Format]*Parser{}
	for _, name := range foreignCases {
		for _, line := range caseLines(f, name) {
			f.Add([]byte(line))
		}
	}
	for _, format := range []Format{FormatCombined, FormatJSON} {
		for _, s := range goldenLines(f, format) {
			f.Add(unquoteLine(f, s))
		}
		p, err := New(goldenConfig(format))
		if err != nil {
			f.Fatal(err)
		}
		parsers[format] = p
		config := goldenConfig(format)
		config.Proxies, config.Calls = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}, &CallRules{Site: "ddkk.com"}
		if calls[format], err = New(config); err != nil {
			f.Fatal(err)
		}
	}
	f.Fuzz(func(t *testing.T, line []byte) {
		for format, p := range parsers {
			var h Hit
			p.Parse(line, &h)
			if n := outcomes(&h); n != 1 {
				t.Fatalf("%v: %d outcomes: %s", format, n, describe(&h))
			}
			checkHit(t, &h)
			p.PageOf(&h, "ddkk.com", h.URI)
			if n := outcomes(&h); n != 1 {
				t.Fatalf("%v, imported: %d outcomes: %s", format, n, describe(&h))
			}
			if !h.Addr.IsValid() && !h.Visitor.IsZero() {
				t.Fatalf("%v: a visitor without an address: %s", format, describe(&h))
			}
			c := calls[format]
			if c.Parse(line, &h); h.Kind == Pageview || h.Kind == Event || h.Kind == APICall && (h.Site == "" || len(h.Endpoint) < 3 || !isRequest(h.Method, h.URI)) {
				t.Fatalf("%v, as a call: %s %q %s", format, h.Site, h.Endpoint, describe(&h))
			}
		}
		Detect(line)
		if id := SegmentID(line); len(id) != 32 {
			t.Fatalf("identity %q", id)
		}
	})
}

// FuzzClient compares the reader of clients with the plain way.
func FuzzClient(f *testing.F) {
	for _, s := range []string{"203.0.113.7", "198.51.100.4, 203.0.113.7", "[2001:db8::7]:60162", "fe80::1%eth0", "1.2.3.4:5", "unix:", "a.b", "-", "", ",", "1.2.3.x", "[1.2.3.4]", "1.2.3.4%x", "::%x,[::%]"} {
		f.Add(s)
	}
	p, err := New(Config{})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got, ok := p.client([]byte(s))
		if want, fine := slowClient(s); ok != fine || got != want {
			t.Fatalf("%q is %v, %t, want %v, %t", s, got, ok, want, fine)
		}
	})
}

// FuzzTime compares the reader of times with the standard library's, where both
// accept the text.
func FuzzTime(f *testing.F) {
	for _, line := range caseLines(f, "c06_json_times.json") {
		f.Add(strings.Trim(strings.Split(strings.TrimPrefix(line, `{"time":`), `,"remote`)[0], `"`))
	}
	f.Add("1.7e9")
	f.Add("0000000.000001795168800e15")
	p, err := New(Config{})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got, ok := p.parseTime([]byte(s))
		if ok && (got < minTime || got >= maxTime) {
			t.Fatalf("%q is %d", s, got)
		}
		for _, layout := range []string{time.RFC3339, "2006-01-02T15:04:05Z0700", "02/Jan/2006:15:04:05 -0700"} {
			at, err := time.Parse(layout, s)
			if err != nil {
				continue
			}
			if ok && got != at.UnixMilli() {
				t.Fatalf("%q is %d, want %d", s, got, at.UnixMilli())
			}
		}
	})
}

// FuzzNormalizePage checks the bounds, and that the short cut for clean pages
// agrees with the long way.
func FuzzNormalizePage(f *testing.F) {
	for _, s := range []string{"", "/", "/a//b?c#d", "/%E6%96%87", "https://a/b", "/" + strings.Repeat("文", 300), "/%zz%", "%2f%2f", "/index.html", "\xff\x00"} {
		f.Add([]byte(s), uint8(0))
		f.Add([]byte(s), uint8(15))
	}
	f.Fuzz(func(t *testing.T, raw []byte, bits uint8) {
		r := PageRules{KeepQuery: bits&1 != 0, KeepFragment: bits&2 != 0, StripIndex: bits&4 != 0, Slash: SlashRule(bits >> 3 % 3)}
		page := r.Normalize(nil, raw)
		if len(page) == 0 || len(page) > MaxPage {
			t.Fatalf("page of %d bytes", len(page))
		}
		if r.clean(raw) && !bytes.Equal(page, raw) {
			t.Fatalf("%q is clean but becomes %q", raw, page)
		}
		if got := r.Normalize([]byte("x"), raw); !bytes.Equal(got[1:], page) {
			t.Fatalf("%q behind something is %q", page, got)
		}
	})
}

// FuzzNormalizeSite checks that normalising twice changes nothing and that
// nothing gets through that would be ambiguous in a key.
func FuzzNormalizeSite(f *testing.F) {
	for _, s := range []string{"ddkk.com", "https://www.DDKK.com:443/x", "[::1]:80", "bücher.example.", "www.www.com", "a..b", "ſ.K", "1:2", "xn--a", "www.xn--é", "a:b://c"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, host string) {
		site, ok := NormalizeSite(host)
		if !ok {
			return
		}
		if again, ok := NormalizeSite(site); !ok || again != site {
			t.Fatalf("%q -> %q -> %q", host, site, again)
		}
		literal := strings.HasPrefix(site, "[") && strings.HasSuffix(site, "]")
		if len(site) == 0 || len(site) > maxSite || strings.ContainsAny(site, "{}/?#@ %\\\x00") || !literal && strings.ContainsAny(site, ":[]") {
			t.Fatalf("%q -> %q", host, site)
		}
	})
}

// FuzzForm compares the decoder of query values with the standard library's,
// where that one accepts the value.
func FuzzForm(f *testing.F) {
	for _, s := range []string{"", "a", "%2Fposts%2F2019%2Fan+article%2F", "%", "%4", "%zz", "12345678+", "1234567%41", "%e6%96%87%e6%96%87%e6%96%87"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got := string(appendForm([]byte("x"), []byte(s)))[1:]
		if want, err := url.QueryUnescape(s); err == nil && got != want {
			t.Fatalf("%q is decoded to %q, want %q", s, got, want)
		}
		if !strings.ContainsAny(s, "%+") && got != s {
			t.Fatalf("plain %q is decoded to %q", s, got)
		}
	})
}

// FuzzReferer compares with the standard library's parser wherever that one
// reads a plain URL: no host may be taken for another.
func FuzzReferer(f *testing.F) {
	for _, s := range []string{"https://a.b/c", "http://u@a.b:1?x", `https:\\a.b`, "https://a.b@c.d", "null", "https://[::1]/"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, ref string) {
		host, _, ok := refererParts([]byte(ref))
		u, err := url.Parse(ref)
		if err != nil || u.Host == "" || strings.Contains(ref, `\`) || strings.HasPrefix(u.Host, "%") || u.Scheme != "http" && u.Scheme != "https" {
			return
		}
		got, ok1 := NormalizeSite(string(host))
		want, ok2 := NormalizeSite(u.Host)
		if ok && ok1 && ok2 && got != want {
			t.Fatalf("%q is of %q, want %q", ref, got, want)
		}
	})
}

// FuzzAddr compares the address reader with the standard library's.
func FuzzAddr(f *testing.F) {
	for _, s := range []string{"1.2.3.4", "::", "::1", "1::", "1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7::", "::ffff:1.2.3.4", "1:2:3:4:5:6:1.2.3.4", "1::2::3", "01.2.3.4", "a:b", ":", "1:"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got, ok := parseAddr([]byte(s))
		want, err := netip.ParseAddr(s)
		fine := err == nil && !strings.Contains(s, "%")
		if ok != fine || ok && got != want.Unmap() {
			t.Fatalf("parseAddr(%q) = %v, %t, want %v, %v", s, got, ok, want, err)
		}
	})
}

// TestParseAllocs: once the caches are warm a v1 line costs no allocation,
// whatever it becomes.
func TestParseAllocs(t *testing.T) {
	p, err := New(goldenConfig(FormatV1))
	if err != nil {
		t.Fatal(err)
	}
	var h Hit
	lines := benchLines(t, 100) // few, so that their pages have room
	for _, s := range goldenLines(t, FormatV1) {
		line := unquoteLine(t, s)
		p.Parse(line, &h)
		// Not cached: longer agents and hosts, and more than two days at a time.
		if len(line) < 1000 && (h.Day == 0 || h.Day == 20251122) {
			lines = append(lines, line)
		}
	}
	var key []byte
	var sum uint64
	parseAll := func() {
		for _, line := range lines {
			p.Parse(line, &h)
			key, _, _ = AppendEventKeys(key[:0], &h)
			sum += PairHash(h.Visitor, h.Page) + EventHash(h.Visitor, key)
		}
	}
	parseAll()
	parseAll() // a page is known from the second time on
	if n := testing.AllocsPerRun(5, parseAll); n != 0 {
		t.Errorf("%g allocations for %d lines (sum %x)", n, len(lines), sum)
	}
}
