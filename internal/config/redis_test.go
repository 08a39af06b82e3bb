package config

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func loadEnv(env map[string]string) (*Config, error) {
	return Load("", func(n string) (string, bool) { s, ok := env[n]; return s, ok })
}

// shape is all of it that a test looks at, in one text.
func shape(r Redis) string {
	return fmt.Sprintf("%v cluster=%v master=%s user=%s password=%s db=%d tls=%v", r.Addrs, r.IsCluster(), r.Master, r.Username, string(r.Password), r.DB, r.TLS != nil)
}

func TestRedisAddr(t *testing.T) {
	for addr, want := range map[string]string{
		"h:1":                       "[h:1] cluster=false master= user= password= db=0 tls=false",
		"/run/r.sock":               "[/run/r.sock] cluster=false master= user= password= db=0 tls=false",
		"a:1,b:2":                   "[a:1 b:2] cluster=true master= user= password= db=0 tls=false",
		"redis://h":                 "[h:6379] cluster=false master= user= password= db=0 tls=false",
		"REDIS://h:7/3":             "[h:7] cluster=false master= user= password= db=3 tls=false",
		"redis://u:p%40%2f%3A@h/":   "[h:6379] cluster=false master= user=u password=p@/: db=0 tls=false",
		"redis://:p@[::1]:7/1":      "[[::1]:7] cluster=false master= user= password=p db=1 tls=false",
		"rediss://u@[2001:db8::1]":  "[[2001:db8::1]:6379] cluster=false master= user=u password= db=0 tls=true",
		"rediss://a:1,b,c:3":        "[a:1 b:6379 c:3] cluster=true master= user= password= db=0 tls=true",
		"unix:///run/r.sock":        "[/run/r.sock] cluster=false master= user= password= db=0 tls=false",
		"unix://u:p@/r.sock?db=2":   "[/r.sock] cluster=false master= user=u password=p db=2 tls=false",
		"redis+sentinel://a,b:2/m":  "[a:26379 b:2] cluster=false master=m user= password= db=0 tls=false",
		"rediss+sentinel://a/m/4":   "[a:26379] cluster=false master=m user= password= db=4 tls=true",
		"redis+sentinel://u:p@a/m/": "[a:26379] cluster=false master=m user=u password=p db=0 tls=false",
	} {
		c, err := loadEnv(map[string]string{"REDIS_ADDR": addr})
		if err != nil {
			t.Errorf("%s: %v", addr, err)
		} else if got := shape(c.Redis); got != want {
			t.Errorf("%s is %s, want %s", addr, got, want)
		}
	}
	// Each names what is wrong, in words and not in the value's.
	for addr, want := range map[string]string{
		"http://h":                  "a URL begins with",
		"redis://":                  "no host",
		"redis://h:x":               "not host:port; write special characters",
		"redis://h:99999":           "not host:port",
		"redis://u:p/w@h":           "special characters",
		"redis://u:p%zz@h":          "special characters",
		"redis://h/x":               "database at the end of the URL is no number",
		"redis://h/-1":              "database at the end of the URL is no number",
		"redis://h?timeout=1":       "nothing behind ?",
		"redis://h#x":               "end of the URL",
		"redis://h,h":               "twice",
		"unix://run/r.sock":         "three slashes",
		"unix:///r.sock?db=x":       "database at the end",
		"redis+sentinel://a,b":      "name of the master",
		"redis+sentinel://a/m/b":    "database at the end",
		"redis://a:1,redis://b:1":   "not host:port",
		"redis://a:1,b:1/2":         "a cluster has one database",
		"h":                         "not host:port",
		"redis+sentinel://a/m?db=1": "nothing behind ?",
	} {
		if c, err := loadEnv(map[string]string{"REDIS_ADDR": addr}); err == nil {
			t.Errorf("%s is taken as %s", addr, shape(c.Redis))
		} else if !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", addr, err, want)
		}
	}
}

