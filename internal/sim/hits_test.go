package sim

import (
	"testing"
	"time"
)

// A view that is asked for again is the same in all but its time, which no other request
// has and which is in the same minute, also at the end of one.
func TestViewAskedForAgain(t *testing.T) {
	for _, second := range []time.Duration{0, 30 * time.Second, time.Minute - time.Millisecond} {
		h := hit{at: epoch.Add(second), site: sites[0], page: "/p", id: "v1"}
		times := map[time.Time]bool{h.at: true, h.at.Add(time.Millisecond): true} // that of world.again, too
		for range 500 {
			x := h.again()
			if times[x.at] {
				t.Fatalf("two requests of %s", x.at)
			}
			times[x.at] = true
			if !x.at.Truncate(time.Minute).Equal(h.at.Truncate(time.Minute)) {
				t.Errorf("a request of %s is asked for again at %s", h.at, x.at)
			}
			if x.at, x.repeats = h.at, h.repeats; x.line(1) != h.line(1) {
				t.Errorf("%s is asked for as %s", h.line(1), x.line(1))
			}
		}
	}
}
