package parser

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Fields of a JSON line, in no order.
const (
	jsonTime = iota
	jsonAddr
	jsonStatus
	jsonMethod
	jsonURI
	jsonArgs
	jsonRequest
	jsonReferer
	jsonAgent
	jsonHost
	jsonUser
	jsonTook
	jsonSent
	jsonPurpose
	jsonGPC
	jsonID
	numJSONFields
)

// jsonFieldNames are the fields' names in Config.JSONFields, each followed by
// the keys that are looked for by default, the best first: nginx's names of
// variables and what common templates make of them.
var jsonFieldNames = [numJSONFields][]string{
	jsonTime:    {"time", "msec", "time", "timestamp", "@timestamp", "time_iso8601", "time_local", "ts"},
	jsonAddr:    {"addr", "remote_addr", "remote_ip", "client_ip", "client", "ip", "addr"},
	jsonStatus:  {"status", "status", "response"},
	jsonMethod:  {"method", "request_method", "method"},
	jsonURI:     {"uri", "request_uri", "uri", "url", "path"},
	jsonArgs:    {"args", "args", "query_string"},
	jsonRequest: {"request", "request"},
	jsonReferer: {"referer", "http_referer", "http_referrer", "referer", "referrer"},
	jsonAgent:   {"user_agent", "http_user_agent", "user_agent", "agent"},
	jsonHost:    {"host", "host", "http_host", "server_name"},
	jsonUser:    {"remote_user", "remote_user"},
	jsonTook:    {"request_time", "request_time"},
	jsonSent:    {"body_bytes_sent", "body_bytes_sent", "bytes_sent", "bytes"},
	jsonPurpose: {"sec_purpose", "http_sec_purpose"},
	jsonGPC:     {"sec_gpc", "http_sec_gpc"},
	jsonID:      {"request_id", "request_id"},
}

// JSONFieldNames lists the fields that Config.JSONFields may name.
func JSONFieldNames() []string {
	names := make([]string, 0, numJSONFields)
	for _, f := range jsonFieldNames {
		names = append(names, f[0])
	}
	return names
}

// jsonKey says which field a key of the object fills; of several the one with
// the lowest rank.
type jsonKey struct{ field, rank int }

func jsonKeys(config map[string]string) (map[string]jsonKey, error) {
	keys := map[string]jsonKey{}
	known := JSONFieldNames()
	for field, names := range jsonFieldNames {
		if config[names[0]] != "" {
			continue
		}
		for rank, key := range names[1:] {
			keys[key] = jsonKey{field, rank}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(config)) {
		field := slices.Index(known, name)
		if field < 0 {
			return nil, fmt.Errorf("JSON field %q: use one of %s", name, strings.Join(known, ", "))
		}
		if config[name] != "" {
			keys[config[name]] = jsonKey{field, 0}
		}
	}
	return keys, nil
}

// readJSON reads one object a line:
//
//	{"msec":"1763769600.123","remote_addr":"203.0.113.7","request":"GET /a HTTP/1.1","status":"200",...}
//
// It is more lenient than JSON where nginx is: bytes over 0x7F need not be
// UTF-8 (they are kept, not replaced), "\xXX" is a byte, and a number may be
// missing ("status":,), as a comma may stand behind the last one. Keys are compared
// exactly; of equal ones the first counts. Only the time and the request must be
// there: another field that is missing or odd is not known.
func (p *Parser) readJSON(line []byte, h *Hit) Reason {
	for _, c := range line {
		if c < ' ' && c != '\t' {
			return BadBytes
		}
	}
	line = bytes.Trim(line, " \t")
	if len(line) == 0 {
		return BadEmpty
	}
	var fields [numJSONFields][]byte
	if reason := p.scanObject(line, &fields); reason != ReasonNone {
		return reason
	}
	return p.fillJSON(&fields, h)
}

func (p *Parser) fillJSON(f *[numJSONFields][]byte, h *Hit) Reason {
	var ok bool
	if h.Time, ok = p.parseTime(f[jsonTime]); !ok {
		return BadTime
	}
	// The object is whole, so a field that is odd is one that is not known.
	h.Addr, _ = p.client(f[jsonAddr])
	h.Status = looseStatus(f[jsonStatus])
	if len(f[jsonTook]) > 0 {
		h.RequestTime = looseSeconds(f[jsonTook])
	}
	if len(f[jsonSent]) > 0 {
		h.BytesSent = looseSize(f[jsonSent])
	}
	h.Method, h.URI = splitRequest(f[jsonRequest])
	if len(f[jsonMethod]) > 0 {
		h.Method = f[jsonMethod]
	}
	if len(f[jsonURI]) > 0 {
		h.URI = p.withArgs(f[jsonURI], f[jsonArgs])
	}
	h.Referer, h.UserAgent = f[jsonReferer], f[jsonAgent]
	h.RemoteUser, h.RequestID = f[jsonUser], f[jsonID]
	p.extra.host, p.extra.purpose, p.extra.gpc = f[jsonHost], f[jsonPurpose], f[jsonGPC]
	if host := targetHost(h.URI); len(host) > 0 {
		p.extra.host, p.extra.asked = host, true
	}
	return ReasonNone
}

// withArgs puts $uri and $args together where they are logged apart.
func (p *Parser) withArgs(uri, args []byte) []byte {
	if len(args) == 0 || bytes.IndexByte(uri, '?') >= 0 {
		return uri
	}
	from := len(p.buf)
	p.buf = append(p.buf, uri...)
	p.buf = append(p.buf, '?')
	p.buf = append(p.buf, args...)
	return p.buf[from:len(p.buf):len(p.buf)]
}
