package format

import (
	"strings"
	"testing"
)

// fields are those of a line by a format, as text.
func fields(t *testing.T, text, line string) (map[string]string, Damage) {
	t.Helper()
	l, err := Compile(text)
	if err != nil {
		t.Fatalf("compile %q: %v", text, err)
	}
	var f Fields
	d := l.Read([]byte(line), &f)
	got := map[string]string{}
	for i, v := range f {
		if v != nil {
			got[Field(i).String()] = string(v)
		}
	}
	return got, d
}

// reads checks that a line has just these fields, "name=value" each.
func reads(t *testing.T, text, line string, want ...string) {
	t.Helper()
	got, d := fields(t, text, line)
	if d != Sound {
		t.Errorf("%q\nread by %q is damaged: %d, with %q", line, text, d, got)
		return
	}
	for _, w := range want {
		name, value, _ := strings.Cut(w, "=")
		if v, ok := got[name]; !ok || v != value {
			t.Errorf("%q\nread by %q: %s is %q, want %q", line, text, name, v, value)
		}
		delete(got, name)
	}
	if len(got) > 0 {
		t.Errorf("%q\nread by %q has %q as well", line, text, got)
	}
}

func TestNginx(t *testing.T) {
	const main = `$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent "$http_referer" "$http_user_agent" "$http_x_forwarded_for"`
	reads(t, main, `203.0.113.7 - a b [17/May/2015:10:05:03 +0000] "GET /a b HTTP/1.1" 200 5 "-" "x \x22y\x22" "198.51.100.1, 10.0.0.1"`,
		"addr=203.0.113.7", "remote_user=a b", "time=17/May/2015:10:05:03 +0000", "request=GET /a b HTTP/1.1", "status=200", "body_bytes_sent=5",
		`user_agent=x \x22y\x22`, "forwarded_for=198.51.100.1, 10.0.0.1")

	// A directive as it stands in the file, quoted pieces, and the text alone are one.
	for _, text := range []string{
		"log_format x '$time_iso8601 $request_method '\n   '$request_uri $status' ; # c", `'$time_iso8601 $request_method ' '$request_uri $status'`,
		`$time_iso8601 $request_method $request_uri $status`, `log_format x escape=none "$time_iso8601 ${request_method} $request_uri $status";`,
	} {
		reads(t, text, `2026-11-20T10:00:00+01:00 GET /a?b 404`, "time=2026-11-20T10:00:00+01:00", "method=GET", "uri=/a?b", "status=404")
	}

	// Lists of tries, and a time with a blank outside of brackets.
	reads(t, `$upstream_addr $upstream_status $time_local $status "$request"`, `10.0.0.1:80, 10.0.0.2:80 : 10.0.0.3:80 502, 200 : 200 17/May/2015:10:05:03 +0000 200 "GET / HTTP/1.0"`,
		"time=17/May/2015:10:05:03 +0000", "status=200", "request=GET / HTTP/1.0")

	// What is not needed is read over, whatever is in it.
	reads(t, `$msec "$http_cookie" [$http_foo] $status $request_method $scheme://$host$request_uri $request_time "$http_bar" $pid`,
		`1763769600.123 "a=\x22[x] 500 GET" [-] 200 GET https://ddkk.com/x?y 0.003 "what [so] \x22ever" 7 8 9`,
		"time=1763769600.123", "status=200", "method=GET", "host=ddkk.com", "uri=/x?y", "request_time=0.003")

	// escape=json: a template of an object.
	reads(t, `log_format j escape=json '{"t":"$msec","r":"$request","s":$status,"ua":"$http_user_agent","up":"$upstream_addr"}';`,
		`{"t":"1763769600.123","r":"GET /\"a\\ HTTP/1.1","s":200,"ua":"a\",\"up\":\"b","up":"x"}`,
		"time=1763769600.123", `request=GET /\"a\\ HTTP/1.1`, "status=200", `user_agent=a\",\"up\":\"b`)

	// Several variables for one field: the best is taken.
	reads(t, `$time_local $msec $server_name $http_host $host $bytes_sent $body_bytes_sent $status $uri$is_args$args`,
		`17/May/2015:10:05:03 +0000 1.5 a b c 9 8 200 /x?y=z`, "time=1.5", "host=c", "body_bytes_sent=8", "status=200", "uri=/x?y=z")
}

func TestApache(t *testing.T) {
	reads(t, `LogFormat "%v:%p %h %l %u %t \"%r\" %>s %O \"%{Referer}i\" \"%{User-Agent}i\" %D" vhost`,
		`ddkk.com:443 203.0.113.7 - - [17/May/2015:10:05:03 +0000] "GET /\"a HTTP/1.1" 200 5 "-" "\"x\" y" 1234`,
		"host=ddkk.com", "addr=203.0.113.7", "time=17/May/2015:10:05:03 +0000", `request=GET /\"a HTTP/1.1`, "status=200",
		"body_bytes_sent=5", `user_agent=\"x\" y`, "request_time_us=1234")
	reads(t, `%a [%{%d/%b/%Y:%T}t.%{msec_frac}t %{%z}t] %m %U%q %400,501{User-agent}i %<s %>s %{ms}T %{X-Forwarded-For}i|%%`,
		`::1 [17/May/2015:10:05:03.123 +0000] GET /x?y Mozilla 301 200 12 198.51.100.1, 10.0.0.1|%`,
		"addr=::1", "time=17/May/2015:10:05:03.123 +0000", "method=GET", "uri=/x?y", "user_agent=Mozilla", "status=200", "request_time_ms=12", "forwarded_for=198.51.100.1, 10.0.0.1")
	reads(t, `%{%Y-%m-%d %H:%M:%S}t\t%r\t%s`, "2026-11-20 10:00:00\tGET / HTTP/1.1\t200", "time=2026-11-20 10:00:00", "request=GET / HTTP/1.1", "status=200")
}

