package keys

import (
	"fmt"
	"testing"

	"ddkk-stats/parser"
)

var hostileSites = []string{
	"ddkk.com", "set", "pv", "uv", "bot", "all", "day", "hour", "site", "page", "sites", "id", "state", "take", "20261130", "1", "-", "_", "a.b",
	"[::1]", "[2001:db8::1]", "[::ffff:1.2.3.4]",
	"", "x:20261130", "set:x", "{x}", "{", "}", "x}:20261130", "[", "]", "[]", "[x", "[::1]:20261130", "%", "%3a", "%78", "X", "www.x:80", "uv:set:x",
	"*", "?", "x\x00", "\xff", "日本", "all:day:20261130", "../x",
}

var hostileRests = []string{
	"", "/", "/a", "20261130", ":20261130", "victim.com:20261130", "[::1]:20261130", "{victim.com}:20261130", "uv:set:victim.com:20261130",
	"set:victim.com:20261130", "all", "day:20261130", "latency", ":latency", "pv:set", "2026W48", "202611", "2026113012", "202611301259", "1", "-1", "007",
	"{}", "}", "%", "\x00", "\xff\xfe", "/a:b:c", "/日本",
}

// names are all that hostile sites and pages make of every family.
func names() []Name {
	var all []Name
	for f := range families {
		form := &forms[f]
		sites := hostileSites
		if !form.site {
			sites = []string{""}
		}
		for _, s := range sites {
			for _, r := range hostileRests {
				if form.fits(r) {
					all = append(all, Name{f, s, r})
				}
			}
		}
	}
	return all
}

func TestNoTwoNamesMakeOneKey(t *testing.T) {
	for _, cluster := range []bool{false, true} {
		k, made := New("ddkk", cluster), map[string]Name{}
		for _, n := range names() {
			key := k.Key(n)
			if other, taken := made[key]; taken {
				t.Fatalf("cluster %v: %q is %+v and %+v", cluster, key, other, n)
			}
			made[key] = n
			if got, ok := k.Parse(key); !ok || got != n {
				t.Fatalf("cluster %v: Parse(%q) = %+v, %v; it was made of %+v", cluster, key, got, ok, n)
			}
		}
		if len(made) < 10*len(hostileSites) {
			t.Fatalf("only %d keys were tried", len(made))
		}
	}
}

// Methods make the keys that their families' patterns promise to users.
func TestMethods(t *testing.T) {
	const s, d = "ddkk.com", parser.Day(20261130)
	for _, cluster := range []bool{false, true} {
		k, site := New("ddkk", cluster), s
		if cluster {
			site = "{ddkk.com}"
		}
		seen := map[Family]bool{}
		for _, x := range []struct {
			family Family
			have   string
			want   string
		}{
			{Sites, k.Sites(), "ddkk:sites"}, {Secret, k.Secret(), "ddkk:secret"}, {Segments, k.Segments(), "ddkk:segments"}, {Held, k.Held(), "ddkk:held"}, {Rebuilds, k.Rebuilds(), "ddkk:rebuilds"}, {Uniques, k.Uniques(), "ddkk:uniques"},
			{TermVisitors, k.TermVisitors(s, "2026W49"), "ddkk:uniques:uv:@:2026W49"}, {TermPairs, k.TermPairs(s, "202611"), "ddkk:uniques:pairs:@:202611"},
			{Rebuild, k.Rebuild(s), "ddkk:rebuild:@"}, {Checkpoint, k.Checkpoint(s), "ddkk:ckpt:@"},
			{SitePV, k.SitePV(s), "ddkk:site:pv:@"}, {SiteUV, k.SiteUV(s), "ddkk:site:uv:@"},
			{SitePVDay, k.SitePVDay(s, d), "ddkk:site:pv:@:20261130"}, {SiteUVDay, k.SiteUVDay(s, d), "ddkk:site:uv:@:20261130"},
			{Visitors, k.Visitors(s, d), "ddkk:site:uv:set:@:20261130"}, {Books, k.Books(s, d), "ddkk:site:books:@:20261130"},
			{Minutes, k.Minutes(s, d), "ddkk:site:minutes:@:20261130"}, {Facets, k.Facets(s, d), "ddkk:facet:@:20261130"}, {FacetsPending, k.FacetsPending(s), "ddkk:facets:@"},
			{PagePV, k.PagePV(s, "/a"), "ddkk:page:pv:@:/a"}, {PageUV, k.PageUV(s, "/a"), "ddkk:page:uv:@:/a"},
			{PageBots, k.PageBots(s), "ddkk:page:bot:@"}, {PageBotsDay, k.PageBotsDay(s, d), "ddkk:page:bot:@:20261130"},
			{Pairs, k.Pairs(s, d), "ddkk:page:pairs:@:20261130"}, {Online, k.Online(s), "ddkk:online:@"},
			{HotDay, k.HotDay(s, d), "ddkk:hot:@:day:20261130"}, {HotWeek, k.HotWeek(s, d), "ddkk:hot:@:week:2026W49"},
			{HotMonth, k.HotMonth(s, d), "ddkk:hot:@:month:202611"}, {HotAll, k.HotAll(s), "ddkk:hot:@:all"}, {Events, k.Events(s, d), "ddkk:event:@:20261130"},
			{SeenID, k.Seen(s, RuleID, 7), "ddkk:seen:id:@:7"}, {SeenWindow, k.Seen(s, RuleWindow, 7), "ddkk:seen:window:@:7"},
			{BasePV, k.BasePV(s), "ddkk:base:pv:@"}, {BaseUV, k.BaseUV(s), "ddkk:base:uv:@"},
			{BasePagePV, k.BasePagePV(s, "/a"), "ddkk:base:page:pv:@:/a"}, {BasePageUV, k.BasePageUV(s, "/a"), "ddkk:base:page:uv:@:/a"},
			{CallsMinute, k.Calls(s, "202611301259"), "ddkk:api:@:minute:202611301259"}, {CallsHour, k.Calls(s, "2026113012"), "ddkk:api:@:hour:2026113012"},
			{CallsDay, k.Calls(s, "20261130"), "ddkk:api:@:day:20261130"}, {LatencyHour, k.CallLatency(s, "2026113012"), "ddkk:api:@:hour:2026113012:latency"},
			{Requests, k.Requests(s, 20261130), "ddkk:requests:@:20261130"}, {RequestNames, k.RequestNames(s, 20261130), "ddkk:requests:names:@:20261130"},
			{LatencyDay, k.CallLatency(s, "20261130"), "ddkk:api:@:day:20261130:latency"}, {Pending, k.Pending(s), "ddkk:pending:@"}, {Made, k.Made(s), "ddkk:made:@"},
			{MirrorState, k.MirrorState(s), "ddkk:mirror:state:@"}, {MirrorDue, k.MirrorDue(s), "ddkk:mirror:due:@"}, {MirrorSink, k.MirrorSink(s), "ddkk:mirror:sink:@"},
			{MirrorPV, k.MirrorPV(s), "ddkk:mirror:pv:@"}, {MirrorBots, k.MirrorBots(s), "ddkk:mirror:bot:@"}, {MirrorTake, k.MirrorTake(s, 3), "ddkk:mirror:take:@:3"},
		} {
			seen[x.family] = true
			want := ""
			for _, c := range x.want {
				if c == '@' {
					want += site
				} else {
					want += string(c)
				}
			}
			if x.have != want {
				t.Errorf("%s: %s, want %s", Table[x.family].Pattern, x.have, want)
			}
			if n, ok := k.Parse(x.have); !ok || n.Family != x.family {
				t.Errorf("%s is taken for %s", x.have, Table[n.Family].Pattern)
			}
		}
		if len(seen) != int(families) {
			t.Errorf("%d of %d families are tried", len(seen), families)
		}
	}
}

