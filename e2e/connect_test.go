package e2e

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

// authority makes certificates for this machine, into files.
type authority struct {
	t    *testing.T
	dir  string
	key  *ecdsa.PrivateKey
	cert *x509.Certificate
	ca   string
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	a := &authority{t: t, dir: TempDir(t)}
	a.cert = &x509.Certificate{Subject: pkix.Name{CommonName: "authority"}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	a.ca, _ = a.issue("ca", a.cert)
	return a
}

// issue writes a certificate and its key and returns their paths.
func (a *authority) issue(name string, template *x509.Certificate) (cert, key string) {
	a.t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(a.t, err)
	if a.key == nil {
		a.key = private
	}
	template.SerialNumber, err = rand.Int(rand.Reader, big.NewInt(1<<62))
	must(a.t, err)
	template.NotBefore, template.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, &private.PublicKey, a.key)
	must(a.t, err)
	pkcs, err := x509.MarshalPKCS8PrivateKey(private)
	must(a.t, err)
	cert, key = filepath.Join(a.dir, name+".crt"), filepath.Join(a.dir, name+".key")
	must(a.t, os.WriteFile(cert, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o644))
	must(a.t, os.WriteFile(key, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs}), 0o600))
	return cert, key
}

func (a *authority) server() (cert, key string) {
	return a.issue("server", &x509.Certificate{Subject: pkix.Name{CommonName: "server"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}})
}

func (a *authority) client() (cert, key string) {
	return a.issue("client", &x509.Certificate{Subject: pkix.Name{CommonName: "client"},
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}})
}

// TestConnectRedis counts by each way to Redis that there is: TLS with an authority of
// our own, a client certificate, a user of the shipped ACL and a database in a URL, with
// the password in a file; and by a socket. TestSentinelFailover has the sentinels.
func TestConnectRedis(t *testing.T) {
	a := newAuthority(t)
	cert, key := a.server()
	ours, oursKey := a.client()
	port := FreePort(t)
	socket := filepath.Join(TempDir(t), "s")
	r := newRig(t, rigOptions{redis: []string{
		"--tls-port", fmt.Sprint(port), "--tls-cert-file", cert, "--tls-key-file", key, "--tls-ca-cert-file", a.ca, "--tls-auth-clients", "yes",
		"--unixsocket", socket,
	}})
	useRedisUsers(r.t, r.client)
	secret := filepath.Join(TempDir(t), "password")
	must(t, os.WriteFile(secret, []byte("CHANGE-ME-DAEMON\n"), 0o600))
	env := r.daemon.Env
	env["REDIS_ADDR"] = fmt.Sprintf("rediss://ddkk@127.0.0.1:%d/0", port)
	env["REDIS_PASSWORD_FILE"] = secret
	env["REDIS_TLS_CA"], env["REDIS_TLS_CERT"], env["REDIS_TLS_KEY"] = a.ca, ours, oursKey
	r.daemon.Start()
	r.write(500)
	r.exact()
	if out := r.command("check"); strings.Contains(out, "fail  Redis") {
		t.Errorf("check by TLS:\n%s", out)
	}
	r.archive()
	r.daemon.Terminate()

	// Without our certificate, or without trust in theirs, it says what is wrong.
	for name, want := range map[string]string{"REDIS_TLS_CA": "unknown authority", "REDIS_TLS_CERT REDIS_TLS_KEY": "REDIS_TLS_KEY if it wants ours"} {
		less := map[string]string{}
		for n, v := range env {
			if !strings.Contains(name, n) {
				less[n] = v
			}
		}
		if out, err := Run(t, less, "check"); err == nil || !strings.Contains(out, "does not answer by TLS") || !strings.Contains(out, want) {
			t.Errorf("check without %s: %v\n%s", name, err, out)
		}
	}

	for _, name := range []string{"REDIS_TLS_CA", "REDIS_TLS_CERT", "REDIS_TLS_KEY", "REDIS_PASSWORD_FILE"} {
		delete(env, name)
	}
	env["REDIS_ADDR"] = "unix://ddkk:CHANGE-ME-DAEMON@" + socket + "?db=0"
	r.daemon.Start()
	r.write(500)
	r.verified()
	if log := r.daemon.Log(); strings.Contains(log, "CHANGE-ME") {
		t.Error("the password is in the log")
	}
	as := redis.NewClient(&redis.Options{Network: "unix", Addr: socket, Username: "ddkk", Password: "CHANGE-ME-DAEMON", MaxRetries: -1})
	defer r.redis.close(as)
	must(t, as.Ping(t.Context()).Err())
}

// TestConnectMySQL archives by TLS with an authority and a certificate of our own, and
// by a socket.
func TestConnectMySQL(t *testing.T) {
	a := newAuthority(t)
	cert, key := a.server()
	ours, oursKey := a.client()
	m := StartMariaDB(t, "--ssl-ca="+a.ca, "--ssl-cert="+cert, "--ssl-key="+key, "--require-secure-transport=0")
	dsn := m.Create("stats")
	db := m.Open(t, "stats")
	for _, statement := range []string{
		"CREATE USER safe@'%' IDENTIFIED BY 'p@ss:/w' REQUIRE SUBJECT '/CN=client'",
		"GRANT ALL ON stats.* TO safe@'%'",
	} {
		_, err := db.Exec(statement)
		must(t, err)
	}
	secret := filepath.Join(TempDir(t), "dsn")
	must(t, os.WriteFile(secret, []byte(strings.Replace(dsn, "root@", "safe:p@ss:/w@", 1)+"\n"), 0o600))
	r := newRig(t, rigOptions{env: map[string]string{
		"MYSQL_DSN_FILE": secret, "MYSQL_TLS_CA": a.ca, "MYSQL_TLS_CERT": ours, "MYSQL_TLS_KEY": oursKey,
	}})
	r.daemon.Start()
	r.write(500)
	r.exact()
	r.archive()
	if out := r.command("check"); !strings.Contains(out, "MySQL answers") {
		t.Errorf("check by TLS:\n%s", out)
	}
	r.daemon.Terminate()
	env := r.daemon.Env
	for _, name := range []string{"MYSQL_TLS_CERT", "MYSQL_TLS_KEY"} {
		delete(env, name)
	}
	if out, err := Run(t, env, "check"); err == nil || !strings.Contains(out, "cannot use the archive") {
		t.Errorf("check without our certificate: %v\n%s", err, out)
	}
	for _, name := range []string{"MYSQL_DSN_FILE", "MYSQL_TLS_CA"} {
		delete(env, name)
	}
	env["MYSQL_DSN"] = "root@unix(" + filepath.Join(m.Dir, "db.sock") + ")/stats"
	r.daemon.Start()
	r.write(500)
	r.exact()
	r.archive()
	r.verified()
}
