package e2e

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestDeployMetrics: every metric that the dashboard and the alert rules use is
// one that the daemon has, and the rules do what their tests say.
func TestDeployMetrics(t *testing.T) {
	t.Parallel()
	server := StartRedis(t)
	log := filepath.Join(TempDir(t), "event.log")
	ledger := NewLedger(time.UTC)
	w := NewWriter(t, log, ledger, WriterOptions{})
	d := StartDaemon(t, map[string]string{"REDIS_ADDR": server.Addr, "ACCESS_LOG": log, "TIMEZONE": "UTC"})
	w.Write(0, NewTraffic(1, "192.0.2.1", 3).Next())
	ledger.WaitEqual(t, server.Client(t), settleLimit)
	have := metricNames(t, d)

	rules := deployFile(t, "prometheus/alerts.yml")
	board := deployFile(t, "grafana/ddkk-stats.json")
	var used []string
	for _, text := range []string{rules, board} {
		used = append(used, regexp.MustCompile(`\b(?:ddkk|process|go)_[a-z_]+\b`).FindAllString(text, -1)...)
	}
	slices.Sort(used)
	used = slices.Compact(used)
	for _, name := range used {
		if !slices.Contains(have, name) {
			t.Errorf("%s is used and not among the daemon's metrics", name)
		}
	}
	if len(used) < 25 {
		t.Errorf("only %d metrics are used: %v", len(used), used)
	}
	if !json.Valid([]byte(board)) {
		t.Error("the dashboard is not JSON")
	}
	for _, alert := range regexp.MustCompile(`alert: (\w+)`).FindAllStringSubmatch(rules, -1) {
		if !strings.Contains(deployFile(t, "prometheus/alerts.test.yml"), "alertname: "+alert[1]+"\n") {
			t.Errorf("alert %s has no test", alert[1])
		}
	}
	root, err := repository()
	must(t, err)
	for _, args := range [][]string{{"check", "rules", "alerts.yml"}, {"test", "rules", "alerts.test.yml"}} {
		cmd := exec.Command(program(t, "promtool"), args...)
		cmd.Dir = filepath.Join(root, "deploy", "prometheus")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("promtool %v: %v\n%s", args, err, out)
		}
	}
}

// metricNames are the daemon's metrics by name, and those that a histogram is
// made of. promtool has an opinion on their names and HELP.
func metricNames(t *testing.T, d *Daemon) []string {
	t.Helper()
	text, err := d.Get("/metrics")
	must(t, err)
	names := []string{"ddkk_http_request_duration_seconds"}
	for line := range strings.Lines(string(text)) {
		if name := regexp.MustCompile(`^[a-z_]+`).FindString(line); name != "" {
			names = append(names, name)
		}
	}
	cmd := exec.Command(program(t, "promtool"), "check", "metrics")
	cmd.Stdin = strings.NewReader(string(text))
	out, err := cmd.CombinedOutput()
	for line := range strings.Lines(string(out)) {
		if strings.HasPrefix(line, "ddkk_") {
			t.Errorf("promtool: %s", line)
		}
	}
	if err != nil && len(out) == 0 {
		t.Errorf("promtool check metrics: %v", err)
	}
	return names
}

