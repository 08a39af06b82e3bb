package parser

import (
	"crypto/hmac"
	"crypto/sha256"
	"fmt"
	"net/netip"
	"time"
)

// Times outside of these are no log times but damage or a wrong clock.
const (
	minTime = 946684800_000  // 2000-01-01T00:00:00Z in ms
	maxTime = 4133980800_000 // 2101-01-01T00:00:00Z in ms
)

// visitorDomain separates the use of the secret for visitors from any other.
const visitorDomain = "ddkk-visitor"

const (
	msPerMinute = 60 * 1000
	msPerDay    = 24 * 60 * msPerMinute
)

// daySpan is a stretch of time within one calendar day, with what the parser
// needs of that day. It ends early where the zone changes its offset.
type daySpan struct {
	from, to int64 // ms, from <= t < to
	midnight int64 // when the clocks, as they go in it, would have shown 0:00
	day      Day
	key      sipKey
}

// days finds the day of a time. Lines come nearly in order, so the last two
// spans are kept: the second for the minutes around midnight.
type days struct {
	loc    *time.Location
	secret []byte
	last   [2]daySpan
}

// of returns the span that ms lies in.
func (d *days) of(ms int64) *daySpan {
	if s := &d.last[0]; ms >= s.from && ms < s.to {
		return s
	}
	d.last[0], d.last[1] = d.last[1], d.last[0]
	if s := &d.last[0]; ms >= s.from && ms < s.to {
		return s
	}
	d.last[0] = d.compute(ms)
	return &d.last[0]
}

// compute finds the bounds by arithmetic inside the zone's current offset:
// unlike building a midnight from a date, that is right also where midnight
// does not exist or comes twice.
func (d *days) compute(ms int64) daySpan {
	t := time.UnixMilli(ms).In(d.loc)
	_, offset := t.Zone()
	local := ms + int64(offset)*1000
	from := ms - mod(local, msPerDay)
	s := daySpan{from: from, to: from + msPerDay, midnight: from, day: DayOf(t)}
	zoneFrom, zoneTo := t.ZoneBounds()
	if !zoneFrom.IsZero() {
		s.from = max(s.from, zoneFrom.UnixMilli())
	}
	if !zoneTo.IsZero() {
		s.to = min(s.to, zoneTo.UnixMilli())
	}
	s.key = visitorKey(d.secret, s.day)
	return s
}

func mod(a, b int64) int64 { return ((a % b) + b) % b }

// visitorKey is the day's salt: without the secret it cannot be made, and it
// links no day to another.
func visitorKey(secret []byte, day Day) sipKey {
	mac := hmac.New(sha256.New, secret)
	fmt.Fprintf(mac, "%s%08d", visitorDomain, int32(day))
	return sipKeyOf(mac.Sum(nil))
}

// visitorMessage holds the message of a visitor hash: address and user agent's
// digest have a fixed length and the site comes last, so that no two visitors
// share a message.
type visitorMessage [16 + 16 + maxSite]byte

// hash tells who asked. An IPv6 address counts by its /64, which is what a
// household or a host gets.
func (m *visitorMessage) hash(key sipKey, addr netip.Addr, agent *[16]byte, site string) Visitor {
	ip := addr.As16()
	if addr.Is6() {
		clear(ip[8:])
	}
	copy(m[:], ip[:])
	copy(m[16:], agent[:])
	n := copy(m[32:], site)
	return key.sip128(m[:32+n])
}

// PairHash is the 64-bit hash of (visitor, page), keyed with the visitor: what
// tells whether this visitor saw this page before.
func PairHash(v Visitor, page []byte) uint64 { return sipKeyOf(v[:]).sip64(page) }

// eventTweak makes EventHash another function than PairHash, since an event's
// key and a page may be the same bytes.
const eventTweak = 0x746e6576652d6464

// EventHash is the 64-bit hash of (visitor, event key).
func EventHash(v Visitor, eventKey []byte) uint64 {
	k := sipKeyOf(v[:])
	k.k0 ^= eventTweak
	return k.sip64(eventKey)
}
