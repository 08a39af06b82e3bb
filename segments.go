package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"sync"

	"ddkk-stats/parser"
	"ddkk-stats/tailer"
)

// segmentPatterns says which further files are segments of which log.
type segmentPatterns struct {
	any, access, site []string // any: of the log whose name they begin with
}

// parseSegments reads LOG_SEGMENTS.
func parseSegments(c *Config, s string) error {
	c.LogSegments = segmentPatterns{}
	for _, item := range splitList(s) {
		to := &c.LogSegments.any
		if rest, ok := strings.CutPrefix(item, "ACCESS_LOG="); ok {
			to, item = &c.LogSegments.access, rest
		} else if rest, ok := strings.CutPrefix(item, "SITE_LOG="); ok {
			to, item = &c.LogSegments.site, rest
		}
		if strings.ContainsAny(filepath.Base(item)[:1], `*?[\`) {
			return fmt.Errorf("%q may be the name of any file: begin it with what its segments alone begin with", item)
		}
		if _, err := filepath.Match(filepath.Base(item), ""); err != nil || strings.ContainsAny(filepath.Dir(item), `*?[\`) {
			return fmt.Errorf("%q is no path whose last element alone may have *, ? and [...]", item)
		}
		*to = append(*to, item)
	}
	return nil
}

// checkSegments finds patterns of which nobody can say whose they are, and
// hands out the others.
func (c *Config) checkSegments(problems *problemList) {
	wrong := func(pattern, allowed string) {
		problems.add(&SettingError{Name: "LOG_SEGMENTS", Value: pattern, Where: "together with ACCESS_LOG and SITE_LOG", Allowed: allowed})
	}
	p := &c.LogSegments
	if c.AccessLog == "" && len(p.access) > 0 {
		wrong("ACCESS_LOG="+p.access[0], "patterns of a log that is set")
	}
	if c.SiteLog == "" && len(p.site) > 0 {
		wrong("SITE_LOG="+p.site[0], "patterns of a log that is set")
	}
	for _, pattern := range p.any {
		access, site := begins(pattern, c.AccessLog), begins(pattern, c.SiteLog)
		switch {
		case c.AccessLog == "" && c.SiteLog == "":
			wrong(pattern, "nothing: the built-in beacon's log is rotated by the daemon alone")
		case c.SiteLog == "", access > site:
			p.access = append(p.access, pattern)
		case c.AccessLog == "", site > access:
			p.site = append(p.site, pattern)
		default:
			wrong(pattern, "a name that begins like one of the two logs, or ACCESS_LOG="+pattern+", or SITE_LOG="+pattern)
		}
	}
	p.any = nil
}

// begins is how much of a log's name, without its endings, a pattern begins with.
func begins(pattern, log string) int {
	stem, _, _ := strings.Cut(filepath.Base(log), ".")
	if log == "" || !strings.HasPrefix(filepath.Base(pattern), stem) {
		return 0
	}
	return len(stem)
}

// segmentOptions is how the segments of a log are found and told apart: the
// same for counting, archiving, verifying and checking.
func (c *Config) segmentOptions(in logInput, log *slog.Logger) (tailer.Options, error) {
	at, err := lineTime(c, in)
	if err != nil {
		return tailer.Options{}, err
	}
	opt := tailer.Options{Path: in.path, Identify: in.identify, Telling: telling, Time: at, MaxLine: parser.MaxLine, Logger: log}
	role := "beacon"
	switch {
	case in.calls:
		opt.Segments, role = c.LogSegments.site, "site"
	case in.path == c.AccessLog:
		opt.Segments, role = c.LogSegments.access, "access"
	}
	opt.Memory = filepath.Join(c.DataDir, "segments."+role+".json")
	for _, other := range c.logs() {
		if other.path == in.path {
			continue
		}
		path, err := filepath.Abs(other.path)
		if err != nil {
			return tailer.Options{}, fmt.Errorf("find log: %w", err)
		}
		opt.Except = append(opt.Except, path)
	}
	return opt, nil
}

// lineTime is the time of a line as the log's format has it; 0 for a line that
// is not of that format.
func lineTime(c *Config, in logInput) (func([]byte) int64, error) {
	p, err := parser.New(parser.Config{Format: in.format, Location: c.Timezone, JSONFields: c.JSONFields})
	if err != nil {
		return nil, fmt.Errorf("make parser: %w", err)
	}
	var mu sync.Mutex
	var h parser.Hit
	return func(line []byte) int64 {
		mu.Lock()
		defer mu.Unlock()
		if p.Parse(line, &h); h.Kind == parser.Malformed {
			return 0
		}
		return max(h.Time, 1)
	}, nil
}

// telling reports whether a line may tell a log from others: it has a time in
// it, or at least as many digits. It must not change from one version to the
// next, since identities depend on it: so it asks no parser.
func telling(line []byte) bool {
	const digitsOfTime = 8
	n := 0
	for i, b := range line {
		if i == 0 && b == '#' {
			return false
		}
		if '0' <= b && b <= '9' {
			if n++; n == digitsOfTime {
				return true
			}
		}
	}
	return false
}

// passedOver are the files beside the logs that are none of their segments
// although their names look like it.
func (c *Config) passedOver(ctx context.Context) (map[string][]tailer.Passed, error) {
	all := map[string][]tailer.Passed{}
	ours := map[string]bool{}
	var errs []error
	for _, in := range c.logs() {
		opt, err := c.segmentOptions(in, nil)
		if err != nil {
			return nil, err
		}
		l, err := tailer.Look(opt)
		if err != nil {
			errs = append(errs, fmt.Errorf("look at the files beside %s: %w", in.path, err))
			continue
		}
		for _, name := range l.Names {
			ours[name] = true
		}
		all[in.path] = l.Passed
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
	}
	for path, passed := range all { // what is one log's is not told as the other's
		kept := passed[:0]
		for _, p := range passed {
			if !ours[p.Name] {
				kept = append(kept, p)
			}
		}
		all[path] = kept
	}
	return all, errors.Join(errs...)
}
