package config

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/mail"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
)

// SMTP is the server that takes mails.
type SMTP struct {
	Host     string // empty: none
	Port     int
	User     string
	Password Secret
	Implicit bool // TLS from the first byte on
	StartTLS StartTLS
	TLS      *tls.Config // nil: the system's authorities
	From     string      // an address
}

// Local tells whether it is this machine.
func (m *SMTP) Local() bool { return isLoopback(m.Host) }

// StartTLS says whether a connection has to become encrypted.
type StartTLS uint8

// Whether it has to.
const (
	StartTLSRequired StartTLS = iota
	StartTLSOptional
	StartTLSOff
)

// ReportTo is somebody who gets reports.
type ReportTo struct {
	Site string // empty: all
	Mail string
}

// ReportPeriods says which period reports are of.
type ReportPeriods struct {
	Default string // day, week or month
	Sites   map[string]string
}

// For is the period of one site; "" is all sites together.
func (p ReportPeriods) For(site string) string {
	if x, ok := p.Sites[site]; ok {
		return x
	}
	return p.Default
}

// TrafficAlarms says what of a site's traffic is told.
type TrafficAlarms struct {
	Default string // off, silence, spike or both
	Sites   map[string]string
}

// For tells of one site whether its silence and its spikes are told.
func (a TrafficAlarms) For(site string) (silence, spike bool) {
	word, ok := a.Sites[site]
	if !ok {
		word = a.Default
	}
	return word == "silence" || word == "both", word == "spike" || word == "both"
}

// On tells whether any site has alarms.
func (a TrafficAlarms) On() bool {
	on := a.Default != "off"
	for _, word := range a.Sites {
		on = on || word != "off"
	}
	return on
}

// isLoopback tells a host that is this machine.
func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return strings.EqualFold(host, "localhost") || ip != nil && ip.IsLoopback()
}

// parseSMTP reads smtp://USER:PASSWORD@HOST:PORT or smtps://... What is wrong with it is
// said without showing it.
func parseSMTP(c *Config, s string) error {
	c.SMTP.Host = ""
	if s == "" {
		return nil
	}
	u, err := url.Parse(s)
	if err != nil || u.Scheme != "smtp" && u.Scheme != "smtps" || u.Hostname() == "" || u.Path != "" && u.Path != "/" || u.Fragment != "" || u.Opaque != "" {
		return errors.New("not of the form smtp://user:password@host:587 or smtps://user:password@host:465")
	}
	m := SMTP{Host: u.Hostname(), Port: 587, Implicit: u.Scheme == "smtps", From: c.SMTP.From}
	if m.Implicit {
		m.Port = 465
	}
	if p := u.Port(); p != "" {
		if m.Port, err = strconv.Atoi(p); err != nil || m.Port < 1 || m.Port > 65535 {
			return unquoted("its port is not within 1 and 65535")
		}
	}
	if u.User != nil {
		m.User = u.User.Username()
		password, _ := u.User.Password()
		m.Password = Secret(password)
	}
	local := isLoopback(m.Host)
	if local {
		m.StartTLS = StartTLSOptional
	}
	query, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return errors.New("bad query")
	}
	for name, values := range query {
		switch value := values[0]; name {
		case "starttls":
			i := slices.Index([]string{"required", "optional", "off"}, value)
			if i < 0 {
				return unquoted("starttls must be required, optional or off")
			}
			m.StartTLS = StartTLS(i)
		case "ca":
			if m.TLS, err = authority(m.Host, value); err != nil {
				return err
			}
		default:
			return unquoted("behind ? may be starttls and ca only")
		}
	}
	if m.User != "" && !m.Implicit && m.StartTLS != StartTLSRequired && !local {
		return unquoted("a password is sent by an encrypted connection only: leave starttls out, or use smtps")
	}
	if m.TLS == nil && local && !m.Implicit && m.StartTLS == StartTLSOptional {
		// Mail servers come with a certificate that nobody signed; on this machine there
		// is nobody between.
		m.TLS = &tls.Config{MinVersion: tls.VersionTLS12, InsecureSkipVerify: true}
	}
	c.SMTP = m
	return nil
}

