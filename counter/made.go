package counter

import (
	"strconv"
	"time"

	"ddkk-stats/counter/keys"
	"ddkk-stats/parser"
)

// What a script is told of each key that it may make: that it must be there ("1"), else
// the mark by which it is noted that it was made (see package keys, Mark), or "0": it is
// not noted. A key whose least value the script has checked already is one of those.

func known(seen bool, letter, period string) string {
	if seen {
		return "1"
	}
	return letter + period
}

func checkedOr(least int64, letter, period string) string {
	if least > 0 {
		return "0"
	}
	return letter + period
}

// lasts tells whether keys that live for ttl from when they were made are still there,
// if they were made after a moment, by Redis' clock.
func lasts(after time.Time, ttl time.Duration, now time.Time) bool {
	return now.Before(after.Add(ttl - time.Hour))
}

func seenBegin(bucket int64, width time.Duration) time.Time {
	return time.UnixMilli(bucket * width.Milliseconds())
}

// leastNoted is the shortest DEDUPE_WINDOW whose buckets are noted: as many as those of
// view ids. Of a shorter one that is lost a view of a few minutes may count twice.
const leastNoted = DefaultIDWindow

// madeUntil is until when a key that is noted is surely there; dies is false for those
// that are for good. idWindow is how long a view id is remembered, window DEDUPE_WINDOW.
func madeUntil(n keys.Name, loc *time.Location, uvTTL, idWindow, window time.Duration) (until time.Time, dies bool) {
	day := func() parser.Day {
		v, _ := strconv.ParseInt(n.Rest, 10, 32) // its form was checked
		return parser.Day(v)
	}
	switch n.Family {
	case keys.SitePV, keys.SiteUV, keys.PageBots, keys.HotAll:
		return time.Time{}, false
	case keys.TermVisitors, keys.TermPairs:
		kind, first, _ := parser.TermNamed(n.Rest)
		return termEnd(loc, kind, first, uvTTL), true
	case keys.Visitors, keys.Pairs:
		return day().Date(loc).Add(uvTTL), true
	case keys.Minutes:
		return expiry(loc, day().Next(), MinutesTTL), true
	case keys.Facets:
		return expiry(loc, day().Next(), FacetTTL), true
	case keys.PageBotsDay, keys.HotDay:
		return expiry(loc, day().Next(), HotDayTTL), true
	case keys.HotWeek:
		year, _ := strconv.Atoi(n.Rest[:4])
		week, _ := strconv.Atoi(n.Rest[5:])
		// The fourth of January is in the first week.
		monday := time.Date(year, 1, 4, 0, 0, 0, 0, time.UTC)
		monday = monday.AddDate(0, 0, 7*week-(int(monday.Weekday())+6)%7)
		return expiry(loc, parser.DayOf(monday), HotWeekTTL), true
	case keys.HotMonth:
		year, _ := strconv.Atoi(n.Rest[:4])
		month, _ := strconv.Atoi(n.Rest[4:])
		return expiry(loc, parser.DayOf(time.Date(year, time.Month(month)+1, 1, 0, 0, 0, 0, time.UTC)), HotMonthTTL), true
	case keys.CallsDay, keys.CallsHour, keys.LatencyDay, keys.LatencyHour:
		until, _ = CallExpiry(loc, n.Rest)
		return until, true
	case keys.RequestNames:
		return expiry(loc, day().Next(), keys.RequestNamesTTL), true
	case keys.SeenID:
		number, _ := strconv.ParseInt(n.Rest, 10, 64)
		return seenBegin(number, idWindow).Add(uvTTL), true
	case keys.SeenWindow:
		if window < leastNoted { // it was noted by a longer one
			return time.Time{}, true
		}
		number, _ := strconv.ParseInt(n.Rest, 10, 64)
		return seenBegin(number, window).Add(uvTTL), true
	}
	return expiry(loc, day().Next(), DayKeysTTL), true
}
