package nginx

import (
	"bytes"
	"errors"
	"regexp"
	"strings"
	"testing"
)

func write(t *testing.T, c Conf) string {
	t.Helper()
	var b bytes.Buffer
	if err := c.Write(&b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestWriteDefaults(t *testing.T) {
	got := write(t, Conf{Log: "/var/log/ddkk/event.log"})
	for _, want := range []string{
		"listen 80;", "listen [::]:80;", "server_name _;", `access_log "/var/log/ddkk/event.log" ddkk_v2 if=$ddkk_logged;`,
		`server "127.0.0.1:8360"`, "rate=100r/s", "burst=500",
		"location ^~ /admin { return 404; }", "location = /metrics { return 404; }",
		"proxy_set_header X-Forwarded-For $remote_addr;",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in:\n%s", want, got)
		}
	}
	for _, not := range []string{"<no value>", "events {", "set_real_ip_from", "\t"} {
		if strings.Contains(got, not) {
			t.Errorf("%q in:\n%s", not, got)
		}
	}
}

func TestWriteChoices(t *testing.T) {
	f := func(c Conf, want ...string) {
		t.Helper()
		got := write(t, c)
		for _, w := range want {
			if !strings.Contains(got, w) {
				t.Errorf("no %q in:\n%s", w, got)
			}
		}
	}
	f(Conf{Log: "/l", Standalone: true}, "listen 8080;", "listen [::]:8080;", "worker_processes auto;", `pid "/nginx.pid";`)
	f(Conf{Log: "/l", Standalone: true, Prefix: "/run/x"}, `pid "/run/x/nginx.pid";`, `error_log "/run/x/nginx-error.log" warn;`)
	f(Conf{Log: "/l", Standalone: true, User: "www-data"}, "user www-data;")
	f(Conf{Log: "/l", Standalone: true, User: "www-data:adm"}, "user www-data adm;")
	f(Conf{Log: "/l", Listen: "80,[::]:80"}, "listen 80;", "listen [::]:80;")
	f(Conf{Log: "/l", Listen: "443", Cert: "/c.pem", Key: "/k.pem"}, "listen 443 ssl;", `ssl_certificate_key "/k.pem";`)
	f(Conf{Log: "/l", ServerName: "a.example, *.b.example"}, "server_name a.example *.b.example;")
	f(Conf{Log: "/l", TrustedProxies: []string{"10.0.0.0/8", "unix:"}}, "set_real_ip_from 10.0.0.0/8;", "set_real_ip_from unix:;", "X-Forwarded-Proto $ddkk_scheme;")
	f(Conf{Log: "/l", Listen: "80", TrustedProxies: []string{"10.0.0.1"}, ProxyProtocol: true}, "listen 80 proxy_protocol;", "real_ip_header proxy_protocol;")
	f(Conf{Log: "/l", Listen: "443", Cert: "/c.pem", Key: "/k.pem", TrustedProxies: []string{"10.0.0.1"}, ProxyProtocol: true}, "listen 443 ssl proxy_protocol;")
	f(Conf{Log: "/l", TrustedProxies: []string{"10.0.0.1"}, ClientHeader: "CF-Connecting-IP"}, "real_ip_header CF-Connecting-IP;")
	f(Conf{Log: "/l", Admin: true}, "location ^~ /admin { proxy_pass http://ddkk_stats; }")
	f(Conf{Log: "/l", Part: PartHTTP}, "log_format ddkk_v2", "upstream ddkk_stats")
	f(Conf{Log: "/l", Part: PartLocations}, "location = /event.png {")
	f(Conf{Log: "/l", Part: PartLocations, SiteLog: "/s"}, "access_log \"/s\" ddkk_v2;\n")
	f(Conf{Log: "/l", Standalone: true, SiteLog: "/s"}, "access_log \"/s\" ddkk_v2;\n", "SITE_LOG=/s")
	f(Conf{Log: "/a folder/l#1.log"}, `access_log "/a folder/l#1.log"`)
	if got := write(t, Conf{Log: "/l", Rate: -1}); strings.Contains(got, "limit_req") {
		t.Errorf("a limit although the rate is negative:\n%s", got)
	}
}

func TestUpstream(t *testing.T) {
	f := func(api, want string) {
		t.Helper()
		if got, err := upstream(api); err != nil || got != want {
			t.Errorf("%s becomes %q, %v; want %q", api, got, err, want)
		}
	}
	f("127.0.0.1:8360", "127.0.0.1:8360")
	f("http://127.0.0.1:8360", "127.0.0.1:8360")
	f("http://stats.internal:80/", "stats.internal:80")
	f("http://[::1]:8360", "[::1]:8360")
	f(":8360", "127.0.0.1:8360")
	f("8360", "127.0.0.1:8360")
	f("unix:/run/ddkk/api.sock", "unix:/run/ddkk/api.sock")
}

// Whatever is wrong is said at once, each with its flag.
func TestAllMistakesAtOnce(t *testing.T) {
	c := Conf{
		Part: "servers", Listen: "http://x", ServerName: "https://ddkk.com/", Log: "a;b", API: "https://x",
		Prefix: "{", User: "Root;", Cert: "/c", TrustedProxies: []string{"everybody"}, Rate: maxRate + 1, Burst: -1,
	}
	err := c.Write(new(bytes.Buffer))
	if err == nil {
		t.Fatal("accepted")
	}
	for _, flag := range []string{"--part", "--listen", "--server-name", "--log", "--api", "--prefix", "--user", "--cert", "--trusted-proxies", "--rate", "--burst"} {
		if !regexp.MustCompile(`(?m)^` + flag + `[:,]`).MatchString(err.Error()) {
			t.Errorf("%s is not named in:\n%v", flag, err)
		}
	}
	if err := (Conf{}).Write(new(bytes.Buffer)); err == nil || !strings.Contains(err.Error(), "--log") {
		t.Errorf("without a log: %v", err)
	}
}

func TestRefused(t *testing.T) {
	f := func(c Conf, flag string) {
		t.Helper()
		var b bytes.Buffer
		if c.Log == "" {
			c.Log = "/l"
		}
		err := c.Write(&b)
		if err == nil || !strings.Contains(err.Error(), flag+":") || b.Len() > 0 {
			t.Errorf("%+v: error %v, %d bytes written", c, err, b.Len())
		}
	}
	// What would change the structure of the configuration.
	for _, bad := range []string{"x;", "x\n", "x\r", "x}", "{x", `x"`, "x'", `x\`, "$x", "x\x00", "x\u0085", "x\xff", "a;return 200"} {
		f(Conf{Log: "/l" + bad}, "--log")
		f(Conf{Listen: bad}, "--listen")
		f(Conf{Listen: "80" + bad}, "--listen")
		f(Conf{Listen: "unix:/s" + bad, TrustedProxies: []string{"unix:"}}, "--listen")
		f(Conf{ServerName: bad}, "--server-name")
		f(Conf{API: bad}, "--api")
		f(Conf{API: bad + ":80"}, "--api")
		f(Conf{API: "unix:/s" + bad}, "--api")
		f(Conf{Prefix: "/" + bad, Standalone: true}, "--prefix")
		f(Conf{Cert: "/c" + bad, Key: "/k"}, "--cert")
		f(Conf{Cert: "/c", Key: "/k" + bad}, "--key")
		f(Conf{User: bad}, "--user")
		f(Conf{TrustedProxies: []string{"10.0.0.1" + bad}}, "--trusted-proxies")
	}
	// What nginx or the parser would not take.
	f(Conf{Listen: "0"}, "--listen")
	f(Conf{Listen: "70000"}, "--listen")
	f(Conf{Listen: ","}, "--listen")
	f(Conf{Listen: "unix:relative", TrustedProxies: []string{"unix:"}}, "--listen")
	f(Conf{Listen: "unix:/s"}, "--listen")
	f(Conf{ServerName: ","}, "--server-name")
	f(Conf{ServerName: "ddkk.com:80"}, "--server-name")
	f(Conf{ServerName: "文.example"}, "--server-name")
	f(Conf{API: "https://127.0.0.1:8360"}, "--api")
	f(Conf{API: "http://127.0.0.1:8360/api"}, "--api")
	f(Conf{API: "unix:relative"}, "--api")
	f(Conf{TrustedProxies: []string{"fe80::1%eth0"}}, "--trusted-proxies")
	f(Conf{ProxyProtocol: true}, "--trusted-proxies")
	f(Conf{ClientHeader: "CF-Connecting-IP"}, "--trusted-proxies")
	f(Conf{TrustedProxies: []string{"10.0.0.1"}, ClientHeader: "X; evil"}, "--client-ip-header")
	f(Conf{TrustedProxies: []string{"10.0.0.1"}, ClientHeader: "Forwarded"}, "--client-ip-header")
	f(Conf{TrustedProxies: []string{"10.0.0.1"}, ClientHeader: "X-Real-IP", ProxyProtocol: true}, "--client-ip-header")
	f(Conf{TrustedProxies: []string{"10.0.0.0/33"}}, "--trusted-proxies")
	f(Conf{Standalone: true, Part: PartHTTP}, "--part")
	f(Conf{Part: PartHTTP, Admin: true}, "--admin")
	f(Conf{Part: PartHTTP, TrustedProxies: []string{"10.0.0.1"}}, "--trusted-proxies")
	f(Conf{Log: "/logs/"}, "--log")
	f(Conf{Log: "/nginx-error.log", Standalone: true}, "--log")
}

type brokenWriter struct{}

var errBroken = errors.New("broken")

func (brokenWriter) Write([]byte) (int, error) { return 0, errBroken }

func TestWriteError(t *testing.T) {
	if err := (Conf{Log: "/l"}).Write(brokenWriter{}); !errors.Is(err, errBroken) {
		t.Errorf("error %v", err)
	}
}
