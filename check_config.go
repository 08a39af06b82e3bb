package main

import (
	"context"
	"errors"
	"io/fs"
	"net"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// config is about settings that are right one by one.
func (c *checkup) config(context.Context) []finding {
	from := "from the environment"
	if c.cfg.File != "" {
		from = "from " + c.cfg.File + " and the environment"
	}
	all := []finding{fine("configuration", "read %s", from)}
	for _, w := range c.cfg.Warnings() {
		all = append(all, poor("configuration", "%s", w))
	}
	if len(c.cfg.Sites) == 0 {
		all = append(all, poor("SITES", "is empty: a stranger can have views of made-up sites counted (up to MAX_SITES, %d); list yours", c.cfg.MaxSites))
	}
	return all
}

// blockedHosts are beginnings of host names under which EasyPrivacy blocks
// /event.png, even for pages of the same host (rules of August 2026).
var blockedHosts = []string{"stats.", "analytics."}

// hostNames warns about names that ad-blockers block.
func (c *checkup) hostNames(context.Context) []finding {
	hosts := append([]string(nil), c.hosts...)
	hosts = append(hosts, c.cfg.Sites...)
	for _, origin := range c.cfg.CORSOrigins {
		if u, err := url.Parse(origin); err == nil && u.Host != "" {
			hosts = append(hosts, u.Hostname())
		}
	}
	var all []finding
	said := map[string]bool{}
	for _, h := range hosts {
		host := strings.ToLower(h)
		if _, rest, ok := strings.Cut(host, "://"); ok {
			host = rest
		}
		if said[host] {
			continue
		}
		said[host] = true
		for _, begin := range blockedHosts {
			if strings.HasPrefix(host, begin) {
				all = append(all, poor("host name", "%q begins with %q: ad-blockers block the beacon there; serve the widget and /event.png from another name, such as %q", host, begin, "count."+strings.TrimPrefix(host, begin)))
			}
		}
	}
	if len(all) == 0 && len(said) > 0 {
		all = append(all, fine("host name", "%d looked at; ad-block lists block none of them", len(said)))
	}
	return all
}

// admin is about who may use the dashboard and /metrics.
func (c *checkup) admin(context.Context) []finding {
	switch {
	case c.cfg.AdminToken != "":
		return []finding{fine("ADMIN_TOKEN", "is set")}
	case loopbackListen(c.cfg.Listen):
		return []finding{fine("ADMIN_TOKEN", "is not set: the admin's routes answer this machine alone (LISTEN=%s). A proxy here that speaks HTTP/1.1 and adds no header looks like this machine: set it if there is one", c.cfg.Listen)}
	}
	return []finding{poor("ADMIN_TOKEN", "is not set and LISTEN=%s is not loopback: /metrics and the other admin's routes answer 401 to everybody but this machine; set ADMIN_TOKEN (`openssl rand -hex 32`) or LISTEN=127.0.0.1", c.cfg.Listen)}
}

func loopbackListen(host string) bool {
	if host == "localhost" {
		return true
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.IsLoopback()
}

// secretFiles are files that others must not read.
func (c *checkup) secretFiles(context.Context) []finding {
	path := filepath.Join(c.cfg.DataDir, "secret")
	all := c.private("secret file", path, 0o077, "whoever reads it can tell visitors by their addresses")
	if c.cfg.File != "" && (c.cfg.RedisPassword != "" || c.cfg.MySQLDSN != "" || c.cfg.Secret != "" || c.cfg.AdminToken != "") {
		all = append(all, c.private("configuration file", c.cfg.File, 0o007, "it may hold passwords")...)
	}
	return all
}

func (c *checkup) private(what, path string, forbidden fs.FileMode, why string) []finding {
	fi, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // made with the right mode at the first start
	}
	if err != nil {
		return []finding{bad(what, "%v; run check as the daemon's user", err)}
	}
	if mode := fi.Mode().Perm(); mode&forbidden != 0 {
		return []finding{bad(what, "%s has mode %04o, and %s: chmod %04o %s", path, mode, why, mode&^forbidden, path)}
	}
	return []finding{fine(what, "%s is closed to others", path)}
}

// unknownTZ is the environment's TZ if it cannot be read as a zone: Go takes UTC
// then and says nothing. A rule such as CST-8 is one.
func unknownTZ() string {
	tz := strings.TrimPrefix(os.Getenv("TZ"), ":")
	if tz == "" || filepath.IsAbs(tz) {
		return ""
	}
	if _, err := time.LoadLocation(tz); err == nil {
		return ""
	}
	return tz
}

// timezone tells where days begin.
func (c *checkup) timezone(context.Context) []finding {
	if tz := unknownTZ(); tz != "" && c.cfg.Timezone == time.Local {
		return []finding{bad("TIMEZONE", "TZ=%s is no zone that is known here, so days begin in UTC; set TIMEZONE to one such as Asia/Shanghai", tz)}
	}
	now := c.now().In(c.cfg.Timezone)
	return []finding{fine("TIMEZONE", "%s: it is %s, and the day begins at 00:00 %s", c.cfg.Timezone, now.Format("2006-01-02 15:04"), now.Format("-07:00"))}
}

// port is free, or our own daemon's.
func (c *checkup) port(ctx context.Context) []finding {
	if c.cfg.Port == 0 {
		return []finding{poor("PORT", "is 0: a free port is taken at each start, and nginx cannot know it; choose one, such as 8360")}
	}
	var lc net.ListenConfig
	ln, err := lc.Listen(ctx, "tcp", c.cfg.Address())
	if err == nil {
		if err := ln.Close(); err != nil {
			return []finding{bad("PORT", "close the port again: %v", err)}
		}
		return []finding{fine("PORT", "%s is free: no daemon runs there", c.cfg.Address())}
	}
	if answer, ours := askHealth(ctx, c.cfg); ours {
		return []finding{answer}
	}
	return []finding{bad("PORT", "%v, and what uses it is not this daemon; choose another PORT or LISTEN", err)}
}
