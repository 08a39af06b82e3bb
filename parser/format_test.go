package parser

import (
	"strings"
	"testing"
)

func TestDetect(t *testing.T) {
	f := func(line string, want Format) {
		t.Helper()
		if got := Detect([]byte(line)); got != want {
			t.Errorf("Detect(%q) = %v, want %v", line, got, want)
		}
	}
	f("v1\t1763769600.123\t", FormatV1)
	f("", FormatV1)
	f("garbage", FormatV1)
	f(`{"a":1}`, FormatJSON)
	f(byteOrderMark+` {"a":1}`, FormatJSON)
	f(`1.2.3.4 - - [17/May/2015:10:05:03 +0000] "GET / HTTP/1.1" 200 1 "-" "-"`, FormatCombined)
	f(gzLines(t, realLog)[0], FormatCombined)
}

func TestSegmentID(t *testing.T) {
	f := func(line, want string) {
		t.Helper()
		if got := SegmentID([]byte(line)); got != want {
			t.Errorf("SegmentID(%q) = %q, want %q", line, got, want)
		}
	}
	const id = "4f0c1d2e3a4b5c6d7e8f90a1b2c3d4e5"
	f("v1\t1763769600.123\t"+id+"\trest", id)
	f("v1\t1763769600.123\t"+strings.ToUpper(id)+"\trest\r", id)
	// anything else: the begin of SHA-256("abc") (FIPS 180-2, B.1)
	f("abc", "ba7816bf8f01cfea414140de5dae2223")
	f("abc\r", "ba7816bf8f01cfea414140de5dae2223")
	if got := SegmentID([]byte("v1\t1763769600.123\tshort\trest")); len(got) != 32 {
		t.Errorf("identity of a line without a request id is %q", got)
	}
	if SegmentID([]byte("v1\t1\t"+id)) == id {
		t.Error("a torn request id is an identity")
	}
}

func TestNames(t *testing.T) {
	seen := map[string]bool{}
	for r := range NumReasons {
		if name := r.String(); name == "" || seen[name] || name != strings.ToLower(name) {
			t.Errorf("reason %d is called %q", r, name)
		} else {
			seen[name] = true
		}
	}
	for _, f := range []Format{FormatV1, FormatCombined, FormatJSON} {
		if got, err := ParseFormat(f.String()); err != nil || got != f {
			t.Errorf("ParseFormat(%q) = %v, %v", f, got, err)
		}
	}
	if _, err := ParseFormat("xml"); err == nil {
		t.Error("format xml is accepted")
	}
}

func TestConfigErrors(t *testing.T) {
	_, err := New(Config{
		Format: "no format", BeaconPath: "pixel?x", Sites: []string{"ok.example", "not a site"},
		Aliases: map[string]string{"a.b": "c d"}, JSONFields: map[string]string{"colour": "c"},
	})
	if err == nil {
		t.Fatal("a wrong configuration is accepted")
	}
	for _, part := range []string{`"no format"`, `"pixel?x"`, `"not a site"`, `"c d"`, `"colour"`} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("the error does not tell of %s: %v", part, err)
		}
	}
}

func TestJSONFieldNames(t *testing.T) {
	p, err := New(Config{Format: FormatJSON, JSONFields: map[string]string{"time": "t", "addr": "ip", "user_agent": "ua"}})
	if err != nil {
		t.Fatal(err)
	}
	var h Hit
	p.Parse([]byte(`{"msec":"0","t":1763769600.5,"ip":"203.0.113.7","ua":"x","http_user_agent":"y","status":200,"request":"GET / HTTP/1.1"}`), &h)
	if h.Time != 1763769600500 || h.Addr.String() != "203.0.113.7" || string(h.UserAgent) != "x" {
		t.Errorf("renamed fields: %s", describe(&h))
	}
}

func TestPageOf(t *testing.T) {
	p, err := New(Config{Format: FormatCombined, Sites: []string{"a.b"}, BlockedPaths: []string{"/no*"}})
	if err != nil {
		t.Fatal(err)
	}
	line := []byte(`203.0.113.7 - - [17/May/2015:10:05:03 +0000] "GET /x%41?q HTTP/1.1" 200 5 "-" "Googlebot/2.1 Mobile"`)
	var h Hit
	p.Parse(line, &h)
	p.PageOf(&h, "www.A.b", h.URI)
	if h.Kind != Pageview || h.Site != "a.b" || string(h.Page) != "/xA" || !h.Bot || h.Device != Mobile || h.Visitor.IsZero() {
		t.Errorf("imported: %s", describe(&h))
	}
	if p.PageOf(&h, "c.d", h.URI); h.Kind != Skipped || h.Reason != SkipSite {
		t.Errorf("other site: %s", describe(&h))
	}
	if p.PageOf(&h, "a.b", []byte("/nope")); h.Kind != Skipped || h.Reason != SkipBlocked {
		t.Errorf("blocked page: %s", describe(&h))
	}
	p.Parse([]byte("garbage"), &h)
	if p.PageOf(&h, "a.b", []byte("/")); h.Kind != Malformed {
		t.Errorf("malformed line: %s", describe(&h))
	}
}

func TestHostOfLine(t *testing.T) {
	p, err := New(Config{})
	if err != nil {
		t.Fatal(err)
	}
	var h Hit
	p.Parse(v1Line(1763769600000, 1, "203.0.113.7", "/", "-", "x"), &h)
	if got := string(p.Host()); got != "stats-host.example" {
		t.Errorf("host is %q", got)
	}
}
