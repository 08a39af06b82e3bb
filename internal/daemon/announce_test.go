package daemon

import (
	"strings"
	"testing"

	"ddkk-stats/internal/config/configtest"
)

// A first start tells what is left to do, and not what is done.
func TestFirstSteps(t *testing.T) {
	bare := firstSteps(configtest.Load(t, map[string]string{"DATA_DIR": t.TempDir()}, ""))
	for _, want := range []string{"1. paste the widget's line", "look at the dashboard", "ADMIN_TOKEN", "SITES", "nginx-conf", "ddkk-stats check"} {
		if !strings.Contains(bare, want) {
			t.Errorf("nothing says %q:\n%s", want, bare)
		}
	}
	set := firstSteps(configtest.Load(t, map[string]string{"DATA_DIR": t.TempDir(), "ADMIN_TOKEN": "a-token-of-twenty-bytes", "SITES": "ddkk.com", "ACCESS_LOG": "/var/log/ddkk/event.log"}, ""))
	for _, done := range []string{"ADMIN_TOKEN", "SITES", "nginx-conf"} {
		if strings.Contains(set, done) {
			t.Errorf("%s is set, and told:\n%s", done, set)
		}
	}
}
