package nginx_test

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"net/netip"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"ddkk-stats/internal/beacon"
	"ddkk-stats/parser"
)

// sent is a request with everything that a client decides on; nil means that
// the header is not sent.
type sent struct {
	uri, host, referer, agent, purpose, gpc, user, language []byte
}

func (r sent) bytes() string {
	var b bytes.Buffer
	fmt.Fprintf(&b, "GET %s HTTP/1.1\r\nConnection: close\r\n", r.uri)
	for _, h := range []struct {
		name  string
		value []byte
	}{{"Host", r.host}, {"Referer", r.referer}, {"User-Agent", r.agent}, {"Sec-Purpose", r.purpose}, {"Sec-GPC", r.gpc}, {"Accept-Language", r.language}} {
		if h.value != nil {
			fmt.Fprintf(&b, "%s: %s\r\n", h.name, h.value)
		}
	}
	if r.user != nil {
		fmt.Fprintf(&b, "Authorization: Basic %s\r\n", base64.StdEncoding.EncodeToString(append(bytes.Clone(r.user), ":secret"...)))
	}
	b.WriteString("\r\n")
	return b.String()
}

// bytesBut are all bytes from low to 0xFF but those named.
func bytesBut(low byte, but string) []byte {
	var all []byte
	for c := int(low); c < 256; c++ {
		if !strings.ContainsRune(but, rune(c)) || c >= 0x80 {
			all = append(all, byte(c))
		}
	}
	return all
}

// hostile are requests whose fields hold whatever HTTP, and nginx, let through.
func hostile() map[string]sent {
	text := func(s string) sent {
		b := []byte(s)
		return sent{uri: append([]byte("/event.png?page="), b...), host: []byte("ddkk.com"), referer: b, agent: b, purpose: b, gpc: b, user: b, language: b}
	}
	// A header's value begins and ends with something that nginx does not trim.
	value := append(append([]byte("<"), bytesBut(1, "\r\n")...), '>')
	return map[string]sent{
		"plain":         {uri: []byte("/event.png?page=%2F&site=ddkk.com"), host: []byte("ddkk.com"), referer: []byte("https://ddkk.com/"), agent: []byte("Mozilla/5.0")},
		"nothing":       {uri: []byte("/event.png"), host: []byte("ddkk.com")},
		"dashes":        {uri: []byte("/event.png?-"), host: []byte("ddkk.com"), agent: []byte("--")},
		"UTF-8":         text("文章/é/🙂"),
		"bad UTF-8":     text("\xff\xfe\xc3(\xed\xa0\x80"),
		"quotes":        text(`"'\"\\`),
		"looks escaped": text(`\x41\x0A\n\t%09`),
		"like a line":   text(`end\x0Av1`),
		"every byte": {
			uri:     append([]byte("/event.png?page="), bytesBut(0x21, "\x7f#")...),
			host:    append([]byte("d"), bytesBut(0x80, "")...),
			referer: value, agent: value, purpose: value, gpc: value, language: value,
			user: bytesBut(0, ":"),
		},
		"long":      {uri: []byte("/event.png?page=" + strings.Repeat("\xe6", beacon.MaxURI-len("/event.png?page="))), host: []byte("ddkk.com"), agent: bytes.Repeat([]byte("\xff"), 3000)},
		"many long": {uri: []byte("/event.png?page=%2F"), host: bytes.Repeat([]byte("\xff"), 600), referer: bytes.Repeat([]byte("\xff"), 6000), purpose: bytes.Repeat([]byte("\xff"), 900), gpc: bytes.Repeat([]byte("\xff"), 900), user: bytes.Repeat([]byte("\xff"), 900), language: bytes.Repeat([]byte("\xff"), 900)},
		"language":  {uri: []byte("/event.png?site=ddkk.com&page=%2F"), host: []byte("ddkk.com"), agent: []byte("Mozilla/5.0"), language: []byte("de-DE,de;q=0.9,en;q=0.8")},
	}
}

// The line of each hostile request is, byte for byte, what the built-in beacon
// writes for the same request, and the parser gives the client's own bytes
// back. So the shipped configuration, the built-in beacon and the parser stay
// together.
func TestRealLogLines(t *testing.T) {
	s := start(t, nginxConf())
	n := 0
	for name, r := range hostile() {
		if a := s.raw(t, r.bytes()); a.status != 200 {
			t.Fatalf("%s: status %d", name, a.status)
		}
		lines := s.lines(t)
		if n++; len(lines) != n {
			t.Fatalf("%s: %d lines, want %d", name, len(lines), n)
		}
		line := lines[n-1]
		for i := range len(line) {
			if line[i] != '\t' && (line[i] < 0x20 || line[i] > 0x7e) {
				t.Errorf("%s: byte %#02x in the line %q", name, line[i], line)
			}
		}
		if got := builtIn(t, r, line); got != line {
			t.Errorf("%s: nginx and the built-in beacon differ:\n%s\n%s", name, line, got)
		}
		checkHit(t, name, r, line)
	}
}

