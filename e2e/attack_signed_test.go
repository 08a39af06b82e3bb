package e2e

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"testing"
)

// TestAttackSigned: with BEACON_KEY a stranger's beacons count for nothing, but for
// copies of what is on a page.
func TestAttackSigned(t *testing.T) {
	t.Parallel()
	const key = "sixteen or more characters"
	r := startAttack(t, map[string]string{"BEACON_KEY": key})
	mac := hmac.New(sha256.New, []byte(key))
	mac.Write([]byte("ddkk.com\n/post/1"))
	sig := "&sig=" + hex.EncodeToString(mac.Sum(nil))[:32]
	s := r.stranger(1)
	s.beacon("ddkk.com", "/post/1", sig)
	s.beacon("www.ddkk.com", "/post/1", "&x=1"+sig)
	for _, more := range []string{"", "&sig=", "&sig=00000000000000000000000000000000"} {
		s.beacon("ddkk.com", "/post/1", more)
		s.beacon("made-up.example", "/", more)
	}
	s.beacon("ddkk.com", "/post/2", sig)
	s.beacon("made-up.example", "/post/1", sig)
	b := r.counted(10)
	r.number("ddkk:page:pv:ddkk.com:/post/1", 2)
	b.want(t, 8, "ddkk_log_lines_total", `result="skipped"`, `reason="unsigned"`)
	if n, err := r.client.SCard(t.Context(), "ddkk:sites").Result(); err != nil || n != 1 {
		t.Errorf("%d sites, %v; want 1", n, err)
	}
	if out, err := Run(t, r.daemon.Env, "verify"); err != nil {
		t.Errorf("verify: %v\n%s", err, out)
	}
}
