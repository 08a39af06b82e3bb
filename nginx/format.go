package nginx

import "strings"

// The line of format v2, as nginx writes it (here with spaces for the TABs); format v1
// had all but the language:
//
//	v2 1700000000.123 4f8b…32 hex 203.0.113.7 count.example.com GET 200
//	/event.png?page=%2F https://example.com/ Mozilla/5.0… - - - 0.000 43 de-DE,de;q=0.9 end

// formatVersion is the first field of every line; endMark is the last.
const (
	formatVersion = "v2"
	endMark       = "end"
)

// variables are the fields between version and end mark, in their order.
var variables = [...]string{
	"$msec",
	"$request_id",
	"$remote_addr",
	"$ddkk_host",
	"$ddkk_method",
	"$status",
	"$request_uri",
	"$ddkk_referer",
	"$ddkk_agent",
	"$ddkk_purpose",
	"$ddkk_gpc",
	"$ddkk_user",
	"$request_time",
	"$body_bytes_sent",
	"$ddkk_language",
}

// cut is a variable with the first bytes of what a stranger sends.
type cut struct {
	Name, Of string
	Bytes    int
}

// cuts bound a line: of these no more is used. A browser's user agent is shorter, and
// what a longer Referer ends with is a query, which nobody reads.
var cuts = [...]cut{
	{"ddkk_host", "host", 256},
	{"ddkk_method", "request_method", 16},
	{"ddkk_referer", "http_referer", 2048},
	{"ddkk_agent", "http_user_agent", 512},
	{"ddkk_purpose", "http_sec_purpose", 300},
	{"ddkk_gpc", "http_sec_gpc", 300},
	{"ddkk_user", "remote_user", 300},
	{"ddkk_language", "http_accept_language", 64},
}

// maxURI is the longest request line of a beacon: the longest page with all levels of
// an event has less.
const maxURI = 4096

// logFormat is the argument of nginx's log_format, one field a line. nginx
// joins the strings and turns \t into a TAB.
func logFormat() string {
	var b strings.Builder
	b.WriteString("'" + formatVersion + `\t'`)
	for _, v := range variables {
		b.WriteString("\n    '" + v + `\t'`)
	}
	b.WriteString("\n    '" + endMark + "'")
	return b.String()
}
