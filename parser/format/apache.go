package format

import (
	"fmt"
	"strings"
)

// directives are Apache's of one letter that are of use (mod_log_config), also as
// varnishncsa and lighttpd have them.
var directives = map[byte]variable{
	'a': {Addr, 0}, 'h': {Addr, 1},
	'u': {User, 0}, 't': {Time, 0}, 'r': {Request, 0}, 's': {Status, 0},
	'b': {Sent, 0}, 'B': {Sent, 0}, 'O': {Sent, 1},
	'v': {Host, 2}, 'V': {Host, 1}, 'm': {Method, 0}, 'U': {URI, 1}, 'q': {Args, 0},
	'D': {TookUS, 0}, 'T': {Took, 0},
}

// headers are those of a request, in lower case, that are of use.
var headers = map[string]variable{
	"referer": {Referer, 0}, "referrer": {Referer, 1}, "user-agent": {Agent, 0}, "host": {Host, 0},
	"x-forwarded-for": {Forwarded, 0}, "cf-connecting-ip": {Forwarded, 3}, "true-client-ip": {Forwarded, 3}, "x-real-ip": {Forwarded, 4},
	"sec-purpose": {Purpose, 0}, "sec-gpc": {GPC, 0}, "accept-language": {Language, 0}, "x-request-id": {ID, 1},
}

// apacheTokens reads the pieces of Apache's LogFormat.
func apacheTokens(text string) ([]token, error) {
	var all []token
	for i := 0; i < len(text); {
		switch c := text[i]; {
		case c == '\\' && i+1 < len(text):
			all = append(all, token{text: apacheEscape(text[i+1])})
			i += 2
		case c == '%' && i+1 < len(text) && text[i+1] == '%':
			all = append(all, token{text: "%"})
			i += 2
		case strings.HasPrefix(text[i:], "$..."):
			all = append(all, token{any: true, name: "$..."})
			i += len("$...")
		case c == '%':
			n, t, err := apacheToken(text[i:])
			if err != nil {
				return nil, err
			}
			all = append(all, t...)
			i += n
		default:
			n := 1
			for i+n < len(text) && text[i+n] != '%' && text[i+n] != '\\' && text[i+n] != '$' {
				n++
			}
			all = append(all, token{text: text[i : i+n]})
			i += n
		}
	}
	return all, nil
}

func apacheEscape(c byte) string {
	switch c {
	case 't':
		return "\t"
	case 'n':
		return "\n"
	}
	return string(c)
}

// apacheToken reads "%>s", "%{User-Agent}i", "%400,501{Referer}i".
func apacheToken(text string) (n int, _ []token, err error) {
	n = 1
	var arg string
	original := false
	for n < len(text) {
		c := text[n]
		switch {
		case c == '{':
			end := strings.IndexByte(text[n:], '}')
			if end < 0 {
				return 0, nil, fmt.Errorf("%s: a { that does not end", text)
			}
			arg, n = text[n+1:n+end], n+end+1
			continue
		case c == '<':
			original = true
			n++
			continue
		case c == '>' || c == '!' || c == ',' || c >= '0' && c <= '9':
			n++
			continue
		case c == '^' && n+2 < len(text): // %^FB, %{name}^ti
			n += 3
			return n, []token{{name: text[:n]}}, nil
		case c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z':
			n++
			return n, apacheField(c, arg, original, text[:n]), nil
		}
		return 0, nil, fmt.Errorf("%q is no directive of a LogFormat", text[:n+1])
	}
	return 0, nil, fmt.Errorf("%q is no directive of a LogFormat", text)
}

func apacheField(c byte, arg string, original bool, name string) []token {
	t := token{name: name}
	set := func(v variable) { t.field, t.rank = v.field, v.rank }
	switch {
	case c == 't' && arg == "":
		return []token{{text: "["}, {field: Time, blanks: 1, name: name}, {text: "]"}}
	case c == 't':
		layout := strings.TrimPrefix(strings.TrimPrefix(arg, "begin:"), "end:")
		if !strings.HasPrefix(arg, "end:") {
			t.field, t.blanks = Time, strings.Count(layout, " ")
		}
	case c == 'i' && arg != "":
		set(headers[strings.ToLower(arg)])
		t.list = t.field == Forwarded
	case c == 'e' && arg == "UNIQUE_ID", c == 'L' && arg == "":
		set(variable{ID, 2})
	case c == 'x' && strings.HasPrefix(arg, "Varnish:"): // not ours
	case c == 'T' && arg == "ms":
		set(variable{TookMS, 0})
	case c == 'T' && arg == "us":
		set(variable{TookUS, 1})
	case c == 'T' && (arg == "s" || arg == ""):
		set(directives['T'])
	case c == 's' && original:
	case c == 'a' && arg == "c": // the peer: a proxy, where %a is who it speaks for
	case arg == "":
		set(directives[c])
		t.isArgs = c == 'q' // it brings its "?"
	}
	return []token{t}
}
