package doctor

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"ddkk-stats/internal/config/configtest"
	"ddkk-stats/parser"
)

const browser = "Mozilla/5.0 (X11; Linux x86_64; rv:130.0) Gecko/20100101 Firefox/130.0"

// v1Line is a line as nginx writes it.
func v1Line(at time.Time, uri, referer, agent string) string {
	return strings.Join([]string{"v1", fmt.Sprintf("%.3f", float64(at.UnixMilli())/1000), strings.Repeat("0123456789abcdef", 2),
		"203.0.113.7", "count.ddkk.com", "GET", "200", uri, referer, agent, "-", "-", "-", "0.000", "43", "end"}, "\t") + "\n"
}

func TestCheckLines(t *testing.T) {
	view := v1Line(checkNow.Add(-time.Minute), "/event.png?site=ddkk.com&page=%2F", "https://ddkk.com/", browser)
	f := func(env map[string]string, text string, want level, words ...string) {
		t.Helper()
		log := filepath.Join(t.TempDir(), "event.log")
		configtest.WriteFile(t, log, text, 0o644)
		all := map[string]string{"ACCESS_LOG": log}
		for k, v := range env {
			all[k] = v
		}
		wantFinding(t, newCheckup(t, all).logLines(context.Background()), want, "ACCESS_LOG", words...)
	}
	f(nil, view, LevelOK, "last 1 lines: 1 counted")
	f(nil, view+"v1\t17", LevelOK, "1 counted") // a line that is being written
	f(nil, "", LevelWarn, "no complete line")
	f(nil, "half", LevelWarn, "no complete line")
	f(nil, view+v1Line(checkNow, "/event.png?site=ddkk.com&page=%2F", "-", "Googlebot/2.1"), LevelOK, "1 counted", "1 of bots")

	combined := `203.0.113.7 - - [22/Nov/2026:11:00:00 +0000] "GET /event.png?page=/ HTTP/1.1" 200 43 "https://ddkk.com/" "` + browser + `"` + "\n"
	f(nil, combined, LevelFail, "not one of the last 1 lines is of format v1", "LOG_FORMAT=combined")
	f(map[string]string{"LOG_FORMAT": "combined"}, combined, LevelOK, "1 counted")
	f(nil, `{"msec":"1"}`+"\n", LevelFail, "LOG_FORMAT=json")
	f(map[string]string{"LOG_FORMAT": "json"}, view, LevelFail, "LOG_FORMAT=v1")
	f(nil, "what is this\n", LevelFail, "malformed by version", `"what is this"`)
	f(nil, view+"\x00\x1b[2J\n", LevelWarn, `\x00\x1b[2J`)

	f(map[string]string{"SITES": "other.com"}, view, LevelFail, "skipped by site", "SITES", "/event.png?site=ddkk.com")
	evil := v1Line(checkNow, "/event.png?site=ddkk.com&page=%2F", "https://evil.com/?ddkk.com", browser)
	f(nil, evil, LevelFail, "skipped by referer", "REFERER_CHECK", "evil.com")
	f(nil, view+evil, LevelWarn, "1 skipped by referer", "SITE_ALIASES", "evil.com")
	f(map[string]string{"REFERER_CHECK": "off"}, evil, LevelOK, "1 counted")
	f(nil, v1Line(checkNow, "/index.html", "-", browser), LevelFail, "skipped by path", "log of its own")
	f(map[string]string{"BLOCK_IPS": "203.0.113.0/24"}, view, LevelFail, "skipped by blocked", "BLOCK_IPS")
	f(nil, strings.Replace(view, "\t200\t", "\t404\t", 1), LevelFail, "skipped by status", "error log")
	scan := `203.0.113.7 - - [22/Nov/2026:11:00:00 +0000] "\x16\x03\x01" 400 0 "-" "-"` + "\n"
	f(map[string]string{"LOG_FORMAT": "combined"}, combined+scan+scan, LevelOK, "2 malformed by request")
	f(map[string]string{"LOG_FORMAT": "combined"}, scan, LevelWarn, "not one of the last 1 lines is a request")
	f(nil, strings.Replace(view, "\tGET\t", "\tHEAD\t", 1), LevelFail, "skipped by method", "in a browser")
}

