package parser

import (
	"strings"
	"testing"
)

// With keys, only beacons count that one of them has signed for this very page and
// site; whatever spelling of them is sent.
func TestSignedBeacons(t *testing.T) {
	const key, old = "a key of the owner's pages", "the key before it"
	p, err := New(Config{BeaconKeys: []string{key, old}})
	if err != nil {
		t.Fatal(err)
	}
	good := Sign([]byte(key), "ddkk.com", []byte("/文"))
	// Computed with: printf 'ddkk.com\n/文' | openssl dgst -sha256 -hmac "a key of the owner's pages"
	if want := "c12512f8ffedfcd81af34c7e08e3b87e"; good != want {
		t.Errorf("signature %s, want %s", good, want)
	}
	f := func(query string, want Reason) {
		t.Helper()
		line := "v1\t1700000000.000\t0123456789abcdef0123456789abcdef\t192.0.2.1\tcount.example\tGET\t200\t/event.png?" + query + "\t-\tMozilla/5.0 Firefox/130.0\t-\t-\t-\t0.000\t43\tend"
		var h Hit
		p.Parse([]byte(line), &h)
		if h.Reason != want {
			t.Errorf("%s: %v, want %v", query, h.Reason, want)
		}
	}
	f("site=ddkk.com&page=%2F%E6%96%87&sig="+good, ReasonNone)
	f("sig="+good+"&site=www.DDKK.com&page=/%25E6%2596%2587", ReasonNone)
	f("site=ddkk.com&page=%2F%E6%96%87&category=a&action=b&sig="+good, ReasonNone)
	f("site=ddkk.com&page=%2F%E6%96%87&sig="+strings.ToUpper(good), ReasonNone)
	f("site=ddkk.com&page=%2F%E6%96%87&sig="+Sign([]byte(old), "ddkk.com", []byte("/文")), ReasonNone)
	for _, query := range []string{
		"site=ddkk.com&page=%2F%E6%96%87", "site=ddkk.com&page=%2F%E6%96%87&sig=", "site=ddkk.com&page=%2F%E6%96%87&sig=" + good[:31],
		"site=ddkk.com&page=%2F%E6%96%87&sig=" + good + "0", "site=ddkk.com&page=/other&sig=" + good, "site=evil.example&page=%2F%E6%96%87&sig=" + good,
		"site=ddkk.com&page=%2F%E6%96%87&sig=" + strings.Repeat("0", 32), "site=ddkk.com&page=%2F%E6%96%87&sig=" + strings.Repeat("g", 32),
		"site=ddkk.com&page=%2F%E6%96%87&sig=" + Sign([]byte("another key"), "ddkk.com", []byte("/文")), "site=ddkk.com&page=%2F%E6%96%87&sig=0&sig=" + good,
	} {
		f(query, SkipUnsigned)
	}
	if n := testing.AllocsPerRun(100, func() { p.signed.good([]byte(good), "ddkk.com", []byte("/文")) }); n > 1 {
		t.Errorf("%v allocations for a signature", n)
	}
}
