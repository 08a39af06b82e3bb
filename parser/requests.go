package parser

import "strings"

// RequestKind is what a request of a site's own log is. Each is of one kind.
type RequestKind uint8

const (
	RequestPage     RequestKind = iota // showed a page
	RequestAsset                       // what pages are made of
	RequestAPI                         // another method than GET and HEAD, or an endpoint for programs
	RequestDownload                    // a file that is linked for itself
	RequestFeed
	RequestRedirect // 3xx but 304
	RequestNotFound // 404 and 410
	RequestFailed   // another status from 400 on, or no answer

	NumRequestKinds
)

var requestKindNames = [NumRequestKinds]string{"page", "asset", "api", "download", "feed", "redirect", "notfound", "failed"}

func (k RequestKind) String() string { return requestKindNames[k] }

// downloads are endings of files that are linked for themselves.
var downloads = wordSet(`pdf epub mobi doc docx xls xlsx ppt pptx odt ods odp zip gz tgz bz2 xz zst 7z rar tar iso dmg exe msi deb rpm apk jar torrent`)

// feedEndings are those of feeds and calendars.
var feedEndings = wordSet(`rss atom rdf ics`)

// RequestKindOf sorts a request that is one (see Hit.Kind). The answer counts first: a
// missing page is no page. What showed a page is what import takes for a view of it.
func RequestKindOf(h *Hit) RequestKind {
	switch {
	case h.Status == 404 || h.Status == 410:
		return RequestNotFound
	case h.Status < 100 || h.Status >= 400:
		return RequestFailed
	case h.Status >= 300 && h.Status != 304:
		return RequestRedirect
	}
	if m := string(h.Method); m != "GET" && m != "HEAD" {
		return RequestAPI
	}
	path := RequestPath(h.URI)
	kind, ending := PathKindOf(path), pathEnding(path)
	switch {
	case feedEndings[ending], isFeed(path):
		return RequestFeed
	case downloads[ending]:
		return RequestDownload
	case kind == PathProgram, path == "":
		return RequestAPI
	case kind == PathAsset:
		return RequestAsset
	}
	return RequestPage
}

// isFeed says whether a path is one at which blogs have their feed.
func isFeed(path string) bool {
	switch last := strings.TrimSuffix(path, "/"); last[strings.LastIndexByte(last, '/')+1:] {
	case "feed", "rss", "atom", "feed.xml", "rss.xml", "atom.xml", "index.xml", "feed.json":
		return true
	}
	return strings.HasPrefix(path, "/feed/")
}
