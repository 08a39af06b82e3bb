package parser

import (
	"bytes"
	"net/netip"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Limits of a host name by RFC 1035, section 2.3.4.
const (
	maxSite  = 253
	maxLabel = 63
)

// NormalizeSite turns a host, "host:port" or URL into the name of a site:
// scheme, path, port, one trailing dot and every leading "www." are stripped
// ("www." only before a name that has a dot itself, so that www.com stays),
// letters are lower-case and international names are punycode. An IPv6 literal
// comes out in brackets and in its canonical form.
//
// It reports false for what is no host: only letters, digits, "-", "_" and "."
// are let through, since the site becomes part of Redis keys. Applying it twice
// changes nothing. Unicode names are lower-cased and full-width forms folded but
// not composed (NFC): browsers send punycode, so only a hand-written parameter
// can differ.
func NormalizeSite(host string) (string, bool) {
	host = strings.TrimSpace(host)
	if i := strings.Index(host, "://"); i > 0 && isScheme(host[:i]) {
		host = host[i+3:]
	}
	if i := strings.IndexAny(host, `/\?#`); i >= 0 {
		host = host[:i]
	}
	if strings.HasPrefix(host, "[") || strings.Count(host, ":") > 1 {
		return normalizeIPv6(host)
	}
	host, ok := cutPort(host)
	if !ok {
		return "", false
	}
	if host, ok = asciiHost(host); !ok {
		return "", false
	}
	host = strings.TrimSuffix(host, ".")
	for strings.HasPrefix(host, "www.") && strings.IndexByte(host[4:], '.') > 0 {
		host = host[4:]
	}
	return host, validHost(host)
}

func isScheme(s string) bool {
	for i, c := range []byte(s) {
		letter := c|0x20 >= 'a' && c|0x20 <= 'z'
		if !letter && (i == 0 || !strings.ContainsRune("0123456789+-.", rune(c))) {
			return false
		}
	}
	return s != ""
}

// cutPort strips ":443" or a lone ":".
func cutPort(host string) (string, bool) {
	name, port, _ := strings.Cut(host, ":")
	for _, c := range []byte(port) {
		if c < '0' || c > '9' {
			return "", false
		}
	}
	return name, len(port) <= 5
}

func normalizeIPv6(host string) (string, bool) {
	if inner, ok := strings.CutPrefix(host, "["); ok {
		literal, port, closed := strings.Cut(inner, "]")
		if rest, ok := cutPort(port); !closed || !ok || rest != "" {
			return "", false
		}
		host = literal
	}
	addr, err := netip.ParseAddr(host)
	if err != nil || !addr.Is6() || addr.Zone() != "" {
		return "", false
	}
	return "[" + addr.String() + "]", true
}

// asciiHost lower-cases a name and turns its international labels into
// punycode.
func asciiHost(host string) (string, bool) {
	if len(host) > 4*maxSite {
		return "", false
	}
	if !strings.ContainsFunc(host, func(r rune) bool { return r >= utf8.RuneSelf }) {
		return strings.ToLower(host), true
	}
	if !utf8.ValidString(host) {
		return "", false
	}
	labels := strings.Split(strings.Map(foldHostRune, host), ".")
	for i, label := range labels {
		ascii, ok := asciiLabel(label)
		if !ok {
			return "", false
		}
		labels[i] = ascii
	}
	return strings.Join(labels, "."), true
}

// foldHostRune maps the characters that browsers take for ASCII ones.
func foldHostRune(r rune) rune {
	switch {
	case r == '\u3002' || r == '\uFF61': // ideographic full stops
		return '.'
	case r >= '\uFF01' && r <= '\uFF5E': // full-width ASCII
		r -= '\uFF01' - '!'
	}
	return unicode.ToLower(r)
}

func asciiLabel(label string) (string, bool) {
	ascii := true
	for _, r := range label {
		if r < utf8.RuneSelf {
			continue
		}
		ascii = false
		if !unicode.IsLetter(r) && !unicode.IsMark(r) && !unicode.IsDigit(r) {
			return "", false
		}
	}
	if ascii {
		return label, true
	}
	if strings.HasPrefix(label, "xn--") {
		return "", false
	}
	encoded, ok := appendPunycode([]byte("xn--"), label)
	return string(encoded), ok
}

// validHost checks the name that is left when everything is stripped.
func validHost(host string) bool {
	if host == "" || len(host) > maxSite {
		return false
	}
	label := 0
	for _, c := range []byte(host) {
		switch {
		case c == '.':
			if label == 0 {
				return false
			}
			label = 0
			continue
		case c >= 'a' && c <= 'z', c >= '0' && c <= '9', c == '-', c == '_':
		default:
			return false
		}
		if label++; label > maxLabel {
			return false
		}
	}
	return label > 0
}

// refererParts finds host (with port) and the rest (path, query, fragment) of a
// Referer in the way a browser reads a URL (WHATWG URL, "special" schemes):
// letter case of the scheme does not matter, slashes and backslashes are one,
// any number of them may follow the colon, and everything before the last "@"
// is user information. It reports false for what has no http(s) host: "null",
// "about:blank", "android-app://".
func refererParts(ref []byte) (host, rest []byte, ok bool) {
	n := 0
	switch {
	case hasPrefixFold(ref, "https:"):
		n = 6
	case hasPrefixFold(ref, "http:"):
		n = 5
	default:
		return nil, nil, false
	}
	for n < len(ref) && (ref[n] == '/' || ref[n] == '\\') {
		n++
	}
	host = ref[n:]
	for i, c := range host {
		if c == '/' || c == '\\' || c == '?' || c == '#' {
			host, rest = host[:i], host[i:]
			break
		}
	}
	if at := bytes.LastIndexByte(host, '@'); at >= 0 {
		host = host[at+1:]
	}
	return host, rest, len(host) > 0
}

// hasPrefixFold is bytes.HasPrefix for a lower-case ASCII prefix in any case.
func hasPrefixFold(b []byte, prefix string) bool {
	if len(b) < len(prefix) {
		return false
	}
	for i := range len(prefix) {
		c := b[i]
		if c >= 'A' && c <= 'Z' {
			c |= 0x20
		}
		if c != prefix[i] {
			return false
		}
	}
	return true
}
