package answers

import (
	"testing"

	"ddkk-stats/internal/jobs"
	"ddkk-stats/internal/verify"
)

// TestVerifyVault verifies archived days in a Redis that has nothing of them.
func TestVerifyVault(t *testing.T) {
	past := newPastRig(t, "2026-11-20")
	var told []verify.Progress
	rep, err := jobs.Verify(t.Context(), past.vault, []byte("secret"), verify.Scope{}, func(p verify.Progress) { told = append(told, p) })
	if err != nil {
		t.Fatal(err)
	}
	last := told[len(told)-1]
	if len(rep.Sites) != 1 || rep.Sites[0].RolledUp != 1 || rep.Differences == 0 || last.Sites != 1 || last.Done != 1 {
		t.Errorf("%d sites, %+v, last told %+v", len(rep.Sites), rep.Sites, last)
	}
}
