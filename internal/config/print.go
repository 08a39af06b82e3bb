package config

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
)

// Print writes settings, all if none is named.
func (c *Config) Print(w io.Writer, names []string, asJSON bool) error {
	wanted := map[string]bool{}
	for _, n := range names {
		if settingByFileName(strings.ToLower(n)) == nil {
			return unknownName(n, "", fileNames())
		}
		wanted[strings.ToUpper(n)] = true
	}
	texts := map[string]string{}
	var lines strings.Builder
	for i := range Settings {
		s := &Settings[i]
		if len(wanted) > 0 && !wanted[s.Name] {
			continue
		}
		text := s.shown(c.texts[s.Name])
		texts[s.Name] = text
		if len(wanted) == 1 {
			lines.WriteString(text + "\n")
		} else {
			fmt.Fprintf(&lines, "%s='%s'\n", s.Name, strings.ReplaceAll(text, "'", `'\''`))
		}
	}
	out := []byte(lines.String())
	if asJSON {
		b, err := json.MarshalIndent(texts, "", "  ")
		if err != nil {
			return fmt.Errorf("print settings: %w", err)
		}
		out = append(b, '\n')
	}
	if _, err := w.Write(out); err != nil {
		return fmt.Errorf("print settings: %w", err)
	}
	return nil
}
