package parser

import (
	"strings"
	"testing"
)

func TestNormalizeSite(t *testing.T) {
	f := func(host, want string) {
		t.Helper()
		if got, ok := NormalizeSite(host); got != want || !ok {
			t.Errorf("NormalizeSite(%q) = %q, %t, want %q", host, got, ok, want)
		}
	}
	f("ddkk.com", "ddkk.com")
	f("https://ddkk.com:443", "ddkk.com")
	f("www.ddkk.com", "ddkk.com")
	f("WWW.DDKK.COM.", "ddkk.com")
	f("www.www.ddkk.com", "ddkk.com")
	f("www.com", "www.com")
	f("wwwx.com", "wwwx.com")
	f("http://www.ddkk.com:8080/path?q#f", "ddkk.com")
	f("ddkk.com:", "ddkk.com")
	f("localhost:8360", "localhost")
	f("a_b.example", "a_b.example")
	f("__proto__", "__proto__")
	f("203.0.113.7:80", "203.0.113.7")
	// IPv6 literals
	f("[::1]:8080", "[::1]")
	f("http://[2001:DB8::0:1]/", "[2001:db8::1]")
	f("::1", "[::1]")
	// international names; the expected ones are those of the IANA's test domains
	f("bücher.example", "xn--bcher-kva.example")
	f("BÜCHER.example", "xn--bcher-kva.example")
	f("例え.テスト", "xn--r8jz45g.xn--zckzah")
	f("例え。テスト", "xn--r8jz45g.xn--zckzah")
	f("www.пример.испытание", "xn--e1afmkfd.xn--80akhbyknj4f")
	f("ｄｄｋｋ．ｃｏｍ", "ddkk.com")
	f("XN--BCHER-KVA.example", "xn--bcher-kva.example")
	f(strings.Repeat("a", 63)+".example", strings.Repeat("a", 63)+".example")
}

func TestNormalizeSiteRejects(t *testing.T) {
	f := func(host string) {
		t.Helper()
		if got, ok := NormalizeSite(host); ok {
			t.Errorf("NormalizeSite(%q) = %q, want none", host, got)
		}
	}
	for _, host := range []string{
		"", ".", "..", "a..b", ".a", "-:-", "a b", "a\x00b", "a\nb", "a{b}", "{a}", "user@a", "a:b", "a:123456", "a,b", "a;b", "a%2eb", "a*b",
		"[::1", "[::1]x", "[fe80::1%eth0]", "[1.2.3.4]", "1:2:3", "a\xffb", "a\u202eb", "a\u200bb", "ⓓdkk.com", "xn--é.example", "///",
	} {
		f(host)
	}
	f(strings.Repeat("a", 64) + ".example")
	f(strings.Repeat("a.", 127) + "example")
	f(strings.Repeat("ü", 64))
	f(strings.Repeat("a", 10<<10))
}

// The vectors are those of RFC 3492, section 7.1 (A, B, E, I, L, S).
func TestPunycode(t *testing.T) {
	f := func(label, want string) {
		t.Helper()
		if got, ok := appendPunycode(nil, label); string(got) != want || !ok {
			t.Errorf("punycode(%q) = %q, want %q", label, got, want)
		}
	}
	f("ليهمابتكلموشعربي؟", "egbpdaj6bu4bxfgehfvwxn")
	f("他们为什么不说中文", "ihqwcrb4cv8a8dqg056pqjye")
	f("למההםפשוטלאמדבריםעברית", "4dbcagdahymbxekheh6e0a7fei0b")
	f("почемужеонинеговорятпорусски", "b1abfaaepdrnnbgefbadotcwatmq2g4l")
	f("3年b組金八先生", "3b-ww4c5e180e575a65lsy2b")
	f("-> $1.00 <-", "-> $1.00 <--")
}

func TestRefererParts(t *testing.T) {
	f := func(ref, host, rest string, ok bool) {
		t.Helper()
		h, r, k := refererParts([]byte(ref))
		if string(h) != host || string(r) != rest || k != ok {
			t.Errorf("refererParts(%q) = %q, %q, %t, want %q, %q, %t", ref, h, r, k, host, rest, ok)
		}
	}
	f("https://a.b/c?d#e", "a.b", "/c?d#e", true)
	f("HTTP://a.b", "a.b", "", true)
	f("https://a.b?c", "a.b", "?c", true)
	f("https://u:p@a.b:1/c", "a.b:1", "/c", true)
	f("https://a.b@c.d@e.f/", "e.f", "/", true)
	f(`https:\\a.b\c`, "a.b", `\c`, true)
	f(`https://e.f\@a.b/`, "e.f", `\@a.b/`, true)
	f("https:a.b", "a.b", "", true)
	f("https:///a.b", "a.b", "", true)
	f("https://", "", "", false)
	f("https://u@/x", "", "/x", false)
	f("null", "", "", false)
	f("", "", "", false)
}
