package parser

import (
	"strings"
	"testing"
)

func TestRequestKinds(t *testing.T) {
	rules := newRequestRules(nil, strings.Split(DefaultDownloads, ","))
	f := func(method, target string, status int, want RequestKind) {
		t.Helper()
		path, _ := splitURI([]byte(target))
		if got := kindOf(&Hit{Method: []byte(method), Status: status}, rules.askedFor(path)); got != want {
			t.Errorf("%s %s %d is %v, want %v", method, target, status, got, want)
		}
	}
	f("GET", "/", 200, RequestPage)
	f("GET", "/a%20b?x.png", 304, RequestPage)
	f("HEAD", "/a", 200, RequestPage)
	f("GET", "https://ddkk.com", 200, RequestPage)
	f("GET", "/x.css", 200, RequestAsset)
	f("GET", "/robots.txt", 200, RequestAsset)
	f("GET", "/logo%2Epng", 206, RequestAsset)
	f("GET", "/book.PDF?dl=1", 200, RequestDownload)
	f("GET", "/v1/x.tar.gz", 206, RequestDownload)
	f("GET", "/feed/", 200, RequestFeed)
	f("GET", "/blog/tags/go/index.xml", 200, RequestFeed)
	f("GET", "/all.ics", 304, RequestFeed)
	f("GET", "/.well-known/x", 200, RequestAPI)
	f("POST", "/contact", 200, RequestAPI)
	f("OPTIONS", "*", 200, RequestAPI)
	f("POST", "/contact", 302, RequestRedirect)
	f("GET", "/old", 301, RequestRedirect)
	f("GET", "/book.pdf", 404, RequestNotFound)
	f("GET", "/gone", 410, RequestNotFound)
	f("GET", "/x", 500, RequestFailed)
	f("GET", "/x", 403, RequestFailed)
	f("GET", "/x", 0, RequestFailed)
}
