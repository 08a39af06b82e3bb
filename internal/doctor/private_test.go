package doctor

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"ddkk-stats/internal/config/configtest"
)

func TestCheckPrivateLogs(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "log")
	if err := os.Mkdir(dir, 0o750); err != nil {
		t.Fatal(err)
	}
	log := filepath.Join(dir, "event.log")
	configtest.WriteFile(t, log, "", 0o644)
	for _, up := range []string{filepath.Dir(dir), filepath.Dir(filepath.Dir(dir))} { // t.TempDir's own
		if err := os.Chmod(up, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	f := func(folder, file os.FileMode, open bool) {
		t.Helper()
		for path, mode := range map[string]os.FileMode{dir: folder, log: file} {
			if err := os.Chmod(path, mode); err != nil {
				t.Fatal(err)
			}
		}
		all := newCheckup(t, map[string]string{"ACCESS_LOG": log}).privateLogs(context.Background())
		if !open {
			if len(all) > 0 {
				t.Errorf("folder %v, file %v: %+v", folder, file, all)
			}
			return
		}
		wantFinding(t, all, LevelWarn, "ACCESS_LOG", "chmod o-rwx "+dir)
	}
	f(0o755, 0o644, true)
	f(0o751, 0o644, true)
	f(0o750, 0o644, false)
	f(0o755, 0o640, false)
}
