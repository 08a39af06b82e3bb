package cli

import (
	"runtime/debug"
	"strings"
	"testing"
)

func TestBuiltFrom(t *testing.T) {
	revision := debug.BuildSetting{Key: "vcs.revision", Value: "0123abcd"}
	for want, settings := range map[string][]debug.BuildSetting{
		"":                              {{Key: "vcs.modified", Value: "true"}},
		" commit 0123abcd":              {revision, {Key: "vcs.modified", Value: "false"}},
		" commit 0123abcd with changes": {{Key: "vcs.modified", Value: "true"}, revision},
	} {
		if got := builtFrom(settings); got != want {
			t.Errorf("%v: %q, want %q", settings, got, want)
		}
	}
}

func TestVersion(t *testing.T) {
	var out, problems strings.Builder
	if status := Run("v1.2.3", []string{"version"}, &out, &problems); status != 0 || !strings.HasPrefix(out.String(), "ddkk-stats v1.2.3 go1.") {
		t.Errorf("%d: %q, %q", status, out.String(), problems.String())
	}
}
