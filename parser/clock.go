package parser

import (
	"bytes"
	"time"
)

// parseTime reads a time as programs write it, in Unix milliseconds: the combined
// format's, RFC 3339 and its relatives, those of mails and of C, and seconds,
// milliseconds, microseconds or nanoseconds since the epoch. One without a zone
// is of the log's zone, and noted.
func (ln *lines) parseTime(b []byte) (int64, bool) {
	b = bytes.Trim(b, " []")
	if ms, ok := parseCombinedTime(b); ok {
		return inTime(ms)
	}
	if ms, ok := parseEpoch(b); ok {
		return inTime(ms)
	}
	c := calendar{rest: b}
	if !c.read() {
		return ln.parseNamedTime(string(b))
	}
	if c.zoned {
		return inTime(c.utc() - c.offset*1000)
	}
	ln.extra.zoneless = true
	return inTime(c.in(ln.zone))
}

// inTime refuses what no log can be of.
func inTime(ms int64) (int64, bool) { return ms, ms >= minTime && ms < maxTime }

// parseEpoch reads a number since the epoch, with a fraction or an exponent or
// without. Its size tells the unit: between 2000 and 2101 no two overlap. It is
// read as text, since a float64 does not hold nanoseconds.
func parseEpoch(b []byte) (ms int64, ok bool) {
	var digits [24]byte // more than any unit needs; what follows is dropped
	kept, whole, seen, dotted := 0, 0, false, false
	i := 0
	for ; i < len(b); i++ {
		c := b[i]
		if c == '.' && !dotted {
			dotted = true
			continue
		}
		if c < '0' || c > '9' {
			break
		}
		seen = true
		switch {
		case kept == 0 && c == '0':
			if dotted {
				whole--
			}
			continue
		case kept < len(digits):
			digits[kept] = c
			kept++
		}
		if !dotted {
			whole++
		}
	}
	exponent, ok := parseExponent(b[i:])
	if whole += exponent; !ok || !seen || kept == 0 || whole < 9 || whole > 19 {
		return 0, false
	}
	// whole digits stand before the point; so many are milliseconds.
	switch {
	case whole <= 10:
		whole += 3
	case whole > 16:
		whole -= 6
	case whole > 13:
		whole -= 3
	}
	for at := range whole {
		ms *= 10
		if at < kept {
			ms += int64(digits[at] - '0')
		}
	}
	return ms, true
}

// parseExponent reads "e+09"; nothing is 0.
func parseExponent(b []byte) (int, bool) {
	if len(b) == 0 {
		return 0, true
	}
	if b[0] != 'e' && b[0] != 'E' {
		return 0, false
	}
	b, sign := b[1:], 1
	if len(b) > 0 && (b[0] == '+' || b[0] == '-') {
		if b[0] == '-' {
			sign = -1
		}
		b = b[1:]
	}
	n, ok := parseDigits(b)
	return sign * int(n), ok && len(b) <= 3
}

// calendar reads a date and a time of day:
//
//	2026-11-20T10:00:00.123+01:00    2026/11/20 10:00:00,123
//	2026-11-20 10:00:00 +0000 UTC    20/Nov/2026:10:00:00.123 +0000
type calendar struct {
	rest                       []byte
	year, month, day           int
	hour, minute, second, msec int
	zoned                      bool
	offset                     int64 // of the zone, in seconds east
}

func (c *calendar) read() bool {
	if !c.date() || !c.clock() {
		return false
	}
	c.fraction()
	return c.zone()
}

// number takes n digits.
func (c *calendar) number(n int, to *int) bool {
	if len(c.rest) < n {
		return false
	}
	v, ok := parseDigits(c.rest[:n])
	*to, c.rest = int(v), c.rest[n:]
	return ok
}

// oneOf takes one of some bytes.
func (c *calendar) oneOf(bytesOf string) bool {
	for i := range len(bytesOf) {
		if len(c.rest) > 0 && c.rest[0] == bytesOf[i] {
			c.rest = c.rest[1:]
			return true
		}
	}
	return false
}

func (c *calendar) date() bool {
	if len(c.rest) > 2 && c.rest[2] == '/' {
		if !c.number(2, &c.day) || !c.oneOf("/") || len(c.rest) < 3 {
			return false
		}
		c.month, c.rest = monthOf(c.rest[:3]), c.rest[3:]
		return c.oneOf("/") && c.number(4, &c.year) && c.oneOf(": ") && c.isDay()
	}
	return c.number(4, &c.year) && c.oneOf("-/") && c.number(2, &c.month) && c.oneOf("-/") && c.number(2, &c.day) &&
		c.oneOf("Tt _") && c.isDay()
}

// isDay says whether there is such a day.
func (c *calendar) isDay() bool {
	return c.month >= 1 && c.month <= 12 && time.Date(c.year, time.Month(c.month), c.day, 0, 0, 0, 0, time.UTC).Day() == c.day
}

func (c *calendar) clock() bool {
	return c.number(2, &c.hour) && c.oneOf(":") && c.number(2, &c.minute) && c.oneOf(":") && c.number(2, &c.second) &&
		c.hour <= 23 && c.minute <= 59 && c.second <= 60
}

