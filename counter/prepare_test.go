package counter

import "testing"

// TestStartOf: where a segment is read from for one site, by what was remembered of
// it and what Redis holds.
func TestStartOf(t *testing.T) {
	const anywhere = int64(1) << 62
	stored := func(n int64) checkpoint { return checkpoint{offsets: map[string]int64{"a": n}} }
	none := checkpoint{offsets: map[string]int64{}}
	was := func(n int64, parked bool) siteProgress {
		return siteProgress{Offsets: map[string]int64{"a": n}, Parked: parked}
	}
	other := func(parked bool) siteProgress {
		return siteProgress{Offsets: map[string]int64{"b": 9}, Parked: parked}
	}
	for _, x := range []struct {
		what   string
		before siteProgress
		known  bool
		now    checkpoint
		want   int64
	}{
		{"nothing is remembered", siteProgress{}, false, none, anywhere},
		{"another life with lines in it", siteProgress{}, true, stored(7), 7},
		{"another life without", siteProgress{}, true, none, 0},
		{"as much as was remembered", was(7, false), true, stored(7), anywhere},
		{"less", was(7, false), true, stored(5), 5},
		{"none any more", was(7, false), true, none, 0},
		{"it had no lines in it", other(false), true, none, anywhere},
		{"aside, as much", was(7, true), true, stored(7), 7},
		// Its lines were passed over, and the floor went on: chaos, seed 505.
		{"aside, and had none in it yet", other(true), true, none, 0},
		{"aside, and another host has", other(true), true, stored(5), 5},
	} {
		if got := startOf("a", x.before, x.known, x.now); got != x.want {
			t.Errorf("%s: from %d, want %d", x.what, got, x.want)
		}
	}
}
