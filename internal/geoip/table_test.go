package geoip

import (
	"net/netip"
	"testing"
	"time"
)

// What is shipped knows the countries of well-known networks, of both families, and none
// of addresses that nobody has.
func TestShippedCountries(t *testing.T) {
	d, err := Open("")
	if err != nil {
		t.Fatal(err)
	}
	for addr, want := range map[string]string{
		"193.99.144.80": "DE", "2a02:2e0:3fe:1001::1": "DE", "8.8.8.8": "US", "::ffff:8.8.8.8": "US", "202.96.134.133": "CN", "2001:200::1": "JP", "133.11.0.1": "JP",
		"212.27.48.10": "FR", "2001:4860:4860::8888": "US", "200.160.2.3": "BR", "2400:cb00::1": "US",
		"127.0.0.1": "", "10.1.2.3": "", "192.168.1.1": "", "0.0.0.0": "", "255.255.255.255": "", "::1": "", "fe80::1%eth0": "", "fd00::1": "", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff": "", "2001:db8::1": "",
	} {
		if got := d.Country(netip.MustParseAddr(addr)); got != want {
			t.Errorf("%s is in %q, want %q", addr, got, want)
		}
	}
	if d.Built().Before(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)) || d.Type() != "IPFire Location" || len(shipped().codes) < 240 {
		t.Errorf("built %v, %s, %d countries", d.Built(), d.Type(), len(shipped().codes))
	}
	if again, _ := Open(""); !d.Same(again) {
		t.Error("it is another one")
	}
	if none, err := Open(None); none != nil || err != nil || d.Same(none) {
		t.Errorf("none: %v, %v", none, err)
	}
}

// The index by the first bits finds what a look through all stretches finds.
func TestShippedIndex(t *testing.T) {
	d, err := Open("")
	if err != nil {
		t.Fatal(err)
	}
	at := 0
	for ip := uint64(0); ip < 1<<32; ip += 65_521 * 3 {
		for at+1 < len(shipped().v4) && uint64(shipped().v4[at+1]) <= ip {
			at++
		}
		addr := netip.AddrFrom4([4]byte{byte(ip >> 24), byte(ip >> 16), byte(ip >> 8), byte(ip)})
		if got, want := d.Country(addr), trimmed(shipped().codes[shipped().of4[at]]); got != want {
			t.Fatalf("%s is in %q, want %q", addr, got, want)
		}
	}
	for i, from := range shipped().v4 { // where each begins and the one before ends
		for _, ip := range []uint32{from, from - 1} {
			want := i
			if ip == from-1 {
				if want--; want < 0 {
					continue
				}
			}
			addr := netip.AddrFrom4([4]byte{byte(ip >> 24), byte(ip >> 16), byte(ip >> 8), byte(ip)})
			if got := d.Country(addr); got != trimmed(shipped().codes[shipped().of4[want]]) {
				t.Fatalf("%s is in %q", addr, got)
			}
		}
	}
}

func trimmed(code string) string {
	if code == "  " {
		return ""
	}
	return code
}

func TestDamagedTable(t *testing.T) {
	for name, data := range map[string][]byte{"nothing": nil, "text": []byte("hello"), "half": shippedTable[:len(shippedTable)/2]} {
		if _, err := readTable(data); err == nil {
			t.Errorf("%s is read", name)
		}
	}
	r := tableReader{rest: []byte{3, 1, 1}}
	if r.stretches(1); r.err == nil {
		t.Error("stretches that are cut are read")
	}
}

func BenchmarkShipped(b *testing.B) {
	d, err := Open("")
	if err != nil {
		b.Fatal(err)
	}
	ip := uint32(1)
	for b.Loop() {
		ip = ip*1664525 + 1013904223
		d.Country(netip.AddrFrom4([4]byte{byte(ip >> 24), byte(ip >> 16), byte(ip >> 8), byte(ip)}))
	}
}

func BenchmarkReadTable(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, err := readTable(shippedTable); err != nil {
			b.Fatal(err)
		}
	}
}
