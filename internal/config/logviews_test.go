package config

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"ddkk-stats/parser"
)

func TestLogViews(t *testing.T) {
	load := func(text string) (*Config, error) {
		return Load("", func(name string) (string, bool) {
			v, ok := map[string]string{"SITE_LOG": "/x/site.log", "TIMEZONE": "Asia/Shanghai", "LOG_VIEWS": text, "SITE_ALIASES": "old.example=shop.example"}[name]
			return v, ok
		})
	}
	c, err := load("blog.example, shop.example@2026-12-01T08:00, www.news.example@2026-12-01/2027-01-01T00:00:00Z, news.example@2027-01-02")
	if err != nil {
		t.Fatal(err)
	}
	at := func(text string) int64 {
		v, err := time.Parse(time.RFC3339, text)
		if err != nil {
			t.Fatal(err)
		}
		return v.UnixMilli()
	}
	want := []parser.LogView{{Site: "blog.example"}, {Site: "shop.example", From: at("2026-12-01T00:00:00Z")},
		{Site: "news.example", From: at("2026-11-30T16:00:00Z"), To: at("2027-01-01T00:00:00Z")}, {Site: "news.example", From: at("2027-01-01T16:00:00Z")}}
	if !slices.Equal(c.LogViews, want) {
		t.Errorf("%+v, want %+v", c.LogViews, want)
	}
	if got := fmt.Sprint(c.LogViewHosts(time.UnixMilli(at("2026-12-01T00:00:00Z") - 1))); got != "[blog.example news.example www.blog.example www.news.example]" {
		t.Errorf("before: %s", got)
	}
	if got := fmt.Sprint(c.LogViewHosts(time.UnixMilli(at("2027-01-01T00:00:00Z")))); got != "[blog.example old.example shop.example www.blog.example www.shop.example]" {
		t.Errorf("after: %s", got)
	}
	for text, why := range map[string]string{
		"blog.example@": "LOG_VIEWS", "blog.example@soon": "LOG_VIEWS", "a b": "LOG_VIEWS", "blog.example@2026-12-01/2026-11-01": "not later",
		"blog.example, blog.example@2026-12-01": "overlap", "blog.example@2026-12-01/2026-12-05, blog.example@2026-12-04": "overlap",
	} {
		if _, err := load(text); err == nil || !strings.Contains(err.Error(), why) {
			t.Errorf("%q: %v, want %s", text, err, why)
		}
	}
}

func TestDownloads(t *testing.T) {
	for text, want := range map[string]string{"": "pdf", "none": "", ".ZIP, gz": "zip,gz"} {
		c := mustLoad(t, map[string]string{"DOWNLOADS": text}, "")
		if got := strings.Join(c.Downloads, ","); got != want && (want != "pdf" || !strings.HasPrefix(got, "pdf,")) {
			t.Errorf("%q: %s", text, got)
		}
		if c.CallRules().Downloads == nil {
			t.Errorf("%q: the parser takes its own", text)
		}
	}
}

// What differs is told by the first time at which it does, and what is written otherwise
// and means the same does not.
func TestLogViewsDiffer(t *testing.T) {
	load := func(text string) *Config {
		t.Helper()
		return mustLoad(t, map[string]string{"SITE_LOG": "/x/site.log", "TIMEZONE": "UTC", "LOG_VIEWS": text}, "")
	}
	at := func(text string) int64 {
		v, err := time.Parse(time.DateOnly, text)
		if err != nil {
			t.Fatal(err)
		}
		return v.UnixMilli()
	}
	for _, x := range []struct {
		old, new, site string
		at             int64
		reload         bool
	}{
		{"a.example@2026-12-01", "a.example@2026-12-01T00:00", "", 0, true},
		{"a.example@2026-12-01", "a.example@2026-12-02", "a.example", at("2026-12-01"), true},
		{"a.example@2026-12-02", "a.example@2026-12-01", "a.example", at("2026-12-01"), true},
		{"a.example@2026-12-01", "a.example@2026-12-01/2027-01-01", "a.example", at("2027-01-01"), true},
		{"a.example@2026-12-01/2027-01-01", "a.example@2026-12-01/2027-01-01,a.example@2027-01-01", "a.example", at("2027-01-01"), true},
		{"a.example@2026-12-01/2027-01-01", "a.example@2026-12-01", "a.example", at("2027-01-01"), true},
		{"a.example@2026-12-01", "a.example@2026-12-01,b.example@2026-12-24", "b.example", at("2026-12-24"), true},
		{"a.example@2026-12-01", "a.example@2026-12-01,b.example", "b.example", 0, true},
		{"a.example,b.example", "b.example", "a.example", 0, true},
		{"", "a.example@2026-12-01", "a.example", at("2026-12-01"), false},
		{"a.example@2026-12-01", "", "a.example", at("2026-12-01"), false},
	} {
		old, new := load(x.old), load(x.new)
		site, when, differ := old.LogViewsDiffer(new)
		if site != x.site || when != x.at || differ != (x.site != "") {
			t.Errorf("%q and %q differ at %s %d, %v", x.old, x.new, site, when, differ)
		}
		for _, d := range old.Diff(new) {
			if d.Name == "LOG_VIEWS" && d.Reloadable != x.reload {
				t.Errorf("%q to %q: reloadable %v", x.old, x.new, d.Reloadable)
			}
		}
		merged, err := old.Reloaded(new)
		if err != nil {
			t.Fatal(err)
		}
		if _, _, differ := merged.LogViewsDiffer(new); differ == x.reload {
			t.Errorf("%q to %q: a reload makes it %+v", x.old, x.new, merged.LogViews)
		}
	}
}
