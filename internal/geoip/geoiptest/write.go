// Package geoiptest writes small databases in MaxMind's format for the tests of other rooms.
package geoiptest

import (
	"encoding/binary"
	"net/netip"
	"slices"
	"strings"
	"time"
)

// Write makes a database with a country for each network, {"country": {"iso_code": code}}.
// Networks do not overlap.
func Write(built time.Time, countries map[string]string) []byte {
	return write(built, countries, func(b []byte, code string) []byte {
		return text(text(mapOf(text(mapOf(b, 1), "country"), 1), "iso_code"), code)
	})
}

// WriteFlat is the same with {"country_code": code}, as databases of other makers have it.
func WriteFlat(built time.Time, countries map[string]string) []byte {
	return write(built, countries, func(b []byte, code string) []byte {
		return text(text(mapOf(b, 1), "country_code"), code)
	})
}

// node is one of the tree: for each bit a further node, or data from an offset on.
type node struct {
	next [2]*node
	data [2]int // the offset and 1; 0: none
	at   int
}

func write(built time.Time, countries map[string]string, value func([]byte, string) []byte) []byte {
	root := &node{}
	nodes := []*node{root}
	var data []byte
	at := map[string]int{}
	var networks []string
	for network := range countries {
		networks = append(networks, network)
	}
	slices.Sort(networks)
	for _, network := range networks {
		code := countries[network]
		if _, ok := at[code]; !ok {
			at[code] = len(data)
			data = value(data, code)
		}
		prefix := netip.MustParsePrefix(network)
		bits, ip := prefix.Bits(), prefix.Addr().As16()
		if prefix.Addr().Is4() { // the tree is of 128 bits, with IPv4 below ::/96
			bits += 96
			ip4 := prefix.Addr().As4()
			ip = [16]byte{}
			copy(ip[12:], ip4[:])
		}
		n := root
		for i := range bits {
			bit := ip[i/8] >> (7 - i%8) & 1
			if i == bits-1 {
				n.data[bit] = at[code] + 1
				break
			}
			if n.next[bit] == nil {
				n.next[bit] = &node{at: len(nodes)}
				nodes = append(nodes, n.next[bit])
			}
			n = n.next[bit]
		}
	}
	var b []byte
	for _, n := range nodes {
		for bit := range 2 {
			record := len(nodes) // nothing
			switch {
			case n.next[bit] != nil:
				record = n.next[bit].at
			case n.data[bit] > 0:
				record = len(nodes) + 16 + n.data[bit] - 1
			}
			b = binary.BigEndian.AppendUint32(b, uint32(record))
		}
	}
	b = append(append(b, make([]byte, 16)...), data...)
	b = append(b, "\xab\xcd\xefMaxMind.com"...)
	b = mapOf(b, 8)
	b = number(text(b, "node_count"), 6, 4, uint64(len(nodes)))
	b = number(text(b, "record_size"), 5, 2, 32)
	b = number(text(b, "ip_version"), 5, 2, 6)
	b = number(text(b, "binary_format_major_version"), 5, 2, 2)
	b = number(text(b, "binary_format_minor_version"), 5, 2, 0)
	b = number(text(b, "build_epoch"), 9, 8, uint64(built.Unix()))
	b = text(text(b, "database_type"), "Test-Country")
	return append(text(b, "languages"), 0, 4) // an array of nothing
}

// Types of data: a text is 2, a map 7; those over 7 have a byte of their own.
func text(b []byte, s string) []byte {
	if len(s) > 28 {
		panic("a text is too long: " + strings.Clone(s))
	}
	return append(append(b, 2<<5|byte(len(s))), s...)
}

func mapOf(b []byte, n int) []byte { return append(b, 7<<5|byte(n)) }

func number(b []byte, kind, size int, v uint64) []byte {
	if kind <= 7 {
		b = append(b, byte(kind)<<5|byte(size))
	} else {
		b = append(b, byte(size), byte(kind-7))
	}
	var bytes [8]byte
	binary.BigEndian.PutUint64(bytes[:], v)
	return append(b, bytes[8-size:]...)
}
