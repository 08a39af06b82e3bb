package parser

import (
	"encoding/binary"
	"math/bits"
	"net/netip"
)

// Lines of one log have most of their fields in common: host, method and status,
// and all behind the user agent. So a line is first tried with those of a line
// before it, which takes a comparison instead of looking at each. Whatever is
// unusual about it (a field that differs, an escape, a byte that nginx does not
// write) is left to readV1, which knows everything and from which the short cut
// learns.
type shapeV1 struct {
	head   uint32 // version and TAB, as the first word has them
	fields int

	middle       []byte // from the TAB behind the address to the one before the URI
	host, method []byte // in it
	status       int

	tail               []byte // from the TAB behind the user agent to the end, or to the language
	purpose, gpc, user []byte // in it
	took               float64
	sent               int64

	second [timeDot]byte // digits of $msec before the dot
	ms     int64         // and what they mean
}

// Where things stand in a line whose seconds have ten digits (2001 to 2286) and
// whose request id has 32.
const (
	shortTime = len(VersionV1) + 1
	timeDot   = 10                      // in $msec
	shortID   = shortTime + timeDot + 5 // ".123" and TAB
	shortAddr = shortID + 32 + 1
	shortMin  = shortAddr + addrRoom
)

// headMask are the bytes of version and TAB in a word.
const headMask = 1<<24 - 1

// learn remembers the shape of a line without escapes that was read well.
func (s *shapeV1) learn(l *lineV1, h *Hit) {
	at := l.tabs[fieldAddr]
	s.middle = append(s.middle[:0], l.b[at:l.tabs[fieldStatus]+1]...)
	field := func(text []byte, i int) []byte { return dashless(text[l.tabs[i-1]+1-at : l.tabs[i]-at : l.tabs[i]-at]) }
	s.host, s.method, s.status = field(s.middle, fieldHost), field(s.middle, fieldMethod), h.Status
	s.head, s.fields = binary.LittleEndian.Uint32(l.b)&headMask, l.fields
	at = l.tabs[fieldAgent]
	end := len(l.b)
	if l.fields == NumFieldsV2 {
		end = l.tabs[fieldSent]
	}
	s.tail = append(s.tail[:0], l.b[at:end]...)
	s.purpose, s.gpc, s.user = field(s.tail, fieldPurpose), field(s.tail, fieldGPC), field(s.tail, fieldUser)
	s.took, s.sent = h.RequestTime, h.BytesSent
}

// readShort reads a line by the shape that was learned. It reports false, and
// may leave anything in h, where that does not fit.
func (ln *lines) readShort(b []byte, h *Hit) bool {
	s := &ln.shape
	x := &ln.extra
	end := len(b)
	if s.fields == NumFieldsV2 {
		var ok bool
		if x.accept, end, ok = languageField(b); !ok {
			return false
		}
	}
	from := end - len(s.tail)
	if len(s.tail) == 0 || len(b) > scanSize || from < shortMin {
		return false
	}
	var masks [scanWords]uint64
	if scan(b, &masks) || countBits(masks[:(len(b)+chunkSize-1)/chunkSize]) != s.fields-1 || string(b[from:end]) != string(s.tail) {
		return false
	}
	addr := nextBit(&masks, shortAddr)
	uri := addr + len(s.middle)
	if addr < 0 || uri > from || string(b[addr:uri]) != string(s.middle) {
		return false
	}
	uriEnd := nextBit(&masks, uri)
	refererEnd := nextBit(&masks, uriEnd+1)
	// All special bytes are TABs if those are that stand at these places, as
	// there are no more of them: three in the head, four in the middle, two
	// around the Referer, six in the tail, and two around a language.
	if refererEnd >= from || uriEnd < 0 || refererEnd < 0 || b[uriEnd] != '\t' || b[refererEnd] != '\t' || b[shortID-1] != '\t' || b[shortAddr-1] != '\t' ||
		binary.LittleEndian.Uint32(b)&headMask != s.head {
		return false
	}
	if !s.time(b, h) || !shortAddress(b[shortAddr:], addr-shortAddr, h) {
		return false
	}
	h.Status, h.RequestTime, h.BytesSent = s.status, s.took, s.sent
	h.RequestID = dashless(b[shortID : shortAddr-1])
	h.Method = s.method
	h.URI = dashless(b[uri:uriEnd])
	h.Referer = dashless(b[uriEnd+1 : refererEnd])
	h.UserAgent = dashless(b[refererEnd+1 : from])
	h.RemoteUser = s.user
	x.host, x.purpose, x.gpc, x.tongue = s.host, s.purpose, s.gpc, s.fields == NumFieldsV2
	return true
}