// TestDeployInstall installs into an empty root folder and has the programs that
// will read the files look at them there.
func TestDeployInstall(t *testing.T) {
	t.Parallel()
	root, err := repository()
	must(t, err)
	dest := TempDir(t)
	install := func(targets ...string) {
		t.Helper()
		cmd := exec.Command("make", append(targets, "DESTDIR="+dest, "PREFIX=/usr", "VERSION=e2e")...)
		cmd.Dir = root
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("make %v: %v\n%s", targets, err, out)
		}
	}
	install("man", "install")
	for name, mode := range map[string]os.FileMode{
		"usr/bin/ddkk-stats": 0o755, "usr/bin/ddkk-stats-backup": 0o755, "usr/bin/ddkk-stats-restore-drill": 0o755,
		"usr/lib/systemd/system/ddkk-stats.service": 0o644, "usr/lib/systemd/system/ddkk-stats-backup.timer": 0o644,
		"usr/lib/sysusers.d/ddkk-stats.conf": 0o644, "usr/lib/tmpfiles.d/ddkk-stats.conf": 0o644, "etc/logrotate.d/ddkk-stats": 0o644,
		"etc/ddkk-stats.yaml": 0o640, "etc/ddkk-stats-backup.conf": 0o600, "usr/share/man/man1/ddkk-stats.1": 0o644,
		"usr/share/bash-completion/completions/ddkk-stats": 0o644, "usr/share/zsh/site-functions/_ddkk-stats": 0o644,
		"usr/share/fish/vendor_completions.d/ddkk-stats.fish": 0o644, "usr/share/doc/ddkk-stats/alerts.yml": 0o644,
	} {
		if info, err := os.Stat(filepath.Join(dest, name)); err != nil || info.Mode().Perm() != mode {
			t.Errorf("%s: %v, %v", name, info, err)
		}
	}
	if out := runTool(t, nil, "", filepath.Join(dest, "usr/bin/ddkk-stats"), "version"); !strings.HasPrefix(out, "ddkk-stats e2e ") {
		t.Errorf("version: %s", out)
	}

	// systemd looks for programs below the same root.
	must(t, os.MkdirAll(filepath.Join(dest, "bin"), 0o755))
	must(t, os.WriteFile(filepath.Join(dest, "bin/kill"), []byte("#!/bin/sh\n"), 0o755))
	analyze := program(t, "systemd-analyze")
	units := filepath.Join(dest, "usr/lib/systemd/system")
	for _, target := range []string{"basic", "sysinit", "network", "multi-user", "timers", "shutdown"} {
		must(t, os.WriteFile(filepath.Join(units, target+".target"), []byte("[Unit]\nDescription="+target+"\n"), 0o644))
	}
	for _, unit := range []string{"ddkk-stats.service", "ddkk-stats-backup.service", "ddkk-stats-backup.timer"} {
		if out := runTool(t, nil, "", analyze, "verify", "--man=no", "--root="+dest, unit); strings.Contains(out, "ddkk-stats") {
			t.Errorf("systemd-analyze verify %s:\n%s", unit, out)
		}
	}
	out := runTool(t, nil, "", analyze, "security", "--offline=yes", "--no-pager", "--threshold=20", filepath.Join(units, "ddkk-stats.service"))
	m := regexp.MustCompile(`Overall exposure level for ddkk-stats.service: ([0-9.]+)`).FindStringSubmatch(out)
	if m == nil {
		t.Errorf("systemd-analyze security:\n%s", out)
	} else {
		t.Logf("exposure %s", m[1])
	}
	runTool(t, nil, "", "systemd-sysusers", "--root="+dest)
	if passwd, err := os.ReadFile(filepath.Join(dest, "etc/passwd")); err != nil || !strings.Contains(string(passwd), "ddkk:") {
		t.Errorf("systemd-sysusers made no user: %v", err)
	}

	// logrotate and the settings, as they lie there.
	rule := filepath.Join(dest, "logrotate")
	text, err := os.ReadFile(filepath.Join(dest, "etc/logrotate.d/ddkk-stats"))
	must(t, err)
	must(t, os.WriteFile(rule, []byte(strings.ReplaceAll(string(text), "www-data ddkk", "root root")), 0o644))
	if out := runTool(t, nil, "", program(t, "logrotate"), "-d", rule); strings.Contains(out, "error:") {
		t.Errorf("logrotate:\n%s", out)
	}
	config := filepath.Join(dest, "etc/ddkk-stats.yaml")
	if out, err := Run(t, map[string]string{"DATA_DIR": filepath.Join(dest, "data")}, "check", "--config", config); err == nil || strings.Contains(out, "unknown") {
		t.Errorf("check with the installed settings: %v\n%s", err, out) // Redis and the log are not there
	}

	// Settings stay over an upgrade; everything else goes with uninstall.
	must(t, os.WriteFile(config, []byte("port: 1\n"), 0o640))
	install("install")
	install("uninstall")
	if text, err := os.ReadFile(config); err != nil || string(text) != "port: 1\n" {
		t.Errorf("settings after an upgrade: %q, %v", text, err)
	}
	if left, err := filepath.Glob(dest + "/usr/*/*ddkk*"); err != nil || len(left) > 0 {
		t.Errorf("left over: %v, %v", left, err)
	}
}
