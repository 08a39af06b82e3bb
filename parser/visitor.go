package parser

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
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
	visitors visitorSalt
	terms    [NumTerms]visitorSalt // those that are told
}

// days finds the day of a time. Lines come nearly in order, so the last two
// spans are kept: the second for the minutes around midnight.
type days struct {
	loc     *time.Location
	secret  []byte
	uniques Uniques
	last    [2]daySpan
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
	s.visitors = newVisitorSalt(visitorKey(d.secret, s.day))
	for t := range Term(d.uniques) {
		s.terms[t] = newVisitorSalt(termKey(d.secret, t.Name(s.day)))
	}
	return s
}

// tellTerms tells who looked in the terms of the hit's day.
func (d *days) tellTerms(h *Hit, s *daySpan, a *agent) {
	for t := range Term(d.uniques) {
		h.Terms[t] = s.terms[t].hash(h.Addr, &a.digest, h.Site)
	}
}

// keepTerms leaves who looked in the terms that are told now as a row has it.
func (d *days) keepTerms(k *Kept, h *Hit) {
	for t := range Term(d.uniques) {
		h.Terms[t] = k.Terms[t]
	}
}

func mod(a, b int64) int64 { return ((a % b) + b) % b }

// visitorKey is the day's salt: without the secret it cannot be made, and it
// links no day to another.
func visitorKey(secret []byte, day Day) sipKey {
	mac := hmac.New(sha256.New, secret)
	fmt.Fprintf(mac, "%s%08d", visitorDomain, int32(day))
	return sipKeyOf(mac.Sum(nil))
}

// visitorSalt makes the visitors of a day: the state of their hash with the key,
// and with what all IPv4 addresses begin with.
type visitorSalt struct{ key, key4 sipState }

func newVisitorSalt(key sipKey) visitorSalt {
	s := key.start128()
	return visitorSalt{s, s.add(0)}
}

// hash tells who asked. An IPv6 address counts by its /64, which is what a
// household or a host gets. The message is the address and the user agent's
// digest, of 16 bytes each, and the site, so that no two visitors share one.
func (v *visitorSalt) hash(addr netip.Addr, agent *[16]byte, site string) Visitor {
	ip := addr.As16()
	var s sipState
	if addr.Is6() {
		s = v.key.add(binary.LittleEndian.Uint64(ip[:])).add(0)
	} else {
		s = v.key4.add(binary.LittleEndian.Uint64(ip[8:]))
	}
	s = s.add(binary.LittleEndian.Uint64(agent[:])).add(binary.LittleEndian.Uint64(agent[8:]))
	return s.end128(32+len(site), site)
}

// PairHash is the 64-bit hash of (visitor, page), keyed with the visitor: what
// tells whether this visitor saw this page before.
func PairHash(v Visitor, page []byte) uint64 { return sipKeyOf(v[:]).sip64(page) }

// TermHash is the 64-bit hash of a visitor among the pairs of a week or a month. It is
// not zero.
func TermHash(v Visitor) uint64 { return max(1, binary.LittleEndian.Uint64(v[:8])) }

// eventTweak makes EventHash another function than PairHash, since an event's
// key and a page may be the same bytes.
const eventTweak = 0x746e6576652d6464

// EventHash is the 64-bit hash of (visitor, event key).
func EventHash(v Visitor, eventKey []byte) uint64 {
	k := sipKeyOf(v[:])
	k.k0 ^= eventTweak
	return k.sip64(eventKey)
}

// ParseVisitor is the reverse of Visitor.String.
func ParseVisitor(text string) (v Visitor, err error) {
	b, err := hex.DecodeString(text)
	if err != nil || len(b) != len(v) {
		return v, fmt.Errorf("%q is no visitor", text)
	}
	return Visitor(b), nil
}
