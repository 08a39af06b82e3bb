package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"

	"ddkk-stats/counter"
	"ddkk-stats/parser"
)

// BeaconLog is the path of the built-in beacon's log.
func (c *Config) BeaconLog() string { return filepath.Join(c.DataDir, "log", "event.log") }

// logs are the logs that are counted: the built-in beacon's, nginx's and the
// site's own where they are named.
func (c *Config) logs() []logInput {
	all := []logInput{{path: c.BeaconLog(), format: parser.FormatV1}}
	if c.AccessLog != "" {
		all = append(all, logInput{path: c.AccessLog, format: c.LogFormat})
	}
	if c.SiteLog != "" {
		all = append(all, logInput{path: c.SiteLog, format: c.SiteLogFormat, calls: true})
	}
	return all
}

// redis is where Redis is.
func (c *Config) redis() counter.ConnectOptions {
	return counter.ConnectOptions{Addrs: c.RedisAddrs, Cluster: c.RedisCluster, Username: c.RedisUsername, Password: string(c.RedisPassword), DB: c.RedisDB}
}

// SiteOf normalises a site that somebody asks for; false for what is no site
// and for sites outside SITES.
func (c *Config) SiteOf(raw string) (string, bool) {
	site, ok := parser.NormalizeSite(raw)
	if !ok {
		return "", false
	}
	if to, ok := c.SiteAliases[site]; ok {
		site = to
	}
	if len(c.Sites) == 0 {
		return site, true
	}
	for _, s := range c.Sites {
		if s == site {
			return site, true
		}
	}
	return "", false
}

// lockFolder makes sure that one daemon at a time uses a DATA_DIR. The lock
// goes when the process goes, however it ends.
func lockFolder(dir string) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_CREATE|os.O_RDWR, 0o640)
	if err != nil {
		return nil, fmt.Errorf("lock DATA_DIR: %w; does it, and all in it, belong to this user (%d)?", err, os.Geteuid())
	}
	err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		err = fmt.Errorf("another daemon uses %s; stop it or choose another DATA_DIR", dir)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("lock DATA_DIR: %w", err), f.Close())
	}
	return f, nil
}
