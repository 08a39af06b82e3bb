// Package keys names every Redis key: one table of families tells what each is
// called, holds and lives, and all that has to tell keys apart (a rebuild's purge,
// verify, docs/design/redis.md) uses it.
package keys

import (
	"strconv"
	"time"

	"ddkk-stats/parser"
)

// Keys makes the keys, one method each. In cluster mode the site is written in
// braces, so that all keys of a site share a slot and one script may touch them
// together.
type Keys struct {
	prefix  string
	cluster bool
}

// New names the keys under prefix; cluster puts the site in braces.
func New(prefix string, cluster bool) Keys { return Keys{prefix: prefix, cluster: cluster} }

// Cluster tells whether these are keys of a cluster.
func (k Keys) Cluster() bool { return k.cluster }

// Day is how a day stands in a key.
func Day(d parser.Day) string { return padded(int(d), 8) }

// padded is a number with leading zeros.
func padded(n, width int) string {
	var b [20]byte
	at := len(b)
	for ; n > 0 || len(b)-at < width; n /= 10 {
		at--
		b[at] = byte('0' + n%10)
	}
	return string(b[at:])
}

func (k Keys) of(f Family, site, rest string) string { return k.Key(Name{f, site, rest}) }

// Sites holds the names of all sites that ever counted.
func (k Keys) Sites() string { return k.of(Sites, "", "") }

// Secret holds the secret of the visitor hash.
func (k Keys) Secret() string { return k.of(Secret, "", "") }

// Segments holds segment -> trace.
func (k Keys) Segments() string { return k.of(Segments, "", "") }

// Held holds segment -> when a daemon last said that it can read it again.
func (k Keys) Held() string { return k.of(Held, "", "") }

// Checkpoint holds segment -> offset, and the epoch.
func (k Keys) Checkpoint(s string) string { return k.of(Checkpoint, s, "") }

func (k Keys) SitePV(s string) string { return k.of(SitePV, s, "") }
func (k Keys) SiteUV(s string) string { return k.of(SiteUV, s, "") }

func (k Keys) SitePVDay(s string, d parser.Day) string { return k.of(SitePVDay, s, Day(d)) }
func (k Keys) SiteUVDay(s string, d parser.Day) string { return k.of(SiteUVDay, s, Day(d)) }

// Visitors holds the 16-byte hashes of a day's visitors.
func (k Keys) Visitors(s string, d parser.Day) string { return k.of(Visitors, s, Day(d)) }

// Books holds a day's sums beside its views: pc, mobile, bot, events, bot_events,
// dedup.
func (k Keys) Books(s string, d parser.Day) string { return k.of(Books, s, Day(d)) }

// Minutes holds a day's views by minute: 0000 to 2359 of people, and the same
// after a "b" of bots.
func (k Keys) Minutes(s string, d parser.Day) string { return k.of(Minutes, s, Day(d)) }

// Facets holds a day's views by facet: the fields are those of parser.Facet.
func (k Keys) Facets(s string, d parser.Day) string { return k.of(Facets, s, Day(d)) }

func (k Keys) PagePV(s, page string) string { return k.of(PagePV, s, page) }
func (k Keys) PageUV(s, page string) string { return k.of(PageUV, s, page) }

// PageBots holds page -> views of bots, PageBotsDay those of one day: it also
// tells which pages keep their own name (see MaxPages), as HotDay does for people.
func (k Keys) PageBots(s string) string { return k.of(PageBots, s, "") }

func (k Keys) PageBotsDay(s string, d parser.Day) string { return k.of(PageBotsDay, s, Day(d)) }

// Pairs holds a day's (visitor, page) pairs, 8 bytes each, packed: appending
// to it costs Redis a memcpy where a Set would cost an insert for each.
func (k Keys) Pairs(s string, d parser.Day) string { return k.of(Pairs, s, Day(d)) }

// TermVisitors holds the visitors of a week or a month, named as parser.Term does: of the
// site and of its pages.
func (k Keys) TermVisitors(s, term string) string { return k.of(TermVisitors, s, term) }

// TermPairs holds its visitors and (visitor, page) pairs, packed as Pairs.
func (k Keys) TermPairs(s, term string) string { return k.of(TermPairs, s, term) }

// Uniques holds the value of UNIQUES that visitors are counted by.
func (k Keys) Uniques() string { return k.of(Uniques, "", "") }

// Online holds visitor -> last seen, in Unix seconds.
func (k Keys) Online(s string) string { return k.of(Online, s, "") }

// HotAll ranks all pages by their total page views.
func (k Keys) HotAll(s string) string { return k.of(HotAll, s, "") }

func (k Keys) HotDay(s string, d parser.Day) string { return k.of(HotDay, s, Day(d)) }

