package queryapi

import (
	"strconv"
	"unicode/utf8"

	"ddkk-stats/counter"
)

const hexDigits = "0123456789ABCDEF"

// appendString appends s as a JSON string. Nothing here becomes a part of an HTML
// page, and no browser takes the answers for one (nosniff), so < > and & are what
// they are; the line separators of JavaScript are escaped. A byte that is not
// UTF-8 is percent-encoded, as the browser would send it, so that pages which
// differ in such bytes stay different and can be asked for by the name that was
// answered.
func appendString[T string | []byte](dst []byte, s T) []byte { return appendText(dst, s, false) }

// appendPage appends the name of a page in the same way. Control characters that JSON
// has at six bytes each are percent-encoded as well, which means the same page.
func appendPage(dst []byte, page string) []byte { return appendText(dst, page, true) }

func appendText[T string | []byte](dst []byte, s T, page bool) []byte {
	dst = append(dst, '"')
	for i := 0; i < len(s); {
		c := s[i]
		if c < utf8.RuneSelf {
			dst = appendASCII(dst, c, page)
			i++
			continue
		}
		r, size := utf8.DecodeRuneInString(string(s[i:min(i+utf8.UTFMax, len(s))]))
		switch {
		case r == utf8.RuneError && size == 1:
			dst = append(dst, '%', hexDigits[c>>4], hexDigits[c&15])
		case r == '\u2028' || r == '\u2029':
			dst = append(dst, `\u202`...)
			dst = append(dst, hexDigits[r&15])
		default:
			dst = append(dst, s[i:i+size]...)
		}
		i += size
	}
	return append(dst, '"')
}

// shortEscapes are the control characters that JSON has two bytes for.
var shortEscapes = [' ']byte{'\b': 'b', '\t': 't', '\n': 'n', '\f': 'f', '\r': 'r'}

func appendASCII(dst []byte, c byte, page bool) []byte {
	switch {
	case c == '"' || c == '\\':
		return append(dst, '\\', c)
	case c < ' ' && shortEscapes[c] != 0:
		return append(dst, '\\', shortEscapes[c])
	case c < ' ' && page:
		return append(dst, '%', hexDigits[c>>4], hexDigits[c&15])
	case c < ' ':
		return append(dst, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
	}
	return append(dst, c)
}

// scalarNames are the names of the scalar fields, in the order of their bits.
var scalarNames = [...]string{
	"site_pv", "site_uv", "site_pv_today", "site_uv_today", "page_pv", "page_uv", "site_online",
	"site_uv_week", "site_uv_month", "page_uv_week", "page_uv_month",
}

const hotPrefix = "hot_pages_"

// parseField is the field of a name in the API.
func parseField(name []byte) (counter.Fields, bool) {
	for i, n := range scalarNames {
		if string(name) == n {
			return counter.FieldSitePV << i, true
		}
	}
	if len(name) > len(hotPrefix) && string(name[:len(hotPrefix)]) == hotPrefix {
		p, ok := counter.ParsePeriod(string(name[len(hotPrefix):]))
		return p.Field(), ok
	}
	return 0, false
}

// appendFields appends ,"name":value for all fields that were asked for.
func appendFields(dst []byte, fields counter.Fields, a *counter.Answer, title titles) []byte {
	for i, name := range scalarNames {
		if f := counter.FieldSitePV << i; fields&f != 0 {
			dst = append(dst, ',', '"')
			dst = append(dst, name...)
			dst = append(dst, '"', ':')
			if n := a.Get(f); n == counter.NotKnown && f&counter.TermFields != 0 {
				dst = append(dst, "null"...)
			} else {
				dst = strconv.AppendInt(dst, n, 10)
			}
		}
	}
	for p := range counter.NumPeriods {
		if fields&p.Field() != 0 {
			dst = append(dst, `,"hot_pages_`...)
			dst = append(dst, p.String()...)
			dst = append(dst, '"', ':')
			dst = appendHot(dst, a.Hot[p], title)
		}
	}
	return dst
}

// titles tells what a page is called, empty where nobody told.
type titles func(page string) string

// appendHot appends [{"page":"/a","pv":1,"title":"A"},...].
func appendHot(dst []byte, list []counter.PageCount, title titles) []byte {
	dst = append(dst, '[')
	for i, pc := range list {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(dst, `{"page":`...)
		dst = appendPage(dst, pc.Page)
		dst = append(dst, `,"pv":`...)
		dst = strconv.AppendInt(dst, pc.PV, 10)
		if t := title(pc.Page); t != "" {
			dst = appendString(append(dst, `,"title":`...), t)
		}
		dst = append(dst, '}')
	}
	return append(dst, ']')
}

// appendPages appends ,"pages":{"/a":{"pv":1},...} under the names that were
// asked for; pv is in the order of names.
func appendPages(dst []byte, names [][]byte, pv []int64) []byte {
	dst = append(dst, `,"pages":{`...)
	for i, name := range names {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendString(dst, name)
		dst = append(dst, `:{"pv":`...)
		dst = strconv.AppendInt(dst, pv[i], 10)
		dst = append(dst, '}')
	}
	return append(dst, '}')
}

// appendMessage appends ,"message":"...", if there is one.
func appendMessage(dst []byte, message string) []byte {
	if message == "" {
		return dst
	}
	return appendString(append(dst, `,"message":`...), message)
}

// end closes an answer about a site, which is marked if its numbers are not current. A
// site "" has the reason be the daemon's own.
func (a *answering) end(dst []byte, site string, stale bool) []byte {
	if stale {
		dst = append(dst, `,"stale":true`...)
		if why := a.reason(site, true); why != "" {
			dst = appendString(append(dst, `,"stale_reason":`...), why)
		}
	}
	return append(dst, '}')
}

// reason names why the numbers of a site are stale, if they are.
func (a *answering) reason(site string, stale bool) string {
	if !stale || a.cfg.StaleReason == nil {
		return ""
	}
	return a.cfg.StaleReason(site)
}
