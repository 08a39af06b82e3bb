package format

import (
	"errors"
	"fmt"
	"strings"
)

// variable is what one of nginx's tells us. Of several for one field the lowest rank
// is taken.
type variable struct {
	field Field
	rank  int
}

// variables are those of nginx that are of use, and a few that it lacks: the table of
// names is written with them.
var variables = map[string]variable{
	"msec": {Time, 0}, "time_iso8601": {Time, 1}, "time_local": {Time, 2}, "time": {Time, 3},
	"date": {Date, 0}, "clock": {Clock, 0},
	"remote_addr": {Addr, 0}, "remote_addr_port": {Addr, 1},
	"http_x_forwarded_for": {Forwarded, 0}, "proxy_add_x_forwarded_for": {Forwarded, 1}, "proxy_protocol_addr": {Forwarded, 2},
	"http_cf_connecting_ip": {Forwarded, 3}, "http_true_client_ip": {Forwarded, 3}, "http_x_real_ip": {Forwarded, 4},
	"status":  {Status, 0},
	"request": {Request, 0}, "request_method": {Method, 0},
	"request_uri": {URI, 0}, "uri": {URI, 1}, "document_uri": {URI, 2},
	"args": {Args, 0}, "query_string": {Args, 1},
	"http_referer": {Referer, 0}, "http_user_agent": {Agent, 0},
	"host": {Host, 0}, "http_host": {Host, 1}, "server_name": {Host, 2},
	"remote_user":  {User, 0},
	"request_time": {Took, 0}, "request_time_ms": {TookMS, 0}, "request_time_us": {TookUS, 0}, "request_time_ns": {TookNS, 0},
	"body_bytes_sent": {Sent, 0}, "bytes_sent": {Sent, 1}, "bytes": {Sent, 2},
	"http_sec_purpose": {Purpose, 0}, "http_sec_gpc": {GPC, 0}, "http_accept_language": {Language, 0},
	"request_id": {ID, 0}, "req_id": {ID, 1},
}

// unwrap takes a directive's words off a format: "log_format main escape=json '...'
// '...';", LogFormat "..." name, or the quoted pieces alone.
func unwrap(text string) (Escape, string, error) {
	escape := EscapeDefault
	directive, rest := firstWord(text)
	switch directive {
	case "log_format":
		_, text = firstWord(rest)
	case "LogFormat":
		words, err := configWords(rest, true)
		if err != nil || len(words) == 0 {
			return 0, "", errors.Join(errors.New("a LogFormat without a format"), err)
		}
		return escape, words[0], nil
	}
	if word, rest := firstWord(text); strings.HasPrefix(word, "escape=") {
		var ok bool
		if escape, ok = escapes[word[len("escape="):]]; !ok {
			return 0, "", fmt.Errorf("%s: use escape=default, escape=json or escape=none", word)
		}
		text = rest
	}
	if directive != "log_format" && !strings.HasPrefix(text, "'") {
		return escape, text, nil
	}
	words, err := configWords(text, false)
	if err != nil {
		return 0, "", err
	}
	return escape, strings.Join(words, ""), nil
}

func firstWord(text string) (word, rest string) {
	i := strings.IndexAny(text, " \t\n")
	if i < 0 {
		return text, ""
	}
	return text[:i], strings.TrimLeft(text[i:], " \t\n")
}

// nginxTokens reads the pieces of nginx's log_format. "$..." is anything.
func nginxTokens(text string) ([]token, error) {
	var all []token
	for text != "" {
		i := strings.IndexByte(text, '$')
		if i < 0 {
			i = len(text)
		}
		if i > 0 {
			all = append(all, token{text: text[:i]})
		}
		if text = text[i:]; text == "" {
			break
		}
		text = text[1:]
		if rest, ok := strings.CutPrefix(text, "..."); ok {
			all, text = append(all, token{any: true, name: "$..."}), rest
			continue
		}
		name, rest, err := variableName(text)
		if err != nil {
			return nil, err
		}
		text = rest
		all = append(all, nginxToken(name))
	}
	return all, nil
}

func variableName(text string) (name, rest string, err error) {
	if rest, ok := strings.CutPrefix(text, "{"); ok {
		name, rest, ok = strings.Cut(rest, "}")
		if !ok || name == "" {
			return "", "", errors.New("a variable ${ that does not end")
		}
		return name, rest, nil
	}
	n := 0
	for n < len(text) && isNameByte(text[n]) {
		n++
	}
	if n == 0 {
		return "", "", errors.New("a $ without the name of a variable")
	}
	return text[:n], text[n:], nil
}

func nginxToken(name string) token {
	v := variables[name]
	t := token{field: v.field, rank: v.rank, name: "$" + name}
	switch {
	case name == "time_local":
		t.blanks = 1
	case name == "remote_addr_port":
		t.port = true
	case name == "is_args":
		t.isArgs = true
	case strings.HasPrefix(name, "upstream_"), v.field == Forwarded:
		t.list = true
	}
	return t
}
