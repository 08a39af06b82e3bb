// Package mailtest is an SMTP server on loopback for the tests of other rooms.
package mailtest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"io"
	"math/big"
	"net"
	"net/textproto"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// Mail is one that was taken.
type Mail struct {
	From, To, Data string
	Encrypted      bool
	User, Password string
}

// Options of a server.
type Options struct {
	TLS      *tls.Config // offered as STARTTLS
	Implicit bool        // TLS from the first byte on
	Auth     bool        // asks for a user
	// Refuse answers in place of "250 taken" to the mail's last line, and the mail is not
	// kept; nil or "": it is taken.
	Refuse func(m Mail) string
	// Taken is called after a mail was kept and before that is said; nil: nothing.
	Taken func(m Mail)
}

// Server takes mails until its test ends.
type Server struct {
	opt  Options
	port int

	mu    sync.Mutex
	mails []Mail
	open  map[net.Conn]bool
}

// Start starts a server.
func Start(t testing.TB, opt Options) *Server {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &Server{opt: opt, port: l.Addr().(*net.TCPAddr).Port, open: map[net.Conn]bool{}}
	var all sync.WaitGroup
	all.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			s.note(c, true)
			all.Go(func() { defer s.note(c, false); s.serve(c) })
		}
	})
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
		s.mu.Lock()
		for c := range s.open {
			c.Close() // what it says is of no interest any more
		}
		s.mu.Unlock()
		all.Wait()
	})
	return s
}

func (s *Server) note(c net.Conn, open bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if open {
		s.open[c] = true
	} else {
		delete(s.open, c)
	}
}

// Port is where it listens on 127.0.0.1.
func (s *Server) Port() int { return s.port }

// Addr is 127.0.0.1 with the port.
func (s *Server) Addr() string { return "127.0.0.1:" + strconv.Itoa(s.port) }

// Mails are those that were taken.
func (s *Server) Mails() []Mail {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]Mail(nil), s.mails...)
}

// session is one connection.
type session struct {
	*Server
	conn net.Conn
	text *textproto.Conn
	mail Mail
}

func (s *Server) serve(c net.Conn) {
	x := &session{Server: s, conn: c}
	if s.opt.Implicit {
		x.encrypt()
	}
	x.text = textproto.NewConn(x.conn)
	defer x.text.Close()
	if x.say("220 test") != nil {
		return
	}
	for {
		line, err := x.text.ReadLine()
		if err != nil || x.answer(line) != nil {
			return
		}
	}
}

func (x *session) encrypt() {
	x.conn = tls.Server(x.conn, x.opt.TLS)
	x.mail.Encrypted = true
}

func (x *session) say(lines ...string) error {
	for _, l := range lines {
		if err := x.text.PrintfLine("%s", l); err != nil {
			return err
		}
	}
	return nil
}

func (x *session) answer(line string) error {
	verb, rest, _ := strings.Cut(line, " ")
	switch strings.ToUpper(verb) {
	case "EHLO", "HELO":
		all := []string{"250-test"}
		if x.opt.TLS != nil && !x.mail.Encrypted {
			all = append(all, "250-STARTTLS")
		}
		if x.opt.Auth {
			all = append(all, "250-AUTH PLAIN")
		}
		return x.say(append(all, "250 8BITMIME")...)
	case "STARTTLS":
		if err := x.say("220 go on"); err != nil {
			return err
		}
		x.encrypt()
		x.text = textproto.NewConn(x.conn)
		return nil
	case "AUTH":
		_, code, _ := strings.Cut(rest, " ")
		b, err := base64.StdEncoding.DecodeString(code)
		part := strings.Split(string(b), "\x00")
		if err != nil || len(part) != 3 {
			return x.say("501 what?")
		}
		if x.mail.User, x.mail.Password = part[1], part[2]; part[2] == "wrong" {
			return x.say("535 " + code + " and " + part[2] + " are wrong") // a server that tells all
		}
		return x.say("235 welcome")
	case "MAIL":
		x.mail.From = address(rest)
	case "RCPT":
		if x.opt.Auth && x.mail.User == "" {
			return x.say("530 who are you?")
		}
		x.mail.To = address(rest)
	case "DATA":
		return x.data()
	case "QUIT":
		return errors.Join(x.say("221 bye"), io.EOF)
	}
	return x.say("250 fine")
}

func address(text string) string {
	_, text, _ = strings.Cut(text, "<")
	text, _, _ = strings.Cut(text, ">")
	return text
}

func (x *session) data() error {
	if err := x.say("354 go on"); err != nil {
		return err
	}
	b, err := x.text.ReadDotBytes()
	if err != nil {
		return err
	}
	x.mail.Data = string(b)
	if x.opt.Refuse != nil {
		if said := x.opt.Refuse(x.mail); said != "" {
			return x.say(said)
		}
	}
	x.mu.Lock()
	x.mails = append(x.mails, x.mail)
	x.mu.Unlock()
	if x.opt.Taken != nil {
		x.opt.Taken(x.mail)
	}
	return x.say("250 taken")
}

// Certificate makes one of 127.0.0.1 that is its own authority, and its PEM.
func Certificate(t testing.TB) (*tls.Config, []byte) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	made := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"}, NotBefore: now.Add(-time.Hour), NotAfter: now.Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, DNSNames: []string{"localhost"},
	}
	der, err := x509.CreateCertificate(rand.Reader, made, made, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	return &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}},
		pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}
