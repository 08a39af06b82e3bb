//go:build attack

package e2e

import (
	"fmt"
	"net/url"
	"testing"
	"time"
)

// TestAttackCluster: names that look like keys and like hash tags of a cluster's slots change no
// number of a victim, on whatever node its keys are; what was restored after a failover is the same.
func TestAttackCluster(t *testing.T) {
	c := StartRedisCluster(t)
	addrs := ""
	for i, n := range c.Nodes {
		if i > 0 {
			addrs += ","
		}
		addrs += n.Addr
	}
	d := NewDaemon(t, map[string]string{"REDIS_ADDR": addrs, "REDIS_CLUSTER": "1", "TIMEZONE": "UTC"})
	n := StartNginx(t, Binary(t), d.Addr, "--trusted-proxies", "127.0.0.0/8")
	d.Env["ACCESS_LOG"] = n.Log
	d.Launch()
	d.WaitReady(2 * time.Minute)
	const victim = "victim.com"
	today := time.Now().UTC().Format("20060102")
	lines := 0
	hostile := func(from int) {
		s := newStranger(t, n.Addr, from)
		for _, site := range []string{"{" + victim + "}", "set:{" + victim + "}", "{" + victim, victim + "}", "{}" + victim, "set", "pairs", "{x}{" + victim + "}", "*"} {
			for _, page := range []string{"/", "{" + victim + "}", victim + ":" + today, "{" + victim + "}:" + today, "pairs:{" + victim + "}:" + today} {
				s.beacon(site, page, "&category="+url.QueryEscape("{"+victim+"}")+"&action="+url.QueryEscape(page))
				s.beacon(site, page, "")
				lines += 2
			}
		}
	}
	hostile(600)
	for i := range 5 {
		s := newStranger(t, n.Addr, i+1)
		s.beacon(victim, "/a", "")
		s.beacon(victim, "/a", "")
		lines += 2
	}
	hostile(900)
	want := func() {
		t.Helper()
		for key, want := range map[string]int64{"site:pv:{" + victim + "}": 10, "site:uv:{" + victim + "}": 5, "page:pv:{" + victim + "}:/a": 10, "page:uv:{" + victim + "}:/a": 5} {
			Eventually(t, 2*time.Minute, key, func() error {
				got, err := c.Client().Get(t.Context(), "ddkk:"+key).Int64()
				if err == nil && got != want {
					err = fmt.Errorf("%d, want %d", got, want)
				}
				return err
			})
		}
	}
	Eventually(t, 2*time.Minute, "all lines are read", func() error {
		b, err := readBooks(d)
		if err == nil && b.sum("ddkk_log_lines_read_total") < float64(lines) {
			err = fmt.Errorf("%v of %d lines", b.sum("ddkk_log_lines_read_total"), lines)
		}
		return err
	})
	want()
	b, err := readBooks(d)
	must(t, err)
	b.want(t, 0, "ddkk_rebuilds_total")
	if out, err := Run(t, d.Env, "verify"); err != nil {
		t.Errorf("verify: %v\n%s", err, out)
	}
	c.Failover(c.Slot(victim))
	c.WaitWhole()
	want()
	if out, err := Run(t, d.Env, "verify"); err != nil {
		t.Errorf("verify after a failover: %v\n%s", err, out)
	}
}
