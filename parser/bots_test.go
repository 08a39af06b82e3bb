package parser

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestCrawlerList matches what the list's authors give as instances.
func TestCrawlerList(t *testing.T) {
	m, err := crawlers()
	if err != nil {
		t.Fatal(err)
	}
	agents := gzLines(t, "testdata/crawler_agents.txt.gz")
	if len(agents) < 2000 {
		t.Fatalf("only %d instances", len(agents))
	}
	for _, agent := range agents {
		if !m.match([]byte(agent)) {
			t.Errorf("no bot: %s", agent)
		}
	}
}

// TestMatcherAgainstRegexp compares with the plain way, over agents of both
// kinds and pieces of them.
func TestMatcherAgainstRegexp(t *testing.T) {
	m, err := crawlers()
	if err != nil {
		t.Fatal(err)
	}
	var all []*regexp.Regexp
	for _, pattern := range strings.Split(crawlerPatterns+monitorPatterns, "\n") {
		if pattern != "" && pattern[0] != '#' {
			all = append(all, regexp.MustCompile(pattern))
		}
	}
	slow := func(agent string) bool {
		return slices.ContainsFunc(all, func(re *regexp.Regexp) bool { return re.MatchString(agent) })
	}
	agents := append(realAgents(t), "curl/8", "x curl/8", "sentry/1", "a sentry/1", "asentry/1", "AdsBot-Google", "AdsBot-Google-", "Silk/1", "x Silk/1",
		"Current x RSS Reader", "BlogTraffic/1.23 Feed-Fetcher", "BlogTraffic/1 Feed-Fetcher", "SSL Labs", "SSL Labs.", "SeMrushBot", "wget", "Wget", "WGET",
		"ELB-HealthChecker/2.0", "elb-healthchecker", "kube-probe/1.30", "x kube-probe/1", "AlwaysOn", "AlwaysOn!", "haproxy", "haproxyx", "check_mk", "uncheck_mk")
	for i, agent := range agents {
		if i%8 != 0 && i < len(agents)-20 {
			continue // the plain way is slow
		}
		for _, piece := range []string{agent, agent[len(agent)/3:], agent[:i%(len(agent)+1)]} {
			if got, want := m.match([]byte(piece)), slow(piece); got != want {
				t.Errorf("bot %t, want %t: %q", got, want, piece)
			}
		}
	}
}

// TestMonitors: health checks are not people, and people are.
func TestMonitors(t *testing.T) {
	m, err := crawlers()
	if err != nil {
		t.Fatal(err)
	}
	for _, agent := range []string{
		"ELB-HealthChecker/2.0", "kube-probe/1.30", "GoogleHC/1.0", "Uptime-Kuma/1.23.11", "Amazon-Route53-Health-Check-Service (ref 1; report http://amzn.to/1vsZADi)",
		"Consul Health Check", "Azure Traffic Manager Endpoint Monitor", "AlwaysOn", "HealthCheck/1.0", "ReadyForRequest/1.0 (AppInit)", "Edge Health Probe",
		"Load Balancer Agent", "Envoy/HC", "Cloudflare-Traffic-Manager/1.0 (+https://www.cloudflare.com/traffic-manager/; pool-id: x)", "HAProxy/2.8", "haproxy",
		"Mozilla/5.0 (compatible;Cloudflare-Healthchecks/1.0;+https://www.cloudflare.com/; healthcheck-id: x)", "clb-healthcheck", "SLBHealthCheck", "Fastly-Healthcheck",
		"GoogleStackdriverMonitoring-UptimeChecks(https://cloud.google.com/monitoring)", "DigitalOcean Uptime Probe 0.22.0 (https://digitalocean.com)", "DO-LoadBalancer",
		"Apache/2.4.18 (Ubuntu) OpenSSL/1.0.2g (internal dummy connection)", "check_http/v2.3 (monitoring-plugins 2.3)", "Prometheus/2.45", "Blackbox Exporter/0.24.0",
		"Gatus/1.0", "Monit/5.33", "NewRelicPinger/1.0", "Datadog/Synthetics", "Zabbix 6.0", "Pingdom.com_bot_version_1.4", "Mozilla/5.0+(compatible; UptimeRobot/2.0; http://www.uptimerobot.com/)",
		"StatusCake", "Better Uptime Bot Mozilla/5.0", "A10HM/1.0", "lua-resty-healthcheck/1.6", "docker-healthcheck",
	} {
		if !m.match([]byte(agent)) {
			t.Errorf("no health check: %s", agent)
		}
	}
	for _, agent := range []string{
		"Mozilla/5.0 (X11; Linux x86_64; rv:130.0) Gecko/20100101 Firefox/130.0",
		"Mozilla/5.0 (Linux; Android 14; Pixel 8) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 Mobile Safari/537.36",
		"Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 Mobile/15E148 Safari/604.1",
		"Mozilla/5.0 (Windows NT 10.0; Win64; x64; Healthcare) Gecko/20100101 Firefox/130.0",
	} {
		if m.match([]byte(agent)) {
			t.Errorf("a person is taken for a health check: %s", agent)
		}
	}
}

