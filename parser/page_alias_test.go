package parser

import (
	"strings"
	"testing"
)

func aliases(t testing.TB, list ...string) *PageAliases {
	t.Helper()
	var all []PageAlias
	for _, s := range list {
		from, to, _ := strings.Cut(s, " -> ")
		all = append(all, PageAlias{from, to})
	}
	a, err := NewPageAliases(all)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func queryNames(t testing.TB, names ...string) *QueryNames {
	t.Helper()
	q, err := NewQueryNames(names)
	if err != nil {
		t.Fatal(err)
	}
	return q
}

func TestPageAliases(t *testing.T) {
	r := PageRules{Aliases: aliases(t, "/old -> /new", "/p/:id -> /post/:id", "/new -> /newest", "/blog/* -> /*", "/blog/keep/* -> /blog/keep/*",
		"/:lang/docs/:page -> /docs/:page/:lang", "/%E6%97%A7 -> /新", "/dir/* -> /place/", "/round/:n -> /round/:n")}
	for raw, want := range map[string]string{
		"/old": "/newest", "/old/": "/newest", "//old?x=1#y": "/newest", "https://ddkk.com/old": "/newest", "/new": "/newest", "/newest": "/newest",
		"/p/7": "/post/7", "/p/7/": "/post/7", "/p": "/p", "/p/7/8": "/p/7/8", "/p/%37": "/post/7",
		"/blog/a/b/": "/a/b/", "/blog": "/", "/blog/": "/", "/blog/old": "/newest", "/blog/keep/x/": "/blog/keep/x/", "/blog/p/1": "/post/1",
		"/en/docs/use": "/docs/use/en", "/docs/use/en": "/docs/use/en", "/旧": "/新", "/dir/any/thing": "/place/", "opaque": "opaque", "old": "old", "": "/",
		"/round/1/": "/round/1",
	} {
		if got := string(r.Normalize(nil, []byte(raw))); got != strings.TrimSpace(want) {
			t.Errorf("%s: %s, want %s", raw, got, want)
		}
	}
	r.Slash, r.StripIndex = SlashAdd, true
	for raw, want := range map[string]string{"/old/index.html": "/newest/", "/p/1": "/post/1/", "/other": "/other/"} {
		if got := string(r.Normalize(nil, []byte(raw))); got != want {
			t.Errorf("with slashes: %s: %s, want %s", raw, got, want)
		}
	}
}

func TestBadPageAliases(t *testing.T) {
	for alias, want := range map[string]string{
		"old -> /new": "must begin with /", "/old -> new": "must begin with /", "/a/:x -> /b/:y": "has no :y", "/a -> /b/*": "has no *", "/a/* -> /*/b": "must be the last",
		"/:a/:a -> /:a": "stands for two", "/* -> /blog/*": "without an end", "/x/:id -> /x/:id/more": "",
	} {
		from, to, _ := strings.Cut(alias, " -> ")
		_, err := NewPageAliases([]PageAlias{{from, to}})
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", alias, err, want)
		}
	}
	if _, err := NewPageAliases([]PageAlias{{"/a", "/b"}, {"/b", "/a"}}); err == nil || !strings.Contains(err.Error(), "without an end") {
		t.Errorf("a circle: %v", err)
	}
	aliases(t, "/* -> /blog/*", "/blog/* -> /blog/*") // what the message advises
}

func TestQueryNames(t *testing.T) {
	r := PageRules{Query: queryNames(t, "p", "id", "a b", "utm_source", "ref")}
	for raw, want := range map[string]string{
		"/x?p=2&id=1&other=3": "/x?id=1&p=2", "/x?id=&p=": "/x", "/x?": "/x", "/x": "/x", "/x?utm_source=a&ref=b&id=1#f": "/x?id=1",
		"/x?%69d=%41+b%26c": "/x?id=A%20b%26c", "/x?id=文": "/x?id=文", "/x?id=%E6%96%87": "/x?id=文", "/x?a+b=1": "/x?a%20b=1",
		"/x?id=2&id=1": "/x?id=2&id=1", "/x?ID=1": "/x", "/x?id=%zz": "/x?id=%25zz",
	} {
		got := string(r.Normalize(nil, []byte(raw)))
		if got != want {
			t.Errorf("%s: %s, want %s", raw, got, want)
		}
		if i := strings.IndexByte(got, '?'); i >= 0 {
			if again := string(r.Query.append(nil, []byte(got[i+1:]))); again != got[i:] {
				t.Errorf("%s becomes %s", got, again)
			}
		}
	}
	r.KeepFragment = true
	if got := string(r.Normalize(nil, []byte("/x?b=1&id=2#/r?id=3"))); got != "/x?id=2#/r?id=3" {
		t.Errorf("with a fragment: %s", got)
	}
	if _, err := NewQueryNames([]string{"a&b"}); err == nil {
		t.Error("a&b is a name")
	}
}

