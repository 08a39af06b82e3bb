package parser

import (
	"bytes"
	"math"
	"strconv"
)

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

// units are what a duration may end in, longest first.
var units = [...]struct {
	name    string
	seconds float64
}{{"ms", 1e-3}, {"us", 1e-6}, {"µs", 1e-6}, {"ns", 1e-9}, {"s", 1}}

// maxTook is the longest request that is believed, in seconds.
const maxTook = 1e9

// looseSeconds reads a request's time as programs write it: "9.3e-05", ".5",
// "5.", "12ms". What is none (a list, a text, a negative number) is -1, "not
// known": no line is lost for it.
func looseSeconds(b []byte) float64 {
	if n, ok := parseSeconds(b); ok {
		return n
	}
	scale := 1.0
	for _, u := range units {
		if rest, ok := bytes.CutSuffix(b, []byte(u.name)); ok {
			b, scale = bytes.TrimRight(rest, " "), u.seconds
			break
		}
	}
	if n, ok := parseFloat(b); ok && n >= 0 && n*scale <= maxTook {
		return n * scale
	}
	return -1
}

// looseSize reads a number of bytes as programs write it: "512.0", "1e3". What
// is none is 0.
func looseSize(b []byte) int64 {
	if n, ok := parseSize(b); ok {
		return n
	}
	if n, ok := parseFloat(b); ok && n >= 0 && n < 1<<53 {
		return int64(n)
	}
	return 0
}

// parseFloat reads a decimal number of any form, without "inf", "nan" and
// hexadecimal ones.
func parseFloat(b []byte) (float64, bool) {
	for _, c := range b {
		if (c < '0' || c > '9') && c != '.' && c != 'e' && c != 'E' && c != '+' && c != '-' {
			return 0, false
		}
	}
	n, err := strconv.ParseFloat(string(b), 64)
	return n, err == nil && !math.IsInf(n, 0)
}

// looseStatus reads a status as programs write it: "200", "200.0", "200 OK", and
// of the list that a proxy makes of several tries ("502, 200") the last. What is
// none ("-", "000", "null") is 0: nothing was answered.
func looseStatus(b []byte) int {
	b = bytes.TrimSpace(b[bytes.LastIndexByte(b, ',')+1:])
	if len(b) > 3 && (b[3] == ' ' || b[3] == '.') {
		b = b[:3]
	}
	n, ok := parseStatus(b)
	if !ok || n < 100 {
		return 0
	}
	return n
}
