package mirror

import (
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestDocumentID(t *testing.T) {
	f := func(format, page, want string) {
		t.Helper()
		if id := newNaming(format).id("s.example", page); id != want {
			t.Errorf("%s: %q is %q, want %q", format, page, id, want)
		}
	}
	f("{site}{page}", "/文", "s.example/文")
	f("{site}{page}", "/a%20b", "s.example/a%20b")
	f("{site}{page}", "/a\xff", "s.example/a%FF")
	f("{site}{page}", "/a%FF", "s.example/a%25FF")
	f("{site}{page}", "post-1", "s.example%post-1")
	f("{page}", "post-1", "post-1")
	f("{site}:{page}", "post-1", "s.example:post-1")
	f("{site}-x{page}", "post-1", "s.example-x%post-1")
	f("{page}@{site}", "post-1", "post-1@s.example")
}

func TestDistinct(t *testing.T) {
	for format, want := range map[string]bool{"{page}": true, "{site}{page}": true, "a{site}b{page}c": true, "{page}@{site}": true,
		"{page}{site}": false, "{page}.{site}": false, "{page}-x-{site}": false, "{site}{page}{site}": true} {
		if Distinct(format) != want {
			t.Errorf("%s: %v", format, !want)
		}
	}
}

// hostilePages are pages that are made to have the document of another one.
func hostilePages() []string {
	all := []string{"/ref", "ref", "ple/ref", "%ple/ref", "%", "%%", "", "/", "//", "/a\xff", "/a%FF", "/a%25FF", "/a%2525FF", "/a%ff", "/%", "/%2", "/%25",
		"/\xc3", "/é", "\xa9", "%\xa9", "%A9", "__other__", "@s.example", "x@s.example", ":/ref", "[::1]/ref", "]/ref"}
	for _, long := range []string{strings.Repeat("文", 166), strings.Repeat("a", 499), strings.Repeat("a\xff", 249)} {
		page := "/" + long
		all = append(all, page, page+"x")
		for _, format := range formats { // what looks like a long one's id
			for _, s := range hostileSites {
				if id := newNaming(format).id(s, page); strings.HasPrefix(id, s) {
					all = append(all, strings.TrimPrefix(id, s))
				}
			}
		}
	}
	return all
}

var (
	formats      = []string{"{site}{page}", "{site}:{page}", "x-{site}-y{page}", "{page}@{site}", "{site}{page}z"}
	hostileSites = []string{"s.example", "s.exam", "s", "[::1]", "[::2]", "x-s", strings.Repeat("long-", 40) + "x"}
)

func TestNoTwoPagesHaveOneDocument(t *testing.T) {
	for _, format := range formats {
		named := map[string]string{}
		n := newNaming(format)
		for _, s := range hostileSites {
			for _, p := range hostilePages() {
				id, what := n.id(s, p), fmt.Sprintf("%q of %q", p, s)
				if other, taken := named[id]; taken && other != what {
					t.Errorf("%s: %q is of %s and of %s", format, id, other, what)
				}
				if named[id] = what; len(id) > maxID || !utf8.ValidString(id) {
					t.Errorf("%s: %s has the id %q", format, what, id)
				}
			}
		}
	}
}

func FuzzDocumentID(f *testing.F) {
	pages := hostilePages()
	for i := range pages {
		f.Add(uint8(i), uint8(i), pages[i], uint8(i+1), pages[(i*7+1)%len(pages)])
	}
	f.Fuzz(func(t *testing.T, format, site1 uint8, page1 string, site2 uint8, page2 string) {
		n := newNaming(formats[int(format)%len(formats)])
		s1, s2 := hostileSites[int(site1)%len(hostileSites)], hostileSites[int(site2)%len(hostileSites)]
		if (s1 != s2 || page1 != page2) && n.id(s1, page1) == n.id(s2, page2) {
			t.Errorf("%q is of %q %q and of %q %q", n.id(s1, page1), s1, page1, s2, page2)
		}
	})
}