func TestRedisTogether(t *testing.T) {
	f := func(env map[string]string, want string) {
		t.Helper()
		c, err := loadEnv(env)
		switch {
		case err == nil && shape(c.Redis) == want:
		case err != nil && want != "" && strings.Contains(err.Error(), want):
		case err == nil:
			t.Errorf("%v is %s, want %q", env, shape(c.Redis), want)
		default:
			t.Errorf("%v: %v, want %q", env, err, want)
		}
	}
	f(map[string]string{"REDIS_ADDR": "rediss://h/2", "REDIS_USERNAME": "u", "REDIS_PASSWORD": "p"}, "[h:6379] cluster=false master= user=u password=p db=2 tls=true")
	f(map[string]string{"REDIS_ADDR": "redis://h", "REDIS_DB": "5"}, "[h:6379] cluster=false master= user= password= db=5 tls=false")
	f(map[string]string{"REDIS_ADDR": "redis://u:p@h", "REDIS_USERNAME": "u", "REDIS_PASSWORD": "p"}, "[h:6379] cluster=false master= user=u password=p db=0 tls=false")
	f(map[string]string{"REDIS_ADDR": "redis://u:p@h", "REDIS_USERNAME": "v"}, "the URL names another user")
	f(map[string]string{"REDIS_ADDR": "redis://u:p@h", "REDIS_PASSWORD": "q"}, "the URL has another password")
	f(map[string]string{"REDIS_ADDR": "redis://h/2", "REDIS_DB": "3"}, "REDIS_ADDR names another one")
	f(map[string]string{"REDIS_ADDR": "redis+sentinel://a/m", "REDIS_CLUSTER": "1"}, "sentinels watch over a Redis that is no cluster")
	f(map[string]string{"REDIS_ADDR": "redis://a", "REDIS_SENTINEL_PASSWORD": "x"}, "without sentinels")
	ca, cert, key := testCertificates(t)
	f(map[string]string{"REDIS_ADDR": "h:1", "REDIS_TLS_CA": ca}, "(without TLS); allowed: a REDIS_ADDR such as rediss://")
	f(map[string]string{"REDIS_ADDR": "rediss://h", "REDIS_TLS_CERT": cert}, "one without the other")
	f(map[string]string{"REDIS_ADDR": "rediss://h", "REDIS_TLS_CERT": key, "REDIS_TLS_KEY": cert}, "REDIS_TLS_CERT, REDIS_TLS_KEY: ")
	f(map[string]string{"REDIS_ADDR": "rediss://h", "REDIS_TLS_CA": key}, "has no certificate in PEM")
	f(map[string]string{"REDIS_ADDR": "rediss://h", "REDIS_TLS_CA": ca + "x"}, "no such file")
	c, err := loadEnv(map[string]string{"REDIS_ADDR": "rediss://h", "REDIS_TLS_CA": ca, "REDIS_TLS_CERT": cert, "REDIS_TLS_KEY": key})
	if err != nil || c.Redis.TLS.RootCAs == nil {
		t.Fatalf("all files: %v", err)
	}
	if pair, err := c.Redis.TLS.GetClientCertificate(nil); err != nil || len(pair.Certificate) == 0 {
		t.Errorf("our certificate: %v", err)
	}

	dsn := "u:p@tcp(h:3306)/d"
	f(map[string]string{"MYSQL_TLS_CA": ca}, "without MYSQL_DSN")
	f(map[string]string{"MYSQL_TLS_CA": ca, "MYSQL_DSN": "u@unix(/s)/d"}, "together with a socket")
	f(map[string]string{"MYSQL_TLS_CA": ca, "MYSQL_DSN": dsn + "?tls=skip-verify"}, "together with tls=")
	f(map[string]string{"MYSQL_DSN": "mysql://u:p@h/d"}, "it is no URL")
	f(map[string]string{"MYSQL_DSN": "u:p@tcp(h:3306)/"}, "no database")
	if c, err := loadEnv(map[string]string{"MYSQL_TLS_CA": ca, "MYSQL_DSN": dsn + "?tls=true"}); err != nil || c.MySQLTLS == nil || c.MySQLTLS.RootCAs == nil {
		t.Errorf("MySQL by TLS: %v", err)
	}
}

