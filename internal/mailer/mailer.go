// Package mailer hands mails to an SMTP server.
package mailer

import (
	"context"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/wneessen/go-mail"
)

// Server is who takes mails.
type Server struct {
	Host           string
	Port           int
	User, Password string
	Implicit       bool        // TLS from the first byte on
	Optional, Off  bool        // of STARTTLS; neither: it is required
	Local          bool        // on this machine, where a password may be sent as it is
	TLS            *tls.Config // nil: the system's authorities
	From           string      // empty: User if that is an address, else ddkk-stats at this host
}

// Mail is a text with its HTML.
type Mail struct {
	To         []string
	Subject    string
	Text, HTML string // HTML may be empty
	// ID tells mails apart: one that is sent twice has the same.
	ID string
	At time.Time
}

// timeout bounds each step of an exchange.
const timeout = 30 * time.Second

// Send hands a mail over. Its errors never have the password.
func (s *Server) Send(ctx context.Context, m Mail) error {
	if err := s.send(ctx, m); err != nil {
		return errors.New(s.hush(err.Error()))
	}
	return nil
}

func (s *Server) send(ctx context.Context, m Mail) error {
	from, err := s.from()
	if err != nil {
		return err
	}
	msg := mail.NewMsg(mail.WithNoDefaultUserAgent())
	if err := msg.From(from); err != nil {
		return fmt.Errorf("name the sender: %w", err)
	}
	if err := msg.To(m.To...); err != nil {
		return fmt.Errorf("name the receiver: %w", err)
	}
	msg.Subject(m.Subject)
	msg.SetDateWithValue(m.At)
	msg.SetMessageIDWithValue(m.ID + from[strings.LastIndexByte(from, '@'):])
	// RFC 3834: nobody's holiday notice answers to it.
	msg.SetGenHeader("Auto-Submitted", "auto-generated")
	msg.SetBodyString(mail.TypeTextPlain, m.Text)
	if m.HTML != "" {
		msg.AddAlternativeString(mail.TypeTextHTML, m.HTML)
	}
	c, err := mail.NewClient(s.Host, s.options()...)
	if err != nil {
		return fmt.Errorf("make a mail client: %w", err)
	}
	return c.DialAndSendWithContext(ctx, msg)
}

func (s *Server) options() []mail.Option {
	all := []mail.Option{mail.WithPort(s.Port), mail.WithTimeout(timeout)}
	if s.TLS != nil {
		all = append(all, mail.WithTLSConfig(s.TLS.Clone()))
	}
	switch {
	case s.Implicit:
		all = append(all, mail.WithSSL())
	case s.Off:
		all = append(all, mail.WithTLSPolicy(mail.NoTLS))
	case s.Optional:
		all = append(all, mail.WithTLSPolicy(mail.TLSOpportunistic))
	default:
		all = append(all, mail.WithTLSPolicy(mail.TLSMandatory))
	}
	if s.User == "" {
		return all
	}
	all = append(all, mail.WithUsername(s.User), mail.WithPassword(s.Password))
	if s.Local && !s.Implicit {
		return append(all, mail.WithOpportunisticSMTPAuth(mail.SMTPAuthSCRAMSHA256, mail.SMTPAuthCramMD5, mail.SMTPAuthPlainNoEnc, mail.SMTPAuthLoginNoEnc))
	}
	return append(all, mail.WithSMTPAuth(mail.SMTPAuthAutoDiscover))
}

func (s *Server) from() (string, error) {
	if s.From != "" {
		return s.From, nil
	}
	if strings.Contains(s.User, "@") {
		return s.User, nil
	}
	host, err := os.Hostname()
	if err != nil {
		return "", fmt.Errorf("name this host: %w", err)
	}
	return "ddkk-stats@" + host, nil
}

// hush takes the password out of what a server or a library said, also as it is sent.
func (s *Server) hush(text string) string {
	if s.Password == "" {
		return text
	}
	for _, p := range []string{
		s.Password, base64.StdEncoding.EncodeToString([]byte(s.Password)),
		base64.StdEncoding.EncodeToString([]byte("\x00" + s.User + "\x00" + s.Password)),
	} {
		text = strings.ReplaceAll(text, p, "...")
	}
	return text
}
