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

// serverLog is a log in testdata/servers: its lines are what a real server wrote, or
// what its documentation shows, with Go's escapes.
type serverLog struct {
	name   string
	format Format
	lines  [][]byte
}

func serverLogs(t testing.TB) []serverLog {
	t.Helper()
	files, err := filepath.Glob("testdata/servers/*.log")
	if err != nil || len(files) < 20 {
		t.Fatalf("%d logs of servers: %v", len(files), err)
	}
	var all []serverLog
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		l := serverLog{name: strings.TrimSuffix(filepath.Base(file), ".log")}
		lines := strings.Split(strings.TrimSuffix(string(b), "\n"), "\n")
		if l.format, err = ParseFormat(strings.TrimPrefix(lines[0], "# format: ")); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		for _, line := range lines[2:] {
			l.lines = append(l.lines, unquoteLine(t, line))
		}
		all = append(all, l)
	}
	return all
}

// unread are lines that are no requests, by log: bytes of other protocols, which the
// servers log each in their own way.
var unread = map[string]string{
	"nginx-main": "request 2", "nginx-timed": "request 2", "nginx-json": "request 2", "nginx-none": "request 2", "nginx-ingress": "request 2",
	"apache-vcombined": "request 1", "apache-common": "request 1", "apache-ms": "request 1", "apache-own": "request 1",
	"haproxy": "request 3", "lighttpd": "request 2", "varnish": "request 1",
	"cloudfront": "comment 2", "iis": "comment 4", "alb": "request 1",
}

// TestServers reads each line of each server as a call of the site's API and as a view.
func TestServers(t *testing.T) {
	var b strings.Builder
	for _, l := range serverLogs(t) {
		c := Config{Format: l.format, Secret: []byte("servers"), LogLocation: time.FixedZone("CET", 3600),
			Proxies: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("10.0.0.0/24")}}
		views, err := New(c)
		if err != nil {
			t.Fatal(err)
		}
		c.Calls = &CallRules{Site: "site.example"}
		calls, err := New(c)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&b, "# %s\n", l.name)
		not := map[Reason]int{}
		for i, line := range l.lines {
			var h Hit
			calls.Parse(line, &h)
			fmt.Fprintf(&b, "%d: %s %s %s", i+1, h.Kind, h.Reason, h.Endpoint)
			if h.Kind == Malformed || h.Reason == SkipComment {
				not[h.Reason]++
			}
			views.Parse(line, &h)
			host := string(views.Host())
			if views.PageOf(&h, "site.example", h.URI); host != "" {
				views.PageOf(&h, host, h.URI)
			}
			fmt.Fprintf(&b, "\n   %s host=%q id=%q\n", describe(&h), host, h.RequestID)
		}
		var left []string
		for r, n := range not {
			left = append(left, fmt.Sprintf("%s %d", r, n))
		}
		if got := strings.Join(left, ", "); got != unread[l.name] {
			t.Errorf("%s: not read: %q, want %q", l.name, got, unread[l.name])
		}
	}
	checkGolden(t, "testdata/servers.golden", b.String())
}

// TestTornAndGlued: a line that lost its end, alone or with a whole one behind it, is
// malformed from the time on; so is one with bytes that its server cannot have written.
func TestTornAndGlued(t *testing.T) {
	const text = `$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent "$http_referer" "$http_user_agent"`
	const line = `203.0.113.7 - - [17/May/2015:10:05:03 +0000] "GET /a HTTP/1.1" 200 5 "https://ddkk.com/" "Mozilla/5.0 (X11; Linux x86_64)"`
	p, err := New(Config{Format: text})
	if err != nil {
		t.Fatal(err)
	}
	var h Hit
	if p.Parse([]byte(line), &h); h.Kind == Malformed {
		t.Fatal(h.Reason)
	}
	for i := range len(line) {
		if p.Parse([]byte(line[:i]), &h); h.Kind != Malformed {
			t.Errorf("torn at %d: %q is read", i, line[:i])
		}
		if p.Parse([]byte(line[:i]+line), &h); i > strings.IndexByte(line, '[') && h.Kind != Malformed {
			t.Errorf("glued at %d: %q is read", i, line[:i]+line)
		}
		if p.Parse([]byte(line[:i]+"\x00"+line[i:]), &h); h.Kind != Malformed {
			t.Errorf("a NUL at %d: is read", i)
		}
	}
}

