package parser

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
)

// realLog is described in testdata/README.md.
const realLog = "testdata/apache_combined.log.gz"

// TestRealLog reads a real server's log as an import would: every line has an
// outcome, and who is a bot stays as it was.
func TestRealLog(t *testing.T) {
	p, err := New(Config{Format: FormatCombined, Secret: []byte("real log"), BlockedPaths: []string{"/favicon.ico"}})
	if err != nil {
		t.Fatal(err)
	}
	counts, pages, bots := map[string]int{}, map[string]int{}, map[string]int{}
	visitors := map[Visitor]bool{}
	var h Hit
	for _, line := range gzLines(t, realLog) {
		p.Parse([]byte(line), &h)
		counts["parse "+h.Kind.String()+" "+h.Reason.String()]++
		if h.Kind == Malformed {
			continue
		}
		p.PageOf(&h, "www.example.com", h.URI)
		counts["import "+h.Kind.String()+" "+h.Reason.String()]++
		if h.Kind != Pageview {
			continue
		}
		counts[fmt.Sprintf("bot=%t %s", h.Bot, h.Device)]++
		counts[fmt.Sprintf("day %d", h.Day)]++
		visitors[h.Visitor] = true
		pages[string(h.Page)]++
		if h.Bot {
			bots[string(h.UserAgent)]++
		}
	}
	var b strings.Builder
	for _, k := range slices.Sorted(maps.Keys(counts)) {
		fmt.Fprintf(&b, "%s: %d\n", k, counts[k])
	}
	fmt.Fprintf(&b, "visitors: %d\npages: %d\n", len(visitors), len(pages))
	for _, k := range slices.Sorted(maps.Keys(bots)) {
		fmt.Fprintf(&b, "bot %d %q\n", bots[k], k)
	}
	checkGolden(t, "testdata/apache_combined.golden", b.String())
}
