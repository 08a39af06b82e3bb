package cli

import (
	"bytes"
	"os/exec"
	"strings"
	"testing"

	"ddkk-stats/internal/config"
)

func TestManualPage(t *testing.T) {
	var page bytes.Buffer
	if err := writeMan(&page, RootCommand("test"), "test"); err != nil {
		t.Fatal(err)
	}
	text := page.String()
	for _, c := range RootCommand("test").Commands() {
		if !c.Hidden && !strings.Contains(text, `.SS ddkk\-stats `+manText(c.Name())) {
			t.Errorf("the page lacks the command %s", c.Name())
		}
	}
	for i := range config.Settings {
		if !strings.Contains(text, ".B "+config.Settings[i].Name+"\n") {
			t.Errorf("the page lacks the setting %s", config.Settings[i].Name)
		}
	}
	groff, err := exec.LookPath("groff")
	if err != nil {
		t.Log("groff is not installed; the page is not typeset")
		return
	}
	cmd := exec.Command(groff, "-man", "-Tutf8", "-ww", "-z")
	cmd.Stdin = &page
	if out, err := cmd.CombinedOutput(); err != nil || len(out) > 0 {
		t.Errorf("groff: %v\n%s", err, out)
	}
}

// What a shell is told is made from the command tree.
func TestCompletions(t *testing.T) {
	for _, shell := range []string{"bash", "zsh", "fish"} {
		var out, problems bytes.Buffer
		if status := Run("test", []string{"completion", shell}, &out, &problems); status != 0 || out.Len() == 0 {
			t.Errorf("%s: status %d, %s", shell, status, problems.String())
		}
	}
	var out, problems bytes.Buffer
	if status := Run("test", []string{"__complete", "res"}, &out, &problems); status != 0 || !strings.Contains(out.String(), "restore-from-mysql") || strings.Contains(out.String(), "man") {
		t.Errorf("status %d: %s %s", status, out.String(), problems.String())
	}
}