// HotWeek names the ISO 8601 week that holds d, such as 2026W47.
func (k Keys) HotWeek(s string, d parser.Day) string {
	y, w := d.Date(time.UTC).ISOWeek()
	return k.of(HotWeek, s, padded(y, 4)+"W"+padded(w, 2))
}

func (k Keys) HotMonth(s string, d parser.Day) string {
	return k.of(HotMonth, s, padded(int(d)/100, 6))
}

// Events holds event key -> pv, and event key + "|uv" -> uv.
func (k Keys) Events(s string, d parser.Day) string { return k.of(Events, s, Day(d)) }

// The rules whose memory Seen names.
const (
	RuleID     = "id"
	RuleWindow = "window"
)

// Seen holds what the duplicate rules remember of one bucket of time: packed
// entries of 12 bytes (hash of visitor and view id or of address and page,
// milliseconds since the bucket began).
func (k Keys) Seen(s, rule string, bucket int64) string {
	f := SeenID
	if rule == RuleWindow {
		f = SeenWindow
	}
	return k.of(f, s, strconv.FormatInt(bucket, 10))
}

// BasePV and BaseUV hold what an earlier counter had of a site.
func (k Keys) BasePV(s string) string { return k.of(BasePV, s, "") }
func (k Keys) BaseUV(s string) string { return k.of(BaseUV, s, "") }

// BasePagePV and BasePageUV hold what it had of a page.
func (k Keys) BasePagePV(s, page string) string { return k.of(BasePagePV, s, page) }
func (k Keys) BasePageUV(s, page string) string { return k.of(BasePageUV, s, page) }

// Calls holds what is counted of a period of a site's API calls, named by its
// digits: a day YYYYMMDD, an hour YYYYMMDDHH or a minute YYYYMMDDHHMM. Fields
// are CallTotal and so on.
func (k Keys) Calls(s, period string) string {
	switch len(period) {
	case len(CallMinuteLayout):
		return k.of(CallsMinute, s, period)
	case len(CallHourLayout):
		return k.of(CallsHour, s, period)
	}
	return k.of(CallsDay, s, period)
}

// CallLatency holds how many calls of an hour or a day took how long; see
// parser.LatencyName, which names its fields.
func (k Keys) CallLatency(s, period string) string {
	if len(period) == len(CallHourLayout) {
		return k.of(LatencyHour, s, period)
	}
	return k.of(LatencyDay, s, period)
}

// Requests holds a day's sums of requests of a site's own log, RequestNames those of the
// series whose names are brief: the fields are those of parser.RequestField.
func (k Keys) Requests(s string, d parser.Day) string     { return k.of(Requests, s, Day(d)) }
func (k Keys) RequestNames(s string, d parser.Day) string { return k.of(RequestNames, s, Day(d)) }

// Pending holds page changes that are committed but not yet spread over the
// pages' keys: catching up commits one append instead of six writes a page.
func (k Keys) Pending(s string) string { return k.of(Pending, s, "") }

// Made holds which keys were made, by period; see Mark.
func (k Keys) Made(s string) string { return k.of(Made, s, "") }

// FacetsPending holds changes of facets that are committed but not yet in the
// hashes of their days.
func (k Keys) FacetsPending(s string) string { return k.of(FacetsPending, s, "") }

// The mirror's keys: a site has them while its page totals are mirrored into SQL.

// MirrorState holds epoch, life, phase, seq, and open:<seq> of takes that are
// not known to be in SQL yet.
func (k Keys) MirrorState(s string) string { return k.of(MirrorState, s, "") }

// MirrorDue holds the pages that changed since they were taken.
func (k Keys) MirrorDue(s string) string { return k.of(MirrorDue, s, "") }

// MirrorPV and MirrorBots hold page -> what was taken of its totals.
func (k Keys) MirrorPV(s string) string   { return k.of(MirrorPV, s, "") }
func (k Keys) MirrorBots(s string) string { return k.of(MirrorBots, s, "") }

// MirrorTake holds what was taken at once: 0 or 1 (bots) and the page -> change.
func (k Keys) MirrorTake(s string, seq int64) string {
	return k.of(MirrorTake, s, strconv.FormatInt(seq, 10))
}

// MirrorTakes is what the keys of all takes of a site begin with.
func (k Keys) MirrorTakes(s string) string { return k.of(MirrorTake, s, "") }

// MirrorSink holds the pages whose totals a sink has not acknowledged.
func (k Keys) MirrorSink(s string) string { return k.of(MirrorSink, s, "") }

// Rebuild is the lock of the daemon that rebuilds a site.
func (k Keys) Rebuild(s string) string { return k.of(Rebuild, s, "") }

// Rebuilds changes with every rebuild that ended, so that all daemons look at
// their checkpoints at once.
func (k Keys) Rebuilds() string { return k.of(Rebuilds, "", "") }
