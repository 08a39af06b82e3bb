package cli

import (
	"strings"
	"testing"
)

// TestNothingObeysAName: whatever a command prints of what somebody chose, a terminal
// shows it and does nothing else.
func TestNothingObeysAName(t *testing.T) {
	var out, errs strings.Builder
	if code := Run("test", []string{"rotate", "--config", "/no/\x1b]0;owned\x07\u202e"}, &out, &errs); code != 1 {
		t.Fatalf("exit %d", code)
	}
	if said := out.String() + errs.String(); strings.ContainsAny(said, "\x1b\x07\u202e") || !strings.Contains(said, `/no/\x1b]0;owned\a`) {
		t.Errorf("printed %q", said)
	}
}
