package nginx

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// complete fills in the defaults and checks every value. What it lets through
// can stand in a configuration without changing its structure.
func (c Conf) complete() (Conf, error) {
	c = c.withDefaults()
	errs := []error{
		c.checkPart(),
		c.checkPaths(),
		checkListens(c.Listen),
		checkNames(c.ServerName),
		c.checkTrusted(),
		c.checkLimit(),
		checkUser(c.User),
	}
	var err error
	c.API, err = upstream(c.API)
	if err := errors.Join(append(errs, err)...); err != nil {
		return c, err
	}
	if c.Log, err = filepath.Abs(c.Log); err != nil {
		return c, fmt.Errorf("--log: find the current folder: %w", err)
	}
	if c.SiteLog != "" {
		if c.SiteLog, err = filepath.Abs(c.SiteLog); err != nil {
			return c, fmt.Errorf("--site-log: find the current folder: %w", err)
		}
	}
	if c.Prefix != "" {
		if c.Prefix, err = filepath.Abs(c.Prefix); err != nil {
			return c, fmt.Errorf("--prefix: find the current folder: %w", err)
		}
	}
	// Once more: the current folder is part of the path now.
	if err := c.checkPaths(); err != nil {
		return c, err
	}
	if c.Standalone && c.User == "" {
		c.User, err = workerUser(filepath.Dir(c.Log))
	}
	return c, err
}

func (c Conf) withDefaults() Conf {
	if c.Listen == "" {
		c.Listen = DefaultListen
		if c.Standalone {
			c.Listen = DefaultListenStandalone
		}
	}
	if c.ServerName == "" {
		c.ServerName = "_"
	}
	if c.API == "" {
		c.API = DefaultAPI
	}
	if c.Rate == 0 {
		c.Rate = DefaultRate
	}
	if c.Burst == 0 {
		c.Burst = DefaultBurst
	}
	return c
}

func (c Conf) checkPart() error {
	switch c.Part {
	case PartAll, PartHTTP, PartLocations:
	default:
		return fmt.Errorf("--part: %q is unknown; use http or locations", c.Part)
	}
	if c.Part != PartAll && c.Standalone {
		return errors.New("--part: not together with --standalone, which prints a whole configuration")
	}
	if c.Part != PartAll && len(c.TrustedProxies) > 0 {
		return errors.New("--trusted-proxies: not together with --part; set set_real_ip_from in your site's server block")
	}
	if c.Part != PartAll && c.Admin {
		return errors.New("--admin: not together with --part; proxy /admin/ in your site's server block if you want it there")
	}
	return nil
}

func (c Conf) checkPaths() error {
	var errs []error
	if c.Log == "" {
		errs = append(errs, errors.New("--log: the path of the beacon log is needed, such as /var/log/ddkk/event.log"))
	}
	for _, p := range [...]struct{ flag, path string }{
		{"--log", c.Log}, {"--site-log", c.SiteLog}, {"--prefix", c.Prefix}, {"--cert", c.Cert}, {"--key", c.Key},
	} {
		errs = append(errs, checkPath(p.flag, p.path))
	}
	if c.Log != "" && (strings.HasSuffix(c.Log, "/") || c.Standalone && (c.Log == c.PIDFile() || c.Log == c.ErrorLog())) {
		errs = append(errs, fmt.Errorf("--log: %q is not the name of a file that is free for the beacon log", c.Log))
	}
	if c.SiteLog != "" && (strings.HasSuffix(c.SiteLog, "/") || c.SiteLog == c.Log) {
		errs = append(errs, fmt.Errorf("--site-log: %q is not the name of a file of its own", c.SiteLog))
	}
	if (c.Cert == "") != (c.Key == "") {
		errs = append(errs, errors.New("--cert, --key: give both or none"))
	}
	return errors.Join(errs...)
}

// checkPath refuses what could end a quoted string, or be a variable, in
// nginx's configuration; the rest nobody needs in a path.
func checkPath(flag, path string) error {
	if !utf8.ValidString(path) {
		return fmt.Errorf("%s: %q is not UTF-8", flag, path)
	}
	bad := func(r rune) bool { return unicode.IsControl(r) || strings.ContainsRune("\"'\\$;{}`", r) }
	if i := strings.IndexFunc(path, bad); i >= 0 {
		r, _ := utf8.DecodeRuneInString(path[i:])
		return fmt.Errorf("%s: %q holds %q; quotes, backslash, $ ; { } and control characters cannot be written into the configuration", flag, path, r)
	}
	return nil
}

// splitList cuts at commas and blanks. Other white space stays in the
// elements and is refused with them.
func splitList(s string) []string {
	return strings.FieldsFunc(s, func(r rune) bool { return r == ',' || r == ' ' })
}

func checkListens(list string) error {
	all := splitList(list)
	if len(all) == 0 {
		return fmt.Errorf("--listen: %q names no address", list)
	}
	var errs []error
	for _, l := range all {
		errs = append(errs, checkListen(l))
	}
	return errors.Join(errs...)
}

