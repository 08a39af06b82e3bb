package config

import (
	"errors"
	"strings"

	"ddkk-stats/parser"
)

func (c *Config) CallRules() *parser.CallRules {
	return &parser.CallRules{Site: c.SiteOfCalls(), Routes: c.APIRoutes, UserArg: c.APIUserArg, FailedFrom: c.APIFailedFrom, Downloads: c.Downloads}
}

// APISite is the site of calls whose lines have no host; "": there is none.
func (c *Config) SiteOfCalls() string {
	if c.APISite == "" && len(c.Sites) == 1 {
		return c.Sites[0]
	}
	return c.APISite
}

// checkSiteLog finds what does not fit the site's own log.
func (c *Config) checkSiteLog(problems *problemList) {
	wrong := func(name, value, where, allowed string) {
		problems.add(&SettingError{Name: name, Value: value, Where: where, Allowed: allowed})
	}
	if c.SiteLog == "" {
		if len(c.LogViews) > 0 {
			wrong("LOG_VIEWS", "", "without SITE_LOG", "the site's own access log in SITE_LOG: views are taken from it")
		}
		return
	}
	if c.AccessLog != "" && samePath(c.AccessLog, c.SiteLog) {
		wrong("SITE_LOG", c.SiteLog, "together with ACCESS_LOG",
			"another file than ACCESS_LOG: one has the beacons, the other the site's own requests; `ddkk-stats nginx-conf --site-log` prints how nginx writes it")
	}
	if samePath(c.SiteLog, c.BeaconLog()) {
		wrong("SITE_LOG", c.SiteLog, "together with DATA_DIR", "another file: this one is the built-in beacon's")
	}
	if !c.SiteLogFormat.Tells("host") && c.SiteOfCalls() == "" {
		wrong("API_SITE", "", "together with SITE_LOG_FORMAT="+c.SiteLogFormat.String(), "a host: the lines of this format do not tell it")
	}
}

// checkCompressed refuses logs that nginx compresses as it writes them.
func (c *Config) checkCompressed(problems *problemList) {
	for _, l := range [...]struct{ name, path string }{{"ACCESS_LOG", c.AccessLog}, {"SITE_LOG", c.SiteLog}} {
		if strings.HasSuffix(l.path, ".gz") {
			problems.add(&SettingError{Name: l.name, Value: l.path,
				Allowed: "a plain log: one that nginx compresses (gzip= in access_log) cannot be read as it grows. Leave out gzip=, and have logrotate compress what is rotated"})
		}
	}
}

func parseAPISite(c *Config, s string) (err error) {
	c.APISite = ""
	if s != "" {
		c.APISite, err = siteHost(s)
	}
	return err
}

func parseRoutes(c *Config, s string) error {
	c.APIRoutes = splitList(s)
	for _, r := range c.APIRoutes {
		if err := parser.CheckRoute(r); err != nil {
			return err
		}
	}
	return nil
}

func parseArgument(c *Config, s string) error {
	if strings.ContainsAny(s, "&=?#% +") {
		return errors.New("not the name of a query argument")
	}
	c.APIUserArg = s
	return nil
}
