package geoip

import (
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"ddkk-stats/internal/geoip/geoiptest"
)

var built = time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)

func file(t *testing.T, data []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "country.mmdb")
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestCountry(t *testing.T) {
	countries := map[string]string{"203.0.113.0/24": "DE", "198.51.100.128/25": "CN", "2001:db8:1::/48": "fr", "192.0.2.7/32": "US"}
	for name, data := range map[string][]byte{"nested": geoiptest.Write(built, countries), "flat": geoiptest.WriteFlat(built, countries)} {
		d, err := Open(file(t, data))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		for addr, want := range map[string]string{
			"203.0.113.7": "DE", "203.0.114.7": "", "198.51.100.127": "", "198.51.100.200": "CN", "192.0.2.7": "US", "192.0.2.8": "",
			"2001:db8:1:2::3": "FR", "2001:db8:2::": "", "::ffff:203.0.113.9": "DE", "127.0.0.1": "", "fe80::1%eth0": "",
		} {
			if got := d.Country(netip.MustParseAddr(addr)); got != want {
				t.Errorf("%s: %s is in %q, want %q", name, addr, got, want)
			}
		}
		if !d.Built().Equal(built) || d.Type() != "Test-Country" {
			t.Errorf("%s: built %v, %s", name, d.Built(), d.Type())
		}
	}
}

func TestOpenErrors(t *testing.T) {
	whole := geoiptest.Write(built, map[string]string{"203.0.113.0/24": "DE"})
	for name, path := range map[string]string{
		"no such file": filepath.Join(t.TempDir(), "none"), "a folder": t.TempDir(),
		"no database": file(t, []byte("hello")), "half a file": file(t, whole[:len(whole)/2]),
		"no countries": file(t, geoiptest.Write(built, map[string]string{"203.0.113.0/24": "Europe"})),
	} {
		if d, err := Open(path); err == nil || d != nil {
			t.Errorf("%s: opened", name)
		} else if name != "no such file" && !strings.Contains(err.Error(), path) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestSame(t *testing.T) {
	a, err := Open(file(t, geoiptest.Write(built, map[string]string{"203.0.113.0/24": "DE"})))
	if err != nil {
		t.Fatal(err)
	}
	again, _ := Open(file(t, geoiptest.Write(built, map[string]string{"203.0.113.0/24": "DE"})))
	other, _ := Open(file(t, geoiptest.Write(built, map[string]string{"203.0.113.0/24": "FR"})))
	var none *Database
	if !a.Same(again) || a.Same(other) || a.Same(nil) || none.Same(a) || !none.Same(nil) {
		t.Error("what is the same and what is not")
	}
}
