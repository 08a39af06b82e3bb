package e2e

import "testing"

// TestFaultDamagedWhileDown plants a value of another type while the daemon is
// down: it is found before the log's folder was looked at for the first time.
func TestFaultDamagedWhileDown(t *testing.T) {
	r := startRig(t, rigOptions{})
	r.write(1000)
	r.exact()
	r.daemon.Terminate()
	must(t, plantList(t.Context(), r.client, counterKeys()["site pv"]))
	r.daemon.Start()
	r.write(300)
	r.exact().atLeast(t, 1, "ddkk_rebuilds_total")
}
