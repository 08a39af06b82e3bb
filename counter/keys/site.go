package keys

import "strings"

// A site must end by itself within a key, since what follows it may be anything.
// Names as parser.NormalizeSite makes them do: letters, digits, "-", "_" and "."
// end at the first colon, and an IPv6 address stands in brackets. Any other
// text, which can only come from a hand-made list of sites, is escaped: "%" and
// two digits stand for each byte that a plain name has not.

// site is how a site stands in a key.
func (k Keys) site(s string) string {
	if !plain(s) {
		s = escape(s)
	}
	if k.cluster {
		return "{" + s + "}"
	}
	return s
}

// cutSite is the reverse of site.
func (k Keys) cutSite(text string) (site, rest string, ok bool) {
	if k.cluster {
		if text, ok = strings.CutPrefix(text, "{"); !ok {
			return "", "", false
		}
		if site, rest, ok = strings.Cut(text, "}"); !ok {
			return "", "", false
		}
	} else {
		site, rest = text, ""
		end := strings.IndexByte(text, ':')
		if strings.HasPrefix(text, "[") {
			end = strings.IndexByte(text, ']') + 1
		}
		if end >= 0 {
			site, rest = text[:end], text[end:]
		}
	}
	if plain(site) {
		return site, rest, true
	}
	name, ok := unescape(site)
	return name, rest, ok
}

func plain(s string) bool {
	if s == "" {
		return false
	}
	if s[0] == '[' {
		return len(s) > 2 && s[len(s)-1] == ']' && !strings.ContainsFunc(s[1:len(s)-1], func(c rune) bool {
			return (c < '0' || c > '9') && (c < 'a' || c > 'f') && c != ':' && c != '.'
		})
	}
	for i := range len(s) {
		if !plainByte(s[i]) {
			return false
		}
	}
	return true
}

func plainByte(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '.' || c == '-' || c == '_'
}

const hexDigits = "0123456789abcdef"

// escape makes a text one that ends by itself; no text at all is "%".
func escape(s string) string {
	if s == "" {
		return "%"
	}
	b := make([]byte, 0, 3*len(s))
	for i := range len(s) {
		if c := s[i]; plainByte(c) {
			b = append(b, c)
		} else {
			b = append(b, '%', hexDigits[c>>4], hexDigits[c&15])
		}
	}
	return string(b)
}

// unescape is the reverse of escape; false: escape makes no such text.
func unescape(s string) (string, bool) {
	if s == "%" {
		return "", true
	}
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c == '%' {
			if i+2 >= len(s) {
				return "", false
			}
			high, low := strings.IndexByte(hexDigits, s[i+1]), strings.IndexByte(hexDigits, s[i+2])
			if high < 0 || low < 0 {
				return "", false
			}
			c = byte(high<<4 | low)
			if plainByte(c) {
				return "", false
			}
			i += 2
		} else if !plainByte(c) {
			return "", false
		}
		b = append(b, c)
	}
	name := string(b)
	return name, name != "" && !plain(name)
}
