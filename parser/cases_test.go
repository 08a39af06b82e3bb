package parser

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// foreignCases are all of them; the first three are of the combined format, and
// each of their lines is a request.
var foreignCases = []string{"c02_upstream_retries.log", "c03_first_field.log", "c18_fields_behind.log", "c04_binary_requests.log",
	"c06_json_times.json", "c07_json_numbers.json", "c08_json_status.json", "c09_json_addr.json"}

// caseLines are the lines of a file in testdata/cases: what other servers, proxies
// and programs write, from public reports.
func caseLines(t testing.TB, name string) []string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", "cases", name))
	if err != nil {
		t.Fatal(err)
	}
	return strings.Split(strings.TrimSuffix(string(b), "\n"), "\n")
}

func caseFormat(name string) Format {
	if strings.HasSuffix(name, ".json") {
		return FormatJSON
	}
	return FormatCombined
}

// caseConfig trusts one network of proxies, and has a zone that is not UTC.
func caseConfig(name string) Config {
	return Config{Format: caseFormat(name), Secret: []byte("cases"), Sites: []string{"ddkk.com"},
		Proxies: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}, LogLocation: time.FixedZone("CST", 8*3600)}
}

// TestCases reads each line as a call of the site's API and as a view of its
// page. The golden file is what they are, the table below what they must be.
func TestCases(t *testing.T) {
	var b strings.Builder
	for _, name := range foreignCases {
		asCalls := caseConfig(name)
		asCalls.Calls = &CallRules{Site: "ddkk.com"}
		calls, err := New(asCalls)
		if err != nil {
			t.Fatal(err)
		}
		views, err := New(caseConfig(name))
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&b, "# %s\n", name)
		for i, line := range caseLines(t, name) {
			var h Hit
			calls.Parse([]byte(line), &h)
			fmt.Fprintf(&b, "%d: %s", i+1, h.Kind)
			if h.Reason != ReasonNone {
				fmt.Fprintf(&b, " %s\n", h.Reason)
				continue
			}
			fmt.Fprintf(&b, " %s %q status=%d failed=%t took=%g sent=%d", time.UnixMilli(h.Time).UTC().Format("15:04:05.000"), h.Endpoint, h.Status, h.Failed, h.RequestTime, h.BytesSent)
			views.Parse([]byte(line), &h)
			views.PageOf(&h, "ddkk.com", h.URI)
			fmt.Fprintf(&b, " | %s %q addr=%s visitor=%t zone=%t\n", h.Kind, h.Page, h.Addr, !h.Visitor.IsZero(), !views.Zoneless())
		}
	}
	checkGolden(t, "testdata/cases/cases.golden", b.String())
}

// TestCasesCount: how many lines of each case are calls, how many of those
// failed, and why the others are none.
func TestCasesCount(t *testing.T) {
	for name, want := range map[string]struct {
		calls, failed int
		malformed     map[Reason]int
	}{
		"c02_upstream_retries.log": {calls: 6, failed: 1},
		"c18_fields_behind.log":    {calls: 11},
		"c03_first_field.log":      {calls: 12},
		"c04_binary_requests.log":  {calls: 2, malformed: map[Reason]int{BadRequest: 11}},
		"c06_json_times.json":      {calls: 19},
		"c07_json_numbers.json":    {calls: 17},
		"c08_json_status.json":     {calls: 8, failed: 4},
		"c09_json_addr.json":       {calls: 8},
	} {
		config := caseConfig(name)
		config.Calls = &CallRules{Site: "ddkk.com"}
		p, err := New(config)
		if err != nil {
			t.Fatal(err)
		}
		calls, failed, malformed := 0, 0, map[Reason]int{}
		for _, line := range caseLines(t, name) {
			var h Hit
			p.Parse([]byte(line), &h)
			switch {
			case h.Kind == APICall:
				calls++
				if h.Failed {
					failed++
				}
			default:
				malformed[h.Reason]++
			}
		}
		if calls != want.calls || failed != want.failed || fmt.Sprint(malformed) != fmt.Sprint(want.malformed) && len(malformed)+len(want.malformed) > 0 {
			t.Errorf("%s: %d calls, %d failed, malformed %v; want %+v", name, calls, failed, malformed, want)
		}
	}
}

