package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestHarnessAPIExamples runs every curl of docs/API.md against the daemon.
func TestHarnessAPIExamples(t *testing.T) {
	root, err := repository()
	must(t, err)
	text, err := os.ReadFile(filepath.Join(root, "docs", "API.md"))
	must(t, err)
	d := StartDaemon(t, map[string]string{"ADMIN_TOKEN": "token-of-the-examples", "TIMEZONE": "UTC"})
	ran := 0
	for _, m := range regexp.MustCompile("(?s)```sh\n(.*?)```").FindAllStringSubmatch(string(text), -1) {
		for line := range strings.Lines(m[1]) {
			ran++
			cmd := exec.Command("sh", "-c", strings.ReplaceAll(line, "127.0.0.1:8360", d.Addr))
			cmd.Env = append(os.Environ(), "ADMIN_TOKEN=token-of-the-examples")
			out, err := cmd.CombinedOutput()
			switch {
			case err != nil:
				t.Errorf("%s: %v\n%s", strings.TrimSpace(line), err, out)
			case strings.Contains(line, `"source":"mysql"`):
				if !strings.Contains(string(out), `"unknown_site"`) { // nothing is archived yet
					t.Errorf("%s: %s", strings.TrimSpace(line), out)
				}
			case strings.Contains(string(out), `"error"`):
				t.Errorf("%s: %s", strings.TrimSpace(line), out)
			}
		}
	}
	if ran < 10 {
		t.Errorf("only %d examples", ran)
	}
}
