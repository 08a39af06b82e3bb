package e2e

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

// TestFaultEndlessLine has 64 MiB without a newline, in many writes and at
// once, as a hole that a crash leaves. The memory of the daemon must not
// follow.
func TestFaultEndlessLine(t *testing.T) {
	const size = 64 << 20
	for _, hole := range []bool{false, true} {
		t.Run(fmt.Sprintf("hole=%t", hole), func(t *testing.T) {
			r := startRig(t, rigOptions{})
			r.write(3000)
			r.exact()
			const most = 48 << 10 // KiB
			before := peakMemory(t, r.daemon.PID())
			if hole {
				must(t, os.Truncate(r.log, fileSize(t, r.log)+size))
			} else {
				piece := strings.Repeat("no newline here ", 4096)
				for range size / len(piece) {
					r.writer.Raw(0, piece)
				}
			}
			r.writer.Raw(0, "\n")
			r.write(100)
			b := r.exact()
			if got := b.result("malformed"); got != 1 {
				t.Errorf("%v lines are malformed, want 1:\n%s", got, b.lines())
			}
			grown := peakMemory(t, r.daemon.PID()) - before
			t.Logf("peak memory grew by %d KiB", grown)
			if grown > most {
				t.Errorf("64 MiB without a newline took %d KiB of memory, want at most %d", grown, most)
			}
		})
	}
}
