package parser

import (
	"encoding/binary"
	"net/netip"
)

// Networks is how many parts of the internet Network tells apart.
const Networks = 64

// Network tells in which of them a client is, from 1 on; 0: nothing tells. Whoever has one
// /24, or /64 of IPv6, is in one part. So few of them tell nothing of a person, and enough
// to see whether many ask or one does.
func Network(client netip.Addr) uint8 {
	if !client.IsValid() {
		return 0
	}
	b := client.As16()
	x := binary.BigEndian.Uint64(b[:8])
	if client.Is4() || client.Is4In6() {
		x = uint64(binary.BigEndian.Uint32(b[12:])>>8) + 1<<32
	}
	x = (x ^ x>>29) * 0x9e3779b97f4a7c15
	x = (x ^ x>>32) * 0xbf58476d1ce4e5b9
	return uint8(x>>58) + 1
}

// MeritNeeded is the merit that a name needs to be let into a table when n have come in beyond
// its limit, of as many again: 2, and from three quarters on twice as much whenever half of what
// was left is taken.
func MeritNeeded(n, limit int) int {
	need := 2
	for left := limit / 4; left > 0 && limit-n <= left; left /= 2 {
		need *= 2
	}
	return need
}
