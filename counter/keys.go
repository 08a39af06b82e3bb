package counter

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"ddkk-stats/parser"
)

// DefaultPrefix starts every key of ours.
const DefaultPrefix = "ddkk"

// How long the keys of a period live. The period is in the key's name, so
// nothing has to be reset when it ends.
const (
	DayKeysTTL  = 90 * 24 * time.Hour // per-day totals and events, after the day ends
	HotDayTTL   = 2 * 24 * time.Hour  // after the day ends
	HotWeekTTL  = 8 * 24 * time.Hour  // after the week ends
	HotMonthTTL = 32 * 24 * time.Hour // after the month ends
	MinutesTTL  = 2 * 24 * time.Hour  // after the day ends
	// OnlineWindow is how long a visitor counts as online after the last view.
	OnlineWindow = 5 * time.Minute
)

// Keys names every Redis key, one method each; the comment behind a method is
// the key's type. In cluster mode the site is written in braces, so that all
// keys of a site share a slot and one script may touch them together.
type Keys struct {
	prefix  string
	cluster bool
}

// NewKeys names the keys under prefix; cluster puts the site in braces.
func NewKeys(prefix string, cluster bool) Keys { return Keys{prefix: prefix, cluster: cluster} }

func (k Keys) site(s string) string {
	if k.cluster {
		return "{" + s + "}"
	}
	return s
}

func day(d parser.Day) string { return fmt.Sprintf("%08d", int32(d)) }

// Sites holds the names of all sites that ever counted.
func (k Keys) Sites() string { return k.prefix + ":sites" } // Set

// Secret holds the secret of the visitor hash.
func (k Keys) Secret() string { return k.prefix + ":secret" } // String

// Checkpoint holds segment -> offset, and the epoch.
func (k Keys) Checkpoint(s string) string { return k.prefix + ":ckpt:" + k.site(s) } // Hash

func (k Keys) SitePV(s string) string { return k.prefix + ":site:pv:" + k.site(s) } // String
func (k Keys) SiteUV(s string) string { return k.prefix + ":site:uv:" + k.site(s) } // String

func (k Keys) SitePVDay(s string, d parser.Day) string { return k.SitePV(s) + ":" + day(d) } // String
func (k Keys) SiteUVDay(s string, d parser.Day) string { return k.SiteUV(s) + ":" + day(d) } // String

// Visitors holds the 16-byte hashes of a day's visitors.
func (k Keys) Visitors(s string, d parser.Day) string { // Set
	return k.prefix + ":site:uv:set:" + k.site(s) + ":" + day(d)
}

// Books holds a day's sums beside its views: pc, mobile, bot, events, bot_events,
// dedup, and the views by hour, h00 to h23 of people and b00 to b23 of bots.
func (k Keys) Books(s string, d parser.Day) string { // Hash
	return k.prefix + ":site:books:" + k.site(s) + ":" + day(d)
}

// Minutes holds a day's views by minute: 0000 to 2359 of people, and the same
// after a "b" of bots.
func (k Keys) Minutes(s string, d parser.Day) string { // Hash
	return k.prefix + ":site:minutes:" + k.site(s) + ":" + day(d)
}

// Referrers holds host -> views of people that it led to, "" for none.
func (k Keys) Referrers(s string, d parser.Day) string { // Hash
	return k.prefix + ":referrer:" + k.site(s) + ":" + day(d)
}

func (k Keys) PagePV(s, page string) string { // String
	return k.prefix + ":page:pv:" + k.site(s) + ":" + page
}

func (k Keys) PageUV(s, page string) string { // String
	return k.prefix + ":page:uv:" + k.site(s) + ":" + page
}

// PageBots holds page -> views of bots, PageBotsDay those of one day: it also
// tells which pages keep their own name (see MaxPages), as HotDay does for people.
func (k Keys) PageBots(s string) string { return k.prefix + ":page:bot:" + k.site(s) } // Hash

func (k Keys) PageBotsDay(s string, d parser.Day) string { return k.PageBots(s) + ":" + day(d) } // Hash

// Pairs holds a day's (visitor, page) pairs, 8 bytes each, packed: appending
// to it costs Redis a memcpy where a Set would cost an insert for each.
func (k Keys) Pairs(s string, d parser.Day) string { // String
	return k.prefix + ":page:uv:set:" + k.site(s) + ":" + day(d)
}

// Online holds visitor -> last seen, in Unix seconds.
func (k Keys) Online(s string) string { return k.prefix + ":online:" + k.site(s) } // Sorted set

// HotAll ranks all pages by their total page views.
func (k Keys) HotAll(s string) string { return k.prefix + ":hot:" + k.site(s) + ":all" } // Sorted set

func (k Keys) HotDay(s string, d parser.Day) string { // Sorted set
	return k.prefix + ":hot:" + k.site(s) + ":day:" + day(d)
}

// HotWeek names the ISO 8601 week that holds d, such as 2026W47.
func (k Keys) HotWeek(s string, d parser.Day) string { // Sorted set
	y, w := d.Date(time.UTC).ISOWeek()
	return fmt.Sprintf("%s:hot:%s:week:%04dW%02d", k.prefix, k.site(s), y, w)
}