// fraction takes ".123" or ",123", of any length.
func (c *calendar) fraction() {
	if len(c.rest) < 2 || c.rest[0] != '.' && c.rest[0] != ',' || c.rest[1] < '0' || c.rest[1] > '9' {
		return
	}
	i := 1
	for scale := 100; i < len(c.rest) && c.rest[i] >= '0' && c.rest[i] <= '9'; i, scale = i+1, scale/10 {
		c.msec += int(c.rest[i]-'0') * scale
	}
	c.rest = c.rest[i:]
}

// zone takes "Z", "UTC", "GMT", "+01:00", "+0100" or "+01", or nothing. The name
// that some write behind an offset says nothing more; alone it is not believed,
// since many zones share one.
func (c *calendar) zone() bool {
	c.rest = bytes.TrimLeft(c.rest, " ")
	switch string(c.rest) {
	case "":
		return true
	case "Z", "z", "UTC", "GMT":
		c.zoned = true
		return true
	}
	sign := int64(1)
	if c.rest[0] == '-' {
		sign = -1
	}
	var hours, minutes int
	if !c.oneOf("+-") || !c.number(2, &hours) {
		return false
	}
	if c.oneOf(":") || len(c.rest) > 0 && c.rest[0] != ' ' {
		if !c.number(2, &minutes) {
			return false
		}
	}
	c.zoned, c.offset = true, sign*int64(hours*3600+minutes*60)
	return hours <= 23 && minutes <= 59 && isZoneName(c.rest)
}

// isZoneName says whether b is " UTC" or " CEST" or nothing.
func isZoneName(b []byte) bool {
	if len(b) == 0 {
		return true
	}
	for _, c := range b[1:] {
		if c < 'A' || c > 'Z' {
			return false
		}
	}
	return b[0] == ' ' && len(b) > 1 && len(b) <= 6
}

// utc is the time as if its zone were UTC.
func (c *calendar) utc() int64 {
	date := time.Date(c.year, time.Month(c.month), c.day, 0, 0, 0, 0, time.UTC)
	return (date.Unix()+int64(c.hour*3600+c.minute*60+c.second))*1000 + int64(c.msec)
}

// in is the time in a zone.
func (c *calendar) in(zone *time.Location) int64 {
	return time.Date(c.year, time.Month(c.month), c.day, c.hour, c.minute, c.second, c.msec*1e6, zone).UnixMilli()
}

// namedLayouts are those that begin with the name of a day.
var namedLayouts = [...]string{time.RFC1123, time.RFC1123Z, time.RFC850, time.ANSIC, time.UnixDate, time.RubyDate}

// parseNamedTime reads "Fri, 20 Nov 2026 10:00:00 GMT" and its like.
func (ln *lines) parseNamedTime(text string) (int64, bool) {
	if text == "" || text[0] < 'A' || text[0] > 'Z' {
		return 0, false
	}
	for _, layout := range namedLayouts {
		t, err := time.ParseInLocation(layout, text, ln.zone)
		if err != nil {
			continue
		}
		switch layout {
		case time.ANSIC:
			ln.extra.zoneless = true
		case time.RFC1123, time.RFC850, time.UnixDate:
			// The name of a zone is only believed where no other has it.
			if name, _ := t.Zone(); name != "UTC" && name != "GMT" {
				return 0, false
			}
			t = time.Date(t.Year(), t.Month(), t.Day(), t.Hour(), t.Minute(), t.Second(), t.Nanosecond(), time.UTC)
		}
		return inTime(t.UnixMilli())
	}
	return 0, false
}

var months = [...]string{"Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"}

// monthOf is the number of a month's short name, 0 for none.
func monthOf(b []byte) int {
	for i, name := range months {
		if string(b) == name {
			return i + 1
		}
	}
	return 0
}

// parseCombinedTime reads "17/May/2015:10:05:03 +0000" as Unix milliseconds.
func parseCombinedTime(b []byte) (int64, bool) {
	if len(b) != len("17/May/2015:10:05:03 +0000") ||
		b[2] != '/' || b[6] != '/' || b[11] != ':' || b[14] != ':' || b[17] != ':' || b[20] != ' ' {
		return 0, false
	}
	month := monthOf(b[3:6])
	var n [7]int
	for i, at := range [...][2]int{{0, 2}, {7, 11}, {12, 14}, {15, 17}, {18, 20}, {22, 24}, {24, 26}} {
		v, ok := parseDigits(b[at[0]:at[1]])
		if !ok {
			return 0, false
		}
		n[i] = int(v)
	}
	day, year, hour, minute, sec, zoneHour, zoneMinute := n[0], n[1], n[2], n[3], n[4], n[5], n[6]
	if month == 0 || hour > 23 || minute > 59 || sec > 60 || zoneHour > 23 || zoneMinute > 59 {
		return 0, false
	}
	date := time.Date(year, time.Month(month), day, 0, 0, 0, 0, time.UTC)
	if date.Day() != day {
		return 0, false
	}
	offset := int64(zoneHour*3600 + zoneMinute*60)
	switch b[21] {
	case '-':
		offset = -offset
	case '+':
	default:
		return 0, false
	}
	return (date.Unix() + int64(hour*3600+minute*60+sec) - offset) * 1000, true
}
