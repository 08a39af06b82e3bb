package geoip

import (
	"bytes"
	_ "embed"
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"sort"
	"strings"
	"sync"
	"time"

	"github.com/klauspost/compress/zstd"
)

// The table that is shipped: countries of networks, from the IPFire Location database (CC
// BY-SA 4.0, as the file is), which Debian has as text in tor-geoipdb. The command that
// makes it: see internal/shipped, and docs/OPERATIONS.md.
//
//go:embed countries.zst
var shippedTable []byte

// tableMagic begins the text of a table, before it is compressed. Behind it stand, as
// numbers of variable length: when it was made, the countries (two letters each, the first
// for "not known"), and for each family how many stretches there are, how far each begins
// behind the one before, and one byte for the country of each.
const tableMagic = "ddkk countries 1\n"

// table tells countries by where stretches of addresses begin. Of IPv6 the first half of
// an address counts: no smaller network is given to anybody.
type table struct {
	built  time.Time
	codes  []string
	v4     []uint32
	v6     []uint64
	of4    []byte // the country of each stretch, as a place in codes
	of6    []byte
	first4 []uint32 // by the first 16 bits: the last stretch that begins at or before them
}

// shipped is read when it is asked for, once: most commands never do.
var shipped = sync.OnceValue(func() *table {
	t, err := readTable(shippedTable)
	if err != nil {
		panic(fmt.Sprintf("BUG: read the countries that are shipped: %v", err))
	}
	return t
})

func readTable(packed []byte) (*table, error) {
	zr, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1))
	if err != nil {
		return nil, err
	}
	defer zr.Close()
	text, err := zr.DecodeAll(packed, nil)
	if err != nil {
		return nil, err
	}
	r := tableReader{rest: text}
	if !bytes.HasPrefix(text, []byte(tableMagic)) {
		return nil, errors.New("it is none")
	}
	r.take(len(tableMagic))
	t := &table{built: time.Unix(int64(r.number()), 0)}
	for n := r.number(); n > 0 && r.err == nil; n-- {
		t.codes = append(t.codes, strings.TrimSpace(string(r.take(2))))
	}
	v4, of4 := r.stretches(len(t.codes))
	t.v6, t.of6 = r.stretches(len(t.codes))
	t.of4, t.v4 = of4, make([]uint32, len(v4))
	for i, from := range v4 {
		t.v4[i] = uint32(from)
	}
	if r.err == nil && (len(r.rest) > 0 || len(t.v4) == 0 || len(t.v6) == 0 || t.v4[0] != 0 || t.v6[0] != 0) {
		r.err = errors.New("it is damaged")
	}
	t.index()
	return t, r.err
}

// index notes for each of the first 16 bits of an address where to look.
func (t *table) index() {
	t.first4 = make([]uint32, 1<<16+1)
	at := 0
	for high := range t.first4 {
		for at+1 < len(t.v4) && uint64(t.v4[at+1]) <= uint64(high)<<16 {
			at++
		}
		t.first4[high] = uint32(at)
	}
}

// country is the code of an address that is no IPv4 address written as one of IPv6.
func (t *table) country(addr netip.Addr) string {
	if addr.Is4() {
		b := addr.As4()
		ip := binary.BigEndian.Uint32(b[:])
		from, to := int(t.first4[ip>>16]), int(t.first4[ip>>16+1])
		at := from + sort.Search(to-from, func(i int) bool { return t.v4[from+1+i] > ip })
		return t.codes[t.of4[at]]
	}
	b := addr.As16()
	ip := binary.BigEndian.Uint64(b[:])
	at := sort.Search(len(t.v6), func(i int) bool { return t.v6[i] > ip }) - 1
	return t.codes[t.of6[at]]
}

// tableReader reads the text of a table; after an error it reads zeros.
type tableReader struct {
	rest []byte
	err  error
}

func (r *tableReader) take(n int) []byte {
	if n > len(r.rest) || n < 0 {
		r.err, r.rest = errors.New("it is cut"), nil
		return make([]byte, 2)
	}
	b := r.rest[:n]
	r.rest = r.rest[n:]
	return b
}

func (r *tableReader) number() uint64 {
	n, size := binary.Uvarint(r.rest)
	if size <= 0 {
		r.err, r.rest = errors.New("it is cut"), nil
		return 0
	}
	r.rest = r.rest[size:]
	return n
}

// stretches reads where those of a family begin, and their countries.
func (r *tableReader) stretches(codes int) (from []uint64, of []byte) {
	n := r.number()
	if n > uint64(len(r.rest)) {
		r.err = errors.New("it is cut")
		return nil, nil
	}
	from = make([]uint64, n)
	last := uint64(0)
	for i := range from {
		last += r.number()
		from[i] = last
	}
	of = bytes.Clone(r.take(int(n)))
	for _, code := range of {
		if int(code) >= codes {
			r.err = errors.New("it is damaged")
		}
	}
	return from, of
}
