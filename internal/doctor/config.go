package doctor

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
func (c *Checkup) config(context.Context) []Finding {
	from := "from the environment"
	if c.Cfg.File != "" {
		from = "from " + c.Cfg.File + " and the environment"
	}
	all := []Finding{Fine("configuration", "read %s", from)}
	for _, w := range c.Cfg.Warnings() {
		all = append(all, Poor("configuration", "%s", w))
	}
	if len(c.Cfg.Sites) == 0 {
		all = append(all, Poor("SITES", "is empty: a stranger can have views of made-up sites counted (up to MAX_SITES, %d); list yours", c.Cfg.MaxSites))
	}
	return all
}

// blockedHosts are beginnings of host names under which EasyPrivacy blocks
// /event.png, even for pages of the same host (rules of August 2026).
var blockedHosts = []string{"stats.", "analytics."}

// hostNames warns about names that ad-blockers block.
func (c *Checkup) hostNames(context.Context) []Finding {
	hosts := append([]string(nil), c.Hosts...)
	hosts = append(hosts, c.Cfg.Sites...)
	for _, origin := range c.Cfg.CORSOrigins {
		if u, err := url.Parse(origin); err == nil && u.Host != "" {
			hosts = append(hosts, u.Hostname())
		}
	}
	var all []Finding
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
				all = append(all, Poor("host name", "%q begins with %q: ad-blockers block the beacon there; serve the widget and /event.png from another name, such as %q", host, begin, "count."+strings.TrimPrefix(host, begin)))
			}
		}
	}
	if len(all) == 0 && len(said) > 0 {
		all = append(all, Fine("host name", "%d looked at; ad-block lists block none of them", len(said)))
	}
	return all
}

// admin is about who may use the dashboard and /metrics.
func (c *Checkup) admin(context.Context) []Finding {
	switch {
	case c.Cfg.AdminToken != "":
		return []Finding{Fine("ADMIN_TOKEN", "is set")}
	case c.Cfg.Socket != "" || loopbackListen(c.Cfg.Listen):
		return []Finding{Fine("ADMIN_TOKEN", "is not set: the admin's routes answer this machine alone (LISTEN=%s). A proxy here that speaks HTTP/1.1 and adds no header looks like this machine: set it if there is one", c.Cfg.Listen)}
	}
	return []Finding{Poor("ADMIN_TOKEN", "is not set and LISTEN=%s is not loopback: /metrics and the other admin's routes answer 401 to everybody but this machine; set ADMIN_TOKEN (`openssl rand -hex 32`) or LISTEN=127.0.0.1", c.Cfg.Listen)}
}

func loopbackListen(host string) bool {
	if host == "localhost" {
		return true
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.IsLoopback()
}

// secretFiles are files that others must not read.
func (c *Checkup) secretFiles(context.Context) []Finding {
	path := filepath.Join(c.Cfg.DataDir, "secret")
	all := c.private("secret file", path, 0o077, "whoever reads it can tell visitors by their addresses")
	if c.Cfg.File != "" && (c.Cfg.Redis.Password != "" || c.Cfg.MySQLDSN != "" || c.Cfg.Secret != "" || c.Cfg.AdminToken != "") {
		all = append(all, c.private("configuration file", c.Cfg.File, 0o007, "it may hold passwords")...)
	}
	return all
}

func (c *Checkup) private(what, path string, forbidden fs.FileMode, why string) []Finding {
	fi, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // made with the right mode at the first start
	}
	if err != nil {
		return []Finding{Bad(what, "%v; run check as the daemon's user", err)}
	}
	if mode := fi.Mode().Perm(); mode&forbidden != 0 {
		return []Finding{Bad(what, "%s has mode %04o, and %s: chmod %04o %s", path, mode, why, mode&^forbidden, path)}
	}
	return []Finding{Fine(what, "%s is closed to others", path)}
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
func (c *Checkup) timezone(context.Context) []Finding {
	if tz := unknownTZ(); tz != "" && c.Cfg.Timezone == time.Local {
		return []Finding{Bad("TIMEZONE", "TZ=%s is no zone that is known here, so days begin in UTC; set TIMEZONE to one such as Asia/Shanghai", tz)}
	}
	now := c.Now().In(c.Cfg.Timezone)
	return []Finding{Fine("TIMEZONE", "%s: it is %s, and the day begins at 00:00 %s", c.Cfg.Timezone, now.Format("2006-01-02 15:04"), now.Format("-07:00"))}
}

// socket is not there, or our own daemon's.
func (c *Checkup) socket(ctx context.Context) []Finding {
	path := c.Cfg.Socket
	if fi, err := os.Stat(filepath.Dir(path)); err != nil || !fi.IsDir() {
		return []Finding{Bad("LISTEN", "the folder of %s is not there; make it, for the daemon's user to write and nginx's to enter", path)}
	}
	if answer, ours := askHealth(ctx, c.Cfg); ours {
		return []Finding{answer}
	}
	fi, err := os.Lstat(path)
	if err == nil && fi.Mode()&os.ModeSocket == 0 {
		return []Finding{Bad("LISTEN", "%s is there and is no socket; choose another path", path)}
	}
	return []Finding{Fine("LISTEN", "%s is free: no daemon runs there", path)}
}

// port is free, or our own daemon's.
func (c *Checkup) port(ctx context.Context) []Finding {
	if c.Cfg.Socket != "" {
		return c.socket(ctx)
	}
	if c.Cfg.Port == 0 {
		return []Finding{Poor("PORT", "is 0: a free port is taken at each start, and nginx cannot know it; choose one, such as 8360")}
	}
	var lc net.ListenConfig
	ln, err := lc.Listen(ctx, "tcp", c.Cfg.Address())
	if err == nil {
		if err := ln.Close(); err != nil {
			return []Finding{Bad("PORT", "close the port again: %v", err)}
		}
		return []Finding{Fine("PORT", "%s is free: no daemon runs there", c.Cfg.Address())}
	}
	if answer, ours := askHealth(ctx, c.Cfg); ours {
		return []Finding{answer}
	}
	return []Finding{Bad("PORT", "%v, and what uses it is not this daemon; choose another PORT or LISTEN", err)}
}