func checkListen(l string) error {
	if path, ok := strings.CutPrefix(l, "unix:"); ok {
		if !filepath.IsAbs(path) {
			return fmt.Errorf("--listen: %q: the path of a socket starts with /", l)
		}
		return checkPath("--listen", path)
	}
	host, port, err := net.SplitHostPort(l)
	if err != nil {
		host, port = "", l
	}
	if !validPort(port) {
		return fmt.Errorf("--listen: %q is not PORT, ADDRESS:PORT, [IPv6]:PORT or unix:/path", l)
	}
	if _, err := netip.ParseAddr(host); err != nil && host != "" && host != "*" && !hostName.MatchString(host) {
		return fmt.Errorf("--listen: %q is not an address", host)
	}
	return nil
}

func validPort(s string) bool {
	n, err := strconv.ParseUint(s, 10, 16)
	return err == nil && n > 0
}

var (
	hostName = regexp.MustCompile(`\A[0-9A-Za-z_]([0-9A-Za-z._-]*[0-9A-Za-z_])?\z`)
	// A name of server_name may have a star as its first or last label.
	serverName = regexp.MustCompile(`\A(\*?\.)?[0-9A-Za-z_]([0-9A-Za-z._-]*[0-9A-Za-z_])?(\.\*)?\z`)
	// USER or USER:GROUP.
	userName = regexp.MustCompile(`\A[a-z_][0-9A-Za-z._-]*(:[a-z_][0-9A-Za-z._-]*)?\z`)
)

func checkNames(list string) error {
	all := splitList(list)
	if len(all) == 0 {
		return fmt.Errorf("--server-name: %q names no host", list)
	}
	var errs []error
	for _, n := range all {
		if !serverName.MatchString(n) {
			errs = append(errs, fmt.Errorf("--server-name: %q is not a host name (no scheme, no port, no path; international names in punycode)", n))
		}
	}
	return errors.Join(errs...)
}

// upstream turns the daemon's address into what nginx's server directive of
// an upstream takes.
func upstream(api string) (string, error) {
	if path, ok := strings.CutPrefix(api, "unix:"); ok {
		if !filepath.IsAbs(path) || strings.ContainsAny(path, ": ") {
			return "", fmt.Errorf("--api: %q: the path of a socket starts with / and has no blank or colon", api)
		}
		return api, checkPath("--api", path)
	}
	if strings.HasPrefix(api, "https://") {
		return "", fmt.Errorf("--api: %q: the daemon speaks plain http behind nginx; use http://", api)
	}
	addr := strings.TrimSuffix(strings.TrimPrefix(api, "http://"), "/")
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		host, port = "", addr
	}
	if host == "" {
		host = "127.0.0.1"
	}
	_, errAddr := netip.ParseAddr(host)
	if !validPort(port) || errAddr != nil && !hostName.MatchString(host) {
		return "", fmt.Errorf("--api: %q is not HOST:PORT, http://HOST:PORT or unix:/path", api)
	}
	return net.JoinHostPort(host, port), nil
}

func (c Conf) checkTrusted() error {
	var errs []error
	for _, t := range c.TrustedProxies {
		_, errAddr := netip.ParseAddr(t)
		_, errNet := netip.ParsePrefix(t)
		if t != "unix:" && (errAddr != nil || strings.Contains(t, "%")) && errNet != nil {
			errs = append(errs, fmt.Errorf("--trusted-proxies: %q is not an address, a network such as 10.0.0.0/8, or \"unix:\" for local sockets", t))
		}
	}
	if strings.Contains(c.Listen, "unix:") && !slices.Contains(c.TrustedProxies, "unix:") {
		errs = append(errs, errors.New("--listen: a unix socket has no client address; name the proxy in front of it with \"--trusted-proxies unix:\" here"))
	}
	switch {
	case c.ClientHeader != "" && c.ProxyProtocol:
		errs = append(errs, errors.New("--client-ip-header: not together with --proxy-protocol, which names the client itself"))
	case (c.ClientHeader != "" || c.ProxyProtocol) && len(c.TrustedProxies) == 0:
		errs = append(errs, errors.New("--trusted-proxies: name the proxies that --client-ip-header or --proxy-protocol believes; anybody else could name any client"))
	case strings.EqualFold(c.ClientHeader, "Forwarded"):
		errs = append(errs, errors.New("--client-ip-header: nginx cannot read Forwarded; have the proxy send X-Forwarded-For or the PROXY protocol"))
	case !headerName.MatchString(c.ClientHeader):
		errs = append(errs, fmt.Errorf("--client-ip-header: %q is not the name of a header", c.ClientHeader))
	}
	return errors.Join(errs...)
}

// headerName is what nginx takes as one; empty: none is given.
var headerName = regexp.MustCompile(`^[A-Za-z0-9-]{0,64}$`)

// maxRate is far beyond any need; nginx multiplies by 1000 in an int.
const maxRate = 1_000_000

func (c Conf) checkLimit() error {
	var errs []error
	if c.Rate > maxRate {
		errs = append(errs, fmt.Errorf("--rate: %d is over %d beacons a second; a negative rate means no limit", c.Rate, maxRate))
	}
	if c.Burst < 0 || c.Burst > maxRate {
		errs = append(errs, fmt.Errorf("--burst: %d is not between 1 and %d", c.Burst, maxRate))
	}
	return errors.Join(errs...)
}

func checkUser(name string) error {
	if name != "" && !userName.MatchString(name) {
		return fmt.Errorf("--user: %q is not USER or USER:GROUP", name)
	}
	return nil
}
