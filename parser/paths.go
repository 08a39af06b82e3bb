package parser

import (
	"bytes"
	"net/url"
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

// machines are paths that programs ask for: feeds and endpoints. A "*" stands
// for anything.
var machines = []string{
	"/feed", "/feed/*", "*/feed", "*/feed/", "/rss", "/rss/", "/atom", "/atom/",
	"/.well-known/*", "/wp-json/*", "/wp-admin/*", "/wp-login.php", "/wp-cron.php", "*/xmlrpc.php",
}

func wordSet(text string) map[string]bool {
	set := map[string]bool{}
	for _, w := range strings.Fields(text) {
		set[w] = true
	}
	return set
}

// PathKindOf tells a decoded path by the ending of its last element and by its name.
func PathKindOf(path string) PathKind {
	if assets[pathEnding(path)] {
		return PathAsset
	}
	for _, m := range machines {
		if MatchPath(m, path) {
			return PathProgram
		}
	}
	return PathPage
}

// RequestPath is the percent-decoded path of a request's target, which may be a whole
// URL, without query and fragment; empty where there is none.
func RequestPath(target []byte) string {
	path := target
	if len(path) > 0 && path[0] != '/' {
		if i := bytes.Index(path, []byte("://")); i > 0 {
			path = path[i+3:]
			if i = bytes.IndexByte(path, '/'); i < 0 {
				return "/"
			}
			path = path[i:]
		}
	}
	if i := bytes.IndexAny(path, "?#"); i >= 0 {
		path = path[:i]
	}
	if len(path) == 0 || path[0] != '/' {
		return ""
	}
	name := string(path)
	if strings.IndexByte(name, '%') >= 0 {
		if plain, err := url.PathUnescape(name); err == nil {
			return plain
		}
	}
	return name
}

// pathEnding is what follows the last dot of the last element, in lower case.
func pathEnding(path string) string {
	last := path[strings.LastIndexByte(path, '/')+1:]
	i := strings.LastIndexByte(last, '.')
	if i < 0 || len(last)-i > 12 {
		return ""
	}
	return strings.ToLower(last[i+1:])
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
