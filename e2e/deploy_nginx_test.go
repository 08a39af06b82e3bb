package e2e

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

// TestDeployNginx has a real nginx test the configurations of deploy/nginx, each
// in the place that its text names.
func TestDeployNginx(t *testing.T) {
	t.Parallel()
	for name, http := range map[string]string{
		"own domain":         "include own-domain.conf;",
		"below another site": "include own-site-http.conf; server { listen 127.0.0.1:18081; server_name ddkk.com; root html; include own-site-locations.conf; location / { try_files $uri =404; } }",
		"both at once":       "include own-domain.conf; server { listen 127.0.0.1:18081; include own-site-locations.conf; }",
	} {
		t.Run(name, func(t *testing.T) {
			dir := TempDir(t)
			writeCertificate(t, dir)
			for _, file := range []string{"own-domain.conf", "own-site-http.conf", "own-site-locations.conf"} {
				text := strings.NewReplacer("/var/log/ddkk/", dir+"/", "/etc/letsencrypt/live/count.ddkk.com/", dir+"/",
					"listen 443", "listen 127.0.0.1:18443", "listen [::]:443", "listen [::1]:18443").Replace(deployFile(t, "nginx/"+file))
				must(t, os.WriteFile(filepath.Join(dir, file), []byte(text), 0o644))
			}
			conf := fmt.Sprintf("pid %[1]s/pid; error_log %[1]s/error.log; events {} http { access_log off; %[2]s }", dir, http)
			must(t, os.WriteFile(filepath.Join(dir, "nginx.conf"), []byte(conf), 0o644))
			out := runTool(t, nil, "", program(t, "nginx"), "-t", "-p", dir, "-c", filepath.Join(dir, "nginx.conf"), "-e", filepath.Join(dir, "start.log"))
			if strings.Contains(out, "[warn]") || !strings.Contains(out, "test is successful") {
				t.Errorf("nginx -t:\n%s", out)
			}
		})
	}
}

// writeCertificate makes fullchain.pem and privkey.pem.
func writeCertificate(t *testing.T, dir string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	now := time.Now()
	about := &x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: []string{"count.ddkk.com"}, NotBefore: now, NotAfter: now.Add(time.Hour)}
	cert, err := x509.CreateCertificate(rand.Reader, about, about, &key.PublicKey, key)
	must(t, err)
	secret, err := x509.MarshalECPrivateKey(key)
	must(t, err)
	for name, block := range map[string]*pem.Block{"fullchain.pem": {Type: "CERTIFICATE", Bytes: cert}, "privkey.pem": {Type: "EC PRIVATE KEY", Bytes: secret}} {
		must(t, os.WriteFile(filepath.Join(dir, name), pem.EncodeToMemory(block), 0o600))
	}
}
