package main

import (
	"strings"
	"testing"
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
	now, restart := names(before.Diff(after))
	if strings.Join(now, " ") != "SITES ADMIN_TOKEN LOG_LEVEL" || strings.Join(restart, " ") != "PORT" {
		t.Errorf("now %q, restart %q", now, restart)
	}
}

// What is right by itself may not fit what stays until a restart.
func TestReloadedRefusesWhatDoesNotFit(t *testing.T) {
	before := mustLoad(t, map[string]string{"SITES": "a.example", "DEDUPE_WINDOW": "a.example=1h"}, "")
	after := mustLoad(t, map[string]string{"SITES": "b.example", "DEDUPE_WINDOW": "b.example=1h"}, "")
	if c, err := before.Reloaded(after); err == nil || !strings.Contains(err.Error(), "DEDUPE_WINDOW") {
		t.Errorf("%v, error %v", c, err)
	}
}

func TestSameRules(t *testing.T) {
	a := mustLoad(t, nil, "")
	f := func(name, value string, same bool) {
		t.Helper()
		if got := sameRules(a, mustLoad(t, map[string]string{name: value}, "")); got != same {
			t.Errorf("%s=%s: same rules %v", name, value, got)
		}
	}
	f("LOG_LEVEL", "debug", true)
	f("BATCH_SIZE", "1", true)
	f("SITES", "a.example", false)
	f("SITE_ALIASES", "b.example=a.example", false)
	f("PAGE_SLASH", "strip", false)
	f("BLOCK_IPS", "192.0.2.1", false)
	f("SELF_IPS", "192.0.2.1", false)
	f("BLOCK_PATHS", "/x", false)
	f("REFERER_CHECK", "off", false)
	f("PRIVACY_GPC", "all", false)
}
