package doctor

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

// logrotateRule is a block of a logrotate file, as far as it matters here.
type logrotateRule struct {
	file       string
	patterns   []string
	postrotate bool
	logrotateOptions
}

// logrotateOptions may also stand outside of blocks; then they hold for all
// that follow. The zero value is logrotate's default.
type logrotateOptions struct {
	copyTruncate bool
	oldDir       bool
	rotate       int // files that are kept; -1: all
	maxAge       int // days; 0: any
}

func (r *logrotateRule) matches(path string) bool {
	return slices.ContainsFunc(r.patterns, func(p string) bool {
		ok, err := filepath.Match(p, path)
		return ok && err == nil
	})
}

// readLogrotate reads what can be read; logrotate itself decides about errors.
func readLogrotate(patterns []string) ([]logrotateRule, error) {
	var rules []logrotateRule
	var shared logrotateOptions
	for _, p := range patterns {
		files, err := filepath.Glob(p)
		if err != nil {
			return nil, err
		}
		for _, file := range files {
			text, err := os.ReadFile(file)
			if errors.Is(err, syscall.EISDIR) {
				continue
			}
			if err != nil {
				return nil, err
			}
			rules = append(rules, parseLogrotate(file, string(text), &shared)...)
		}
	}
	return rules, nil
}

// parseLogrotate reads blocks: patterns, a brace, directives, a brace.
func parseLogrotate(file, text string, shared *logrotateOptions) []logrotateRule {
	var rules []logrotateRule
	var pending []string // patterns before the brace
	var open *logrotateRule
	script := false
	for line := range strings.SplitSeq(text, "\n") {
		line = strings.TrimSpace(line)
		words := append(strings.Fields(line), "", "")
		switch {
		case script:
			script = words[0] != "endscript"
		case line == "" || strings.HasPrefix(line, "#"):
		case open != nil && words[0] == "}":
			rules, open = append(rules, *open), nil
		case open != nil:
			open.option(words[0], words[1])
			script = open.script(words[0])
		case strings.HasSuffix(line, "{"):
			pending = append(pending, logrotatePatterns(strings.TrimSuffix(line, "{"))...)
			open = &logrotateRule{file: file, patterns: pending, logrotateOptions: *shared}
			pending = nil
		case strings.HasPrefix(line, "/") || strings.HasPrefix(line, `"`):
			pending = append(pending, logrotatePatterns(line)...)
		default:
			shared.option(words[0], words[1])
		}
	}
	return rules
}

// script notes a line that a script follows.
func (r *logrotateRule) script(word string) bool {
	switch word {
	case "postrotate", "lastaction":
		r.postrotate = true
		return true
	case "prerotate", "firstaction", "preremove":
		return true
	}
	return false
}

// option notes a directive. A number that is none is logrotate's to refuse.
func (o *logrotateOptions) option(word, value string) {
	number := func(to *int) {
		if n, err := strconv.Atoi(value); err == nil {
			*to = n
		}
	}
	switch word {
	case "copytruncate":
		o.copyTruncate = true
	case "nocopytruncate":
		o.copyTruncate = false
	case "olddir":
		o.oldDir = true
	case "noolddir":
		o.oldDir = false
	case "rotate":
		number(&o.rotate)
	case "maxage":
		number(&o.maxAge)
	}
}

func logrotatePatterns(s string) []string {
	var all []string
	for _, p := range strings.Fields(s) {
		all = append(all, strings.Trim(p, `"'`))
	}
	return all
}