// languageField is the field before the end mark, and where its TAB is.
func languageField(b []byte) (language []byte, tab int, ok bool) {
	end := len(b) - len("\t"+EndMark)
	if end < shortMin || string(b[end:]) != "\t"+EndMark {
		return nil, 0, false
	}
	for tab = end - 1; tab > 0 && b[tab] != '\t'; tab-- { // it is short
	}
	return dashless(b[tab+1 : end]), tab, tab > 0
}

// time reads $msec; lines of one second need its digits read once.
func (s *shapeV1) time(b []byte, h *Hit) bool {
	digits := (*[timeDot]byte)(b[shortTime:])
	if *digits != s.second {
		sec, ok := parseDigits(digits[:])
		if ms := sec * 1000; !ok || ms < minTime || ms >= maxTime {
			return false
		}
		s.second, s.ms = *digits, sec*1000
	}
	ms := b[shortTime+timeDot : shortID-1]
	d0, d1, d2 := ms[1]-'0', ms[2]-'0', ms[3]-'0'
	h.Time = s.ms + int64(d0)*100 + int64(d1)*10 + int64(d2)
	return ms[0] == '.' && d0 <= 9 && d1 <= 9 && d2 <= 9
}

// shortAddress reads the address in the first n bytes of b.
func shortAddress(b []byte, n int, h *Hit) (ok bool) {
	if ip, ok := wordAddr4((*[addrRoom]byte)(b), n); ok {
		h.Addr = netip.AddrFrom4(ip)
		return true
	}
	h.Addr, ok = parseAddr(b[:n])
	return ok
}

// countBits is how many bits are set in all words.
func countBits(masks []uint64) int {
	n := 0
	for _, m := range masks {
		n += bits.OnesCount64(m)
	}
	return n
}

// nextBit is the first bit from on that is set, -1 if there is none.
func nextBit(masks *[scanWords]uint64, from int) int {
	w := uint(from) / chunkSize
	if w >= scanWords {
		return -1
	}
	if m := masks[w] >> (uint(from) % chunkSize); m != 0 {
		return from + bits.TrailingZeros64(m)
	}
	for w++; w < scanWords; w++ {
		if m := masks[w]; m != 0 {
			return int(w)*chunkSize + bits.TrailingZeros64(m)
		}
	}
	return -1
}

// addrRoom is how many bytes wordAddr4 may look at.
const addrRoom = 32

// wordAddr4 reads an IPv4 address from the first n bytes of b. Branches on single
// digits would be mispredicted at each number. It may say no to an address, and
// never says yes to what is none.
func wordAddr4(b *[addrRoom]byte, n int) (ip [4]byte, ok bool) {
	if n > len("255.255.255.255") {
		return ip, false
	}
	dots := dotsOf(binary.LittleEndian.Uint64(b[:])) | dotsOf(binary.LittleEndian.Uint64(b[8:]))<<8
	dots = dots&(1<<n-1) | 1<<n // one more at the end
	dot0 := bits.TrailingZeros64(dots)
	dots &= dots - 1
	dot1 := bits.TrailingZeros64(dots)
	dots &= dots - 1
	dot2 := bits.TrailingZeros64(dots)
	dots &= dots - 1
	if dots != 1<<n {
		return ip, false
	}
	a, badA := octet(b, 0, dot0)
	c, badC := octet(b, dot0+1, dot1)
	d, badD := octet(b, dot1+1, dot2)
	e, badE := octet(b, dot2+1, n)
	return [4]byte{byte(a), byte(c), byte(d), byte(e)}, badA|badC|badD|badE == 0
}

// octet reads the number in b[from:to]; bad is not zero if it is none of those
// from 0 to 255, or has zeros before it.
func octet(b *[addrRoom]byte, from, to int) (n, bad uint32) {
	size := uint32(to - from)
	// The digits move up to the end of the word: hundreds, tens and ones are its
	// bytes 1 to 3.
	up := (4 - size) & 3 * 8
	v := binary.LittleEndian.Uint32(b[from&15:])<<up - '0'*lowBits32<<up
	n = v>>8&0xFF*100 + v>>16&0xFF*10 + v>>24
	bad = (v | (v + 0x76*lowBits32)) & highBits32 // a byte is over 9
	bad |= (255-n)>>31 | (n-leastOf[size&3])>>31 | (size-1)>>2
	return n, bad | size>>2
}

// leastOf is the least number of so many digits.
var leastOf = [4]uint32{0, 0, 10, 100}

// The low and the high bits of four bytes.
const (
	lowBits32  = lowBits & (1<<32 - 1)
	highBits32 = highBits & (1<<32 - 1)
)

// dotsOf has bit k set if byte k of w is a dot.
func dotsOf(w uint64) uint64 {
	w ^= '.' * lowBits
	none := (w&^highBits + ^uint64(highBits)) | w // the highest bit of each byte that is not zero
	return ^none & highBits * 0x0002040810204081 >> 56
}