// TestNestedJSON: a path leads through objects and arrays, a key with dots is found as
// well, and the first key of several that a line has is taken.
func TestNestedJSON(t *testing.T) {
	p, err := New(Config{Format: FormatJSON, JSONFields: map[string]string{"user_agent": "request.headers.User-Agent.1", "uri": "a.b", "host": "h.h"}})
	if err != nil {
		t.Fatal(err)
	}
	var h Hit
	f := func(line, uri, agent, host string) {
		t.Helper()
		if p.Parse([]byte(line), &h); string(h.URI) != uri || string(h.UserAgent) != agent || string(p.Host()) != host {
			t.Errorf("%s: %v %q %q %q, want %q %q %q", line, h.Reason, h.URI, h.UserAgent, p.Host(), uri, agent, host)
		}
	}
	f(`{"time":1763769600,"method":"GET","a":{"c":[1,{"b":2}],"b":"/x"},"request":{"headers":{"User-Agent":["u0","u\"1"],"X":[]}},"h.h":"ddkk.com"}`, "/x", `u"1`, "ddkk.com")
	f(`{"time":1763769600,"method":"GET","a.b":"/y","a":{"b":"/z"},"h":{"h":"ddkk.com"},"request":{"headers":null}}`, "/y", "", "ddkk.com")
	f(`{"time":1763769600,"method":"GET","a":{"b":{"b":"/no"}},"request":"GET /q HTTP/1.1","h":[{"h":"no"}],}`, "/q", "", "")
	for _, torn := range []string{`{"time":1763769600,"a":{"b":"/x"`, `{"time":1763769600,"request":{"headers":{"User-Agent":["a"`, `{"time":1763769600,"a":{"b":"/x"}`, `{"a":{"b" "/x"}}`} {
		if p.Parse([]byte(torn), &h); h.Kind != Malformed {
			t.Errorf("%s is read", torn)
		}
	}
	if own, err := New(Config{Format: "json:time=t,uri=u,uri=v,status=s,method=m", JSONFields: map[string]string{"status": "code"}}); err != nil {
		t.Error(err)
	} else if own.Parse([]byte(`{"t":1763769600,"v":"/v","u":"/u","code":404,"s":200,"m":"GET","request_method":"POST"}`), &h); string(h.URI) != "/u" || h.Status != 404 || string(h.Method) != "GET" {
		t.Errorf("keys of the format's own: %s", describe(&h))
	}
}

// TestForwarded: the addresses that a client names count only where a proxy of ours
// passed them on.
func TestForwarded(t *testing.T) {
	p, err := New(Config{Format: `$remote_addr [$time_local] "$request" $status "$http_x_forwarded_for"`, Proxies: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}})
	if err != nil {
		t.Fatal(err)
	}
	var h Hit
	for line, want := range map[string]string{
		`10.0.0.1 [17/May/2015:10:05:03 +0000] "GET / HTTP/1.1" 200 "6.6.6.6, 203.0.113.7, 10.0.0.2"`: "203.0.113.7",
		`203.0.113.9 [17/May/2015:10:05:03 +0000] "GET / HTTP/1.1" 200 "6.6.6.6"`:                     "203.0.113.9",
		`10.0.0.1 [17/May/2015:10:05:03 +0000] "GET / HTTP/1.1" 200 "-"`:                              "10.0.0.1",
		`unix: [17/May/2015:10:05:03 +0000] "GET / HTTP/1.1" 200 "203.0.113.7"`:                       "203.0.113.7",
	} {
		if p.Parse([]byte(line), &h); h.Addr.String() != want {
			t.Errorf("%s: %v, want %s", line, h.Addr, want)
		}
	}
}
