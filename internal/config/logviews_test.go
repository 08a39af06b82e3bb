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