func (k Keys) HotMonth(s string, d parser.Day) string { // Sorted set
	return k.prefix + ":hot:" + k.site(s) + ":month:" + strconv.Itoa(int(d)/100)
}

// Events holds event key -> pv, and event key + "|uv" -> uv.
func (k Keys) Events(s string, d parser.Day) string { // Hash
	return k.prefix + ":event:" + k.site(s) + ":" + day(d)
}

// Seen holds what the duplicate rules remember of one bucket of time: packed
// entries of 12 bytes (hash of visitor and view id or of address and page,
// milliseconds since the bucket began). Rule is "id" or "window".
func (k Keys) Seen(s, rule string, bucket int64) string { // String
	return k.prefix + ":seen:" + rule + ":" + k.site(s) + ":" + strconv.FormatInt(bucket, 10)
}

// Calls holds what is counted of a period of a site's API calls, named by its
// digits: a day YYYYMMDD, an hour YYYYMMDDHH or a minute YYYYMMDDHHMM. Fields
// are CallTotal and so on.
func (k Keys) Calls(s, period string) string { // Hash
	kind := ":day:"
	switch len(period) {
	case len(callMinuteLayout):
		kind = ":minute:"
	case len(callHourLayout):
		kind = ":hour:"
	}
	return k.prefix + ":api:" + k.site(s) + kind + period
}

// CallLatency holds how many calls of an hour or a day took how long; see
// parser.LatencyName, which names its fields.
func (k Keys) CallLatency(s, period string) string { return k.Calls(s, period) + ":latency" } // Hash

// Pending holds page changes that are committed but not yet spread over the
// pages' keys: catching up commits one append instead of six writes a page.
func (k Keys) Pending(s string) string { return k.prefix + ":pending:" + k.site(s) } // List

// The mirror's keys, see mirror.go. A site has them while its page totals are
// mirrored into SQL.

// MirrorState holds epoch, life, phase, seq, and open:<seq> of takes that are
// not known to be in SQL yet.
func (k Keys) MirrorState(s string) string { return k.prefix + ":mirror:state:" + k.site(s) } // Hash

// MirrorDue holds the pages that changed since they were taken.
func (k Keys) MirrorDue(s string) string { return k.prefix + ":mirror:due:" + k.site(s) } // Set

// MirrorPV and MirrorBots hold page -> what was taken of its totals.
func (k Keys) MirrorPV(s string) string   { return k.prefix + ":mirror:pv:" + k.site(s) }  // Hash
func (k Keys) MirrorBots(s string) string { return k.prefix + ":mirror:bot:" + k.site(s) } // Hash

// MirrorTake holds what was taken at once: 0 or 1 (bots) and the page -> change.
func (k Keys) MirrorTake(s string, seq int64) string { // Hash
	return k.mirrorTakes(s) + strconv.FormatInt(seq, 10)
}

func (k Keys) mirrorTakes(s string) string { return k.prefix + ":mirror:take:" + k.site(s) + ":" }

// MirrorSink holds the pages whose totals a sink has not acknowledged.
func (k Keys) MirrorSink(s string) string { return k.prefix + ":mirror:sink:" + k.site(s) } // Set

// Rebuild is the lock of the daemon that rebuilds a site.
func (k Keys) Rebuild(s string) string { return k.prefix + ":rebuild:" + k.site(s) } // String

// Rebuilds changes with every rebuild that ended, so that all daemons look at
// their checkpoints at once.
func (k Keys) Rebuilds() string { return k.prefix + ":rebuilds" } // String

// counted are the families of keys that hold what was counted, the longer
// ones first where one is the start of another.
var counted = []string{
	"site:pv:", "site:uv:set:", "site:uv:", "site:books:", "site:minutes:", "referrer:", "page:pv:", "page:uv:set:", "page:uv:", "page:bot:",
	"online:", "hot:", "event:", "seen:id:", "seen:window:", "pending:", "api:",
	"mirror:state:", "mirror:due:", "mirror:pv:", "mirror:bot:", "mirror:take:", "mirror:sink:",
}

// SiteOf tells the site of a key that holds what was counted.
func (k Keys) SiteOf(key string) (site string, ok bool) {
	rest, ok := strings.CutPrefix(key, k.prefix+":")
	if !ok {
		return "", false
	}
	for _, family := range counted {
		if s, ok := strings.CutPrefix(rest, family); ok {
			return k.leadingSite(s)
		}
	}
	return "", false
}

// leadingSite cuts the site off a key's rest; an IPv6 site stands in brackets.
func (k Keys) leadingSite(s string) (string, bool) {
	if k.cluster {
		s, ok := strings.CutPrefix(s, "{")
		if !ok {
			return "", false
		}
		site, _, ok := strings.Cut(s, "}")
		return site, ok
	}
	if strings.HasPrefix(s, "[") {
		i := strings.IndexByte(s, ']')
		return s[:i+1], i > 0
	}
	site, _, _ := strings.Cut(s, ":")
	return site, site != ""
}
