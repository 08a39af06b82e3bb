package config

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"ddkk-stats/parser"
)

func parseDownloads(c *Config, s string) error {
	c.Downloads = []string{}
	for _, ending := range splitList(strings.ToLower(s)) {
		ending = strings.TrimPrefix(ending, ".")
		switch {
		case ending == "none":
			continue
		case ending == "" || strings.ContainsAny(ending, "./?*% "):
			return fmt.Errorf("%q is not the ending of a file", ending)
		}
		c.Downloads = append(c.Downloads, ending)
	}
	return nil
}

// viewTimes are how a time of LOG_VIEWS is written.
var viewTimes = []string{time.RFC3339, "2006-01-02T15:04:05", "2006-01-02T15:04", time.DateOnly}

// parseLogViews reads hosts, which times are read later, as they are of TIMEZONE.
func parseLogViews(c *Config, s string) error {
	c.LogViews, c.viewSpans = nil, nil
	for _, item := range splitList(s) {
		host, span, timed := strings.Cut(item, "@")
		site, err := siteHost(host)
		if err != nil {
			return err
		}
		if timed && span == "" {
			return fmt.Errorf("%q names no time", item)
		}
		c.LogViews = append(c.LogViews, parser.LogView{Site: site})
		c.viewSpans = append(c.viewSpans, span)
	}
	return nil
}

// timeLogViews reads the times of LOG_VIEWS.
func (c *Config) timeLogViews(problems *problemList) {
	for i, span := range c.viewSpans {
		v := &c.LogViews[i]
		wrong := func(err error) {
			problems.add(&SettingError{Name: "LOG_VIEWS", Value: v.Site + "@" + span, Err: err, Allowed: "a time such as 2026-12-01T00:00, or two with a slash between them, the later one behind"})
		}
		from, to, until := strings.Cut(span, "/")
		var errs [2]error
		v.From, errs[0] = viewTime(from, c.Timezone)
		v.To, errs[1] = viewTime(to, c.Timezone)
		if err := errors.Join(errs[:]...); err != nil {
			wrong(err)
		} else if until && (v.To == 0 || v.To <= v.From) {
			wrong(errors.New("the second time is not later"))
		}
		for _, other := range c.LogViews[:i] {
			if other.Site == v.Site && (other.To == 0 || other.To > v.From) && (v.To == 0 || v.To > other.From) {
				wrong(errors.New("a site's times overlap"))
			}
		}
	}
}

func viewTime(text string, zone *time.Location) (int64, error) {
	if text == "" {
		return 0, nil
	}
	if zone == nil {
		zone = time.UTC
	}
	for _, layout := range viewTimes {
		if t, err := time.ParseInLocation(layout, text, zone); err == nil {
			return t.UnixMilli(), nil
		}
	}
	return 0, fmt.Errorf("%q is no time", text)
}

// LogViewHosts are the hosts of sites whose views are those of their log at a time, in
// order: the sites and all that SITE_ALIASES has count for them.
func (c *Config) LogViewHosts(now time.Time) []string {
	var all []string
	for _, v := range c.LogViews {
		if at := now.UnixMilli(); at < v.From || v.To > 0 && at >= v.To {
			continue
		}
		site := v.Site
		if to, ok := c.SiteAliases[site]; ok {
			site = to
		}
		all = append(all, v.Site, site, "www."+site)
		for host, to := range c.SiteAliases {
			if to == site {
				all = append(all, host)
			}
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// LogViewed tells whether all of a site's views of a time are those of its log.
func (c *Config) LogViewed(site string, from, to time.Time) bool {
	for _, v := range c.LogViews {
		if of, _ := c.SiteOf(v.Site); of == site && from.UnixMilli() >= v.From && (v.To == 0 || to.UnixMilli() <= v.To) {
			return true
		}
	}
	return false
}

// LogViewsDiffer finds the first site and time, in milliseconds since the Unix epoch, at
// which LOG_VIEWS of two configurations take views from different places; 0: always.
func (c *Config) LogViewsDiffer(other *Config) (site string, at int64, differ bool) {
	all := slices.Concat(c.LogViews, other.LogViews)
	times := []int64{0}
	for _, v := range all {
		times = append(times, v.From, v.To) // nothing changes between them
	}
	slices.Sort(times)
	for _, t := range times {
		for _, v := range all {
			if c.viewedAt(v.Site, t) != other.viewedAt(v.Site, t) {
				return v.Site, t, true
			}
		}
	}
	return "", 0, false
}

// viewedAt tells whether a site's views at a time are those of its log.
func (c *Config) viewedAt(site string, t int64) bool {
	return slices.ContainsFunc(c.LogViews, func(v parser.LogView) bool {
		return v.Site == site && t >= v.From && (v.To == 0 || t < v.To)
	})
}
