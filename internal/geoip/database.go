package geoip

import (
	"crypto/sha256"
	"fmt"
	"net/netip"
	"os"
	"strings"
	"time"

	"github.com/oschwald/maxminddb-golang/v2"
)

// maxFile bounds the memory that a file of somebody's takes.
const maxFile = 512 << 20

// Database is one file as it was when it was opened, or the table that is shipped. Any
// goroutine may ask it.
type Database struct {
	reader *maxminddb.Reader // nil: the table
	sum    [sha256.Size]byte
}

// None is the path of no database.
const None = "none"

// Open reads a database. A path of nothing is the table that is shipped.
func Open(path string) (*Database, error) {
	switch path {
	case "":
		return &Database{}, nil
	case None:
		return nil, nil
	}
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() || info.Size() > maxFile {
		return nil, fmt.Errorf("read %s: it must be a file of at most %d MB", path, maxFile>>20)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	reader, err := maxminddb.OpenBytes(data)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	d := &Database{reader: reader, sum: sha256.Sum256(data)}
	if !d.hasCountries() {
		return nil, fmt.Errorf("read %s: %s has no countries", path, reader.Metadata.DatabaseType)
	}
	return d, nil
}

// countryPaths are where databases have the code of a country: MaxMind and DB-IP, the
// ones that are made from them, and IPinfo. The network's owner is better than nothing.
var countryPaths = [...][]any{{"country", "iso_code"}, {"country_code"}, {"country"}, {"registered_country", "iso_code"}}

// Country is the ISO 3166 code of an address; empty: not known.
func (d *Database) Country(addr netip.Addr) string {
	if d.reader == nil {
		return shipped().country(addr.Unmap())
	}
	found := d.reader.Lookup(addr.Unmap().WithZone(""))
	if !found.Found() {
		return ""
	}
	for _, path := range countryPaths {
		var code string
		if err := found.DecodePath(&code, path...); err == nil && isCode(code) {
			return strings.ToUpper(code)
		}
	}
	return ""
}

func isCode(s string) bool {
	return len(s) == 2 && isLetter(s[0]) && isLetter(s[1])
}

func isLetter(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' }

// hasCountries looks at some networks: a database of cities or providers alone has none.
func (d *Database) hasCountries() bool {
	looked := 0
	for found := range d.reader.Networks() {
		if prefix := found.Prefix(); found.Err() == nil && d.Country(prefix.Addr()) != "" {
			return true
		}
		if looked++; looked == 1000 {
			return false
		}
	}
	return false
}

// Same tells whether two databases have the same content.
func (d *Database) Same(other *Database) bool {
	if d == nil || other == nil {
		return d == other
	}
	return d.sum == other.sum
}

// Built is when the database was made.
func (d *Database) Built() time.Time {
	if d.reader == nil {
		return shipped().built
	}
	return time.Unix(int64(d.reader.Metadata.BuildEpoch), 0)
}

// Type is the name that its maker gave it.
func (d *Database) Type() string {
	if d.reader == nil {
		return "IPFire Location"
	}
	return d.reader.Metadata.DatabaseType
}
