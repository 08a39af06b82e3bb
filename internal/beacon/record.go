package beacon

import (
	"net/netip"
	"strconv"
	"time"
)

// MaxLine is the longest line, with its newline, that the parser takes.
const MaxLine = 64 << 10

// Bounds of what strangers send into a line, in bytes before they are escaped: the
// shipped nginx configuration has the same. MaxURI is for whoever takes requests.
const (
	MaxURI     = 4096
	maxHost    = 256
	maxMethod  = 16
	maxReferer = 2048
	maxAgent   = 512
	maxField   = 300 // Sec-Purpose, Sec-GPC, the user
	maxTongue  = 64  // Accept-Language: only what it begins with is read
)

// Record is one request as the log tells it. Append copies what it needs, so
// the slices may point into the request's buffers.
type Record struct {
	Time        time.Time // when the request came; the log has milliseconds
	RequestID   []byte    // 32 hex digits; empty: Append makes one
	Addr        netip.Addr
	Host        []byte // without port
	Method      []byte
	Status      int
	URI         []byte // path and query as sent, not decoded
	Referer     []byte
	UserAgent   []byte
	SecPurpose  []byte
	SecGPC      []byte
	Language    []byte // Accept-Language
	RemoteUser  []byte
	RequestTime time.Duration
	BytesSent   int64 // of the body
}

// appendLine appends the record as a v2 line with its newline; id is used when
// the record has no request id.
func appendLine(dst []byte, r *Record, id []byte) []byte {
	dst = append(dst, "v2\t"...)
	dst = append(appendMillis(dst, r.Time.UnixMilli()), '\t')
	if len(r.RequestID) > 0 {
		id = r.RequestID
	}
	dst = appendField(dst, id)
	dst = appendAddr(dst, r.Addr)
	dst = appendCut(dst, r.Host, maxHost)
	dst = appendCut(dst, r.Method, maxMethod)
	dst = append(strconv.AppendInt(dst, int64(r.Status), 10), '\t')
	dst = appendField(dst, r.URI)
	dst = appendCut(dst, r.Referer, maxReferer)
	dst = appendCut(dst, r.UserAgent, maxAgent)
	dst = appendCut(dst, r.SecPurpose, maxField)
	dst = appendCut(dst, r.SecGPC, maxField)
	dst = appendCut(dst, r.RemoteUser, maxField)
	dst = append(appendMillis(dst, max(r.RequestTime.Milliseconds(), 0)), '\t')
	dst = append(strconv.AppendInt(dst, r.BytesSent, 10), '\t')
	dst = appendCut(dst, r.Language, maxTongue)
	return append(dst, "end\n"...)
}

// appendCut appends the first bytes of a field.
func appendCut(dst, value []byte, most int) []byte {
	return appendField(dst, value[:min(len(value), most)])
}

// appendMillis writes seconds with three decimals, as $msec and $request_time.
func appendMillis(dst []byte, ms int64) []byte {
	dst = strconv.AppendInt(dst, ms/1000, 10)
	ms %= 1000
	return append(dst, '.', byte('0'+ms/100), byte('0'+ms/10%10), byte('0'+ms%10))
}

func appendAddr(dst []byte, a netip.Addr) []byte {
	if !a.IsValid() {
		return append(dst, "-\t"...)
	}
	// A zone is local to this machine and has no place in a record.
	return append(a.WithZone("").AppendTo(dst), '\t')
}