// TestCheckOddLines: what lines lack, and count without, is told.
func TestCheckOddLines(t *testing.T) {
	c := newCheckup(t, map[string]string{"LOG_FORMAT": "json", "LOG_TIMEZONE": "Asia/Shanghai"})
	l := checkedLog{name: "ACCESS_LOG", format: parser.FormatJSON}
	s, err := c.sample(l, [][]byte{
		[]byte(`{"time":"2026-11-22 11:00:00","remote_addr":"203.0.113.7","request":"GET /event.png?page=/ HTTP/1.1","status":200}`),
		[]byte(`{"time":"2026-11-22T11:00:00Z","remote_addr":"unix:","request":"GET /event.png?page=/ HTTP/1.1","status":200}`),
	})
	if err != nil {
		t.Fatal(err)
	}
	all := c.odd(l, s)
	if len(all) != 2 {
		t.Fatalf("found %v", all)
	}
	wantFinding(t, all[:1], LevelWarn, "ACCESS_LOG", "1 of the last 2 lines tell no client's address", "no visitor")
	wantFinding(t, all[1:], LevelOK, "ACCESS_LOG", "of 1 lines tell no zone", "Asia/Shanghai (LOG_TIMEZONE)")
	if s.newest != 1795345200000 {
		t.Errorf("the newest line is of %d", s.newest) // the second: the first is of 03:00 UTC
	}
}

func TestCheckLinesOfTheBuiltInBeacon(t *testing.T) {
	c := newCheckup(t, nil)
	if all := c.logLines(context.Background()); len(all) != 0 {
		t.Errorf("before the first start: %v", all)
	}
	configtest.WriteFile(t, c.Cfg.BeaconLog(), v1Line(checkNow, "/event.png?site=ddkk.com&page=%2F", "-", browser), 0o640)
	wantFinding(t, c.logLines(context.Background()), LevelOK, "beacon log", "1 counted")
}

func TestCheckClock(t *testing.T) {
	c := newCheckup(t, nil)
	f := func(newest time.Time, want level, words ...string) {
		t.Helper()
		s := &sample{}
		if !newest.IsZero() {
			s.newest = newest.UnixMilli()
		}
		wantFinding(t, []Finding{c.clock(checkedLog{path: "event.log"}, s)}, want, "clock", words...)
	}
	f(checkNow.Add(-time.Hour), LevelOK, "1h0m0s old")
	f(checkNow.Add(2*time.Second), LevelOK, "0s old") // written between the two looks
	f(checkNow.Add(8*time.Hour), LevelFail, "8h0m0s in the future")
	f(time.Time{}, LevelWarn, "tells a time")
}

func TestLastLines(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	line := strings.Repeat("x", 199) + "\n"
	configtest.WriteFile(t, path, strings.Repeat(line, 2*tailBytes/len(line)), 0o644)
	lines, err := lastLines(path)
	if err != nil || len(lines) != tailLines || len(lines[0]) != 199 {
		t.Errorf("got %d lines, %v", len(lines), err)
	}
	configtest.WriteFile(t, path, strings.Repeat("y", 2*tailBytes), 0o644)
	if lines, err := lastLines(path); err != nil || len(lines) != 0 {
		t.Errorf("no newline at all: got %d lines, %v", len(lines), err)
	}
	if _, err := lastLines(path + ".none"); !os.IsNotExist(err) {
		t.Errorf("got %v", err)
	}
	if _, err := lastLines(filepath.Dir(path)); err == nil {
		t.Error("a folder has lines")
	}
}

func TestEverySkipHasAHint(t *testing.T) {
	for r := parser.SkipMethod; r <= parser.SkipComment; r++ {
		var n [parser.NumReasons]int
		n[r] = 1
		if got, hint := mostly(n[:]); got != r || hint == "" {
			t.Errorf("%v: %v %q", r, got, hint)
		}
	}
}
