package nginx

import (
	"bytes"
	"embed"
	"fmt"
	"io"
	"path/filepath"
	"regexp"
	"strings"
	"text/template"
)

// Defaults of a Conf's empty fields.
const (
	DefaultAPI = "127.0.0.1:8360"

	// DefaultListenStandalone needs no privilege, DefaultListen is the port
	// of a distribution's nginx. Both are for IPv4 and IPv6.
	DefaultListenStandalone = "8080,[::]:8080"
	DefaultListen           = "80,[::]:80"

	// DefaultRate and DefaultBurst are beacons of one address: a whole office
	// may open its start page at nine, a program cannot fill the disk.
	DefaultRate  = 100 // a second, sustained
	DefaultBurst = 500 // at once
)

// Part says which of the include files is printed.
type Part string

const (
	// PartAll is everything: the http level and a server of its own.
	PartAll Part = ""
	// PartHTTP is the http level alone (log format, maps, limit, upstream).
	PartHTTP Part = "http"
	// PartLocations is what goes into the server block of an existing site.
	PartLocations Part = "locations"
)

// Conf describes an nginx configuration. The zero value of a field means its
// default; only Log is required. Each field is the flag of the same name of
// the command nginx-conf, and messages name that flag.
type Conf struct {
	// Standalone prints a whole nginx.conf that any user can run, instead of
	// files to include (--standalone).
	Standalone bool
	// Part chooses the include file (--part); not with Standalone.
	Part Part

	// Listen holds addresses, separated by commas: 8080, 127.0.0.1:8080,
	// [::]:80, unix:/path (--listen).
	Listen string
	// ServerName holds host names, separated by commas or spaces; empty means
	// any (--server-name).
	ServerName string
	// Log is the path of the beacon log; a relative one is taken from the
	// current folder (--log).
	Log string
	// SiteLog is the path of the site's own access log in the beacon log's
	// format, for the series of API calls; empty: none is written (--site-log).
	SiteLog string
	// API is where the daemon listens: HOST:PORT, http://HOST:PORT or
	// unix:/path (--api).
	API string

	// Prefix is the folder of pid file, error log and temporary files of a
	// standalone nginx; it must exist. Default: the log's folder (--prefix).
	Prefix string
	// User (USER or USER:GROUP) runs the workers of a standalone nginx that
	// root starts. Default: whoever can reopen the log; see workerUser (--user).
	User string
	// Cert and Key are PEM files that turn TLS on (--cert, --key).
	Cert, Key string
	// TrustedProxies are addresses and networks whose X-Forwarded-For is
	// believed (--trusted-proxies).
	TrustedProxies []string
	// ClientHeader is the header in which they name the client; default
	// X-Forwarded-For (--client-ip-header).
	ClientHeader string
	// ProxyProtocol has them name it by the PROXY protocol, before anything else
	// (--proxy-protocol).
	ProxyProtocol bool
	// Admin opens the dashboard, restore and metrics (--admin).
	Admin bool
	// Rate and Burst limit the beacons of one address: per second, and at
	// once. A negative Rate sets no limit (--rate, --burst).
	Rate, Burst int
}

// PIDFile is where a standalone nginx writes its process id.
func (c Conf) PIDFile() string { return filepath.Join(c.stateDir(), "nginx.pid") }

// ErrorLog is where a standalone nginx writes its errors.
func (c Conf) ErrorLog() string { return filepath.Join(c.stateDir(), "nginx-error.log") }

// tempDir is made by nginx itself at its start.
func (c Conf) tempDir() string { return filepath.Join(c.stateDir(), "nginx-tmp") }

// cacheDir as well.
func (c Conf) cacheDir() string { return filepath.Join(c.stateDir(), "nginx-cache") }

func (c Conf) stateDir() string {
	if c.Prefix != "" {
		return c.Prefix
	}
	return filepath.Dir(c.Log)
}

//go:embed templates
var templates embed.FS

// Write prints the configuration. It checks every field first and returns all
// that is wrong with them in one error (see errors.Join), each message with
// the flag's name; then nothing is written.
func (c Conf) Write(w io.Writer) error {
	c, err := c.complete()
	if err != nil {
		return err
	}
	text, err := c.render()
	if err != nil {
		return fmt.Errorf("print nginx configuration: %w", err)
	}
	if _, err := w.Write(text); err != nil {
		return fmt.Errorf("write nginx configuration: %w", err)
	}
	return nil
}

// page is what the templates see.
type page struct {
	Conf
	Listens     []string
	Names       string
	Upstream    string
	Trusted     []string // as set_real_ip_from takes them
	TrustedNets []string // as geo takes them: no unix sockets
	PIDFile     string
	ErrorLog    string
	TempDir     string
	CacheDir    string
	Workers     string // as user takes it
	Limited     bool
	AdminPaths  []string
}

func (c Conf) page() page {
	p := page{
		Conf:       c,
		Listens:    splitList(c.Listen),
		Names:      strings.Join(splitList(c.ServerName), " "),
		Upstream:   c.API,
		Trusted:    c.TrustedProxies,
		PIDFile:    c.PIDFile(),
		ErrorLog:   c.ErrorLog(),
		TempDir:    c.tempDir(),
		CacheDir:   c.cacheDir(),
		Workers:    strings.Replace(c.User, ":", " ", 1),
		Limited:    c.Rate > 0,
		AdminPaths: []string{"^~ /admin", "^~ /api/admin", "^~ /api/restore", "= /metrics"},
	}
	for _, t := range c.TrustedProxies {
		if t != "unix:" {
			p.TrustedNets = append(p.TrustedNets, t)
		}
	}
	return p
}

// RealIPHeader is where nginx finds the client's address.
func (c Conf) RealIPHeader() string {
	switch {
	case c.ProxyProtocol:
		return "proxy_protocol"
	case c.ClientHeader != "":
		return c.ClientHeader
	}
	return "X-Forwarded-For"
}

func (c Conf) render() ([]byte, error) {
	t := template.New("")
	t.Funcs(template.FuncMap{
		"logFormat": logFormat,
		"cuts":      func() []cut { return cuts[:] },
		"maxURI":    func() int { return maxURI },
		"quote":     func(s string) string { return `"` + s + `"` }, // checked: no quote, backslash or $ in it
		"indent": func(name string, data any) (string, error) {
			var b strings.Builder
			err := t.ExecuteTemplate(&b, name, data)
			return "    " + strings.ReplaceAll(b.String(), "\n", "\n    "), err
		},
	})
	if _, err := t.ParseFS(templates, "templates/*.tmpl"); err != nil {
		return nil, err
	}
	var b bytes.Buffer
	if err := t.ExecuteTemplate(&b, c.template(), c.page()); err != nil {
		return nil, err
	}
	return tidy(b.Bytes()), nil
}

func (c Conf) template() string {
	switch {
	case c.Standalone:
		return "standalone"
	case c.Part == PartHTTP:
		return "http-part"
	case c.Part == PartLocations:
		return "locations-part"
	}
	return "include"
}

var (
	trailingSpace = regexp.MustCompile(`(?m)[ \t]+$`)
	blankLines    = regexp.MustCompile(`\n{3,}`)
)

// tidy removes what conditions in the templates leave behind: spaces at the
// end of lines and more than one blank line in a row.
func tidy(text []byte) []byte {
	text = trailingSpace.ReplaceAll(text, nil)
	text = blankLines.ReplaceAll(text, []byte("\n\n"))
	return append(bytes.TrimSpace(text), '\n')
}