func TestDamage(t *testing.T) {
	const ncsa = `$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent "$http_referer" "$http_user_agent"`
	const line = `203.0.113.7 - - [17/May/2015:10:05:03 +0000] "GET /a HTTP/1.1" 200 5 "https://ddkk.com/" "Mozilla/5.0"`
	for i := range len(line) {
		if _, d := fields(t, ncsa, line[:i]); d == Sound {
			t.Errorf("torn at %d: %q is read", i, line[:i])
		}
	}
	if _, d := fields(t, ncsa, line+line); d != Glued {
		t.Errorf("two lines in one: %d", d)
	}
}

func TestW3C(t *testing.T) {
	const iis = "#Fields: date time s-ip cs-method cs-uri-stem cs-uri-query s-port cs-username c-ip cs(User-Agent) cs(Referer) sc-status sc-substatus sc-win32-status time-taken"
	const line = `2026-11-20 10:00:00 10.0.0.1 GET /a.aspx x=1 443 - 203.0.113.7 Mozilla/5.0+(Windows+NT+10.0) https://ddkk.com/ 200 0 0 15`
	want := []string{"date=2026-11-20", "clock=10:00:00", "method=GET", "uri=/a.aspx", "args=x=1", "addr=203.0.113.7",
		"user_agent=Mozilla/5.0+(Windows+NT+10.0)", "referer=https://ddkk.com/", "status=200", "request_time=15"}
	reads(t, iis, line, want...)
	reads(t, "iis", strings.ReplaceAll(line, " ", "\t"), want...)
	for text, d := range map[string]Damage{"#Version: 1.0": Comment, "#fields: x": Comment, iis: Comment, "#Fields: date time c-ip": Changed,
		line + " 7": Glued, line[:60]: Torn, "#": Comment} {
		if _, got := fields(t, iis, text); got != d {
			t.Errorf("%q: %d, want %d", text, got, d)
		}
	}
	reads(t, "#Fields: date time cs-method cs-uri sc-status cs(User-Agent) x-foo", `2026-11-20 10:00:00 GET /a 200 "a b" "c d"`,
		"date=2026-11-20", "clock=10:00:00", "method=GET", "uri=/a", "status=200", "user_agent=a b")
}

func TestNames(t *testing.T) {
	for _, n := range table {
		if _, err := Compile(n.name); err != nil {
			t.Errorf("%s: %v", n.name, err)
		}
		if Whose(n.name) == "" {
			t.Errorf("%s: nobody's", n.name)
		}
	}
}

func TestRefused(t *testing.T) {
	for text, part := range map[string]string{
		"nonsense":                           "neither the name",
		`$remote_addr "$request" $status`:    "lacks the time",
		`%t %h %b`:                           "lacks the request",
		`$msec "$request"`:                   "the status",
		`$msec$remote_addr $request $status`: "side by side",
		`$msec ${request $status`:            "does not end",
		`$msec $ $request $status`:           "without the name",
		`%t %{Referer %r %s`:                 "does not end",
		`%t %r %s %-`:                        "no directive",
		`escape=xml $msec $request $status`:  "escape=json",
		"json:colour=x":                      "on the left",
		"#Fields: date c-ip":                 "lacks",
		"":                                   "neither",
		`'$msec $request $status`:            "does not end",
		strings.Repeat("$status ", 2000):     "the most",
	} {
		if _, err := Compile(text); err == nil || !strings.Contains(err.Error(), part) {
			t.Errorf("%.60q: %v, want %q", text, err, part)
		}
	}
}

func TestFrom(t *testing.T) {
	const config = `# configuration file /etc/nginx/nginx.conf:
http {
    # log_format old '$remote_addr';
    log_format  main  '$remote_addr - $remote_user [$time_local] "$request" '
                      '$status $body_bytes_sent "$http_referer" ' # why
                      '"$http_user_agent"';
    log_format j escape=json '{"a":"$msec","b":"$request","c":$status}';
    access_log /var/log/nginx/access.log main;
}
`
	f := func(config, name, want string) {
		t.Helper()
		if got, err := From(config, name); err != nil || got != want {
			t.Errorf("format %q is %q (%v), want %q", name, got, err, want)
		}
	}
	f(config, "main", `$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent "$http_referer" "$http_user_agent"`)
	f(config, "j", `escape=json {"a":"$msec","b":"$request","c":$status}`)
	f(config, "combined", "combined")
	if _, err := From(config, "x"); err == nil || !strings.Contains(err.Error(), "it has j, main") {
		t.Errorf("a name that is not there: %v", err)
	}
	if _, err := From("user www;", "x"); err == nil {
		t.Error("a configuration without a format has one")
	}
	f("\tLogFormat \"%h %l %u %t \\\"%r\\\" %>s %O\" common2\nLogFormat \"%{Referer}i\" referer\n", "common2", `%h %l %u %t "%r" %>s %O`)
	f("log_format only '$msec $request $status';", "", "$msec $request $status")
}
