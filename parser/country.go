package parser

import (
	"encoding/binary"
	"net/netip"
)

// countries remembers the countries of addresses: a look into a database takes as long
// as the rest of a line.
type countries struct {
	lookup func(netip.Addr) string // ISO 3166 codes, empty: not known; nil: nobody can tell
	recent []countryOf
	codes  [26 * 26]*Value // by their two letters
}

type countryOf struct {
	addr  netip.Addr
	value *Value
}

// recentCountries are the places; an address has one of them.
const recentCountries = 1 << 13

func (p *Parser) country(addr netip.Addr) *Value {
	c := &p.countries
	if c.lookup == nil || p.values.off.Has(Country) {
		return nil
	}
	if c.recent == nil {
		c.recent = make([]countryOf, recentCountries)
	}
	at := &c.recent[placeOfAddr(addr)]
	if at.value == nil || at.addr != addr {
		name := ""
		if addr.IsValid() {
			name = c.lookup(addr)
		}
		*at = countryOf{addr.WithZone(""), c.named(&p.values, name)}
	}
	return at.value
}

// named is a country by its code.
func (c *countries) named(values *facetValues, code string) *Value {
	if len(code) != 2 || code[0]-'A' >= 26 || code[1]-'A' >= 26 {
		return values.named(Country, code)
	}
	at := &c.codes[26*int(code[0]-'A')+int(code[1]-'A')]
	if *at == nil {
		*at = values.named(Country, code)
	}
	return *at
}

func placeOfAddr(addr netip.Addr) uint64 {
	ip := addr.As16()
	return (binary.LittleEndian.Uint64(ip[:])*0x9e3779b97f4a7c15 + binary.LittleEndian.Uint64(ip[8:])*0xc2b2ae3d27d4eb4f) >> (64 - 13)
}