func TestMatcherErrors(t *testing.T) {
	for _, pattern := range []string{"a(b", "x*", "(?i)bot", strings.Repeat("x", maxStates)} {
		if _, err := newBotMatcher("# comment\n\n" + pattern + "\n"); err == nil {
			t.Errorf("pattern %.20q is accepted", pattern)
		}
	}
}

func TestDevice(t *testing.T) {
	table, err := clients()
	if err != nil {
		t.Fatal(err)
	}
	f := func(agent string, want Device) {
		t.Helper()
		if got := table.client([]byte(agent)).device; got != want {
			t.Errorf("%q is %s, want %s", agent, got, want)
		}
	}
	f("", PC)
	f("Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/130.0 Safari/537.36", PC)
	f("Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 Version/17.0 Safari/605.1.15", PC)
	f("Mozilla/5.0 (X11; CrOS x86_64 14541.0.0) AppleWebKit/537.36 Chrome/130.0 Safari/537.36", PC)
	f("Mozilla/5.0 (Linux; Android 14; Pixel 8) AppleWebKit/537.36 Chrome/130.0 Mobile Safari/537.36", Mobile)
	f("Mozilla/5.0 (Linux; Android 13; SM-X200) AppleWebKit/537.36 Chrome/130.0 Safari/537.36", Mobile)
	f("Mozilla/5.0 (iPad; CPU OS 6_0_1 like Mac OS X) Version/6.0 Mobile/10A523 Safari/8536.25", Mobile)
	f("Opera/9.80 (J2ME/MIDP; Opera Mini/5.0) Presto/2.5", Mobile)
}

// TestCacheBounds floods the caches; what is in use stays right.
func TestCacheBounds(t *testing.T) {
	c := newCache[int](10, 8)
	for i := range 1000 {
		key := []byte(fmt.Sprint(i))
		c.put(key, i)
		if got, ok := c.get(key); !ok || got != i {
			t.Fatalf("key %d is %d, %t", i, got, ok)
		}
		if v, ok := c.get([]byte("0")); ok && v != 0 {
			t.Fatalf("key 0 is %d", v)
		}
		if len(c.young) > 10 || len(c.old) > 10 {
			t.Fatalf("%d and %d keys in a cache of 10", len(c.young), len(c.old))
		}
	}
	if _, ok := c.get([]byte("0")); !ok {
		t.Error("a key in constant use is forgotten")
	}
	if c.put([]byte("123456789"), 1); len(c.young)+len(c.old) > 20 {
		t.Error("a key that is too long is kept")
	}
	if _, ok := c.get([]byte("123456789")); ok {
		t.Error("a key that is too long is kept")
	}
}
