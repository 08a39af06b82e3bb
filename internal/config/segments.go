package config

import (
	"fmt"
	"path/filepath"
	"strings"
)

// segmentPatterns says which further files are segments of which log.
type segmentPatterns struct {
	any, Access, Site []string // any: of the log whose name they begin with
}

// parseSegments reads LOG_SEGMENTS.
func parseSegments(c *Config, s string) error {
	c.LogSegments = segmentPatterns{}
	for _, item := range splitList(s) {
		to := &c.LogSegments.any
		if rest, ok := strings.CutPrefix(item, "ACCESS_LOG="); ok {
			to, item = &c.LogSegments.Access, rest
		} else if rest, ok := strings.CutPrefix(item, "SITE_LOG="); ok {
			to, item = &c.LogSegments.Site, rest
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
	if c.AccessLog == "" && len(p.Access) > 0 {
		wrong("ACCESS_LOG="+p.Access[0], "patterns of a log that is set")
	}
	if c.SiteLog == "" && len(p.Site) > 0 {
		wrong("SITE_LOG="+p.Site[0], "patterns of a log that is set")
	}
	for _, pattern := range p.any {
		access, site := begins(pattern, c.AccessLog), begins(pattern, c.SiteLog)
		switch {
		case c.AccessLog == "" && c.SiteLog == "":
			wrong(pattern, "nothing: the built-in beacon's log is rotated by the daemon alone")
		case c.SiteLog == "", access > site:
			p.Access = append(p.Access, pattern)
		case c.AccessLog == "", site > access:
			p.Site = append(p.Site, pattern)
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
