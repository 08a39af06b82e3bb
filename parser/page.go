package parser

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"unicode/utf8"
)

// MaxPage is the longest page in bytes.
const MaxPage = 500

// OtherPage stands for the pages of a site and day that are over the limit of
// distinct ones, so that totals stay exact.
const OtherPage = "__other__"

// A longer page is cut and ends in "~" and this many hex digits of its SHA-256,
// so that distinct pages stay distinct.
const pageHashDigits = 16

// SlashRule says what to do with a slash at the end of a page.
type SlashRule uint8

const (
	SlashKeep  SlashRule = iota // "/a" and "/a/" are two pages
	SlashStrip                  // both are "/a"
	SlashAdd                    // both are "/a/"; "/a.html" stays
)

// PageRules say which spellings are one page. The zero value keeps what was
// sent but drops query and fragment.
type PageRules struct {
	// KeepQuery keeps "?..." as it was sent, not decoded.
	KeepQuery bool
	// KeepFragment keeps "#...", for sites whose router lives there.
	KeepFragment bool
	// StripIndex makes ".../index.html" and ".../index.htm" the page ".../".
	StripIndex bool
	// Slash is applied after StripIndex and Aliases.
	Slash SlashRule
	// Query are the parameters of a query that are kept, whatever KeepQuery says; nil:
	// what KeepQuery says.
	Query *QueryNames
	// Aliases give pages other names, by their paths; nil: none.
	Aliases *PageAliases
}

// Normalize appends the page that raw names to dst: raw is the value of
// "page=" after query decoding, or a page as a client of the read API wrote it.
// A URL gives its path. The path is percent-decoded once, also "%2F"; what does
// not decode stays. Runs of "/" become one. At most MaxPage bytes are appended.
// Bytes are kept: no case folding, no Unicode normalisation, no dot segments.
// Nothing is "/"; a page without a leading "/" is kept as an opaque name.
func (r PageRules) Normalize(dst, raw []byte) []byte {
	start := len(dst)
	path, query, suffix := r.cut(pathOfURL(raw))
	dst = appendPercent(dst, path)
	dst = collapseSlashes(dst, start)
	dst = r.name(dst, start)
	if len(dst) == start {
		dst = append(dst, '/')
	}
	if r.Query != nil {
		dst = r.Query.append(dst, query)
	}
	dst = append(dst, suffix...)
	if len(dst)-start > MaxPage {
		dst = cutPage(dst, start)
	}
	return dst
}

// clean says that Normalize would copy raw as it is. It may say no for a page
// that would be copied, never yes for one that would not.
func (r PageRules) clean(raw []byte) bool {
	if len(raw) < 8 || len(raw) > MaxPage || raw[0] != '/' || r.StripIndex || r.Slash != SlashKeep || r.Aliases != nil {
		return false
	}
	// Eight bytes at a time, each word overlapping the last one by a byte so
	// that no "//" is missed between two.
	var found uint64
	for i := 0; i+8 <= len(raw); i += 7 {
		found |= marksOf(binary.LittleEndian.Uint64(raw[i:]))
	}
	found |= marksOf(binary.LittleEndian.Uint64(raw[len(raw)-8:]))
	return found&highBits == 0
}

// marksOf has one of highBits set if w holds "%", "?", "#" or "//" (or, seldom,
// if it does not).
func marksOf(w uint64) uint64 {
	percent, query, fragment, slash := w^'%'*lowBits, w^'?'*lowBits, w^'#'*lowBits, w^'/'*lowBits
	slashes := (slash - lowBits) &^ slash & highBits
	return (percent-lowBits)&^percent | (query-lowBits)&^query | (fragment-lowBits)&^fragment | slashes&(slashes<<8)
}

// pathOfURL strips "scheme://host".
func pathOfURL(raw []byte) []byte {
	i := bytes.Index(raw, []byte("://"))
	if i <= 0 || !isScheme(string(raw[:i])) {
		return raw
	}
	raw = raw[i+3:]
	if i = bytes.IndexAny(raw, "/?#"); i < 0 {
		return nil
	}
	return raw[i:]
}

// name gives a decoded path the name that the rules have for it.
func (r PageRules) name(b []byte, start int) []byte {
	b = r.index(b, start)
	if r.Aliases != nil {
		b, _ = r.Aliases.rename(b, start, r)
	}
	return r.slash(b, start)
}

// cut separates the path from the query and from what is kept as it is of query and fragment.
// That is one piece of raw unless the query is dropped and the fragment kept, where it is
// the fragment.
func (r PageRules) cut(raw []byte) (path, query, suffix []byte) {
	path = raw
	if i := bytes.IndexByte(path, '#'); i >= 0 {
		path, suffix = path[:i], path[i:]
	}
	if !r.KeepFragment {
		suffix = nil
	}
	i := bytes.IndexByte(path, '?')
	if i < 0 {
		return path, nil, suffix
	}
	path, query = path[:i], path[i+1:]
	if r.KeepQuery && r.Query == nil {
		suffix = raw[i : len(path)+1+len(query)+len(suffix)]
	}
	return path, query, suffix
}

func collapseSlashes(b []byte, start int) []byte {
	if !bytes.Contains(b[start:], []byte("//")) {
		return b
	}
	n := start
	for i := start; i < len(b); i++ {
		if b[i] == '/' && n > start && b[n-1] == '/' {
			continue
		}
		b[n] = b[i]
		n++
	}
	return b[:n]
}

func (r PageRules) index(b []byte, start int) []byte {
	if !r.StripIndex {
		return b
	}
	for _, name := range []string{"/index.html", "/index.htm"} {
		if bytes.HasSuffix(b[start:], []byte(name)) {
			return b[:len(b)-len(name)+1]
		}
	}
	return b
}

func (r PageRules) slash(b []byte, start int) []byte {
	page := b[start:]
	ends := len(page) > 0 && page[len(page)-1] == '/'
	switch {
	case r.Slash == SlashStrip && ends && len(page) > 1:
		return b[:len(b)-1]
	case r.Slash == SlashAdd && !ends && len(page) > 0:
		if last := page[bytes.LastIndexByte(page, '/')+1:]; bytes.IndexByte(last, '.') < 0 {
			return append(b, '/')
		}
	}
	return b
}

// cutPage shortens b[start:] to MaxPage bytes at most, without splitting a
// character.
func cutPage(b []byte, start int) []byte {
	sum := sha256.Sum256(b[start:])
	n := cutRunes(b[start:], MaxPage-1-pageHashDigits)
	b = append(b[:start+n], '~')
	return hex.AppendEncode(b, sum[:pageHashDigits/2])
}

// cutRunes is the greatest length up to n at which b can be cut without
// splitting a valid UTF-8 sequence. Other bytes may be cut anywhere.
func cutRunes(b []byte, n int) int {
	if len(b) <= n {
		return len(b)
	}
	for back := range utf8.UTFMax {
		i := n - back
		if i < 0 {
			break
		}
		if !utf8.RuneStart(b[i]) {
			continue
		}
		if _, size := utf8.DecodeRune(b[i:]); i+size > n {
			return i
		}
		break
	}
	return n
}