// TestClient: who asked, as servers and proxies name it; "none" is no address,
// "damage" no client at all.
func TestClient(t *testing.T) {
	p, err := New(caseConfig("x.log"))
	if err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]string{
		"203.0.113.7":                           "203.0.113.7",
		"198.51.100.4, 203.0.113.7":             "203.0.113.7",
		"198.51.100.4,203.0.113.7":              "203.0.113.7",
		"198.51.100.4, 203.0.113.7, 10.0.0.1":   "203.0.113.7",
		"10.0.0.2, 10.0.0.1":                    "10.0.0.2", // only proxies: the outermost
		"203.0.113.7, unknown":                  "203.0.113.7",
		"unknown, 10.0.0.1":                     "10.0.0.1",
		"203.0.113.7, 10.0.0.1:8080":            "203.0.113.7",
		"203.0.113.7, ":                         "203.0.113.7",
		",":                                     "none",
		"203.0.113.7:60162":                     "203.0.113.7",
		"[2001:db8::7]:60162":                   "2001:db8::7",
		"[2001:db8::7]":                         "2001:db8::7",
		`"[2001:db8::7]:60162"`:                 "2001:db8::7",
		"[fe80::1%eth0]:80":                     "fe80::1",
		"fe80::1%eth0":                          "fe80::1",
		"::ffff:203.0.113.7":                    "203.0.113.7",
		"[::ffff:203.0.113.7]:1":                "203.0.113.7",
		"unix:":                                 "none",
		"unix:/run/nginx.sock":                  "none",
		"-":                                     "none",
		"":                                      "none",
		"?":                                     "none",
		"localhost":                             "none",
		"crawl-66-249-66-1.googlebot.com":       "none",
		"host_1.example:443":                    "none",
		"203.0.113.xxx":                         "none",
		"203.0.113.*":                           "none",
		"2001:db8::xxxx":                        "none",
		"9f86d081884c7d659a2feaa0c55ad015":      "none", // a hash in place of the address
		"203.0.113":                             "damage",
		"203.0.113.256":                         "damage",
		"203.0.11203.0.113.7":                   "damage",
		"2001:db8::72001:db8::7":                "damage",
		"203.0.113.7:":                          "damage",
		"203.0.113.7:port":                      "none",
		"[2001:db8::7":                          "damage",
		"[2001:db8::7]x":                        "damage",
		"[]":                                    "damage",
		"a b":                                   "damage",
		"\"GET":                                 "none",
		"203.0.113.7, 203.0.113.256, 10.0.0.1":  "damage",
		"203.0.113.256, 203.0.113.7, 10.0.0.1 ": "203.0.113.7",
		"é":                                     "damage",
		"{\"a\":1}":                             "damage",
	} {
		addr, ok := p.client([]byte(text))
		got := addr.String()
		switch {
		case !ok && !addr.IsValid():
			got = "damage"
		case ok && !addr.IsValid():
			got = "none"
		}
		if got != want {
			t.Errorf("%q is %s, want %s", text, got, want)
		}
	}
}

