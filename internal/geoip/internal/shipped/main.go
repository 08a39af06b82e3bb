// Command shipped makes the table of countries that the program contains, from two files of
// lines "first,last,CODE" with addresses or numbers: those of IPv4 and of IPv6. It is run
// by "go generate ./internal/geoip" when Debian's tor-geoipdb is installed.
package main

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"math/big"
	"net/netip"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/klauspost/compress/zstd"
)

const magic = "ddkk countries 1\n" // as geoip reads it

func main() {
	if len(os.Args) != 4 {
		fmt.Fprintln(os.Stderr, "usage: shipped IPV4-FILE IPV6-FILE TABLE")
		os.Exit(2)
	}
	if err := run(os.Args[1], os.Args[2], os.Args[3]); err != nil {
		fmt.Fprintln(os.Stderr, "shipped:", err)
		os.Exit(1)
	}
}

// stretch is a network, by the first 32 bits of IPv4 or 64 of IPv6.
type stretch struct {
	from, to uint64
	code     string
}

func run(file4, file6, to string) error {
	v4, built, err := read(file4)
	if err != nil {
		return err
	}
	v6, _, err := read(file6)
	if err != nil {
		return err
	}
	if built.IsZero() {
		return fmt.Errorf("%s does not say when it was made", file4)
	}
	t := &writer{places: map[string]byte{"": 0}, codes: []string{"  "}}
	body := t.family(t.family(nil, v4), v6)
	text := binary.AppendUvarint([]byte(magic), uint64(built.Unix()))
	text = binary.AppendUvarint(text, uint64(len(t.codes)))
	text = append(append(text, strings.Join(t.codes, "")...), body...)
	if len(t.codes) > 256 {
		return fmt.Errorf("%d countries are more than a byte tells", len(t.codes))
	}
	zw, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedBestCompression), zstd.WithEncoderConcurrency(1))
	if err != nil {
		return err
	}
	return os.WriteFile(to, zw.EncodeAll(text, nil), 0o644)
}

// read takes the stretches of a file, and the time after "Generated:" in its head.
func read(name string) (all []stretch, built time.Time, err error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, built, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	lines := bufio.NewScanner(f)
	for n := 1; lines.Scan(); n++ {
		line := strings.TrimSpace(lines.Text())
		if line == "" || line[0] == '#' {
			if _, when, ok := strings.Cut(line, "Generated:"); ok {
				if built, err = time.Parse(time.RFC1123, strings.TrimSpace(when)); err != nil {
					return nil, built, fmt.Errorf("read %s, line %d: %w", name, n, err)
				}
			}
			continue
		}
		fields := strings.Split(line, ",")
		if len(fields) < 3 {
			return nil, built, fmt.Errorf("read %s, line %d: %q is not first,last,code", name, n, line)
		}
		from, err1 := address(fields[0])
		to, err2 := address(fields[1])
		if err := errors.Join(err1, err2); err != nil {
			return nil, built, fmt.Errorf("read %s, line %d: %w", name, n, err)
		}
		code := strings.ToUpper(fields[2])
		if now, ok := noCountries[code]; ok {
			code = now
		}
		if len(code) != 2 || code[0] < 'A' || code[0] > 'Z' || code[1] < 'A' || code[1] > 'Z' {
			continue // "??": not known
		}
		all = append(all, stretch{from, to, code})
	}
	slices.SortStableFunc(all, func(a, b stretch) int { return cmp.Compare(a.from, b.from) })
	return all, built, lines.Err()
}

// noCountries are codes that registries write and no country has, and what they mean.
var noCountries = map[string]string{"UK": "GB", "AB": "", "AN": "", "AP": "", "CS": "", "EU": "", "OS": "", "SU": "", "UN": "", "ZZ": ""}

// address is the number of an IPv4 address, or the first half of one of IPv6.
func address(text string) (uint64, error) {
	if strings.ContainsAny(text, ".:") {
		addr, err := netip.ParseAddr(text)
		if err != nil {
			return 0, err
		}
		if addr.Is4() {
			b := addr.As4()
			return uint64(binary.BigEndian.Uint32(b[:])), nil
		}
		b := addr.As16()
		return binary.BigEndian.Uint64(b[:8]), nil
	}
	n, ok := new(big.Int).SetString(text, 10)
	if !ok {
		return 0, fmt.Errorf("%q is no address", text)
	}
	if n.BitLen() > 32 {
		n.Rsh(n, 64)
	}
	return n.Uint64(), nil
}

type writer struct {
	codes  []string
	places map[string]byte
}

// family appends the stretches of one family, gaps as those of no country.
func (t *writer) family(b []byte, all []stretch) []byte {
	var from []uint64
	var of []byte
	add := func(at uint64, code string) {
		place, ok := t.places[code]
		if !ok {
			place = byte(len(t.codes))
			t.places[code], t.codes = place, append(t.codes, code)
		}
		n := len(from)
		if n > 0 && from[n-1] == at { // smaller than what can be told: the last one counts
			of[n-1] = place
			return
		}
		if n > 0 && of[n-1] == place {
			return
		}
		from, of = append(from, at), append(of, place)
	}
	add(0, "")
	end := uint64(0)
	for _, s := range all {
		if s.from > end {
			add(end, "")
		}
		add(s.from, s.code)
		end = max(end, s.to+1)
	}
	add(end, "")
	var deltas bytes.Buffer
	last := uint64(0)
	for _, at := range from {
		deltas.Write(binary.AppendUvarint(nil, at-last))
		last = at
	}
	b = binary.AppendUvarint(b, uint64(len(from)))
	return append(append(b, deltas.Bytes()...), of...)
}
