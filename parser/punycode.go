package parser

import "unicode/utf8"

// The parameters of RFC 3492, section 5.
const (
	punyBase        = 36
	punyTMin        = 1
	punyTMax        = 26
	punySkew        = 38
	punyDamp        = 700
	punyInitialBias = 72
	punyInitialN    = 128
)

// appendPunycode appends the encoding of label by RFC 3492, section 6.3,
// without the "xn--". It reports false for a label that is too long to be one.
func appendPunycode(dst []byte, label string) ([]byte, bool) {
	runes := []rune(label)
	if len(runes) > maxLabel {
		return dst, false
	}
	basic := 0
	for _, r := range runes {
		if r < utf8.RuneSelf {
			dst = append(dst, byte(r))
			basic++
		}
	}
	if basic > 0 {
		dst = append(dst, '-')
	}
	n, delta, bias := rune(punyInitialN), 0, punyInitialBias
	for done := basic; done < len(runes); {
		next := nextCodePoint(runes, n)
		delta += int(next-n) * (done + 1)
		for _, r := range runes {
			if r < next {
				delta++
			}
			if r == next {
				dst = appendPunyDelta(dst, delta, bias)
				bias = punyAdapt(delta, done+1, done == basic)
				delta = 0
				done++
			}
		}
		n = next + 1
		delta++
	}
	return dst, true
}

// nextCodePoint is the smallest rune of the label that is at least n.
func nextCodePoint(runes []rune, n rune) rune {
	next := rune(utf8.MaxRune)
	for _, r := range runes {
		if r >= n && r < next {
			next = r
		}
	}
	return next
}

// appendPunyDelta writes delta as a generalized variable-length integer.
func appendPunyDelta(dst []byte, delta, bias int) []byte {
	for k := punyBase; ; k += punyBase {
		t := min(max(k-bias, punyTMin), punyTMax)
		if delta < t {
			return append(dst, punyDigit(delta))
		}
		dst = append(dst, punyDigit(t+(delta-t)%(punyBase-t)))
		delta = (delta - t) / (punyBase - t)
	}
}

func punyDigit(d int) byte {
	if d < 26 {
		return byte('a' + d)
	}
	return byte('0' + d - 26)
}

// punyAdapt is the bias adaptation of RFC 3492, section 6.1.
func punyAdapt(delta, points int, first bool) int {
	if first {
		delta /= punyDamp
	} else {
		delta /= 2
	}
	delta += delta / points
	k := 0
	for ; delta > ((punyBase-punyTMin)*punyTMax)/2; k += punyBase {
		delta /= punyBase - punyTMin
	}
	return k + (punyBase-punyTMin+1)*delta/(delta+punySkew)
}
