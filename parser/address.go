package parser

import (
	"bytes"
	"net/netip"
)

// client reads who asked, as servers and proxies name it. The answer is no valid
// address where the text names none: "-", a socket ("unix:"), a host name that a
// server looked up, an address that was masked. Such a line counts, and its view
// has no visitor, since all of them would be one. ok is false for a text that
// cannot be a client at all: the line is damaged.
//
// A list ("client, proxy, proxy", as X-Forwarded-For grows) gives the last address
// that is no proxy of ours: what stands before it is what somebody claimed.
func (ln *lines) client(text []byte) (netip.Addr, bool) {
	if addr, ok := parseAddr(text); ok {
		return addr, true
	}
	var addr netip.Addr
	for more := true; more; {
		var element []byte
		text, element, more = cutLast(text)
		one, ok := parseNode(bytes.Trim(element, " \t\"'"))
		if !ok {
			return netip.Addr{}, false
		}
		if !one.IsValid() {
			continue
		}
		if addr = one; !ln.proxies.has(one) {
			break
		}
	}
	return addr, true
}

// cutLast takes the last element off a list.
func cutLast(list []byte) (rest, last []byte, more bool) {
	i := bytes.LastIndexByte(list, ',')
	if i < 0 {
		return nil, list, false
	}
	return list[:i], list[i+1:], true
}

// parseNode reads one client: an address, perhaps with a port or a zone, or a
// name that is none.
func parseNode(b []byte) (netip.Addr, bool) {
	if addr, ok := parseAddr(b); ok {
		return addr, true
	}
	if len(b) > 0 && b[0] == '[' {
		inside, rest, ok := bytes.Cut(b[1:], []byte("]"))
		if !ok || len(rest) > 0 && !isPort(rest) {
			return netip.Addr{}, false
		}
		return parseZoned(inside)
	}
	if addr, ok := parseZoned(b); ok {
		return addr, true
	}
	if i := bytes.IndexByte(b, ':'); i > 0 && isPort(b[i:]) {
		if addr, ok := parseAddr(b[:i]); ok {
			return addr, true
		}
	}
	return netip.Addr{}, isClientName(b)
}

// isPort says whether b is ":" and a number.
func isPort(b []byte) bool {
	_, ok := parseDigits(b[1:])
	return b[0] == ':' && ok && len(b) <= len(":65535")
}

// parseZoned reads an IPv6 address whose zone, a name of the server's own, is
// dropped.
func parseZoned(b []byte) (netip.Addr, bool) {
	if i := bytes.IndexByte(b, '%'); i > 0 && bytes.IndexByte(b[:i], ':') >= 0 {
		b = b[:i]
	}
	return parseAddr(b)
}

// isClientName says whether a text may stand where a client's address does
// although it is none: nothing, a socket, a host, a masked address. Numbers alone
// are damage: two addresses in one, or a part of one.
func isClientName(b []byte) bool {
	if len(b) == 0 || len(b) == 1 && (b[0] == '-' || b[0] == '?') || bytes.HasPrefix(b, []byte("unix:")) {
		return true
	}
	word, masked, colons := false, false, 0
	for _, c := range b {
		switch {
		case c == 'x' || c == 'X' || c == '*':
			word, masked = true, true
		case c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z':
			word = true
		case c == ':':
			colons++
		case c >= '0' && c <= '9' || c == '.' || c == '-' || c == '_':
		default:
			return false
		}
	}
	return word && (colons < 2 || masked)
}

// parseAddr reads a plain IP address without allocating. What else names a client
// is left to Parser.client.
func parseAddr(b []byte) (netip.Addr, bool) {
	if len(b) < 2 || len(b) > len("ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255") {
		return netip.Addr{}, false
	}
	for _, c := range b[:min(len(b), 5)] {
		if c == ':' {
			return parseAddr6(b)
		}
	}
	var ip [4]byte
	ok := parseAddr4(b, &ip)
	return netip.AddrFrom4(ip), ok
}

func parseAddr4(b []byte, ip *[4]byte) bool {
	part, digits, n := 0, 0, 0
	for _, c := range b {
		if d := c - '0'; d <= 9 {
			if digits > 0 && n == 0 {
				return false // octal or padded: read differently by others
			}
			n = n*10 + int(d)
			digits++
			if n > 255 {
				return false
			}
			continue
		}
		if c != '.' || digits == 0 || part == 3 {
			return false
		}
		ip[part] = byte(n)
		part, digits, n = part+1, 0, 0
	}
	ip[3] = byte(n)
	return part == 3 && digits > 0
}

// parseAddr6 reads the text form of RFC 4291 section 2.2; a v4-mapped address
// comes out as the IPv4 address that it means.
func parseAddr6(b []byte) (netip.Addr, bool) {
	var ip [16]byte
	n, gap := 0, -1 // bytes written; where "::" stands
	if b[0] == ':' {
		if b[1] != ':' {
			return netip.Addr{}, false
		}
		gap, b = 0, b[2:]
	}
	for len(b) > 0 {
		if n == 16 {
			return netip.Addr{}, false
		}
		group, used := 0, 0
		for used < len(b) && used < 5 && unhex(b[used]) >= 0 {
			group = group<<4 | unhex(b[used])
			used++
		}
		if used == 0 || used > 4 {
			return netip.Addr{}, false
		}
		if used < len(b) && b[used] == '.' {
			var v4 [4]byte
			if n > 12 || !parseAddr4(b, &v4) {
				return netip.Addr{}, false
			}
			n += copy(ip[n:], v4[:])
			break
		}
		ip[n], ip[n+1] = byte(group>>8), byte(group)
		n += 2
		b = b[used:]
		if len(b) == 0 {
			break
		}
		if b[0] != ':' || len(b) == 1 {
			return netip.Addr{}, false
		}
		b = b[1:]
		if b[0] == ':' {
			if gap >= 0 {
				return netip.Addr{}, false
			}
			gap, b = n, b[1:]
		}
	}
	if gap < 0 && n < 16 || gap >= 0 && n == 16 {
		return netip.Addr{}, false
	}
	if gap >= 0 {
		moved := copy(ip[16-(n-gap):], ip[gap:n])
		clear(ip[gap : 16-moved])
	}
	return netip.AddrFrom16(ip).Unmap(), true
}
