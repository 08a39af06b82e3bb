package config

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"
)

// SettingError is one thing that is wrong with the configuration.
type SettingError struct {
	Name    string // the setting, or the unknown name as it was written
	Value   string // what was given; empty for a secret or when there is none
	Where   string // the environment, or file and line
	Allowed string // what would be right
	Err     error  // what the reader of the value said, may be nil
}

func (e *SettingError) Error() string {
	var b strings.Builder
	b.WriteString(e.Name)
	secret := mayHoldSecret(e.Value)
	if secret {
		b.WriteString(" (its value is not shown: it may hold a password)")
	} else if e.Value != "" {
		fmt.Fprintf(&b, "=%s", quoteShort(e.Value))
	}
	if e.Where != "" {
		fmt.Fprintf(&b, " (%s)", e.Where)
	}
	if e.Err != nil {
		text := e.Err.Error()
		if _, ok := e.Err.(unquoted); secret && !ok && quotes(text, e.Value) {
			text = "bad value"
		}
		fmt.Fprintf(&b, ": %s", text)
	}
	if e.Allowed != "" {
		fmt.Fprintf(&b, "; allowed: %s", e.Allowed)
	}
	return b.String()
}

// mayHoldSecret tells whether a value looks like an address with a user, a
// password or a token in it, as somebody writes it where such do not belong.
func mayHoldSecret(value string) bool {
	if strings.ContainsAny(value, "@?") {
		return true
	}
	low := strings.ToLower(value)
	for _, begin := range []string{"redis://", "rediss://", "mysql://", "unix://"} {
		if strings.Contains(low, begin) {
			return true
		}
	}
	for _, word := range []string{"pass", "token", "secret"} {
		if strings.Contains(low, word) {
			return true
		}
	}
	return false
}

// quotes tells whether a text has a word of a value in it.
func quotes(text, value string) bool {
	words := strings.FieldsFunc(value, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) })
	return slices.ContainsFunc(words, func(w string) bool { return len(w) > 2 && strings.Contains(text, w) })
}

// Unwrap gives the reader's own error.
func (e *SettingError) Unwrap() error { return e.Err }

// quoteShort quotes a value for a message and keeps the message readable.
func quoteShort(v string) string {
	const limit = 80
	if len(v) > limit {
		return fmt.Sprintf("%.*q...", limit, v)
	}
	return fmt.Sprintf("%q", v)
}

// problemList gathers everything that is wrong, so that one start shows it all.
type problemList struct{ list []error }

func (p *problemList) add(err error) { p.list = append(p.list, err) }

// err is nil when nothing was wrong.
func (p *problemList) err() error {
	if len(p.list) == 0 {
		return nil
	}
	return fmt.Errorf("configuration has %d problem(s):\n%w", len(p.list), errors.Join(p.list...))
}

// nearest is the candidate with the smallest edit distance to name, or empty
// when none is near enough to be what was meant.
func nearest(name string, candidates []string) string {
	best, bestDistance := "", len(name)/3+2
	for _, c := range candidates {
		if d := editDistance(name, c); d < bestDistance {
			best, bestDistance = c, d
		}
	}
	return best
}

// editDistance counts insertions, deletions and replacements of bytes
// (Levenshtein), with one row of memory.
func editDistance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := 1; i <= len(a); i++ {
		diagonal := row[0]
		row[0] = i
		for j := 1; j <= len(b); j++ {
			replace := diagonal
			if a[i-1] != b[j-1] {
				replace++
			}
			diagonal = row[j]
			row[j] = min(replace, row[j]+1, row[j-1]+1)
		}
	}
	return row[len(b)]
}
