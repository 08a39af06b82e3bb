package e2e

import (
	"os"
	"testing"
)

// TestFaultCutBelowCheckpointAfterKill is the same for a daemon that was
// killed before it could write down how far it is: only Redis knows.
func TestFaultCutBelowCheckpointAfterKill(t *testing.T) {
	r := startRig(t, rigOptions{})
	r.write(500)
	kept := fileSize(t, r.log)
	r.write(500)
	r.exact()
	r.daemon.Kill()
	must(t, os.Truncate(r.log, kept))
	r.daemon.Start()
	r.wantMetric(1, "ddkk_segments_cut")
	r.unrecorded(20) // these cannot be told from what was counted
	r.rotate()
	r.writer.Settle()
	r.write(500)
	r.exact()
}
