package parser

import (
	"bytes"
	"strings"
)

// PathKind is what a path of a site leads to. This is the one rule for what of a site's
// own log is a page view: whatever sorts requests asks it.
type PathKind uint8

const (
	PathPage    PathKind = iota
	PathAsset            // what a page is made of, or what is downloaded
	PathProgram          // what programs ask for: feeds and endpoints
)

// assets are endings of what a page is made of, or what is downloaded.
var assets = wordSet(`
	css js mjs map json jsonld xml txt csv yaml yml wasm webmanifest manifest
	xsl xslt swf log conf diff patch
	png jpg jpeg gif svg svgz webp avif bmp ico tif tiff heic apng cur
	woff woff2 ttf otf eot
	mp3 mp4 m4a m4v mov avi mkv webm ogg oga ogv opus wav flac aac m3u8 ts vtt
	pdf ps doc docx xls xlsx ppt pptx odt ods odp epub mobi
	zip gz tgz bz2 xz zst 7z rar tar iso dmg exe msi deb rpm apk jar bin img sig asc sha256 torrent
	rss atom rdf ics vcf
`)

// isProgram tells paths that programs ask for: feeds and endpoints.
func isProgram(path []byte) bool {
	switch string(path) {
	case "/feed", "/rss", "/rss/", "/atom", "/atom/", "/wp-login.php", "/wp-cron.php":
		return true
	}
	for _, begin := range [...]string{"/feed/", "/.well-known/", "/wp-json/", "/wp-admin/"} {
		if len(path) >= len(begin) && string(path[:len(begin)]) == begin {
			return true
		}
	}
	for _, end := range [...]string{"/feed", "/feed/", "/xmlrpc.php"} {
		if n := len(path) - len(end); n >= 0 && string(path[n:]) == end {
			return true
		}
	}
	return false
}

func wordSet(text string) map[string]bool {
	set := map[string]bool{}
	for _, w := range strings.Fields(text) {
		set[w] = true
	}
	return set
}

// PathKindOf tells a decoded path by the ending of its last element and by its name.
func PathKindOf(path []byte) PathKind {
	var e ending
	switch {
	case assets[string(e.of(path))]:
		return PathAsset
	case isProgram(path):
		return PathProgram
	}
	return PathPage
}

// AppendRequestPath appends the percent-decoded path of a request's target, which may be a
// whole URL, without query and fragment; nothing where there is none.
func AppendRequestPath(dst, target []byte) []byte {
	path := target
	if len(path) > 0 && path[0] != '/' {
		if i := bytes.Index(path, []byte("://")); i > 0 {
			path = path[i+3:]
			if i = bytes.IndexByte(path, '/'); i < 0 {
				return append(dst, '/')
			}
			path = path[i:]
		}
	}
	path, _ = cutQuery(path)
	if len(path) == 0 || path[0] != '/' {
		return dst
	}
	return appendPercent(dst, path)
}

// ending is what follows the last dot of the last element, in lower case.
type ending [maxEnding]byte

const maxEnding = 11

func (e *ending) of(path []byte) []byte {
	for i := len(path) - 1; i >= 0 && len(path)-1-i <= maxEnding; i-- {
		switch path[i] {
		case '/':
			return nil
		case '.':
			for j, c := range path[i+1:] {
				if 'A' <= c && c <= 'Z' {
					c += 'a' - 'A'
				}
				e[j] = c
			}
			return e[:len(path)-1-i]
		}
	}
	return nil
}

// MatchPath compares s with a pattern in time that grows with the product of
// their lengths at most.
func MatchPath(pattern, s string) bool {
	star, mark := -1, 0
	p, i := 0, 0
	for i < len(s) {
		switch {
		case p < len(pattern) && pattern[p] == '*':
			star, mark = p, i
			p++
		case p < len(pattern) && (pattern[p] == '?' || pattern[p] == s[i]):
			p++
			i++
		case star >= 0:
			mark++
			p, i = star+1, mark
		default:
			return false
		}
	}
	return strings.Trim(pattern[p:], "*") == ""
}