func TestForeignKeysAreNotOurs(t *testing.T) {
	for _, cluster := range []bool{false, true} {
		k := New("ddkk", cluster)
		for _, key := range []string{"", "ddkk", "ddkk:", "ddkk2:sites", "ddkk:site", "ddkk:sites:x", "ddkk:site:pv", "ddkk:site:pv:", "ddkk:site:pv:[",
			"ddkk:site:pv:%78", "ddkk:site:pv:%", "ddkk:site:pv:X:20261130x", "ddkk:hot:x:day:2026", "ddkk:seen:id:x:007", "ddkk:page:pv:x", "other:site:pv:x"} {
			if n, ok := k.Parse(key); ok && k.Key(n) != key {
				t.Errorf("%q is taken for %+v", key, n)
			}
		}
	}
}

func FuzzParse(f *testing.F) {
	for i, n := range names() {
		if i%37 == 0 {
			f.Add(uint8(n.Family), n.Site, n.Rest, i%2 == 0)
		}
	}
	f.Fuzz(func(t *testing.T, family uint8, site, rest string, cluster bool) {
		k := New("ddkk", cluster)
		n := Name{Family(family) % families, site, rest}
		if !forms[n.Family].site {
			n.Site = ""
		}
		if forms[n.Family].fits(rest) {
			key := k.Key(n)
			if got, ok := k.Parse(key); !ok || got != n {
				t.Fatalf("Parse(%q) = %+v, %v; it was made of %+v", key, got, ok, n)
			}
			if err := onlyOne(k, key); err != nil {
				t.Fatal(err)
			}
		}
		// Whatever a key is taken for makes that very key.
		for _, key := range []string{"ddkk:" + rest, "ddkk:" + forms[n.Family].head + rest} {
			if got, ok := k.Parse(key); ok && k.Key(got) != key {
				t.Fatalf("%q is taken for %+v, which makes %q", key, got, k.Key(got))
			}
			if err := onlyOne(k, key); err != nil {
				t.Fatal(err)
			}
		}
	})
}

// onlyOne tells whether at most one family takes a key for its own.
func onlyOne(k Keys, key string) error {
	var takes []string
	for f := range families {
		if _, ok := k.parseAs(f, key[len("ddkk:"):]); ok {
			takes = append(takes, Table[f].Pattern)
		}
	}
	if len(takes) > 1 {
		return fmt.Errorf("%q is of families %q", key, takes)
	}
	return nil
}
