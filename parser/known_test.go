package parser

import (
	"fmt"
	"testing"
)

// TestKnownFlood: pages that come once displace nothing and allocate nothing, and
// however many come twice, what is kept of them is bounded.
func TestKnownFlood(t *testing.T) {
	var k knownPages
	see := func(raw []byte) *Known {
		known, pair := k.find(raw, nil)
		if known == nil && pair != nil {
			known = k.keep(pair, raw, raw[1:], nil, landed{})
		}
		return known
	}
	often := []byte("%2Foften")
	if see(often) != nil {
		t.Error("a page is kept the first time")
	}
	known := see(often)
	if known == nil || string(known.page()) != "2Foften" {
		t.Fatalf("the second time it is %v", known)
	}
	var once [][]byte
	for i := range 40_000 {
		once = append(once, fmt.Appendf(nil, "%%2Fonce%%2F%d", i))
	}
	allocs := testing.AllocsPerRun(1, func() { // which calls it twice
		for _, raw := range once[:len(once)/2] {
			see(raw)
		}
		once = once[len(once)/2:]
	})
	if allocs != 0 {
		t.Errorf("%g allocations for pages that came once", allocs)
	}
	if see(often) != known {
		t.Error("pages that came once displaced one that came often")
	}
	for i := range 50_000 {
		raw := fmt.Appendf(nil, "%0*d", 60+i%196, i)
		for range 3 {
			see(raw)
		}
		if k.size > maxKnownBytes+knownOverhead+2*maxKnownPage {
			t.Fatalf("%d bytes are kept", k.size)
		}
	}
	if k.find(make([]byte, maxKnownPage+1), nil); see(often) == known {
		t.Error("it never began anew")
	}
}