// builtIn has the built-in beacon write the request's line, with the fields
// that nginx decided on (time, id, duration) taken from nginx's line.
func builtIn(t *testing.T, r sent, line string) string {
	t.Helper()
	fields := strings.Split(line, "\t")
	if len(fields) != parser.NumFieldsV2 {
		t.Fatalf("%d fields in %q", len(fields), line)
	}
	path := filepath.Join(t.TempDir(), "event.log")
	l, err := beacon.OpenLog(path, beacon.Options{SegmentID: parser.SegmentID})
	if err != nil {
		t.Fatal(err)
	}
	pos, err := l.Append(beacon.Record{
		Time: time.UnixMilli(millis(t, fields[1])), RequestID: []byte(fields[2]), Addr: netip.MustParseAddr("127.0.0.1"),
		Host: r.host, Method: []byte("GET"), Status: 200, URI: r.uri, Referer: r.referer, UserAgent: r.agent,
		SecPurpose: r.purpose, SecGPC: r.gpc, RemoteUser: r.user, Language: r.language,
		RequestTime: time.Duration(millis(t, fields[13])) * time.Millisecond, BytesSent: int64(len(beacon.GIF)),
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if pos != (beacon.Position{Segment: fields[2], End: int64(len(line)) + 1}) {
		t.Errorf("position %v after the first line, of id %s", pos, fields[2])
	}
	return strings.TrimSuffix(read(t, path), "\n")
}

func millis(t *testing.T, seconds string) int64 {
	t.Helper()
	n, err := strconv.ParseInt(strings.Replace(seconds, ".", "", 1), 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func checkHit(t *testing.T, name string, r sent, line string) {
	t.Helper()
	p, err := parser.New(parser.Config{Format: parser.FormatV1, Secret: []byte("test")})
	if err != nil {
		t.Fatal(err)
	}
	var h parser.Hit
	p.Parse([]byte(line), &h)
	if h.Kind == parser.Malformed {
		t.Fatalf("%s: malformed (%v): %s", name, h.Reason, line)
	}
	for _, f := range []struct {
		what      string
		got, want []byte
	}{
		{"uri", h.URI, r.uri}, {"referer", h.Referer, r.referer[:min(len(r.referer), 2048)]}, {"agent", h.UserAgent, r.agent[:min(len(r.agent), 512)]},
		{"user", h.RemoteUser, r.user[:min(len(r.user), 300)]}, {"method", h.Method, []byte("GET")},
		{"id", h.RequestID, []byte(strings.Split(line, "\t")[2])},
	} {
		if !bytes.Equal(f.got, f.want) {
			t.Errorf("%s: %s is %q, the client sent %q", name, f.what, f.got, f.want)
		}
	}
	if h.Addr != netip.MustParseAddr("127.0.0.1") || h.Status != 200 || h.BytesSent != 43 || h.Time != millis(t, strings.Split(line, "\t")[1]) {
		t.Errorf("%s: address %v, status %d, %d bytes, time %d", name, h.Addr, h.Status, h.BytesSent, h.Time)
	}
	if v := h.Facets[parser.Language]; name == "language" && (v == nil || v.Name() != "de") {
		t.Errorf("%s: %v", name, v)
	}
	if got := parser.SegmentID([]byte(line)); got != string(h.RequestID) {
		t.Errorf("%s: segment %s, request %s", name, got, h.RequestID)
	}
}

// Headers that are sent empty are as those that are not sent.
func TestRealEmptyHeaders(t *testing.T) {
	s := start(t, nginxConf())
	empty := []byte{}
	r := sent{uri: []byte("/event.png?site=ddkk.com&page=%2F"), host: []byte("ddkk.com"), referer: empty, agent: empty, purpose: empty, gpc: empty}
	s.raw(t, r.bytes())
	line := s.lines(t)[0]
	checkHit(t, "empty", r, line)
	if strings.Contains(line, "\t\t") || !strings.Contains(line, "\t-\t-\t-\t-\t-\t") {
		t.Errorf("of empty headers: %q", line)
	}
}

// Every method and status is in the line, for the parser to decide on.
func TestRealUncountedLines(t *testing.T) {
	s := start(t, nginxConf())
	s.raw(t, request("HEAD", "/event.png"))
	s.raw(t, request("POST", "/event.png", "Content-Length: 0"))
	s.raw(t, request("GET", "/event.png?page=/&site=ddkk.com", "Sec-Purpose: prefetch"))
	p, err := parser.New(parser.Config{Format: parser.FormatV1, Secret: []byte("test")})
	if err != nil {
		t.Fatal(err)
	}
	want := []parser.Reason{parser.SkipMethod, parser.SkipMethod, parser.SkipPrefetch}
	for i, line := range s.lines(t) {
		var h parser.Hit
		if p.Parse([]byte(line), &h); h.Kind != parser.Skipped || h.Reason != want[i] {
			t.Errorf("%v, %v: %s", h.Kind, h.Reason, line)
		}
	}
}

// What is longer than any beacon is refused and not logged; the longest line that
// a stranger can have written stays below half of what the parser takes.
func TestRealLongestLine(t *testing.T) {
	s := start(t, nginxConf())
	for _, r := range []sent{
		{uri: []byte("/event.png?page=" + strings.Repeat("a", beacon.MaxURI)), host: []byte("ddkk.com")},
		{uri: []byte("/event.png?page=" + strings.Repeat("\xff", beacon.MaxURI)), host: []byte("ddkk.com")},
	} {
		if a := s.raw(t, r.bytes()); a.status != 414 {
			t.Errorf("a request line of %d bytes: status %d", len(r.uri), a.status)
		}
	}
	wide := bytes.Repeat([]byte("\xff"), 2500)
	s.raw(t, sent{uri: append([]byte("/event.png?page="), bytes.Repeat([]byte("\xff"), beacon.MaxURI-16)...), host: wide[:500], referer: wide, agent: wide[:1500], purpose: wide[:500], gpc: wide[:500], user: wide[:500]}.bytes())
	lines := s.lines(t)
	if len(lines) != 1 || len(lines[0]) < 30_000 || len(lines[0]) > 32<<10 {
		t.Fatalf("%d lines; the longest that was tried has %d bytes", len(lines), len(lines[len(lines)-1]))
	}
}
