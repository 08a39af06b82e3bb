package format

import "slices"

// Field is what a part of a line tells.
type Field uint8

// The fields that are of use, in no order.
const (
	None Field = iota // read over
	Time
	Date  // of a time that is told in two fields
	Clock // its other half
	Addr
	Forwarded // addresses that the client, or proxies, named
	Status
	Request // method, target and protocol
	Method
	URI
	Args
	Referer
	Agent
	Host
	User
	Took // seconds, or with a unit
	TookMS
	TookUS
	TookNS
	Sent
	Purpose
	GPC
	Language // Accept-Language
	ID
	NumFields
)

// Fields are those of one line, as they stand in it; nil for one that it lacks.
type Fields [NumFields][]byte

// names of fields, as settings and reports have them, each followed by the keys
// under which JSON logs have it by default, the best first: nginx's names of
// variables and what common templates make of them.
var names = [NumFields][]string{
	Time:      {"time", "msec", "time", "timestamp", "@timestamp", "time_iso8601", "time_local", "ts"},
	Date:      {"date"},
	Clock:     {"clock"},
	Addr:      {"addr", "remote_addr", "remote_ip", "client_ip", "client", "ip", "addr"},
	Forwarded: {"forwarded_for"},
	Status:    {"status", "status", "response"},
	Request:   {"request", "request"},
	Method:    {"method", "request_method", "method"},
	URI:       {"uri", "request_uri", "uri", "url", "path"},
	Args:      {"args", "args", "query_string"},
	Referer:   {"referer", "http_referer", "http_referrer", "referer", "referrer"},
	Agent:     {"user_agent", "http_user_agent", "user_agent", "agent"},
	Host:      {"host", "host", "http_host", "server_name"},
	User:      {"remote_user", "remote_user"},
	Took:      {"request_time", "request_time"},
	TookMS:    {"request_time_ms"},
	TookUS:    {"request_time_us"},
	TookNS:    {"request_time_ns"},
	Sent:      {"body_bytes_sent", "body_bytes_sent", "bytes_sent", "bytes"},
	Purpose:   {"sec_purpose", "http_sec_purpose"},
	GPC:       {"sec_gpc", "http_sec_gpc"},
	Language:  {"accept_language", "http_accept_language"},
	ID:        {"request_id", "request_id"},
}

// String is the field's name in settings and reports.
func (f Field) String() string {
	if f == None || f >= NumFields {
		return "none"
	}
	return names[f][0]
}

// Keys are those under which JSON logs have the field by default, the best first.
func (f Field) Keys() []string { return names[f][1:] }

// FieldOf is the field of a name.
func FieldOf(name string) (Field, bool) {
	i := slices.IndexFunc(names[1:], func(n []string) bool { return n[0] == name })
	return Field(i + 1), i >= 0
}

// FieldNames lists the fields that a list of JSON keys may name.
func FieldNames() []string {
	var all []string
	for f := None + 1; f < NumFields; f++ {
		all = append(all, f.String())
	}
	return all
}
