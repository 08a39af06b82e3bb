package config

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
)

// tlsFiles are the certificates for connections to one kind of server.
type tlsFiles struct {
	ca        *x509.CertPool // nil: the system's
	cert, key string         // of a client certificate; empty: none
}

func (f *tlsFiles) any() bool { return f.ca != nil || f.cert != "" || f.key != "" }

// config is what a connection is made with; it lacks the server's name, which each
// client takes from the address. The client's certificate is read anew with each
// connection, so that a renewed one is used.
func (f *tlsFiles) config(name string, problems *problemList) *tls.Config {
	c := &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: f.ca}
	switch {
	case (f.cert == "") != (f.key == ""):
		problems.add(&SettingError{Name: name + "_CERT, " + name + "_KEY", Where: "one without the other", Allowed: "both, or none"})
	case f.cert != "":
		if _, err := tls.LoadX509KeyPair(f.cert, f.key); err != nil {
			problems.add(&SettingError{Name: name + "_CERT, " + name + "_KEY", Err: err, Allowed: "a certificate and its key in PEM, which the daemon's user may read"})
		}
		cert, key := f.cert, f.key
		c.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			pair, err := tls.LoadX509KeyPair(cert, key)
			if err != nil {
				return nil, fmt.Errorf("read %s_CERT: %w", name, err)
			}
			return &pair, nil
		}
	}
	return c
}

// caFile reads the certificates of authorities.
func caFile(field func(*Config) *tlsFiles) func(*Config, string) error {
	return func(c *Config, path string) error {
		if path == "" {
			return nil
		}
		pem, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		pool := x509.NewCertPool()
		if !pool.AppendCertsFromPEM(pem) {
			return errors.New("has no certificate in PEM")
		}
		field(c).ca = pool
		return nil
	}
}