// Sites have rules of their own, also where the same spelling of a page comes again and
// again; rows without a line follow as lines do.
func TestPageRulesOfSites(t *testing.T) {
	p := newTestParser(t, Config{
		Page:      PageRules{Aliases: aliases(t, "/old -> /new")},
		PageSites: map[string]PageRules{"b.example": {Slash: SlashStrip}, "c.example": {Query: queryNames(t, "id")}},
	})
	line := func(site, page string) []byte {
		return []byte("v1\t1700000000.042\t0\t203.0.113.7\th\tGET\t200\t/event.png?site=" + site + "&page=" + page + "\t-\tFirefox\t-\t-\t-\t0.000\t43\tend")
	}
	for range 4 { // the second time it is kept, the third it is known
		for _, c := range [][3]string{
			{"a.example", "/old", "/new"}, {"b.example", "/old", "/old"}, {"c.example", "/old", "/old"},
			{"a.example", "/x/", "/x/"}, {"b.example", "/x/", "/x"}, {"c.example", "/x/", "/x/"},
			{"a.example", "/y%3Fid=1", "/y"}, {"c.example", "/y%3Fid=1", "/y?id=1"},
		} {
			var h, again Hit
			p.Parse(line(c[0], c[1]), &h)
			if string(h.Page) != c[2] {
				t.Fatalf("%s %s: %s, want %s", c[0], c[1], h.Page, c[2])
			}
			k := keptOf(&h)
			if doubt := p.Again(k, &again); doubt != 0 || string(again.Page) != c[2] {
				t.Errorf("%s %s judged again: %s, doubt %b", c[0], c[2], again.Page, doubt)
			}
		}
	}
	var h Hit
	p.Parse(line("a.example", "/other"), &h)
	k := keptOf(&h)
	k.Page = []byte("/old")
	if doubt := p.Again(k, &h); doubt != 0 || string(h.Page) != "/new" {
		t.Errorf("a row of before: %s, doubt %b", h.Page, doubt)
	}
	k.Site, k.Page = "c.example", []byte("/y?id=1&x=2")
	if doubt := p.Again(k, &h); doubt != DoubtPage || string(h.Page) != "/y?id=1&x=2" {
		t.Errorf("a query of before: %s, doubt %b", h.Page, doubt)
	}
}

// What a rule took out by a page's old name stays out, and a program may sign the name
// that it knows.
func TestOldNamesOfPages(t *testing.T) {
	const key = "a key of sixteen characters"
	c := Config{Page: PageRules{Aliases: aliases(t, "/old/* -> /new/*")}, BeaconKeys: []string{key},
		Rules: Rules{Version: 1, All: []Rule{{Kind: RuleVoid, Site: "a.example", Page: "/old/spam*"}, {Kind: RuleDelete, Site: "a.example", Page: "/old/gone"}}}}
	p := newTestParser(t, c)
	for page, want := range map[string]Reason{"/old/spam1": SkipVoid, "/new/spam1": ReasonNone, "/old/gone": SkipDeleted, "/old/good": ReasonNone} {
		for range 3 {
			for _, signed := range []string{page, strings.Replace(page, "/old/", "/new/", 1)} {
				var h Hit
				p.Parse([]byte("v1\t1700000000.042\t0\t203.0.113.7\th\tGET\t200\t/event.png?site=a.example&page="+page+"&sig="+Sign([]byte(key), "a.example", []byte(signed))+"\t-\tFirefox\t-\t-\t-\t0.000\t43\tend"), &h)
				if h.Reason != want {
					t.Errorf("%s signed as %s: %v, want %v", page, signed, h.Reason, want)
				}
			}
		}
	}
}

// FuzzPageAliases checks that a name given once stays.
func FuzzPageAliases(f *testing.F) {
	f.Add("/a/:x", "/b/:x", "/b/*", "/c/*", "/a/7")
	f.Add("/a", "/b", "/b", "/a", "/a")
	f.Add("/*", "/x/*", "/x/*", "/x/*", "/a//b/")
	f.Fuzz(func(t *testing.T, from1, to1, from2, to2, page string) {
		a, err := NewPageAliases([]PageAlias{{from1, to1}, {from2, to2}})
		if err != nil || a == nil {
			return
		}
		for _, r := range []PageRules{{Aliases: a}, {Aliases: a, StripIndex: true, Slash: SlashAdd}, {Aliases: a, Slash: SlashStrip}} {
			b := r.name(collapseSlashes([]byte(page), 0), 0)
			once := string(b)
			if twice := string(r.name(b, 0)); twice != once {
				t.Fatalf("%q becomes %q, then %q", page, once, twice)
			}
		}
	})
}
