package parser

import (
	"strings"
	"testing"
)

func TestNormalizePage(t *testing.T) {
	f := func(r PageRules, raw, want string) {
		t.Helper()
		if got := r.Normalize([]byte("kept"), []byte(raw)); string(got) != "kept"+want {
			t.Errorf("%+v.Normalize(%q) = %q, want %q", r, raw, got[4:], want)
		}
	}
	keep := PageRules{}
	f(keep, "", "/")
	f(keep, "/", "/")
	f(keep, "/a?b#c", "/a")
	f(keep, "?b", "/")
	f(keep, "#c?d", "/")
	f(keep, "/%E6%96%87", "/文")
	f(keep, "/文", "/文")
	f(keep, "/%41%2F%zz%4", "/A/%zz%4")
	f(keep, "/%2561", "/%61")
	f(keep, "/a+b", "/a+b")
	f(keep, "//a//%2F/b/", "/a/b/")
	f(keep, "/./../a;b", "/./../a;b")
	f(keep, "https://ddkk.com/a//b?c", "/a/b")
	f(keep, "https://ddkk.com", "/")
	f(keep, "https://ddkk.com?a", "/")
	f(keep, "/go/http://x/", "/go/http:/x/")
	f(keep, "opaque id", "opaque id")
	f(keep, "/A", "/A")
	f(keep, "/\xff\x00\x1b", "/\xff\x00\x1b")
	f(keep, "/e\u0301", "/e\u0301")
	f(keep, "/index.html", "/index.html")

	f(PageRules{KeepQuery: true}, "/a%41?b=%41#c", "/aA?b=%41")
	f(PageRules{KeepQuery: true}, "?b", "/?b")
	f(PageRules{KeepFragment: true}, "/a?b#/c%41", "/a#/c%41")
	f(PageRules{KeepQuery: true, KeepFragment: true}, "/a?b#c?d", "/a?b#c?d")
	f(PageRules{KeepQuery: true, KeepFragment: true}, "/a#c?d", "/a#c?d")

	f(PageRules{StripIndex: true}, "/a/index.html", "/a/")
	f(PageRules{StripIndex: true}, "/index.htm", "/")
	f(PageRules{StripIndex: true}, "/a/myindex.html", "/a/myindex.html")
	f(PageRules{StripIndex: true, Slash: SlashStrip}, "/a/index.html?x", "/a")
	f(PageRules{Slash: SlashStrip}, "/a/", "/a")
	f(PageRules{Slash: SlashStrip}, "/", "/")
	f(PageRules{Slash: SlashStrip}, "/a//", "/a")
	f(PageRules{Slash: SlashAdd}, "/a", "/a/")
	f(PageRules{Slash: SlashAdd}, "/a.b/c", "/a.b/c/")
	f(PageRules{Slash: SlashAdd}, "/a.html", "/a.html")
	f(PageRules{Slash: SlashAdd}, "", "/")
}

func TestNormalizeLongPages(t *testing.T) {
	var r PageRules
	norm := func(raw string) string { return string(r.Normalize(nil, []byte(raw))) }
	exact := "/" + strings.Repeat("a", MaxPage-1)
	if got := norm(exact); got != exact {
		t.Errorf("a page of %d bytes is changed to %q", len(exact), got)
	}
	long, longer := norm(exact+"b"), norm(exact+"c")
	if len(long) != MaxPage || long == longer || long[:400] != exact[:400] || long[MaxPage-17] != '~' {
		t.Errorf("long pages became %q and %q", long, longer)
	}
	// The cut falls inside a character for two of three offsets.
	for i := range 3 {
		got := norm("/" + strings.Repeat("x", i) + strings.Repeat("文", 200))
		if len(got) > MaxPage || strings.ToValidUTF8(got, "!") != got {
			t.Errorf("cut page of %d bytes is %q", len(got), got)
		}
	}
	// Bytes that are no text are cut anywhere.
	if got := norm("/" + strings.Repeat("\x80", 600)); len(got) != MaxPage {
		t.Errorf("cut binary page has %d bytes, want %d", len(got), MaxPage)
	}
}
