package logs

import (
	"os"
	"path/filepath"
	"testing"

	"ddkk-stats/internal/config"
)

// All files of all logs are added up, each once, and nothing else.
func TestUsage(t *testing.T) {
	dir := t.TempDir()
	c := &config.Config{DataDir: filepath.Join(dir, "data"), AccessLog: filepath.Join(dir, "log", "event.log"), LogBudget: 1000}
	if u, err := UsageOf(c); err != nil || u.Bytes != 0 || u.Over() {
		t.Errorf("nothing there: %+v, %v", u, err)
	}
	for name, size := range map[string]int{
		"log/event.log": 300, "log/event.log.1": 200, "log/event.log.20261130.gz": 100, "log/other.log": 5000, "log/event.log.d/x": 5000,
		filepath.Join("data", "log", filepath.Base(c.BeaconLog())): 200,
	} {
		name = filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, make([]byte, size), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	u, err := UsageOf(c)
	if err != nil || u.Bytes != 800 || u.Over() {
		t.Errorf("%+v, %v; want 800 bytes, which are not over", u, err)
	}
	if u.Bytes++; !u.Over() {
		t.Error("801 of 1000 bytes are not over")
	}
	if u.Budget = 0; u.Over() {
		t.Error("no budget is over")
	}
}
