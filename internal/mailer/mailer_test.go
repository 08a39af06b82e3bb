package mailer

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"mime"
	"mime/multipart"
	"net/mail"
	"strings"
	"testing"
	"time"

	"ddkk-stats/internal/mailer/mailtest"
)

func TestSend(t *testing.T) {
	cert, ca := mailtest.Certificate(t)
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(ca)
	trust := &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: pool, ServerName: "127.0.0.1"}
	f := func(name string, opt mailtest.Options, s Server, encrypted bool) {
		t.Run(name, func(t *testing.T) {
			to := mailtest.Start(t, opt)
			s.Host, s.Port, s.From = "127.0.0.1", to.Port(), "from@a.example"
			err := s.Send(t.Context(), Mail{To: []string{"to@b.example"}, Subject: "Wöchentlich 周报", Text: "Grüße 你好\n.\n", HTML: "<p>你好</p>", ID: "abc", At: time.Unix(1_800_000_000, 0)})
			if err != nil {
				t.Fatal(err)
			}
			all := to.Mails()
			if len(all) != 1 || all[0].Encrypted != encrypted || all[0].From != "from@a.example" || all[0].To != "to@b.example" || all[0].User != s.User || all[0].Password != s.Password {
				t.Fatalf("%+v", all)
			}
			look(t, all[0].Data)
		})
	}
	f("plain", mailtest.Options{}, Server{Optional: true, Local: true}, false)
	f("off", mailtest.Options{TLS: cert}, Server{Off: true}, false)
	f("STARTTLS", mailtest.Options{TLS: cert}, Server{TLS: trust}, true)
	f("STARTTLS where it is offered", mailtest.Options{TLS: cert}, Server{TLS: trust, Optional: true}, true)
	f("TLS", mailtest.Options{TLS: cert, Implicit: true}, Server{TLS: trust, Implicit: true}, true)
	f("with a user", mailtest.Options{TLS: cert, Auth: true}, Server{TLS: trust, User: "anna", Password: "s e:c@ret"}, true)
	f("with a user by TLS", mailtest.Options{TLS: cert, Implicit: true, Auth: true}, Server{TLS: trust, Implicit: true, User: "anna", Password: "x"}, true)
	f("with a user on this machine", mailtest.Options{Auth: true}, Server{Optional: true, Local: true, User: "anna", Password: "x"}, false)
}

// look reads a mail as its receiver does.
func look(t *testing.T, data string) {
	t.Helper()
	m, err := mail.ReadMessage(strings.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	subject, err := new(mime.WordDecoder).DecodeHeader(m.Header.Get("Subject"))
	if err != nil || subject != "Wöchentlich 周报" || m.Header.Get("Message-Id") != "<abc@a.example>" || m.Header.Get("Auto-Submitted") != "auto-generated" {
		t.Errorf("%v: %q, %v", err, subject, m.Header)
	}
	kind, params, err := mime.ParseMediaType(m.Header.Get("Content-Type"))
	if err != nil || kind != "multipart/alternative" {
		t.Fatalf("%s %v", kind, err)
	}
	parts := multipart.NewReader(m.Body, params["boundary"])
	for _, want := range []string{"text/plain", "text/html"} {
		p, err := parts.NextPart()
		if err != nil {
			t.Fatal(err)
		}
		if got, _, err := mime.ParseMediaType(p.Header.Get("Content-Type")); err != nil || got != want {
			t.Errorf("a part %s %v, want %s", got, err, want)
		}
	}
}

// TestRefused: what goes wrong is an error without the password, and no mail goes by a way
// that is not wanted.
func TestRefused(t *testing.T) {
	cert, _ := mailtest.Certificate(t)
	f := func(name string, opt mailtest.Options, s Server) {
		t.Helper()
		to := mailtest.Start(t, opt)
		s.Host, s.Port, s.From = "127.0.0.1", to.Port(), "from@a.example"
		err := s.Send(t.Context(), Mail{To: []string{"to@b.example"}, Subject: "x", Text: "x", ID: "x"})
		if err == nil || len(to.Mails()) > 0 {
			t.Errorf("%s: %v, %d mails", name, err, len(to.Mails()))
			return
		}
		for _, secret := range []string{s.Password, base64.StdEncoding.EncodeToString([]byte("\x00" + s.User + "\x00" + s.Password))} {
			if s.Password != "" && strings.Contains(strings.ReplaceAll(err.Error(), "are wrong", ""), secret) {
				t.Errorf("%s: the password is told: %v", name, err)
			}
		}
	}
	f("no STARTTLS", mailtest.Options{}, Server{})
	f("a certificate of nobody", mailtest.Options{TLS: cert}, Server{})
	f("a certificate of nobody, TLS", mailtest.Options{TLS: cert, Implicit: true}, Server{Implicit: true})
	f("a password in plain text", mailtest.Options{Auth: true}, Server{Off: true, User: "anna", Password: "hush-hush"})
	f("a wrong password", mailtest.Options{Auth: true}, Server{Optional: true, Local: true, User: "anna", Password: "wrong"})
	f("refused", mailtest.Options{Refuse: func(mailtest.Mail) string { return "451 later" }}, Server{Optional: true})
	closed := Server{Host: "127.0.0.1", Port: 1, Off: true, From: "a@b.example"}
	if err := closed.Send(t.Context(), Mail{To: []string{"a@b.example"}, ID: "x"}); err == nil {
		t.Error("nobody listens, and no error")
	}
}
