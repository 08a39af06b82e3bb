package keys

import "strings"

// A key that is lost and written anew looks whole. So the script that makes a key notes
// it in the hash Made of its site: a letter for the kind of key, under its period. Who
// makes one that is noted already has found a loss, and whoever reads the hash knows what
// must be there. Keys of pages, of the minutes of calls and of a
// DEDUPE_WINDOW that is short are too many for that.

// A mark is a letter and the period. These are the letters; families that share one are
// told apart by the period.
const (
	MarkPV       = "p"
	MarkUV       = "u"
	MarkVisitors = "v"
	MarkBooks    = "b"
	MarkMinutes  = "m"
	MarkFacets   = "r" // of the referrers, before there were other facets
	MarkPairs    = "q"
	MarkBots     = "o"
	MarkHot      = "h" // prelude.lua names it as well
	MarkEvents   = "e"
	MarkCalls    = "c"
	MarkLatency  = "l"
	MarkSeen     = "i"
	MarkWindow   = "w"
	MarkRequests = "x"
	MarkNames    = "n"

	MarkTerm      = "t"
	MarkTermPairs = "y"
)

var marks = map[string][]Family{
	MarkPV: {SitePV, SitePVDay}, MarkUV: {SiteUV, SiteUVDay}, MarkVisitors: {Visitors}, MarkBooks: {Books}, MarkMinutes: {Minutes},
	MarkFacets: {Facets}, MarkPairs: {Pairs}, MarkBots: {PageBots, PageBotsDay}, MarkHot: {HotAll, HotDay, HotWeek, HotMonth},
	MarkEvents: {Events}, MarkCalls: {CallsDay, CallsHour}, MarkLatency: {LatencyDay, LatencyHour}, MarkSeen: {SeenID},
	MarkWindow:   {SeenWindow},
	MarkRequests: {Requests}, MarkNames: {RequestNames},
	MarkTerm: {TermVisitors}, MarkTermPairs: {TermPairs},
}

// Forever is the period of keys that have none.
const Forever = "all"

// The fields of Made that are no periods.
const (
	MadeEpoch = "epoch"
	MadePages = "pages"
)

// Marked is the key that a letter stands for under a period; false: it is no letter, or
// no period that its families have.
func Marked(site, letter, period string) (Name, bool) {
	if period == Forever {
		period = ""
	}
	for _, f := range marks[letter] {
		if forms[f].fits(period) {
			return Name{f, site, period}, true
		}
	}
	return Name{}, false
}

// Mark is the reverse of Marked; false: such keys have none.
func (n Name) Mark() (letter, period string, ok bool) {
	for l, families := range marks {
		for _, f := range families {
			if f == n.Family {
				letter, ok = l, true
			}
		}
	}
	if period = n.Rest; period == "" {
		period = Forever
	}
	return letter, period, ok
}

// RedisType is what TYPE says of a key of the family.
func (f Family) RedisType() string {
	if t := Table[f].Type; t != "Sorted set" {
		return strings.ToLower(t)
	}
	return "zset"
}
