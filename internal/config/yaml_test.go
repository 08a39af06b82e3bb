package config

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

func TestYAMLForms(t *testing.T) {
	f := func(yaml string, field func(*Config) any, want string) {
		t.Helper()
		c, err := load(t, nil, yaml)
		if err != nil {
			t.Errorf("%q: %v", yaml, err)
			return
		}
		if got := fmt.Sprint(field(c)); got != want {
			t.Errorf("%q became %s, want %s", yaml, got, want)
		}
	}
	sites := func(c *Config) any { return c.Sites }
	f("sites: a.com", sites, "[a.com]")
	f("sites: a.com, b.com", sites, "[a.com b.com]")
	f("sites: [a.com, b.com]", sites, "[a.com b.com]")
	f("sites:\n  - a.com\n  - b.com\n", sites, "[a.com b.com]")
	f("port: &p 1234\nredis_db: *p\n", func(c *Config) any { return c.Redis.DB }, "1234")
	f("port: \"1234\"", func(c *Config) any { return c.Port }, "1234")
	f("port: ~", func(c *Config) any { return c.Port }, "8360")
	f("redis_cluster: true", func(c *Config) any { return c.Redis.Cluster }, "true")
	f("site_aliases: {x.com: a.com}", func(c *Config) any { return c.SiteAliases }, "map[x.com:a.com]")
	f("site_aliases: [x.com=a.com]", func(c *Config) any { return c.SiteAliases }, "map[x.com:a.com]")
	f("dedupe_window: {a.com: 1h}", func(c *Config) any { return c.Dedupe.For("a.com") }, "1h0m0s")
	f("archive_cron: '@daily'", func(c *Config) any { return c.ArchiveCron.Text }, "@daily")
	f("redis_password: ' blanks stay '", func(c *Config) any { return string(c.Redis.Password) }, " blanks stay ")
	// Nothing in the file is nothing wrong with it.
	f("# only a comment\n", sites, "[]")
	f("---\n", sites, "[]")
	f("\xef\xbb\xbfport: 1\n", func(c *Config) any { return c.Port }, "1")
}

func TestYAMLProblems(t *testing.T) {
	f := func(yaml, part string) {
		t.Helper()
		_, err := load(t, nil, yaml)
		if err == nil || !strings.Contains(err.Error(), part) {
			t.Errorf("%q: got %v, want a message with %q", yaml, err, part)
		}
	}
	f("prot: 1", "did you mean port?")
	f("PORT: 1", "did you mean port?")
	f("archive_crom: x", "did you mean archive_cron?")
	f("something_else_entirely: 1", "unknown setting")
	f("port: 1\nport: 2", "already given in line 1")
	f("port: {a: 1}", "a mapping does not fit")
	f("sites: [[a.com]]", "plain values only")
	f("sites: ['a,b']", "an item with a comma")
	f("- port", "name: value")
	f("just text", "name: value")
	f("port: 1\n---\nport: 2\n", "second document")
	f("port: [1", "read configuration")
	f("redis_password: *hunter2", "must be in quotes")
	f("port: "+strings.Repeat("1", maxConfigFile), "more than")
}

func TestYAMLUnknownNamesKeepTheirValueSecret(t *testing.T) {
	for _, yaml := range []string{"redis_pasword: hunter2", "redis_password: [[hunter2]]", "redis_password: *hunter2", "admin_token: 'hunter2 x'"} {
		_, err := load(t, nil, yaml)
		if err == nil {
			t.Errorf("%q: no error", yaml)
		} else if strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%q: the message shows the value: %v", yaml, err)
		}
	}
}

func TestNearest(t *testing.T) {
	f := func(name, want string) {
		t.Helper()
		if got := nearest(name, fileNames()); got != want {
			t.Errorf("nearest(%q) = %q, want %q", name, got, want)
		}
	}
	f("port", "port")
	f("redisaddr", "redis_addr")
	f("mysql", "")
	f("", "")
	f("zzzzzzzzzzzzzzzzz", "")
}

// FuzzReadYAML feeds the reader whatever: it must not panic, must name known
// settings only, each once, and every value must then be taken or refused
// with a message that names the setting.
func FuzzReadYAML(f *testing.F) {
	for _, seed := range []string{
		"port: 1\nsites: [a, b]\n", "site_aliases: {a: b}", "a: &x [*x]", "---\n...\n---\n", "? [a]\n: b",
		"port: !!binary aGk=", "archive_cron: TZ=", "<<: {port: 1}", "listen: \"\\0\"", "dedupe_window: a=1h,=,b=2h",
		"trusted_proxies: ::ffff:1.2.3.4/97", "cors_origins: http://[::1]:80", "flush_cron: '@every -1s'",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var problems problemList
		seen := map[string]bool{}
		for _, v := range readYAML("fuzz.yaml", data, &problems) {
			s := settingByFileName(strings.ToLower(v.name))
			if s == nil || seen[v.name] {
				t.Fatalf("unknown or repeated setting %q", v.name)
			}
			seen[v.name] = true
			if err := s.apply(&Config{}, v.text); err != nil {
				var bad *SettingError
				if !errors.As(s.problem(v.text, "fuzz", err), &bad) || bad.Name != v.name {
					t.Fatalf("a problem that does not name %s", v.name)
				}
			}
		}
		if err := problems.err(); err != nil && err.Error() == "" {
			t.Fatal("an error without a message")
		}
	})
}
