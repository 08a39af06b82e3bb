package e2e

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestAttackNames sends sites and pages whose names look like other sites' keys:
// the victim's numbers stay, and nothing is rebuilt.
func TestAttackNames(t *testing.T) {
	t.Parallel()
	r := startAttack(t, nil)
	today := time.Now().UTC().Format("20060102")
	lines := 0
	send := func(n int, site, page, more string) {
		r.stranger(n).beacon(site, page, more)
		lines++
	}
	const victim = "victim.com"
	hostile := func(n int) {
		for _, site := range []string{"set", "pairs", "pv", "uv", "base", "page", "site", "books", "minute", "day", "other", "all", "lock", "take", "hot", "bots", "api", "state", "ids", "latency"} {
			for _, page := range []string{victim + ":" + today, victim, "pairs:" + victim + ":" + today, "day:" + victim + ":" + today, victim + ":bots", "__other__"} {
				send(n, site, page, "")
			}
		}
		for _, site := range []string{"set:" + victim, victim + ":" + today, victim + ":/a", "pairs", "__other__", "{x}", "*", "[a-z]"} {
			send(n, site, "/a", "&category="+url.QueryEscape("x:"+victim+".y")+"&action=*")
		}
	}
	hostile(600) // planted early
	for n := range 5 {
		send(n+1, victim, "/a", "")
		send(n+1, victim, "/a", "")
	}
	hostile(900)
	b := r.counted(lines)
	r.number("ddkk:site:pv:"+victim, 10)
	r.number("ddkk:site:uv:"+victim, 5)
	r.number("ddkk:page:pv:"+victim+":/a", 10)
	r.number("ddkk:page:uv:"+victim+":/a", 5)
	b.want(t, 0, "ddkk_rebuilds_total")
	out, err := Run(t, r.daemon.Env, "verify")
	if err != nil {
		t.Errorf("verify: %v\n%s", err, out)
	}
}

// TestAttackPrinted: what strangers chose is printed by no command as it is.
func TestAttackPrinted(t *testing.T) {
	t.Parallel()
	r := startAttack(t, nil)
	s, lines := r.stranger(1), 0
	for _, page := range []string{"/\x1b[31mred", "/\x1b]0;title\x07", "/a\rb", "/\u202egnp.exe", "/\u009b31m", "/a\nb"} {
		s.beacon("ddkk.com", page, "&category="+url.QueryEscape("c\x1b[2J")+"&ref="+url.QueryEscape("http://\x1b[5m.example/"))
		lines++
	}
	r.counted(lines)
	// A number that is wrong has verify name the page.
	for _, page := range []string{"/\x1b[31mred", "/\x1b]0;title\x07", "/\u202egnp.exe"} {
		must(t, r.client.IncrBy(t.Context(), "ddkk:page:pv:ddkk.com:"+page, 3).Err())
	}
	said := ""
	for _, args := range [][]string{{"verify"}, {"check"}, {"archive"}, {"restore-from-mysql"}} {
		out, err := Run(t, r.daemon.Env, args...)
		if err != nil && args[0] != "verify" && args[0] != "check" {
			t.Logf("%v: %v", args, err)
		}
		said += out
	}
	if !strings.Contains(said, "red") {
		t.Errorf("verify named no page:\n%s", said)
	}
	for _, bad := range []string{"\x1b", "\x07", "\u202e", "\u009b", "\r"} {
		if strings.Contains(said, bad) || strings.Contains(r.daemon.Log(), bad) {
			t.Errorf("%q is printed", bad)
		}
	}
	for _, callback := range []string{"alert(1)//", "a;b", "<script>", "a\nb", "é", "a[0]", strings.Repeat("a", 5000), "\u2028"} {
		a := s.ask("GET", "/jsonp?jsonpCallback="+url.QueryEscape(callback), "Referer: https://ddkk.com/\r\n", "")
		if a.status == 200 && strings.Contains(a.body, callback) {
			t.Errorf("callback %.40q: %d %.100s", callback, a.status, a.body)
		}
	}
	for _, name := range []string{r.daemon.Dir, filepath.Join(r.daemon.Dir, "log"), filepath.Join(r.daemon.Dir, "log", "event.log")} {
		info, err := os.Stat(name)
		must(t, err)
		if info.Mode().Perm()&7 != 0 {
			t.Errorf("%s has mode %v: others may read it", name, info.Mode())
		}
	}
}

