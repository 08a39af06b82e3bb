package mirror

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
	"unicode/utf8"
)

// No two pages, of whichever sites, have one document: a stranger may name both.
// Pages with ordinary names are written as they are.

// maxID is what Elasticsearch allows, in bytes.
const maxID = 512

// naming makes the ids of documents from ES_ID.
type naming struct {
	format string
	// mark stands before a page that could be taken for the end of its site's
	// name: where nothing else parts the two and it begins with no slash.
	mark bool
}

func newNaming(format string) naming {
	_, rest, site := strings.Cut(format, "{site}")
	between, _, page := strings.Cut(rest, "{page}")
	return naming{format: format, mark: site && page && !parts(between)}
}

// parts tells whether a text has something that no site's name has.
func parts(text string) bool {
	return strings.ContainsFunc(text, func(c rune) bool {
		return (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' && c != '_' && c != '.'
	})
}

// Distinct tells whether documents named by format are of one page each: a site
// must be parted from a page that stands before it.
func Distinct(format string) bool {
	head, _, site := strings.Cut(format, "{site}")
	before := strings.LastIndex(head, "{page}")
	return !site || before < 0 || parts(head[before+len("{page}"):])
}

// id names a page's document. A name that is too long ends in a hash, and so does
// one that could be taken for such a name.
func (n naming) id(site, page string) string {
	page = validText(page)
	if n.mark && !strings.HasPrefix(page, "/") {
		page = "%" + page
	}
	id := strings.NewReplacer("{site}", site, "{page}", page).Replace(n.format)
	if len(id) <= maxID && !looksCut(id) {
		return id
	}
	sum := sha256.Sum256([]byte(id))
	cut := maxID - 1 - 2*len(sum)
	for !utf8.RuneStart(id[cut]) {
		cut--
	}
	return id[:cut] + "#" + hex.EncodeToString(sum[:])
}

// looksCut tells whether an id has the form of one that ends in a hash.
func looksCut(id string) bool {
	const hash = 2 * sha256.Size
	return len(id) > maxID-utf8.UTFMax && id[len(id)-hash-1] == '#'
}

// validText writes bytes that are no UTF-8, which JSON cannot hold, as %XX; a page
// that has such a text itself has %25 for each of its percent signs.
func validText(s string) string {
	if utf8.ValidString(s) && !looksEscaped(s) {
		return s
	}
	var b strings.Builder
	for i, r := range s {
		_, n := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == utf8.RuneError && n == 1:
			fmt.Fprintf(&b, "%%%02X", s[i])
		case r == '%':
			b.WriteString("%25")
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

// looksEscaped tells whether a text has what validText writes.
func looksEscaped(s string) bool {
	for {
		i := strings.IndexByte(s, '%')
		if i < 0 || i+2 >= len(s) {
			return false
		}
		s = s[i+1:]
		if s[:2] == "25" || strings.IndexByte("89ABCDEF", s[0]) >= 0 && strings.IndexByte("0123456789ABCDEF", s[1]) >= 0 {
			return true
		}
	}
}