// TestTimes: times as programs write them, in milliseconds of 2026-11-20 from
// 10:00 on, where the log's zone is UTC+8; -1 is none.
func TestTimes(t *testing.T) {
	p, err := New(caseConfig("x.log"))
	if err != nil {
		t.Fatal(err)
	}
	const begin, here = 1795168800_000, -8 * 3600_000
	for text, want := range map[string]int64{
		"2026-11-20T10:00:00Z": 0, "2026-11-20t10:00:00z": 0, "2026-11-20T10:00:00+00:00": 0, "2026-11-20T10:00:00+0000": 0, "2026-11-20T10:00:00+00": 0,
		"2026-11-20T11:00:00.5+01:00": 500, "2026-11-20T11:00:00.123456789+0100": 123, "2026-11-20 06:30:00 -0330": 0, "2026-11-20T10:00:00,999Z": 999,
		"2026-11-20 10:00:00.123 +0000 UTC": 123, "2026-11-20 11:00:00 +0100 CET": 0, "2026-11-20 10:00:00 UTC": 0, "2026-11-20 10:00:00 GMT": 0,
		"2026/11/20 10:00:00 +0000": 0, "2026-11-20_10:00:00Z": 0, "2026-11-20T10:00:60Z": 60_000, "2026-11-20T10:00:00.Z": -1,
		"2026-11-20T10:00:00": here, "2026-11-20 10:00:00": here, "2026/11/20 10:00:00.25": here + 250, "2026-11-20 10:00:00,25": here + 250,
		"20/Nov/2026:10:00:00 +0000": 0, "[20/Nov/2026:10:00:00 +0000]": 0, "20/Nov/2026:10:00:00.123 +0000": 123, "20/Nov/2026:10:00:00": here,
		"20/Nov/2026 10:00:00 +0000": 0, "20/Nov/2026:12:00:00 +02:00": 0,
		"1795168800": 0, "1795168800.": 0, "1795168800.1": 100, "1795168800.123456": 123, "1795168800123": 123, "1795168800123.9": 123, "1795168800123456": 123,
		"1795168800123456789": 123, "1.795168800123e+09": 123, "1.795168800123E9": 123, "1795168800123e-3": 123, "01795168800": 0, "0.1795168800123e10": 123,
		"17951688001234567.89e2":        123,
		"Fri, 20 Nov 2026 10:00:00 GMT": 0, "Fri, 20 Nov 2026 10:00:00 UTC": 0, "Fri, 20 Nov 2026 12:00:00 +0200": 0, "Friday, 20-Nov-26 10:00:00 GMT": 0,
		"Fri Nov 20 10:00:00 2026": here, "Fri Nov 20 10:00:00 UTC 2026": 0, "Fri Nov 20 12:00:00 +0200 2026": 0,
		// A zone's name means several zones.
		"Fri, 20 Nov 2026 10:00:00 CST": -1, "2026-11-20 10:00:00 CST": -1,
		"": -1, "-": -1, ".": -1, "e9": -1, "1e": -1, "1e99999": -1, "1795168800e1000": -1, "yesterday": -1, "12": -1, "179516880012": -1, "-1795168800": -1, "17951688001.2.3": -1,
		"2026-13-20T10:00:00Z": -1, "2026-02-30T10:00:00Z": -1, "2026-11-20T24:00:00Z": -1, "2026-11-20T10:60:00Z": -1, "2026-11-20T10:00:00+25:00": -1,
		"2026-11-20T10:00:00Zx": -1, "2026-11-20T10:00:00+0": -1, "2026-11-20T10:00:00+0000x": -1, "2026-11-20T10:00": -1, "2026-11-20": -1, "99999-01-01": -1,
		"20/Nov/2026:10:00:0": -1, "20/Now/2026:10:00:00 +0000": -1, "1999-01-01T00:00:00Z": -1, "2101-01-01T00:00:00Z": -1, "99999999999999999999": -1,
	} {
		p.extra.zoneless = false
		ms, ok := p.parseTime([]byte(text))
		if ok {
			ms -= begin
		} else {
			ms = -1
		}
		if ms != want {
			t.Errorf("%q is %d, want %d", text, ms, want)
		}
		if ok && p.Zoneless() != (want < -1) {
			t.Errorf("%q: zoneless %t", text, p.Zoneless())
		}
	}
}

// TestNumbers: numbers as programs write them, and what is none.
func TestNumbers(t *testing.T) {
	for text, want := range map[string]float64{
		"0.001": 0.001, "9.3e-05": 9.3e-5, "1.5e0": 1.5, ".5": 0.5, "5.": 5, "12": 12, "12ms": 0.012, "1.5s": 1.5, "3 ms": 0.003, "250us": 0.00025, "250µs": 0.00025, "7ns": 7e-9,
		"-": -1, "": -1, "-1": -1, "-0.5": -1, "0.003, 0.010": -1, "nan": -1, "inf": -1, "Infinity": -1, "0x10": -1, "1_000": -1, "1e300": -1, "1e999": -1, "ms": -1, "12min": -1, "x": -1,
	} {
		if got := looseSeconds([]byte(text)); got != want && max(got-want, want-got) > 1e-12 {
			t.Errorf("%q is %g seconds, want %g", text, got, want)
		}
	}
	for text, want := range map[string]int64{"512": 512, "512.0": 512, "1e3": 1000, "-": 0, "": 0, "-1": 0, "x": 0, "1e30": 0, "0x10": 0} {
		if got := looseSize([]byte(text)); got != want {
			t.Errorf("%q is %d bytes, want %d", text, got, want)
		}
	}
	for text, want := range map[string]int{"200": 200, "200.0": 200, "200 OK": 200, "502, 200": 200, " 404": 404, "000": 0, "0": 0, "-": 0, "": 0, "-1": 0, "99": 0, "2000": 0, "OK": 0, "200OK": 0, "502,": 0} {
		if got := looseStatus([]byte(text)); got != want {
			t.Errorf("%q is status %d, want %d", text, got, want)
		}
	}
}

