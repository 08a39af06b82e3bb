package format

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// From finds the format of a name in the configuration of nginx (also as nginx -T
// prints it) or of Apache. Without a name it is the only one that there is.
func From(config, name string) (string, error) {
	found := map[string]string{}
	var names []string
	for at := 0; at < len(config); {
		line := config[at:]
		end := strings.IndexByte(line, '\n') + 1
		if end == 0 {
			end = len(line)
		}
		word, rest := firstWord(strings.TrimLeft(line[:end], " \t{;"))
		if directive := strings.TrimSpace(word); directive == "log_format" || strings.EqualFold(directive, "LogFormat") {
			n, text, err := directiveAt(line[strings.Index(line, word)+len(word):], directive == "log_format")
			switch {
			case err != nil:
				return "", fmt.Errorf("%s %s: %w", directive, strings.TrimSpace(rest), err)
			case n != "" && found[n] == "":
				names = append(names, n)
				found[n] = text
			}
		}
		at += end
	}
	switch {
	case found[name] != "":
		return found[name], nil
	case name == "combined" || name == "common":
		return name, nil // the servers bring these
	case name == "" && len(names) == 1:
		return found[names[0]], nil
	case len(names) == 0:
		return "", errors.New("it has no log_format and no LogFormat")
	}
	slices.Sort(names)
	return "", fmt.Errorf("it has no format %q; it has %s", name, strings.Join(names, ", "))
}

// directiveAt reads what stands behind log_format or LogFormat.
func directiveAt(text string, nginx bool) (name, format string, err error) {
	words, err := configWords(text, !nginx)
	switch {
	case err != nil || len(words) < 2:
		return "", "", err
	case !nginx:
		return words[1], words[0], nil
	}
	escape := ""
	rest := words[1:]
	if strings.HasPrefix(rest[0], "escape=") {
		escape, rest = rest[0]+" ", rest[1:]
	}
	return words[0], escape + strings.Join(rest, ""), nil
}

// configWords are the words of one directive, quotes and escapes undone: nginx's end
// at a semicolon, Apache's at the line's end.
func configWords(text string, apache bool) (words []string, err error) {
	for i := 0; i < len(text); {
		switch c := text[i]; {
		case c == '\n' && apache, c == ';' && !apache:
			return words, nil
		case c == '\\' && apache && i+1 < len(text) && text[i+1] == '\n':
			i += 2
		case c == ' ' || c == '\t' || c == '\n' || c == '\r':
			i++
		case c == '#' && !apache:
			if n := strings.IndexByte(text[i:], '\n'); n >= 0 {
				i += n
			} else {
				i = len(text)
			}
		case c == '"' || c == '\'':
			word, n := quotedWord(text[i:], apache)
			if n == 0 {
				return nil, errors.New("a quote that does not end")
			}
			words = append(words, word)
			i += n
		default:
			n := 1
			for i+n < len(text) && !strings.ContainsRune(" \t\r\n", rune(text[i+n])) && (apache || text[i+n] != ';') {
				n++
			}
			words = append(words, text[i:i+n])
			i += n
		}
	}
	return words, nil
}

// quotedWord reads a quoted word and tells its length with the quotes, 0 if it does
// not end.
func quotedWord(text string, apache bool) (string, int) {
	var b strings.Builder
	quote := text[0]
	for i := 1; i < len(text); i++ {
		c := text[i]
		if c == quote {
			return b.String(), i + 1
		}
		if c == '\\' && i+1 < len(text) {
			next := text[i+1]
			switch {
			case next == quote || next == '\\' && !apache || next == '"' || next == '\'':
				c = next
				i++
			case !apache && strings.IndexByte("trn", next) >= 0:
				c = map[byte]byte{'t': '\t', 'r': '\r', 'n': '\n'}[next]
				i++
			}
		}
		b.WriteByte(c)
	}
	return "", 0
}
