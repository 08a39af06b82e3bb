package e2e

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// TestFaultStart starts the daemon on a Redis that takes no writes yet, for one reason
// after the other: it waits, serves old numbers as stale, says by name what it
// waits for, and goes on with the same secret.
func TestFaultStart(t *testing.T) {
	r := startRig(t, rigOptions{})
	set := func(name, value string) { must(t, r.client.ConfigSet(t.Context(), name, value).Err()) }
	r.write(300)
	r.exact()
	secret := r.client.Get(t.Context(), "ddkk:secret").Val()
	for _, x := range []struct {
		name    string
		on, off func()
	}{
		{"redis-full", func() { set("maxmemory", "1") }, func() { set("maxmemory", "0") }},
		{"redis-read-only", func() { set("min-replicas-to-write", "1") }, func() { set("min-replicas-to-write", "0") }},
		{"redis-refuses", func() { set("requirepass", "hush") }, func() { set("requirepass", "") }},
	} {
		r.daemon.Terminate()
		x.on()
		r.daemon.Launch()
		r.write(100)
		r.wantNotReady(x.name)
		if body, err := r.daemon.Post("/api/stats", `{"site":"ddkk.com","page":"/","fields":["site_pv"]}`); err != nil || !strings.Contains(string(body), `"stale":true`) {
			t.Errorf("%s: /api/stats answers %s, %v; want stale numbers", x.name, body, err)
		}
		x.off()
		r.daemon.WaitReady(30 * time.Second)
		r.exact()
	}
	// The same while it runs: what Redis answers is old.
	set("maxmemory", "1")
	r.write(100)
	r.wantNotReady("redis-full")
	Eventually(t, 10*time.Second, "reads are stale", func() error {
		body, err := r.daemon.Post("/api/stats", `{"site":"ddkk.com","page":"/","fields":["site_pv"]}`)
		if err == nil && !strings.Contains(string(body), `"stale":true`) {
			err = fmt.Errorf("it answers %s", body)
		}
		return err
	})
	set("maxmemory", "0")
	r.exact()
	if now := r.client.Get(t.Context(), "ddkk:secret").Val(); now != secret || secret == "" {
		t.Errorf("the secret was %q and is %q", secret, now)
	}
}

// TestFaultNoScripts starts the daemon on a server that cannot run the scripts: it is
// refused, and nothing of it is touched.
func TestFaultNoScripts(t *testing.T) {
	redis := StartRedis(t, "--rename-command", "EVAL", "", "--rename-command", "EVALSHA", "")
	client := redis.Client(t)
	must(t, client.Set(t.Context(), "ddkk:site:pv:ddkk.com", 5, 0).Err())
	d := NewDaemon(t, map[string]string{"REDIS_ADDR": redis.Addr})
	out, err := Run(t, d.Env, "server")
	if err == nil || !strings.Contains(out, "Redis 7.0 or later is needed") {
		t.Errorf("it ends with %v and says:\n%s", err, out)
	}
	if v := client.Get(t.Context(), "ddkk:site:pv:ddkk.com").Val(); v != "5" {
		t.Errorf("a key of the site was %q afterwards", v)
	}
}
