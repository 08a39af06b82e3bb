package config

import (
	"fmt"
	"strings"
)

// readEnvironment reads a file of NAME=value lines as systemd does (EnvironmentFile=), so
// that no shell has to: a $ stands for itself, blanks at the ends of a value go unless
// they are quoted, and a \ takes the next character as it is, but for one within '.
func readEnvironment(path, text string) (map[string]string, error) {
	all := map[string]string{}
	lines := strings.Split(text, "\n")
	for i := 0; i < len(lines); i++ {
		line := strings.TrimLeft(strings.TrimSuffix(lines[i], "\r"), " \t")
		if line == "" || line[0] == '#' || line[0] == ';' {
			continue
		}
		begin := i + 1
		name, rest, ok := strings.Cut(line, "=")
		name = strings.TrimSpace(strings.TrimPrefix(name, "export "))
		if !ok || name == "" || strings.ContainsAny(name, " \t'\"") {
			return nil, fmt.Errorf("%s:%d: want lines of the form NAME=value", path, begin)
		}
		value, open := unquote(rest)
		for open && i+1 < len(lines) {
			i++
			rest += "\n" + lines[i]
			value, open = unquote(rest)
		}
		if open {
			return nil, fmt.Errorf("%s:%d: a quote or a \\ is not ended", path, begin)
		}
		all[name] = value
	}
	return all, nil
}

// unquote reads a value; open tells that it goes on in the next line.
func unquote(text string) (value string, open bool) {
	var b strings.Builder
	quote, kept := byte(0), 0 // kept: what is before it is not a blank at the end
	text = strings.TrimLeft(text, " \t")
	for i := 0; i < len(text); i++ {
		c := text[i]
		switch {
		case c == '\\' && quote != '\'':
			if i++; i == len(text) {
				return "", true
			}
			if text[i] != '\n' {
				if quote == '"' && !strings.ContainsRune("\"\\$`", rune(text[i])) {
					b.WriteByte('\\')
				}
				b.WriteByte(text[i])
			}
			kept = b.Len()
		case quote != 0 && c == quote:
			quote, kept = 0, b.Len()
		case quote == 0 && (c == '\'' || c == '"'):
			quote = c
		default:
			b.WriteByte(c)
			if quote != 0 || c != ' ' && c != '\t' && c != '\r' {
				kept = b.Len()
			}
		}
	}
	return b.String()[:kept], quote != 0
}