// TestRequests: what is a request to a site.
func TestRequests(t *testing.T) {
	for line, want := range map[string]bool{
		"GET / HTTP/1.1": true, "GET /": true, "GET  / HTTP/1.1": true, "GET /a b HTTP/1.1": true, "OPTIONS * HTTP/1.1": true, "GET http://ddkk.com/a HTTP/1.1": true,
		"get / HTTP/1.1": true, "PROPFIND /dav HTTP/1.1": true, "M-SEARCH http://[::1]/ HTTP/1.1": true,
		"": false, "-": false, "GET": false, "GET * HTTP/1.1": false, "PRI * HTTP/2.0": false, "CONNECT ddkk.com:443 HTTP/1.1": false, "SSH-2.0-Go": false, "t3 12.1.2": false,
		"MGLNDD_203.0.113.1_443": false, "\x16\x03\x01 /\x00": false, "GET ../etc/passwd HTTP/1.1": false, "GET index.html HTTP/1.1": false, "GET ://x/ HTTP/1.1": false,
		"\x00\x00 / HTTP/1.1": false, "\"GET / HTTP/1.1": false, "(GET) / HTTP/1.1": false, " / HTTP/1.1": false, "OPTIONS ** HTTP/1.1": false,
	} {
		if got := isRequest(splitRequest([]byte(line))); got != want {
			t.Errorf("%q is a request: %t, want %t", line, got, want)
		}
	}
	for target, want := range map[string]string{
		"/a": "", "*": "", "": "", "http://other.host/": "other.host", "http://other.host": "other.host", "https://u:p@other.host:8080?x": "other.host:8080", "/http://x/": "", "a://": "",
	} {
		if got := string(targetHost([]byte(target))); got != want {
			t.Errorf("%q is of %q, want %q", target, got, want)
		}
	}
}

// TestGluedForeign: a line that lost its end and the whole one behind it are one
// malformed line, wherever the first was cut from its time on. (Before it, a user's
// name with blanks looks the same.)
func TestGluedForeign(t *testing.T) {
	p, err := New(caseConfig("x.log"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range foreignCases[:3] {
		for _, good := range caseLines(t, name) {
			var h Hit
			for n := strings.IndexByte(good, '/'); n <= len(good); n++ {
				glued := good[:n] + good
				if p.Parse([]byte(glued), &h); h.Kind != Malformed {
					t.Fatalf("%s: cut at %d and glued: %s", good[:n], n, describe(&h))
				}
			}
		}
	}
}

// TestAskedHost: who asks for another host's URL takes us for a proxy: neither a
// call nor, for import, a request of this site's.
func TestAskedHost(t *testing.T) {
	p := callParser(t, Config{Format: FormatCombined}, CallRules{Site: "ddkk.com"})
	for target, want := range map[string]Kind{"/a": APICall, "http://www.ddkk.com:80/a": APICall, "http://other.host/": Skipped} {
		var h Hit
		p.Parse([]byte(`203.0.113.7 - - [20/Nov/2026:10:00:00 +0000] "GET `+target+` HTTP/1.1" 200 5 "-" "x"`), &h)
		if h.Kind != want || want == Skipped && h.Reason != SkipSite {
			t.Errorf("%s: %s %s", target, h.Kind, h.Reason)
		}
	}
}

// TestHostBeforeClient: Apache's vhost_combined has the host first.
func TestHostBeforeClient(t *testing.T) {
	p := callParser(t, Config{Format: FormatCombined}, CallRules{Site: "ddkk.com"})
	var h Hit
	p.Parse([]byte(`blog.example:443 203.0.113.7 - bob [20/Nov/2026:10:00:00 +0000] "GET /a HTTP/1.1" 200 5 "-" "x"`), &h)
	if h.Kind != APICall || h.Site != "blog.example" || h.Addr.String() != "203.0.113.7" || string(h.RemoteUser) != "bob" {
		t.Errorf("%s %s", h.Site, describe(&h))
	}
}