// TestAttackOwner: who guesses shuts nobody out, and a session that was ended stays so.
func TestAttackOwner(t *testing.T) {
	t.Parallel()
	r := startAttack(t, nil, "--admin")
	for n := range 60 { // of sixty networks, as many as fit into the test's time
		a := r.stranger(n*256+1).ask("GET", "/api/admin/sites", "Authorization: Bearer wrong-"+fmt.Sprint(n)+"\r\n", "")
		if a.status != 401 && a.status != 429 {
			t.Fatalf("a wrong token: %d %s", a.status, a.body)
		}
	}
	owner := r.stranger(256*256 + 9)
	for _, s := range []*stranger{owner, r.stranger(1)} { // the second one has guessed
		if a := s.ask("GET", "/api/admin/sites", "Authorization: Bearer "+adminToken+"\r\n", ""); a.status != 200 || a.took > 5*time.Second {
			t.Errorf("the right token: %d %s after %v", a.status, a.body, a.took)
		}
	}
	origin := "Host: count.example\r\nOrigin: http://count.example\r\nContent-Type: application/json\r\n"
	a := owner.ask("POST", "/api/admin/login", origin, `{"token":"`+adminToken+`"}`)
	if a.status != 204 {
		t.Fatalf("login: %d %s", a.status, a.body)
	}
	set := a.header.Get("Set-Cookie")
	cookie, _, _ := strings.Cut(set, ";")
	if !strings.Contains(set, "HttpOnly") || !strings.Contains(set, "SameSite=Strict") || strings.Contains(cookie, adminToken) {
		t.Errorf("Set-Cookie: %s", set)
	}
	name, _, _ := strings.Cut(cookie, "=")
	for _, cookies := range []string{cookie, name + "=bad; " + cookie, cookie + "; " + name + "=bad"} {
		if a := owner.ask("GET", "/api/admin/sites", "Cookie: "+cookies+"\r\n", ""); a.status != 200 {
			t.Errorf("cookies %q: %d %s", cookies, a.status, a.body)
		}
	}
	if a := owner.ask("POST", "/api/admin/verify", strings.ReplaceAll(origin, "http://count", "https://evil")+"Cookie: "+cookie+"\r\n", `{}`); a.status < 400 {
		t.Errorf("another page's POST with the cookie: %d", a.status)
	}
	if a := owner.ask("POST", "/api/admin/logout", origin+"Cookie: "+cookie+"\r\n", ""); a.status != 204 {
		t.Errorf("logout: %d %s", a.status, a.body)
	}
	r.daemon.Terminate()
	r.daemon.Start()
	if a := owner.ask("GET", "/api/admin/sites", "Cookie: "+cookie+"\r\n", ""); a.status != 401 {
		t.Errorf("a session that was ended before the restart: %d", a.status)
	}
}

// TestAttackTLS: behind TLS the door is the same, the cookie is for TLS only, and a
// stranger's word about the scheme is not believed.
func TestAttackTLS(t *testing.T) {
	t.Parallel()
	cert, key := certificate(t)
	r := startAttack(t, map[string]string{"SITES": "ddkk.com"}, "--admin", "--cert", cert, "--key", key)
	pem, err := os.ReadFile(cert)
	must(t, err)
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(pem) {
		t.Fatal("no certificate")
	}
	over := func(n int) *stranger {
		s := r.stranger(n)
		s.dial = func(d net.Dialer, addr string) (net.Conn, error) {
			return tls.DialWithDialer(&d, "tcp", addr, &tls.Config{RootCAs: roots, ServerName: "count.example"})
		}
		return s
	}
	over(1).beacon("ddkk.com", "/tls", "")
	r.counted(1)
	r.number("ddkk:page:pv:ddkk.com:/tls", 1)
	for path, with := range routes(t) {
		if a := over(2).ask(with[0], path+"?site=ddkk.com", "", ""); ofAdmin(path) && (a.status == 200 || adminAnswer.MatchString(a.body)) {
			t.Errorf("%s %s: %d %.100s", with[0], path, a.status, a.body)
		}
	}
	login := func(s *stranger, scheme, more string) answer {
		return s.ask("POST", "/api/admin/login", "Host: count.example\r\nOrigin: "+scheme+"://count.example\r\nContent-Type: application/json\r\n"+more, `{"token":"`+adminToken+`"}`)
	}
	if a := login(over(3), "https", ""); a.status != 204 || !strings.Contains(a.header.Get("Set-Cookie"), "; Secure") && !strings.Contains(strings.ToLower(a.header.Get("Set-Cookie")), "secure") {
		t.Errorf("login over TLS: %d %s, Set-Cookie %q", a.status, a.body, a.header.Get("Set-Cookie"))
	}
	if status, _ := raw(t, r.nginx.Addr, "GET / HTTP/1.1\r\nHost: count.example\r\n\r\n"); status != http.StatusBadRequest {
		t.Errorf("without TLS: %d", status)
	}
}

// certificate makes one that signs itself.
func certificate(t *testing.T) (cert, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "count.example"}, DNSNames: []string{"count.example"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour), IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	must(t, err)
	secret, err := x509.MarshalECPrivateKey(private)
	must(t, err)
	dir := TempDir(t)
	write := func(name, kind string, data []byte) string {
		name = filepath.Join(dir, name)
		must(t, os.WriteFile(name, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: data}), 0o600))
		return name
	}
	return write("cert.pem", "CERTIFICATE", der), write("key.pem", "EC PRIVATE KEY", secret)
}
