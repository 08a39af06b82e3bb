package format

import (
	"bytes"
	"strings"
	"testing"
)

// FuzzCompile: whatever text is given as a format, compiling it ends, and what it
// compiles reads any line without a panic, giving slices of that line alone.
func FuzzCompile(f *testing.F) {
	for _, n := range table {
		f.Add(n.text, `203.0.113.7 - - [17/May/2015:10:05:03 +0000] "GET /a HTTP/1.1" 200 5 "-" "x"`)
	}
	f.Add(`log_format x escape=none '$msec $request $status $...';`, "1.5 GET / 200 z")
	f.Add(`%{%s}t|%U%q|%>s|%{X-Forwarded-For}i`, "1763769600|/a?b|200|a, b")
	f.Add(`$...$remote_addr_port $msec $scheme://$host$request_uri $status`, "x ::1:5 1.5 http://h/p 200")
	f.Fuzz(func(t *testing.T, text, line string) {
		l, err := Compile(text)
		if err != nil {
			return
		}
		if l.JSON != nil || line == "" {
			return
		}
		var fields Fields
		if d := l.Read([]byte(line), &fields); d > Changed {
			t.Fatalf("damage %d", d)
		}
		for i, v := range fields {
			if !bytes.Contains([]byte(line), v) {
				t.Fatalf("%v is %q, which %q has not", Field(i), v, line)
			}
		}
	})
}

// FuzzFrom: a configuration is anybody's text.
func FuzzFrom(f *testing.F) {
	f.Add("log_format main '$msec' \"$request\" ;", "main")
	f.Add("LogFormat \"%h \\\n%r\" x", "x")
	f.Fuzz(func(t *testing.T, config, name string) {
		text, err := From(config, name)
		if err == nil && len(text) > 2*len(config)+len("combined") {
			t.Fatalf("%q has a format %q", config, text)
		}
	})
}

// FuzzWritten: what a server that escapes writes of any values comes back as it was.
func FuzzWritten(f *testing.F) {
	f.Add("203.0.113.7", "GET /a HTTP/1.1", "https://ddkk.com/", "Mozilla/5.0")
	f.Add("-", `" "`, `\`, "")
	f.Fuzz(func(t *testing.T, addr, request, referer, agent string) {
		escape := func(s string) string {
			var b strings.Builder
			for _, c := range []byte(s) {
				if c < ' ' || c > '~' || c == '"' || c == '\\' {
					const hex = "0123456789ABCDEF"
					b.WriteString(`\x` + string(hex[c>>4]) + string(hex[c&15]))
					continue
				}
				b.WriteByte(c)
			}
			return b.String()
		}
		if strings.ContainsAny(escape(addr), " \t") {
			return
		}
		l, err := Compile(`$remote_addr [$time_local] "$request" $status "$http_referer" "$http_user_agent" "$http_cookie"`)
		if err != nil {
			t.Fatal(err)
		}
		line := escape(addr) + ` [17/May/2015:10:05:03 +0000] "` + escape(request) + `" 200 "` + escape(referer) + `" "` + escape(agent) + `" "` + escape(referer) + `"`
		var got Fields
		if d := l.Read([]byte(line), &got); d != Sound {
			t.Fatalf("%q: damage %d", line, d)
		}
		for field, want := range map[Field]string{Addr: addr, Request: request, Referer: referer, Agent: agent, Status: "200"} {
			if want == "-" {
				want = "" // both are missing
			}
			if string(got[field]) != escape(want) {
				t.Fatalf("%q: %v is %q", line, field, got[field])
			}
		}
	})
}
