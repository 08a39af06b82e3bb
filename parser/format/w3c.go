package format

import (
	"bytes"
	"fmt"
	"strings"
)

// w3cMark begins the line of a W3C extended log that says what is where
// (https://www.w3.org/TR/WD-logfile).
const w3cMark = "#Fields:"

// w3cFields are those of use, as IIS, CloudFront, NetScaler and Incapsula call them.
var w3cFields = map[string]variable{
	"date": {Date, 0}, "time": {Clock, 0},
	"c-ip": {Addr, 0}, "cs(x-forwarded-for)": {Forwarded, 0}, "x-forwarded-for": {Forwarded, 0},
	"sc-status": {Status, 0}, "cs-method": {Method, 0},
	"cs-uri": {URI, 0}, "cs-uri-stem": {URI, 1}, "cs-uri-query": {Args, 0},
	"cs(referer)": {Referer, 0}, "cs(referrer)": {Referer, 1}, "cs(user-agent)": {Agent, 0},
	"x-host-header": {Host, 0}, "cs-host": {Host, 1}, "cs(host)": {Host, 2},
	"cs-username": {User, 0}, "sc-bytes": {Sent, 0}, "time-taken": {Took, 0},
	"x-edge-request-id": {ID, 0}, "cs-uri-host": {Host, 3},
}

// compileW3C reads the names behind "#Fields:". Their times are UTC.
func compileW3C(text string) (*Layout, error) {
	var all []token
	for _, name := range strings.Fields(text) {
		v := w3cFields[strings.ToLower(name)]
		all = append(all, token{field: v.field, rank: v.rank, name: name})
	}
	bestOnly(all)
	if err := needed(all); err != nil {
		return nil, fmt.Errorf("%s %w", w3cMark, err)
	}
	l := &Layout{Escape: EscapeW3C, UTC: true, line: w3cLine([]byte(text))}
	for _, t := range all {
		l.w3c = append(l.w3c, t.field)
	}
	return l, nil
}

// w3cLine is a list of fields as it is compared with others.
func w3cLine(names []byte) []byte { return bytes.ToLower(bytes.Join(bytes.Fields(names), []byte(" "))) }

// readW3C takes a line with as many fields as were named, with TABs between them, or
// blanks. A value in quotes may hold both.
func (l *Layout) readW3C(line []byte, f *Fields) Damage {
	if line[0] == '#' {
		if names, ok := bytes.CutPrefix(line, []byte(w3cMark)); ok && !bytes.Equal(w3cLine(names), l.line) {
			return Changed
		}
		return Comment
	}
	apart := byte(' ')
	if bytes.IndexByte(line, '\t') >= 0 {
		apart = '\t'
	}
	rest := bytes.TrimRight(line, " \t")
	for i, field := range l.w3c {
		value, quote := rest, 0
		if len(rest) == 0 {
			return Torn
		}
		if rest[0] == '"' {
			end := bytes.IndexByte(rest[1:], '"')
			if end < 0 {
				return Torn
			}
			value, quote = rest[1:end+1], end+2
		}
		at := bytes.IndexByte(rest[quote:], apart)
		switch {
		case at < 0 && i < len(l.w3c)-1:
			return Torn
		case at >= 0 && i == len(l.w3c)-1:
			return Glued
		case at < 0:
			rest = nil
		default:
			if quote == 0 {
				value = rest[:at]
			}
			rest = rest[quote+at+1:]
		}
		if field != None && (len(value) != 1 || value[0] != '-') {
			f[field] = value
		}
	}
	return Sound
}
