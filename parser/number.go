package parser

import "net/netip"

// parseDigits reads an unsigned decimal number of 1 to 18 digits.
func parseDigits(b []byte) (int64, bool) {
	if len(b) == 0 || len(b) > 18 {
		return 0, false
	}
	var n int64
	for _, c := range b {
		d := c - '0'
		if d > 9 {
			return 0, false
		}
		n = n*10 + int64(d)
	}
	return n, true
}

// parseMsec reads $msec, seconds with exactly three decimals, as milliseconds.
func parseMsec(b []byte) (int64, bool) {
	dot := len(b) - 4
	if dot < 1 || dot > 12 || b[dot] != '.' {
		return 0, false
	}
	sec, ok1 := parseDigits(b[:dot])
	ms, ok2 := parseDigits(b[dot+1:])
	return sec*1000 + ms, ok1 && ok2
}

// parseSeconds reads "12" or "12.345"; "-" is -1, "the format has none".
func parseSeconds(b []byte) (float64, bool) {
	if len(b) == 1 && b[0] == '-' {
		return -1, true
	}
	whole, frac := b, []byte(nil)
	for i, c := range b {
		if c == '.' {
			whole, frac = b[:i], b[i+1:]
			break
		}
	}
	n, ok := parseDigits(whole)
	if !ok || len(frac) == 0 {
		return float64(n), ok && len(whole) == len(b)
	}
	f, ok := parseDigits(frac)
	scale := 1.0
	for range frac {
		scale *= 10
	}
	return float64(n) + float64(f)/scale, ok
}

// parseStatus reads a status of three digits.
func parseStatus(b []byte) (int, bool) {
	n, ok := parseDigits(b)
	return int(n), ok && len(b) == 3
}

// parseSize reads a number of bytes; "-" is 0 (Apache's %b of an empty body).
func parseSize(b []byte) (int64, bool) {
	if len(b) == 1 && b[0] == '-' {
		return 0, true
	}
	return parseDigits(b)
}

// parseAddr reads an IP address without allocating. Zones, ports, lists of
// addresses, leading zeros and "unix:" are none.
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
