package e2e

import (
	"os"
	"strings"
	"testing"
	"time"
)

// Faults of what lies beside the log: files of others, copies, edits.

// TestFaultFilesOfOthers: what only begins like a log is neither counted nor
// deleted, however old it is, and the start message and `check` name it.
func TestFaultFilesOfOthers(t *testing.T) {
	r := newRig(t, rigOptions{env: map[string]string{"LOG_RETENTION": "1s"}})
	r.write(40)
	rotated := r.rotate()
	r.write(10)
	r.writer.Settle()
	old := time.Now().Add(-40 * 24 * time.Hour)
	others := []string{"-blog.example.com", ".keep-for-the-lawyers", ".all", "_processed"}
	for _, ending := range others {
		copyFile(t, rotated, r.log+ending)
		must(t, os.Chtimes(r.log+ending, old, old))
	}
	must(t, os.WriteFile(r.log+".7", []byte("Dear lawyer,\n"), 0o600))
	must(t, os.Chtimes(r.log+".7", old, old))
	must(t, os.Chtimes(rotated, old, old))
	others = append(others, ".7")
	r.daemon.Start()
	r.exact()
	if out, err := Run(t, r.daemon.Env, "archive"); err != nil {
		t.Fatalf("archive: %v\n%s", err, out)
	}
	if _, err := os.Stat(rotated); !os.IsNotExist(err) {
		t.Errorf("the rotated segment, archived and old: %v", err)
	}
	check, _ := Run(t, r.daemon.Env, "check") // its status is about other things
	for _, ending := range others {
		if _, err := os.Stat(r.log + ending); err != nil {
			t.Errorf("deleted: %v", err)
		}
		for where, text := range map[string]string{"start message": r.daemon.Log(), "check": check} {
			if !strings.Contains(text, r.log+ending) {
				t.Errorf("the %s does not name %s", where, ending)
			}
		}
	}
	r.exact().want(t, 0, "ddkk_segments_alarm")
}
