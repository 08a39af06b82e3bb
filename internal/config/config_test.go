package config

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"ddkk-stats/parser"
)

// load reads a configuration from an environment and, when yaml is not
// empty, from a file.
func load(t *testing.T, env map[string]string, yaml string) (*Config, error) {
	t.Helper()
	path := ""
	if yaml != "" {
		path = filepath.Join(t.TempDir(), "ddkk-stats.yaml")
		if err := os.WriteFile(path, []byte(yaml), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return Load(path, lookupIn(env))
}

func lookupIn(env map[string]string) func(string) (string, bool) {
	return func(name string) (string, bool) {
		v, ok := env[name]
		return v, ok
	}
}

func mustLoad(t *testing.T, env map[string]string, yaml string) *Config {
	t.Helper()
	c, err := load(t, env, yaml)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestDefaults(t *testing.T) {
	c := mustLoad(t, nil, "")
	if got := c.Address(); got != "127.0.0.1:8360" {
		t.Errorf("Address() = %q", got)
	}
	if c.DataDir != "./data" || c.RedisPrefix != "ddkk" || c.LogFormat != parser.FormatV1 || !c.LogSync || !c.RefererCheck {
		t.Errorf("unexpected defaults: %+v", c)
	}
	if c.UVSetTTL != 72*time.Hour || c.LogRetention != 30*24*time.Hour || c.Timezone != time.Local {
		t.Errorf("unexpected times: %v %v %v", c.UVSetTTL, c.LogRetention, c.Timezone)
	}
	if c.Dedupe.For("ddkk.com") != 0 || c.Redis.IsCluster() || len(c.Redis.Addrs) != 0 || len(c.Sites) != 0 {
		t.Errorf("something is on that is off by default: %+v", c)
	}
	next := c.ArchiveCron.Times.Next(time.Date(2026, 11, 22, 4, 0, 0, 0, time.UTC))
	if want := time.Date(2026, 11, 23, 3, 0, 0, 0, time.UTC); !next.Equal(want) {
		t.Errorf("archive after 04:00 at %v, want %v", next, want)
	}
	if got := c.String(); got != "" {
		t.Errorf("String() of the defaults = %q, want nothing", got)
	}
}

// TestGoodValues goes through what each setting takes and what becomes of it.
func TestGoodValues(t *testing.T) {
	f := func(name, value string, field func(*Config) any, want string) {
		t.Helper()
		c, err := load(t, map[string]string{name: value}, "")
		if err != nil {
			t.Errorf("%s=%s: %v", name, value, err)
			return
		}
		if got := fmt.Sprint(field(c)); got != want {
			t.Errorf("%s=%s became %s, want %s", name, value, got, want)
		}
	}
	f("PORT", "0", func(c *Config) any { return c.Port }, "0")
	f("LISTEN", "::1", func(c *Config) any { return c.Address() }, "[::1]:8360")
	f("LISTEN", "[::1]", func(c *Config) any { return c.Address() }, "[::1]:8360")
	f("LISTEN", "*", func(c *Config) any { return c.Address() }, ":8360")
	f("LISTEN", "localhost", func(c *Config) any { return c.Address() }, "localhost:8360")
	f("REDIS_ADDR", "127.0.0.1:6379", func(c *Config) any { return c.Redis.IsCluster() }, "false")
	f("REDIS_ADDR", "a:1, b:2", func(c *Config) any { return c.Redis.Addrs }, "[a:1 b:2]")
	f("REDIS_ADDR", "a:1,b:2", func(c *Config) any { return c.Redis.IsCluster() }, "true")
	f("REDIS_ADDR", "/run/redis/redis.sock", func(c *Config) any { return c.Redis.Addrs }, "[/run/redis/redis.sock]")
	f("REDIS_CLUSTER", "1", func(c *Config) any { return c.Redis.IsCluster() }, "true")
	f("SITES", "https://www.DDKK.com:443/, example.org.", func(c *Config) any { return c.Sites }, "[ddkk.com example.org]")
	f("SITE_ALIASES", "Blog.ddkk.com=ddkk.com", func(c *Config) any { return c.SiteAliases }, "map[blog.ddkk.com:ddkk.com]")
	f("DEDUPE_WINDOW", "off", func(c *Config) any { return c.Dedupe.For("x") }, "0s")
	f("DEDUPE_WINDOW", "1h", func(c *Config) any { return c.Dedupe.For("x") }, "1h0m0s")
	f("DEDUPE_WINDOW", "30m, ddkk.com=1d, x.org=0", func(c *Config) any {
		return []time.Duration{c.Dedupe.For("y"), c.Dedupe.For("ddkk.com"), c.Dedupe.For("x.org")}
	}, "[30m0s 24h0m0s 0s]")
	f("SITES", "bücher.example", func(c *Config) any { return c.Sites }, "[xn--bcher-kva.example]")
	f("UNIQUES", "Month", func(c *Config) any { return c.Uniques }, "month")
	f("PRIVACY_GPC", "ALL", func(c *Config) any { return c.PrivacyGPC == parser.GPCAll }, "true")
	f("LOG_FORMAT", "JSON", func(c *Config) any { return c.LogFormat }, "json")
	f("LOG_TIMEZONE", "Asia/Shanghai", func(c *Config) any { return c.LogZone() }, "Asia/Shanghai")
	f("LOG_TIMEZONE", "", func(c *Config) any { return c.LogZone() == c.Timezone }, "true")
	f("SELF_IPS", "192.0.2.7", func(c *Config) any { return c.SelfIPs }, "[192.0.2.7/32]")
	f("FACETS", "browser, country", func(c *Config) any {
		return []bool{c.FacetsOff.Has(parser.Browser), c.FacetsOff.Has(parser.Country), c.FacetsOff.Has(parser.Channel)}
	}, "[false false true]")
	f("PAGE_SLASH", "strip", func(c *Config) any { return c.Page.Slash == parser.SlashStrip }, "true")
	f("PAGE_SLASH", "add", func(c *Config) any { return c.Page.Slash == parser.SlashAdd }, "true")
	f("PAGE_SLASH", "strip, B.example=add", func(c *Config) any { return c.PageOf("a.example", []byte("/x/")) + c.PageOf("b.example", []byte("/x")) }, "/x/x/")
	f("PAGE_INDEX", "b.example=strip", func(c *Config) any {
		return c.PageOf("a.example", []byte("/index.html")) + c.PageOf("b.example", []byte("/index.html"))
	}, "/index.html/")
	f("PAGE_KEEP_QUERY", "id, b.example=tid,utm_source", func(c *Config) any {
		const q = "/x?utm_source=1&tid=3&id=2"
		return c.PageOf("a.example", []byte(q)) + c.PageOf("b.example", []byte(q)) + fmt.Sprint(len(c.Warnings()))
	}, "/x?id=2/x?id=2&tid=31")
	f("PAGE_ALIASES", "/old -> /new, b.example/old->/b, /p/:id=/post/:id, /c%2Cd -> /e", func(c *Config) any {
		return c.PageOf("a.example", []byte("/old")) + c.PageOf("b.example", []byte("/old/")) + c.PageOf("b.example", []byte("/p/7")) + c.PageOf("a.example", []byte("/c,d"))
	}, "/new/b/post/7/e")
	f("PAGE_INDEX", "strip", func(c *Config) any { return c.Page.StripIndex }, "true")
	f("PAGE_FRAGMENT", "on", func(c *Config) any { return c.Page.KeepFragment }, "true")
	f("LOG_SYNC", "off", func(c *Config) any { return c.LogSync }, "false")
	f("LOG_RETENTION", "0", func(c *Config) any { return c.LogRetention }, "0s")
	f("PAGE_QUERY", "keep", func(c *Config) any { return c.Page.KeepQuery }, "true")
	f("TRUSTED_PROXIES", "10.1.2.3/8, ::ffff:192.0.2.1, fe80::/10", func(c *Config) any { return c.TrustedProxies },
		"[10.0.0.0/8 192.0.2.1/32 fe80::/10]")
	f("TRUSTED_PROXIES", "none", func(c *Config) any { return c.TrustedProxies }, "[]")
	f("BLOCK_IPS", "::ffff:10.0.0.0/104", func(c *Config) any { return c.BlockIPs }, "[10.0.0.0/8]")
	f("BLOCK_PATHS", "/admin/*,/x", func(c *Config) any { return c.BlockPaths }, "[/admin/* /x]")
	f("CORS_ORIGINS", "HTTPS://Blog.ddkk.com:443/, http://localhost:4000", func(c *Config) any { return c.CORSOrigins },
		"[https://blog.ddkk.com http://localhost:4000]")
	f("CORS_ORIGINS", "http://[::1]:80", func(c *Config) any { return c.CORSOrigins }, "[http://[::1]]")
	f("CORS_ORIGINS", "none", func(c *Config) any { return c.CORSOrigins }, "[]")
	f("TIMEZONE", "Asia/Shanghai", func(c *Config) any { return c.Timezone }, "Asia/Shanghai")
	f("LOG_LEVEL", "WARN", func(c *Config) any { return c.LogLevel }, "WARN")
	f("ROTATE_CRON", "off", func(c *Config) any { return c.RotateCron.On() }, "false")
	f("ROTATE_CRON", "@every 2s", func(c *Config) any { return c.RotateCron.On() }, "true")
	f("FLUSH_CRON", "*/5 * * * * *", func(c *Config) any { return c.FlushCron.On() }, "true")
	f("JSON_FIELDS", "time=ts,status=code", func(c *Config) any { return c.JSONFields }, "map[status:code time:ts]")
	f("MYSQL_DSN", "u:p@tcp(db:3306)/stats?parseTime=true", func(c *Config) any { return string(c.MySQLDSN) },
		"u:p@tcp(db:3306)/stats?parseTime=true")
	// An unset variable that a compose file passes on as empty is the default.
	f("PORT", " ", func(c *Config) any { return c.Port }, "8360")
}

func TestBadValues(t *testing.T) {
	f := func(name, value string) {
		t.Helper()
		_, err := load(t, map[string]string{name: value}, "")
		var bad *SettingError
		if !errors.As(err, &bad) {
			t.Errorf("%s=%s: got %v, want a SettingError", name, value, err)
			return
		}
		if bad.Name != name || bad.Allowed == "" {
			t.Errorf("%s=%s: the message does not say what is wrong: %v", name, value, err)
		}
	}
	f("PORT", "65536")
	f("PORT", "-1")
	f("PORT", "http")
	f("LISTEN", "127.0.0.1:80")
	f("LISTEN", "a b")
	f("REDIS_ADDR", "localhost")
	f("REDIS_ADDR", "a:0")
	f("REDIS_ADDR", "/a.sock,b:1")
	f("REDIS_CLUSTER", "maybe")
	f("REDIS_DB", "-1")
	f("REDIS_PREFIX", "a:b")
	f("MYSQL_DSN", "mysql://u:p@host/db")
	f("MYSQL_DSN", "u:p@tcp(host)/")
	f("SITES", "a/b")
	f("SITES", "evil.com?ddkk.com")
	f("SITES", "https://ddkk.com/blog")
	f("SITE_ALIASES", "a.com")
	f("SITE_ALIASES", "a.com=")
	f("DEDUPE_WINDOW", "soon")
	f("DEDUPE_WINDOW", "a.com=-1h")
	f("UV_SET_TTL", "1h")
	f("LOG_RETENTION", "30")
	f("LOG_RETENTION", "-1h")
	f("IP_MODE", "some")
	f("PAGE_SLASH", "remove")
	f("PAGE_SLASH", "keep, strip")
	f("PAGE_INDEX", "a.example=add")
	f("PAGE_KEEP_QUERY", "id=, x")
	f("PAGE_ALIASES", "/old")
	f("PAGE_ALIASES", "/old -> new")
	f("PAGE_ALIASES", "/a -> /b, /b -> /a")
	f("PAGE_ALIASES", "not a host/old -> /new")
	f("PAGE_QUERY", "a&b")
	f("PAGE_INDEX", "add")
	f("LOG_FORMAT", "w3c")
	f("LOG_TIMEZONE", "Mars")
	f("PRIVACY_GPC", "yes")
	f("UNIQUES", "year")
	f("TRUSTED_PROXIES", "10.0.0.0/33")
	f("TRUSTED_PROXIES", "::ffff:0.0.0.0/90")
	f("BLOCK_PATHS", "admin")
	f("BLOCK_PATHS", "/a*b")
	f("CORS_ORIGINS", "ddkk.com")
	f("CORS_ORIGINS", "https://ddkk.com/blog")
	f("CORS_ORIGINS", "null")
	f("ADMIN_TOKEN", "two words")
	f("TIMEZONE", "Mars/Olympus")
	f("LOG_LEVEL", "loud")
	f("ROTATE_CRON", "61 * * * *")
	f("ARCHIVE_CRON", "TZ=UTC")            // the cron parser panics on it
	f("ARCHIVE_CRON", "CRON_TZ=UTC 0 3 *") // TIMEZONE is the place
	f("JSON_FIELDS", "when=time")
	f("SECRET", "line\nend")
	f("DATA_DIR", "a\x00b")
	f("MAX_SITES", "0")
	f("BATCH_INTERVAL", "2m")
}

func TestAllProblemsAtOnce(t *testing.T) {
	_, err := load(t,
		map[string]string{"PORT": "x", "TIMEZONE": "Nowhere", "MYSQL_DSN": "hunter2"},
		"redis_adr: a:1\nip_mode: some\nsites: {a: b}\n")
	if err == nil {
		t.Fatal("no error")
	}
	message := err.Error()
	for _, part := range []string{
		"6 problem(s)", `PORT="x" (environment)`, "0 to 65535", "TIMEZONE", "Asia/Shanghai", "MYSQL_DSN",
		"did you mean redis_addr?", "ddkk-stats.yaml:1", "ddkk-stats.yaml:2", `IP_MODE="some"`, "full, masked or none", "sites",
	} {
		if !strings.Contains(message, part) {
			t.Errorf("the message lacks %q:\n%s", part, message)
		}
	}
	if strings.Contains(message, "hunter2") {
		t.Errorf("the message shows a secret:\n%s", message)
	}
}

func TestWrongTogether(t *testing.T) {
	f := func(env map[string]string, name string) {
		t.Helper()
		_, err := load(t, env, "")
		var bad *SettingError
		if !errors.As(err, &bad) || bad.Name != name {
			t.Errorf("%v: got %v, want a problem with %s", env, err, name)
		}
	}
	f(map[string]string{"REDIS_ADDR": "a:1,b:1", "REDIS_DB": "1"}, "REDIS_DB")
	f(map[string]string{"ACCESS_LOG": "/a", "SITE_LOG": "/a"}, "SITE_LOG")
	f(map[string]string{"SITES": "a.com", "DEDUPE_WINDOW": "b.com=1h"}, "DEDUPE_WINDOW")
	f(map[string]string{"UNIQUES": "month", "RAW_RETENTION_DAYS": "44"}, "UNIQUES")
	f(map[string]string{"UNIQUES": "week", "RAW_RETENTION_DAYS": "13"}, "UNIQUES")
	for u, days := range map[string]string{"month": "45", "week": "14", "day": "1"} {
		mustLoad(t, map[string]string{"UNIQUES": u, "RAW_RETENTION_DAYS": days}, "")
	}
	mustLoad(t, map[string]string{"UNIQUES": "month", "RAW_RETENTION_DAYS": "0"}, "")
}

func TestSecretsNeverShow(t *testing.T) {
	const hidden = "hunter2hunter2"
	env := map[string]string{
		"REDIS_PASSWORD": hidden, "ADMIN_TOKEN": hidden, "SECRET": hidden,
		"MYSQL_DSN": "u:" + hidden + "@tcp(h:1)/db",
	}
	c := mustLoad(t, env, "")
	var out bytes.Buffer
	logger := slog.New(slog.NewJSONHandler(&out, nil))
	logger.Info("config", "config", c, "token", c.AdminToken)
	fmt.Fprintf(&out, "%v %+v %#v %s", c, c, c, c.AdminToken)
	fmt.Fprintf(&out, "%v %+v %#v %q", c.Secret, c.Secret, c.Secret, c.Secret)
	for _, change := range mustLoad(t, nil, "").Diff(c) {
		fmt.Fprintf(&out, "%+v", change)
	}
	dump, err := json.Marshal(c.AdminToken)
	if err != nil {
		t.Fatal(err)
	}
	out.Write(dump)
	if strings.Contains(out.String(), "hunter2") {
		t.Errorf("a secret shows: %s", out.String())
	}
	if got := strings.Count(c.String(), "(set)"); got != 4 {
		t.Errorf("String() = %q, want four redacted secrets", c.String())
	}
}

func TestEnvironmentWins(t *testing.T) {
	c := mustLoad(t, map[string]string{"PORT": "9000"}, "port: 8000\nlisten: 0.0.0.0\n")
	if c.Port != 9000 || c.Listen != "0.0.0.0" {
		t.Errorf("port %d, listen %s", c.Port, c.Listen)
	}
}

func TestConfigFileIsFound(t *testing.T) {
	t.Chdir(t.TempDir())
	write := func(name, text string) {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	port := func(path string, env map[string]string) int {
		c, err := Load(path, lookupIn(env))
		if err != nil {
			t.Fatal(err)
		}
		return c.Port
	}
	if got := port("", nil); got != 8360 {
		t.Errorf("without a file: port %d", got)
	}
	write(DefaultConfigFile, "port: 1\n")
	write("b.yaml", "port: 2\n")
	write("c.yaml", "port: 3\n")
	env := map[string]string{"CONFIG": "b.yaml"}
	if got := port("", nil); got != 1 {
		t.Errorf("the file in the folder: port %d", got)
	}
	if got := port("", env); got != 2 {
		t.Errorf("CONFIG: port %d", got)
	}
	if got := port("c.yaml", env); got != 3 {
		t.Errorf("--config: port %d", got)
	}
	if _, err := Load("missing.yaml", lookupIn(nil)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a file that was asked for and is missing: %v", err)
	}
}

// TestParserTakesTheConfiguration: what the table lets through, a parser is
// made of, and it does what was asked for.
func TestParserTakesTheConfiguration(t *testing.T) {
	c := mustLoad(t, map[string]string{
		"SITES": "ddkk.com", "SITE_ALIASES": "old.ddkk.com=ddkk.com", "PAGE_SLASH": "strip", "BLOCK_PATHS": "/admin/*",
		"BLOCK_IPS": "192.0.2.66", "SELF_IPS": "192.0.2.7", "JSON_FIELDS": "time=ts", "TIMEZONE": "UTC", "PRIVACY_GPC": "all",
	}, "")
	p, err := parser.New(c.Parser(c.LogFormat, []byte("0123456789abcdef0123456789abcdef")))
	if err != nil {
		t.Fatal(err)
	}
	line := func(ip, site, page, gpc string) string {
		return strings.Join([]string{
			"v1", "1700000000.000", "4f8b0000000000000000000000000001", ip, "h", "GET", "200",
			"/event.png?site=" + site + "&page=" + page, "-", "Mozilla/5.0", "-", gpc, "-", "0.000", "43", "end",
		}, "\t")
	}
	f := func(line, want string) {
		t.Helper()
		var h parser.Hit
		p.Parse([]byte(line), &h)
		if got := fmt.Sprintf("%v %s %s", h.Reason, h.Site, h.Page); !strings.HasPrefix(got, want) {
			t.Errorf("%s became %q, want %q", line, got, want)
		}
	}
	f(line("192.0.2.1", "www.old.ddkk.com", "/a/", "-"), fmt.Sprintf("%v ddkk.com /a", parser.ReasonNone))
	f(line("192.0.2.1", "other.com", "/a", "-"), parser.SkipSite.String())
	f(line("192.0.2.66", "ddkk.com", "/a", "-"), parser.SkipBlocked.String())
	f(line("192.0.2.7", "ddkk.com", "/a", "-"), parser.SkipSelf.String())
	f(line("192.0.2.1", "ddkk.com", "/admin/x", "-"), parser.SkipBlocked.String())
	f(line("192.0.2.1", "ddkk.com", "/a", "1"), parser.SkipBlocked.String())
}

func TestDiff(t *testing.T) {
	before := mustLoad(t, nil, "")
	after := mustLoad(t, map[string]string{"PORT": "1", "LOG_LEVEL": "debug", "ADMIN_TOKEN": "abc"}, "")
	want := []Change{
		{Name: "PORT", Old: "8360", New: "1"},
		{Name: "ADMIN_TOKEN", Old: "", New: "(set)", Reloadable: true},
		{Name: "LOG_LEVEL", Old: "info", New: "debug", Reloadable: true},
	}
	if got := before.Diff(after); !reflect.DeepEqual(got, want) {
		t.Errorf("Diff = %+v, want %+v", got, want)
	}
	if got := before.Diff(before); len(got) != 0 {
		t.Errorf("Diff of the same = %+v", got)
	}
}

func TestWarnings(t *testing.T) {
	c := mustLoad(t, map[string]string{
		"SECRET": "short", "ADMIN_TOKEN": "short", "LOG_SYNC": "off", "ALLOW_EVICTION": "1", "REDIS_ADDR": "a:1",
	}, "")
	if got := c.Warnings(); len(got) != 4 {
		t.Errorf("Warnings() = %q, want four", got)
	}
	if got := mustLoad(t, nil, "").Warnings(); len(got) != 0 {
		t.Errorf("Warnings() of the defaults = %q", got)
	}
}

// TestTable holds the table itself to its rules.
func TestTable(t *testing.T) {
	seen := map[string]bool{}
	for _, s := range Settings {
		if seen[s.Name] || s.Name != strings.ToUpper(s.Name) {
			t.Errorf("%s: twice, or not in upper case", s.Name)
		}
		seen[s.Name] = true
		if s.Doc == "" || s.Allowed == "" || s.set == nil || !strings.HasSuffix(s.Doc, ".") {
			t.Errorf("%s: the row is not complete", s.Name)
		}
		if s.Secret && s.Default != "" {
			t.Errorf("%s: a secret with a default is none", s.Name)
		}
	}
	var manual bytes.Buffer
	if err := WriteMarkdown(&manual); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(manual.String()), "\n")
	if len(lines) != len(Settings)+2 {
		t.Fatalf("the manual has %d lines for %d settings", len(lines), len(Settings))
	}
	for _, line := range lines {
		if got := strings.Count(strings.ReplaceAll(line, `\|`, ""), "|"); got != 6 {
			t.Errorf("not five cells: %s", line)
		}
	}
}

type brokenWriter struct{}

func (brokenWriter) Write([]byte) (int, error) { return 0, errors.New("disk full") }

func TestWriteMarkdownReportsErrors(t *testing.T) {
	if err := WriteMarkdown(brokenWriter{}); err == nil {
		t.Error("no error")
	}
}

// TestSettingsOfOthers: a file that others may write is not obeyed, by name and mode,
// and nothing of it is read.
func TestSettingsOfOthers(t *testing.T) {
	file := filepath.Join(t.TempDir(), "ddkk-stats.yaml")
	if err := os.WriteFile(file, []byte("port: 9000\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for mode, ok := range map[os.FileMode]bool{0o400: true, 0o600: true, 0o640: true, 0o644: true, 0o646: false, 0o666: false, 0o602: false, 0o777: false} {
		if err := os.Chmod(file, mode); err != nil {
			t.Fatal(err)
		}
		c, err := Load(file, func(string) (string, bool) { return "", false })
		if ok && (err != nil || c.Port != 9000) {
			t.Errorf("%v: %v", mode, err)
		}
		if !ok && (err == nil || !strings.Contains(err.Error(), "chmod go-w "+file)) {
			t.Errorf("%v: %v", mode, err)
		}
	}
	if os.Geteuid() != 0 {
		return // who is not root cannot give a file away
	}
	if err := os.Chmod(file, 0o664); err != nil {
		t.Fatal(err)
	}
	for gid, ok := range map[int]bool{0: true, 1000: true, 100: false} {
		if err := os.Chown(file, 1000, gid); err != nil {
			t.Fatal(err)
		}
		if _, err := Load(file, func(string) (string, bool) { return "", false }); (err == nil) != ok {
			t.Errorf("group %d: %v", gid, err)
		}
	}
}

func TestElasticIDTellsSitesApart(t *testing.T) {
	for text, ok := range map[string]bool{"{page}": true, "{site}{page}": true, "{page}@{site}": true, "{page}{site}": false, "{page}.{site}": false, "{site}": false, "{site}{x}{page}": false} {
		if err := parseElasticID(&Config{}, text); (err == nil) != ok {
			t.Errorf("%s: %v", text, err)
		}
	}
}
