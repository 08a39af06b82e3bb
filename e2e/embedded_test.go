package e2e

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"
)

// TestEmbedded runs the daemon as a newcomer does, with nothing but a port
// and a folder: its own beacon, Redis and SQL. Everything it knows is in the
// folder, so a restart, also after kill -9, ends with the same numbers.
func TestEmbedded(t *testing.T) {
	daemon := StartDaemon(t, nil)
	ledger := NewLedger(time.Local)
	send := func(seed uint64) {
		t.Helper()
		load := StartLoad(t, LoadOptions{Addr: daemon.Addr, Ledger: ledger, Total: 400, Clients: 4, Seed: seed})
		load.Wait()
		if load.Refused() != 0 {
			t.Errorf("%d beacons were refused", load.Refused())
		}
	}
	send(1)
	waitTotals(t, daemon, ledger)

	daemon.Terminate()
	daemon.Start()
	waitTotals(t, daemon, ledger)

	send(100)
	daemon.Kill() // at once: what was answered 200 is in the log
	daemon.Start()
	waitTotals(t, daemon, ledger)
	send(200)
	waitTotals(t, daemon, ledger)
	daemon.Terminate()
}

// siteNumbers is what POST /api/stats answers for these fields.
type siteNumbers struct {
	Site   string `json:"site"`
	SitePV int64  `json:"site_pv"`
	SiteUV int64  `json:"site_uv"`
	PagePV int64  `json:"page_pv"`
}

// waitTotals waits until the API shows the ledger's totals of every site.
func waitTotals(t *testing.T, daemon *Daemon, ledger *Ledger) {
	t.Helper()
	for _, site := range ledger.Sites() {
		want := siteNumbers{Site: site, SitePV: ledger.PV(site), SiteUV: ledger.UV(site), PagePV: ledger.PagePV(site, "/")}
		Eventually(t, 30*time.Second, "the API shows "+site, func() error {
			body, err := daemon.Post("/api/stats",
				fmt.Sprintf(`{"site":%q,"page":"/","fields":["site_pv","site_uv","page_pv"]}`, site))
			if err != nil {
				return err
			}
			var got siteNumbers
			if err := json.Unmarshal(body, &got); err != nil {
				return fmt.Errorf("%w in %s", err, body)
			}
			if got != want {
				return fmt.Errorf("got %+v, want %+v", got, want)
			}
			return nil
		})
	}
}
