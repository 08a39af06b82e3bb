package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// reloadRig is a rig whose daemon reads a configuration file.
type reloadRig struct {
	*rig
	file string
}

func startReloadRig(t *testing.T, settings string) *reloadRig {
	t.Helper()
	r := &reloadRig{rig: newRig(t, rigOptions{writer: WriterOptions{Workers: 2}})}
	r.file = filepath.Join(TempDir(t), "settings.yaml")
	must(t, os.WriteFile(r.file, []byte(settings), 0o600))
	r.daemon.Env["CONFIG"] = r.file
	r.daemon.Start()
	return r
}

// replace puts the settings into the file's place as editors do.
func (r *reloadRig) replace(settings string) {
	r.t.Helper()
	must(r.t, os.WriteFile(r.file+".new", []byte(settings), 0o600))
	must(r.t, os.Rename(r.file+".new", r.file))
}

// wantLoggedTimes waits until the log has a text so often.
func (r *reloadRig) wantLoggedTimes(text string, n int) {
	r.t.Helper()
	Eventually(r.t, 20*time.Second, "the daemon's log", func() error {
		if have := strings.Count(r.daemon.Log(), text); have < n {
			return fmt.Errorf("%q is there %d times of %d", text, have, n)
		}
		return nil
	})
}

// TestReload changes settings of a daemon that counts: by the file and by
// SIGHUP, right and wrong ones.
func TestReload(t *testing.T) {
	r := startReloadRig(t, "sites: ddkk.com\n")
	only := func(site string) {
		t.Helper()
		for range 400 {
			q := r.traffic.Next()
			if q.Site == site {
				r.writer.Write(0, q)
				continue
			}
			q.Time = time.Now()
			r.writer.Raw(0, Line(q)+"\n") // must not count
		}
		r.ledger.WaitEqual(t, r.client, settleLimit)
	}
	only("ddkk.com")
	if _, err := r.daemon.Post("/api/stats", `{"site":"example.org","fields":["site_pv"]}`); err == nil || !strings.Contains(err.Error(), "403") {
		t.Errorf("a site that does not count: %v", err)
	}

	// A broken file changes nothing, and all that is wrong with it is said.
	r.replace("sites: [ddkk.com, example.org]\nlog_level: loud\nbatch_size: many\nsitez: x\n")
	r.wantLogged("cannot reload settings")
	for _, text := range []string{"LOG_LEVEL", "BATCH_SIZE", "sitez", "did you mean sites"} {
		r.wantLogged(text)
	}
	if b := checkBooks(t, r.daemon); b["ddkk_config_last_reload_successful"] != 0 {
		t.Error("the metric says that the reload went well")
	}

	// The other site counts from here on, and the first one does not.
	r.replace("sites: example.org\nlog_level: debug\nadmin_token: sesame-open-thyself\nuv_set_ttl: 96h\n")
	r.wantLogged(`changed settings need a restart; until then the old values stay in force" settings=UV_SET_TTL`)
	r.wantLogged("new rules apply to lines from here on")
	if _, err := r.daemon.Post("/api/stats", `{"site":"example.org","fields":["site_pv"]}`); err != nil {
		t.Error(err)
	}
	if _, err := r.daemon.Get("/metrics"); err == nil || !strings.Contains(err.Error(), "401") {
		t.Errorf("without the new token: %v", err)
	}
	only("example.org") // and ddkk.com stays as it was

	// SIGHUP reads the file also when it looks the same; many at once are one.
	for range 20 {
		r.daemon.HangUp()
	}
	r.wantLoggedTimes("settings reloaded: nothing to change", 1)
	r.replace("sites: [ddkk.com, example.org]\n")
	r.wantLoggedTimes("new rules apply to lines from here on", 2)
	checkBooks(t, r.daemon)

	// Gone is no reason to forget what was set.
	must(t, os.Remove(r.file))
	r.wantLoggedTimes("cannot reload settings", 2)
	if strings.Contains(r.daemon.Log(), "sesame") {
		t.Error("the log has the token")
	}
}

// TestReloadUnderLoad reloads again and again while lines come, with settings
// that do not change what counts: every line is counted once.
func TestReloadUnderLoad(t *testing.T) {
	r := startReloadRig(t, "batch_size: 500\n")
	stop := r.feed()
	for i := range 12 {
		r.more(300)
		r.replace(fmt.Sprintf("batch_size: %d\nblock_ips: [203.0.113.%d]\nbatch_interval: %dms\n", 400+i, i, 1+i%3))
		r.daemon.HangUp()
		if i%4 == 1 {
			r.rotate()
		}
	}
	stop()
	r.exact()
}