// authority trusts those of a file in PEM.
func authority(host, path string) (*tls.Config, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, unquoted("cannot read the file that ca names")
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(data) {
		return nil, unquoted("the file that ca names has no certificate in PEM")
	}
	return &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: pool, ServerName: host}, nil
}

func mailAddress(s string) (string, error) {
	a, err := mail.ParseAddress(s)
	if err != nil || a.Name != "" || strings.ContainsAny(a.Address, " \"<>") {
		return "", errors.New("not an address such as anna@ddkk.com")
	}
	return a.Address, nil
}

func parseSMTPFrom(c *Config, s string) (err error) {
	c.SMTP.From = ""
	if s != "" {
		c.SMTP.From, err = mailAddress(s)
	}
	return err
}

// parseReportTo reads addresses, and site=address.
func parseReportTo(c *Config, s string) error {
	c.ReportTo = nil
	for _, item := range splitList(s) {
		var to ReportTo
		if site, address, ok := strings.Cut(item, "="); ok { // an address may have a = as well
			if host, err := siteHost(strings.TrimSpace(site)); err == nil {
				to.Site, item = host, strings.TrimSpace(address)
			}
		}
		var err error
		if to.Mail, err = mailAddress(item); err != nil {
			return fmt.Errorf("%q is %w", item, err)
		}
		if !slices.Contains(c.ReportTo, to) {
			c.ReportTo = append(c.ReportTo, to)
		}
	}
	return nil
}

func parseAlertTo(c *Config, s string) error {
	c.AlertTo = nil
	for _, item := range splitList(s) {
		address, err := mailAddress(item)
		if err != nil {
			return fmt.Errorf("%q is %w", item, err)
		}
		c.AlertTo = append(c.AlertTo, address)
	}
	return nil
}

// parseReportURL takes where reports are posted, as parseAlertURL does.
func parseReportURL(c *Config, s string) error {
	other := Config{}
	err := parseAlertURL(&other, s)
	c.ReportURL = other.AlertURL
	return err
}

// perSite reads a word for all sites, and site=word.
func perSite(s string, words []string) (all string, sites map[string]string, err error) {
	sites = map[string]string{}
	for _, item := range splitList(s) {
		site, word, some := strings.Cut(item, "=")
		if !some {
			word = item
		}
		if word = strings.ToLower(strings.TrimSpace(word)); !slices.Contains(words, word) {
			return "", nil, fmt.Errorf("%q is none of %s", word, strings.Join(words, ", "))
		}
		if !some {
			all = word
			continue
		}
		host, err := siteHost(strings.TrimSpace(site))
		if err != nil {
			return "", nil, err
		}
		sites[host] = word
	}
	return all, sites, nil
}

func parseReportPeriod(c *Config, s string) error {
	all, sites, err := perSite(s, []string{"day", "week", "month"})
	if all == "" {
		all = "week"
	}
	c.ReportPeriod = ReportPeriods{all, sites}
	return err
}

func parseTrafficAlarms(c *Config, s string) error {
	all, sites, err := perSite(s, []string{"off", "silence", "spike", "both"})
	if all == "" {
		all = "off"
	}
	c.TrafficAlarms = TrafficAlarms{all, sites}
	return err
}

// checkMail finds those who would wait for mails that nobody sends.
func (c *Config) checkMail(problems *problemList) {
	if c.SMTP.Host != "" {
		return
	}
	for name, on := range map[string]bool{"REPORT_TO": len(c.ReportTo) > 0, "ALERT_TO": len(c.AlertTo) > 0} {
		if on {
			problems.add(&SettingError{Name: name, Value: c.texts[name], Where: "together with SMTP_URL", Allowed: "with SMTP_URL: the server that takes mails"})
		}
	}
}
