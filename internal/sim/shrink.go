package sim

import "slices"

// tries is how often a schedule is played before it is taken for one that goes
// well: the runtime picks among what is ready at the same moment, which no seed
// decides.
const tries = 3

// shrink looks for a shortest schedule that fails as well: it leaves steps out,
// ever fewer at once, then makes what is left smaller. fails plays a schedule.
func shrink(s *schedule, fails func(*schedule) bool) *schedule {
	best := *s
	again := func(c schedule) bool {
		for range tries {
			if fails(&c) {
				best = c
				return true
			}
		}
		return false
	}
	for size := max(1, len(best.Steps)/2); ; size = max(1, size/2) {
		changed := false
		for at := len(best.Steps) - size; at >= 0; at -= size {
			c := best
			c.Steps = slices.Delete(slices.Clone(best.Steps), at, at+size)
			if again(c) {
				changed = true
				at = min(at, len(best.Steps))
			}
		}
		if size == 1 && !changed {
			break
		}
	}
	for i := range best.Steps {
		for _, f := range smaller {
			c := best
			c.Steps = slices.Clone(best.Steps)
			if f(&c.Steps[i]) {
				again(c)
			}
		}
	}
	for _, f := range []func(*schedule) bool{
		func(c *schedule) bool { was := c.Zone; c.Zone = ""; return was != "" },
		func(c *schedule) bool { was := c.Sync; c.Sync = false; return was },
		func(c *schedule) bool { was := c.Again; c.Again = false; return was },
		func(c *schedule) bool { was := c.Clock; c.Clock = 43200; return was != 43200 },
		func(c *schedule) bool { was := c.Batch; c.Batch = 3000; return was != 3000 },
	} {
		if c := best; f(&c) {
			again(c)
		}
	}
	return &best
}

// smaller are ways to make a step simpler; false: it is that already.
var smaller = []func(*step) bool{
	func(s *step) bool { was := s.N; s.N = 1; return was > 1 },
	func(s *step) bool { was := s.Skip; s.Skip = 0; return was > 0 },
	func(s *step) bool { was := s.Wait; s.Wait = 400; return was > 400 },
	func(s *step) bool { was := s.Script; s.Script = false; return was },
	func(s *step) bool { was := s.Log; s.Log = 0; return was > 0 },
	func(s *step) bool { was := s.Daemon; s.Daemon = 0; return was > 0 },
	func(s *step) bool {
		was := s.Kind
		if s.Do == doStart {
			s.Kind = ""
		}
		return was != s.Kind
	},
}
