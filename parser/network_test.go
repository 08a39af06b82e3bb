package parser

import (
	"fmt"
	"net/netip"
	"testing"
)

func TestNetwork(t *testing.T) {
	same := func(a, b string) {
		t.Helper()
		if x, y := Network(netip.MustParseAddr(a)), Network(netip.MustParseAddr(b)); x != y || x == 0 || x > Networks {
			t.Errorf("%s is in %d, %s in %d", a, x, b, y)
		}
	}
	same("203.0.113.1", "203.0.113.254")
	same("203.0.113.1", "::ffff:203.0.113.9")
	same("2001:db8:1:2::1", "2001:db8:1:2:ffff::9")
	if n := Network(netip.Addr{}); n != 0 {
		t.Errorf("nobody is in %d", n)
	}
	var four, six [Networks + 1]int
	for i := range 64_000 {
		four[Network(netip.MustParseAddr(fmt.Sprintf("%d.%d.%d.7", 10+i/65536, i/256%256, i%256)))]++
		six[Network(netip.MustParseAddr(fmt.Sprintf("2001:db8:%x:%x::7", i/256, i%256)))]++
	}
	for n := 1; n <= Networks; n++ {
		for _, all := range []int{four[n], six[n]} {
			if all < 700 || all > 1300 {
				t.Errorf("part %d has %d of 64000 networks", n, all)
			}
		}
	}
}
