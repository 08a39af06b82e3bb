package main

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"ddkk-stats/internal/health"
)

const (
	statesFile  = "docs/OPERATIONS.md"
	statesBegin = "<!-- states: written by go generate -->\n"
	statesEnd   = "<!-- end of states -->\n"
)

// TestStatesManual: the manual's table of states is the code's own; `go generate .`
// brings it up to date.
func TestStatesManual(t *testing.T) {
	text := readDoc(t, statesFile)
	before, rest, ok := strings.Cut(text, statesBegin)
	_, after, ok2 := strings.Cut(rest, statesEnd)
	if !ok || !ok2 {
		t.Fatalf("%s has lost its marks", statesFile)
	}
	var b strings.Builder
	b.WriteString("\n| state | numbers | means | do | alert |\n| --- | --- | --- | --- | --- |\n")
	for i := range health.Table {
		r := &health.Table[i]
		raised := ""
		if r.Alert != "" {
			raised = "`" + r.Alert + "`"
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s | %s |\n", r.Name, map[health.Effect]string{
			health.Waits: "all stale", health.Some: "some stale", health.Noted: "current",
		}[r.Effect], r.Means, r.Do, raised)
	}
	want := before + statesBegin + b.String() + "\n" + statesEnd + after
	if *writeGenerated {
		if err := os.WriteFile(statesFile, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if text != want {
		t.Errorf("%s is not up to date: run `go generate .`", statesFile)
	}
}
