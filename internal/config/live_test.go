package config

import (
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"ddkk-stats/internal/geoip/geoiptest"
	"ddkk-stats/parser"
)

func TestReloadedTakesWhatCanChange(t *testing.T) {
	before := mustLoad(t, map[string]string{"SITES": "a.example", "PORT": "1000"}, "")
	after := mustLoad(t, map[string]string{"SITES": "a.example,b.example", "PORT": "2000", "LOG_LEVEL": "debug", "ADMIN_TOKEN": "t"}, "")
	c, err := before.Reloaded(after)
	if err != nil {
		t.Fatal(err)
	}
	if c.Port != 1000 || len(c.Sites) != 2 || c.LogLevel != after.LogLevel || c.AdminToken != "t" {
		t.Errorf("merged: %v", c)
	}
	if d := c.Diff(after); len(d) != 1 || d[0].Name != "PORT" {
		t.Errorf("what is left to a restart: %+v", d)
	}
	now, restart := Names(before.Diff(after))
	if strings.Join(now, " ") != "SITES ADMIN_TOKEN LOG_LEVEL" || strings.Join(restart, " ") != "PORT" {
		t.Errorf("now %q, restart %q", now, restart)
	}
}

// TestDatabaseIsReloaded: a file that has become another one is a change, though the
// setting is written as before.
func TestDatabaseIsReloaded(t *testing.T) {
	path := filepath.Join(t.TempDir(), "country.mmdb")
	load := func(code string) *Config {
		t.Helper()
		if err := os.WriteFile(path, geoiptest.Write(time.Unix(1_793_000_000, 0), map[string]string{"203.0.113.0/24": code}), 0o600); err != nil {
			t.Fatal(err)
		}
		return mustLoad(t, map[string]string{"GEOIP_DB": path}, "")
	}
	before, same, after := load("DE"), load("DE"), load("FR")
	if d := before.Diff(same); len(d) != 0 {
		t.Errorf("the same file: %+v", d)
	}
	if d := before.Diff(after); len(d) != 1 || d[0].Name != "GEOIP_DB" || !d[0].Reloadable {
		t.Errorf("another file: %+v", d)
	}
	c, err := before.Reloaded(after)
	if err != nil {
		t.Fatal(err)
	}
	if got := c.Parser(parser.FormatV1, nil).Country(netip.MustParseAddr("203.0.113.1")); got != "FR" {
		t.Errorf("it tells %q", got)
	}
}

// What is right by itself may not fit what stays until a restart.
func TestReloadedRefusesWhatDoesNotFit(t *testing.T) {
	before := mustLoad(t, map[string]string{"SITES": "a.example", "SITE_LOG": "/x/site.log", "SITE_LOG_FORMAT": "combined"}, "")
	after := mustLoad(t, map[string]string{"SITES": "a.example,b.example"}, "")
	if c, err := before.Reloaded(after); err == nil || !strings.Contains(err.Error(), "API_SITE") {
		t.Errorf("%v, error %v", c, err)
	}
}

// What a reload takes and what it leaves to a restart, of all settings: each that
// is not taken is named.
func TestEverySettingIsReloadedOrNamed(t *testing.T) {
	restart := []string{"PORT", "LISTEN", "DATA_DIR", "ACCESS_LOG", "LOG_FORMAT", "SITE_LOG", "SITE_LOG_FORMAT", "LOG_VIEWS", "LOG_SEGMENTS", "NGINX_PID", "LOG_SYNC",
		"REDIS_ADDR", "REDIS_CLUSTER", "REDIS_USERNAME", "REDIS_PASSWORD", "REDIS_DB", "REDIS_TLS_CA", "REDIS_TLS_CERT", "REDIS_TLS_KEY", "REDIS_SENTINEL_USERNAME", "REDIS_SENTINEL_PASSWORD", "REDIS_PREFIX", "ALLOW_EVICTION", "UV_SET_TTL",
		"MYSQL_DSN", "MYSQL_TLS_CA", "MYSQL_TLS_CERT", "MYSQL_TLS_KEY", "MYSQL_CONNECTIONS", "MYSQL_TIMEOUT", "IP_MODE", "UNIQUES", "SECRET", "PUBLIC_SITES", "MAX_CONNECTIONS", "TIMEZONE", "MIRROR_SLOTS", "ES_URL", "ES_INDEX", "ES_ID",
		"ES_FIELDS", "ES_UPSERT", "ES_USER", "ES_PASSWORD", "ES_API_KEY"}
	before := mustLoad(t, nil, "")
	for i := range Settings {
		s := &Settings[i]
		other := mustLoad(t, nil, "")
		other.texts[s.Name] += "x" // as written; what it means does not matter here
		now, later := Names(before.Diff(other))
		where := now
		if slices.Contains(restart, s.Name) {
			where = later
		}
		if len(now)+len(later) != 1 || len(where) != 1 || where[0] != s.Name {
			t.Errorf("%s: now %q, restart %q", s.Name, now, later)
		}
	}
}
