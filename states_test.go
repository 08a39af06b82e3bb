package main

import (
	"fmt"
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
	generated(t, statesFile, statesBegin, statesEnd, b.String()+"\n")
}