// A URL is printed without who and with what.
func TestRedisAddrShown(t *testing.T) {
	c, err := loadEnv(map[string]string{"REDIS_ADDR": "rediss://someone:hidden@h:1/2"})
	if err != nil {
		t.Fatal(err)
	}
	if text := c.String(); !strings.Contains(text, "REDIS_ADDR=rediss://(set)@h:1/2\n") {
		t.Errorf("shown as %q", text)
	}
	if got := c.Redis.Where(); got != "h:1 (TLS)" {
		t.Errorf("named %q", got)
	}
}

func TestSecretFiles(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	p := write("p", "from file\n")
	u := write("url", "redis://u:q@h\r\n")
	credentials := filepath.Join(dir, "credentials")
	if err := os.Mkdir(credentials, 0o700); err != nil {
		t.Fatal(err)
	}
	write("credentials/admin_token", "of-systemd\n")
	yaml := write("c.yaml", "redis_password_file: "+p+"\n")
	f := func(file string, env map[string]string, want string) {
		t.Helper()
		c, err := Load(file, func(n string) (string, bool) { s, ok := env[n]; return s, ok })
		got := ""
		if err == nil {
			got = strings.Join([]string{string(c.Redis.Password), string(c.AdminToken)}, "|")
		}
		if err == nil && got != want || err != nil && (want == "" || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s %v: %q, %v; want %q", file, env, got, err, want)
		}
	}
	f("", map[string]string{"REDIS_PASSWORD_FILE": p}, "from file|")
	f("", map[string]string{"REDIS_ADDR_FILE": u}, "q|")
	f("", map[string]string{"REDIS_PASSWORD_FILE": ""}, "|")
	f("", map[string]string{"CREDENTIALS_DIRECTORY": credentials}, "|of-systemd")
	f(yaml, map[string]string{"CREDENTIALS_DIRECTORY": credentials}, "from file|of-systemd")
	f(yaml, map[string]string{"REDIS_PASSWORD": "from environment", "ADMIN_TOKEN": "mine", "CREDENTIALS_DIRECTORY": credentials}, "from environment|mine")
	f("", map[string]string{"REDIS_PASSWORD_FILE": p, "REDIS_PASSWORD": "x"}, "environment and REDIS_PASSWORD_FILE in the environment): given twice")
	f(write("twice.yaml", "redis_password_file: "+p+"\nredis_password: x\n"), nil, "already given in line 1")
	f("", map[string]string{"REDIS_PASSWORD_FILE": p + "x"}, "no such file")
	f("", map[string]string{"REDIS_PASSWORD_FILE": write("empty", "\n")}, "is empty")
	f("", map[string]string{"REDIS_PASSWORD_FILE": write("long", strings.Repeat("x", maxSecretFile+1))}, "at most")
	f("", map[string]string{"REDIS_PASSWORD_FILE": write("lines", "a\nb\n")}, "bad value")
	f(write("port.yaml", "port_file: "+p+"\n"), nil, "unknown setting")
	open := write("open", "x")
	if err := os.Chmod(open, 0o666); err != nil {
		t.Fatal(err)
	}
	f("", map[string]string{"REDIS_PASSWORD_FILE": open}, "others may write it")
}

// testCertificates are a certificate that trusts itself, twice, and its key.
func testCertificates(t *testing.T) (ca, cert, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	pkcs, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	ca, cert, key = filepath.Join(dir, "ca"), filepath.Join(dir, "cert"), filepath.Join(dir, "key")
	for path, block := range map[string]*pem.Block{ca: {Type: "CERTIFICATE", Bytes: der}, cert: {Type: "CERTIFICATE", Bytes: der}, key: {Type: "PRIVATE KEY", Bytes: pkcs}} {
		if err := os.WriteFile(path, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return ca, cert, key
}
