package nginx

import "strings"

// The line of format v1, as nginx writes it (here with spaces for the TABs):
//
//	v1 1700000000.123 4f8b…32 hex 203.0.113.7 count.example.com GET 200
//	/event.png?page=%2F https://example.com/ Mozilla/5.0… - - - 0.000 43 end

// formatVersion is the first field of every line; endMark is the last.
const (
	formatVersion = "v1"
	endMark       = "end"
)

// variables are the fields between version and end mark, in their order.
var variables = [...]string{
	"$msec",
	"$request_id",
	"$remote_addr",
	"$host",
	"$request_method",
	"$status",
	"$request_uri",
	"$http_referer",
	"$http_user_agent",
	"$http_sec_purpose",
	"$http_sec_gpc",
	"$remote_user",
	"$request_time",
	"$body_bytes_sent",
}

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
