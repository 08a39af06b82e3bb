package config

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"ddkk-stats/parser"
)

// maxSocketPath is what the address of a socket has room for.
const maxSocketPath = 107

func parseListen(c *Config, s string) error {
	c.Socket = ""
	if path, ok := strings.CutPrefix(s, "unix:"); ok {
		if !filepath.IsAbs(path) || len(path) > maxSocketPath || filepath.Clean(path) != path || path == "/" {
			return fmt.Errorf("a socket needs an absolute path of at most %d bytes: unix:/run/ddkk/http.sock", maxSocketPath)
		}
		c.Listen, c.Socket = s, path
		return nil
	}
	s = strings.Trim(s, "[]")
	if s == "*" {
		s = ""
	}
	if _, err := netip.ParseAddr(s); err != nil && s != "" {
		if err := checkHost(s); err != nil {
			return err
		}
	}
	c.Listen = s
	return nil
}

// checkHost takes a host name (RFC 1123, with _ as resolvers do) in ASCII or
// as people write it; what cannot be in any host name is refused.
func checkHost(host string) error {
	if host == "" {
		return errors.New("empty host")
	}
	if len(host) > 253 || strings.ContainsFunc(host, notInHost) || strings.Contains(host, "..") {
		return fmt.Errorf("%q is not a host", host)
	}
	return nil
}

func notInHost(r rune) bool {
	return r <= ' ' || r == 0x7f || strings.ContainsRune(`/\:@?#[]{}%"'<>|^=,;*`, r)
}

func checkHostPort(addr string) error {
	host, port, err := net.SplitHostPort(addr)
	if err != nil || strings.ContainsAny(host, "@/?") { // a user does not belong there, and an address is logged
		return fmt.Errorf("%q is not host:port", addr)
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
		return fmt.Errorf("%q is not a port", port)
	}
	if _, err := netip.ParseAddr(host); err == nil {
		return nil
	}
	return checkHost(host)
}

func parseSites(c *Config, s string) (err error) {
	c.Sites, err = sitesOf(s)
	return err
}

func parsePublicSites(c *Config, s string) (err error) {
	c.PublicSites, err = sitesOf(s)
	return err
}

// sitesOf reads sites, each of which is kept once.
func sitesOf(s string) ([]string, error) {
	var sites []string
	for _, site := range splitList(s) {
		host, err := siteHost(site)
		if err != nil {
			return nil, err
		}
		if !slices.Contains(sites, host) {
			sites = append(sites, host)
		}
	}
	return sites, nil
}

func parseAliases(c *Config, s string) error {
	c.SiteAliases = make(map[string]string)
	return splitPairs(s, func(alias, site string) error {
		from, err := siteHost(alias)
		if err != nil {
			return err
		}
		to, err := siteHost(site)
		if err != nil {
			return err
		}
		c.SiteAliases[from] = to
		return nil
	})
}

func parseNets(field func(*Config) *nets) func(*Config, string) error {
	return func(c *Config, s string) error {
		*field(c) = nil
		if strings.EqualFold(s, "none") || strings.EqualFold(s, "off") {
			return nil
		}
		for _, item := range splitList(s) {
			prefix, err := parseNet(item)
			if err != nil {
				return err
			}
			*field(c) = append(*field(c), prefix)
		}
		return nil
	}
}

// parseNet reads an address or a network. IPv4 written as IPv6
// (::ffff:10.0.0.1) becomes IPv4, as addresses of peers do.
func parseNet(s string) (netip.Prefix, error) {
	if addr, err := netip.ParseAddr(s); err == nil && addr.Zone() == "" {
		addr = addr.Unmap()
		return netip.PrefixFrom(addr, addr.BitLen()), nil
	}
	prefix, err := netip.ParsePrefix(s)
	if err != nil {
		return netip.Prefix{}, fmt.Errorf("%q is neither an address nor a network", s)
	}
	if prefix.Addr().Is4In6() {
		if prefix.Bits() < 96 {
			return netip.Prefix{}, fmt.Errorf("%q mixes IPv4 and IPv6", s)
		}
		prefix = netip.PrefixFrom(prefix.Addr().Unmap(), prefix.Bits()-96)
	}
	return prefix.Masked(), nil
}

func parseOrigins(c *Config, s string) error {
	c.CORSOrigins = nil
	if strings.EqualFold(s, "none") || strings.EqualFold(s, "off") {
		return nil
	}
	for _, item := range splitList(s) {
		origin, err := parseOrigin(item)
		if err != nil {
			return err
		}
		c.CORSOrigins = append(c.CORSOrigins, origin)
	}
	return nil
}

// parseOrigin normalises to what a browser sends: lower case, no slash at the
// end, no default port (RFC 6454, section 6.2).
func parseOrigin(s string) (string, error) {
	if s == "*" {
		return s, nil
	}
	u, err := url.Parse(strings.ToLower(s))
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Hostname() == "" ||
		strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.Fragment != "" || u.User != nil {
		return "", fmt.Errorf("%q is not an origin", s)
	}
	port := u.Port()
	if port == "" || u.Scheme == "http" && port == "80" || u.Scheme == "https" && port == "443" {
		return u.Scheme + "://" + strings.TrimSuffix(strings.TrimSuffix(u.Host, port), ":"), nil
	}
	return u.Scheme + "://" + u.Host, nil
}

// siteHost is the name of a site as the parser has it. A path would be dropped
// without a word, so it is refused: sites are hosts.
func siteHost(s string) (string, error) {
	rest := s
	if _, after, ok := strings.Cut(s, "://"); ok {
		rest = after
	}
	site, ok := parser.NormalizeSite(s)
	if !ok || strings.ContainsAny(strings.TrimSuffix(rest, "/"), `/\?#`) {
		return "", fmt.Errorf("%q is not a host", s)
	}
	return site, nil
}

// parseHeaderName takes the name of a header (RFC 9110: a token).
func parseHeaderName(c *Config, s string) error {
	const others = "!#$%&'*+-.^_`|~"
	for i := range len(s) {
		b := s[i]
		if (b < '0' || b > '9') && (b < 'a' || b > 'z') && (b < 'A' || b > 'Z') && strings.IndexByte(others, b) < 0 {
			return errors.New("not the name of a header")
		}
	}
	if len(s) > 64 {
		return errors.New("longer than 64 bytes")
	}
	c.ClientIPHeader = s
	return nil
}

// parseAlertURL takes where alerts go. What is wrong with it is said without
// showing it.
func parseAlertURL(c *Config, s string) error {
	c.AlertURL = ""
	if s == "" {
		return nil
	}
	u, err := url.Parse(s)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return errors.New("not an http(s) address")
	}
	c.AlertURL = Secret(s)
	return nil
}
