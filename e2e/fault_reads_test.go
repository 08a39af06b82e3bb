package e2e

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"
)

// TestFaultReadsWhileRedisIsDown reads the numbers while Redis does not
// answer: they are the last known ones, and say so.
func TestFaultReadsWhileRedisIsDown(t *testing.T) {
	r := startRig(t, rigOptions{})
	r.write(1000)
	r.exact()
	const site, page = damagedSite, damagedPage
	type numbers struct {
		SitePV int64 `json:"site_pv"`
		SiteUV int64 `json:"site_uv"`
		PagePV int64 `json:"page_pv"`
		Stale  bool  `json:"stale"`
	}
	read := func() (n numbers, err error) {
		body, err := r.daemon.Post("/api/stats",
			fmt.Sprintf(`{"site":%q,"page":%q,"fields":["site_pv","site_uv","page_pv"]}`, site, page))
		if err != nil {
			return n, err
		}
		return n, json.Unmarshal(body, &n)
	}
	shows := func(stale bool, want numbers) {
		t.Helper()
		want.Stale = stale
		Eventually(t, 20*time.Second, fmt.Sprintf("/api/stats answers %+v", want), func() error {
			got, err := read()
			if err == nil && got != want {
				err = fmt.Errorf("it answers %+v", got)
			}
			return err
		})
	}
	now := func() numbers {
		return numbers{SitePV: r.ledger.PV(site), SiteUV: r.ledger.UV(site), PagePV: r.ledger.PagePV(site, page)}
	}
	shows(false, now())
	for _, fault := range []struct {
		what    string
		on, off func()
	}{
		{"killed", r.redis.Kill, r.redis.Start},
		{"hanging", func() { r.proxy.BlackHole(true) }, func() { r.proxy.BlackHole(false) }},
		{"refusing connections", func() { r.proxy.Refuse(true) }, func() { r.proxy.Refuse(false) }},
	} {
		t.Log("Redis is " + fault.what)
		last := now()
		fault.on()
		r.write(200) // these wait in the log
		shows(true, last)
		r.wantNotReady()
		for range 20 {
			began := time.Now()
			if got, err := read(); err != nil || !got.Stale {
				t.Errorf("a read was answered %+v, %v", got, err)
			}
			if took := time.Since(began); took > 3*time.Second {
				t.Errorf("a read took %v", took)
			}
		}
		fault.off()
		r.daemon.WaitReady(30 * time.Second)
		shows(false, now())
		r.exact()
	}
}
