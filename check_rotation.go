package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

// unreadable are endings of compressed segments that the tailer cannot read.
var unreadable = []string{".bz2", ".xz", ".zst", ".lz4", ".zip", ".7z", ".br", ".Z"}

// segments are the rotated files beside a log.
func (c *checkup) segments(context.Context) []finding {
	var all []finding
	for _, l := range c.logs() {
		all = append(all, c.siblings(l)...)
	}
	return all
}

func (c *checkup) siblings(l checkedLog) []finding {
	entries, err := os.ReadDir(filepath.Dir(l.path))
	if err != nil {
		return nil // told by logFiles
	}
	var all []finding
	n, oldest := 0, c.now()
	for _, e := range entries {
		rest, ok := strings.CutPrefix(e.Name(), filepath.Base(l.path))
		if !ok || len(rest) < 2 || rest[0] != '.' && rest[0] != '-' || !e.Type().IsRegular() {
			continue
		}
		path := filepath.Join(filepath.Dir(l.path), e.Name())
		switch f := c.sibling(l, path); {
		case f != nil:
			all = append(all, *f)
		default:
			n++
			if fi, err := e.Info(); err == nil && fi.ModTime().Before(oldest) {
				oldest = fi.ModTime()
			}
		}
	}
	if n > 0 {
		all = append(all, fine(l.name, "%d rotated segments beside it, the oldest %s old", n, c.now().Sub(oldest).Round(time.Minute)))
	}
	return all
}

// sibling is nil for a segment that can be read.
func (c *checkup) sibling(l checkedLog, path string) *finding {
	if slices.Contains(unreadable, filepath.Ext(path)) {
		f := poor(l.name, "%s cannot be read in this compression, so what was not counted before is missing; use gzip with delaycompress", path)
		return &f
	}
	file, err := os.Open(path)
	if err == nil {
		err = file.Close()
	}
	if err != nil {
		f := bad(l.name, "a rotated segment: %v; let the daemon's user read what logrotate makes (its directive create)", err)
		return &f
	}
	return nil
}

// rotation is about who rotates nginx's log, and how.
func (c *checkup) rotation(context.Context) []finding {
	log := c.cfg.AccessLog
	if log == "" {
		return nil // the daemon rotates its own
	}
	if abs, err := filepath.Abs(log); err == nil {
		log = abs
	}
	rules, err := readLogrotate(c.logrotate)
	if err != nil {
		return []finding{poor("rotation", "read logrotate's rules: %v", err)}
	}
	var all []finding
	var theirs *logrotateRule
	for i := range rules {
		r := &rules[i]
		if !r.matches(log) {
			continue
		}
		theirs = r
		if r.copyTruncate {
			all = append(all, bad("rotation", "%s has copytruncate for %s: what nginx writes between the copy and the cut is lost; use the rule in deploy/logrotate", r.file, log))
		} else if !r.postrotate {
			all = append(all, bad("rotation", "%s renames %s and tells nobody: nginx goes on writing into the renamed file; send USR1 in postrotate, as the rule in deploy/logrotate does", r.file, log))
		}
	}
	ours := c.cfg.NginxPID != "" && c.cfg.RotateCron.On()
	switch {
	case theirs != nil && ours:
		all = append(all, poor("rotation", "both %s and the daemon (ROTATE_CRON) rotate %s; that loses nothing, but one is enough: leave NGINX_PID empty or remove the rule", theirs.file, log))
	case theirs != nil && len(all) == 0:
		all = append(all, fine("rotation", "%s rotates %s by rename and reopen", theirs.file, log))
	case ours:
		all = append(all, fine("rotation", "the daemon rotates %s (ROTATE_CRON=%s)", log, c.cfg.RotateCron.Text))
	case theirs == nil:
		all = append(all, poor("rotation", "nobody seems to rotate %s, so it grows without bound: set NGINX_PID, or install the rule in deploy/logrotate", log))
	}
	return all
}

// logrotateRule is a block of a logrotate file, as far as it matters here.
type logrotateRule struct {
	file         string
	patterns     []string
	copyTruncate bool
	postrotate   bool
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
	copyTruncate := false // for all, when it stands outside of any block
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
			rules = append(rules, parseLogrotate(file, string(text), &copyTruncate)...)
		}
	}
	return rules, nil
}

// parseLogrotate reads blocks: patterns, a brace, directives, a brace.
func parseLogrotate(file, text string, copyTruncate *bool) []logrotateRule {
	var rules []logrotateRule
	var pending []string // patterns before the brace
	var open *logrotateRule
	script := false
	for line := range strings.SplitSeq(text, "\n") {
		line = strings.TrimSpace(line)
		switch word, _, _ := strings.Cut(line, " "); {
		case script:
			script = word != "endscript"
		case line == "" || strings.HasPrefix(line, "#"):
		case open != nil && word == "}":
			rules, open = append(rules, *open), nil
		case open != nil:
			script = open.directive(word)
		case strings.HasSuffix(line, "{"):
			pending = append(pending, logrotatePatterns(strings.TrimSuffix(line, "{"))...)
			open = &logrotateRule{file: file, patterns: pending, copyTruncate: *copyTruncate}
			pending = nil
		case strings.HasPrefix(line, "/") || strings.HasPrefix(line, `"`):
			pending = append(pending, logrotatePatterns(line)...)
		case word == "copytruncate":
			*copyTruncate = true
		}
	}
	return rules
}

// directive notes a line of a block; true when a script follows.
func (r *logrotateRule) directive(word string) (script bool) {
	switch word {
	case "copytruncate":
		r.copyTruncate = true
	case "nocopytruncate":
		r.copyTruncate = false
	case "postrotate", "lastaction":
		r.postrotate = true
		return true
	case "prerotate", "firstaction", "preremove":
		return true
	}
	return false
}

func logrotatePatterns(s string) []string {
	var all []string
	for _, p := range strings.Fields(s) {
		all = append(all, strings.Trim(p, `"'`))
	}
	return all
}
