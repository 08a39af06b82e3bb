package mirror

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"ddkk-stats/counter"
)

// Redis loses a key of the mirror, or somebody writes something else there, before a change is
// taken, before SQL has it, and before it is known that SQL has it: page_counts is right
// after the next flushes.
func TestKeysOfTheMirrorAreLost(t *testing.T) {
	moments := map[string]int{"before the take": 0, "before SQL has it": 3, "before it is done": 5}
	keys := map[string]func(counter.Keys) string{
		"state": func(k counter.Keys) string { return k.MirrorState(worldSite) },
		"due":   func(k counter.Keys) string { return k.MirrorDue(worldSite) },
		"pv":    func(k counter.Keys) string { return k.MirrorPV(worldSite) },
		"bot":   func(k counter.Keys) string { return k.MirrorBots(worldSite) },
		"take":  func(k counter.Keys) string { return k.MirrorTake(worldSite, 2) },
	}
	for moment, fail := range moments {
		for name, key := range keys {
			if name == "take" && fail == 0 {
				continue // there is none
			}
			for _, other := range []bool{false, true} {
				if other && name != "take" {
					continue // the scrub's, which deletes it
				}
				t.Run(fmt.Sprintf("%s %s, another type %v", name, moment, other), func(t *testing.T) {
					w := newWorld(t, 1)
					a := w.flusher("a", 0)
					w.view("/a", 3, 1)
					w.view("/b", 2, 5)
					w.settle("first fill", a)
					w.view("/a", 1, 1)
					if w.fail = fail; fail > 0 {
						if err := a.Flush(t.Context()); !errors.Is(err, errKilled) {
							t.Fatal(err)
						}
					}
					if n := w.rdb.Del(t.Context(), key(w.keys)).Val(); n != 1 {
						t.Fatalf("%s was not there", key(w.keys))
					}
					if other {
						check(t, w.redis.Set(key(w.keys), "x"))
					}
					w.view("/b", 1, 1)
					check(t, a.Flush(t.Context()))
					w.view("/a", 1, 0) // what a lost state leaves goes with the take of its number
					w.settle("after the loss", a)
					w.view("/a", 1, 0)
					w.settle("and it goes on", a, w.flusher("b", 1))
				})
			}
		}
	}
}

// A sink whose set is lost gets all pages again.
func TestSetOfTheSinkIsLost(t *testing.T) {
	w := newWorld(t, 1)
	a, m := w.flusher("a", 0), counter.NewMirror(w.rdb, w.keys, "a", true)
	sent := func(what string, want ...string) {
		t.Helper()
		var got []string
		for cursor := uint64(0); ; {
			due, next, err := m.SinkDue(t.Context(), worldSite, cursor, 10)
			check(t, err)
			for _, p := range due {
				got = append(got, p.Page)
			}
			_, err = m.SinkDone(t.Context(), worldSite, due)
			check(t, err)
			if cursor = next; cursor == 0 {
				break
			}
		}
		slices.Sort(got)
		if got = slices.Compact(got); !slices.Equal(got, want) {
			t.Errorf("%s: %q are due, want %q", what, got, want)
		}
	}
	w.view("/a", 3, 1)
	w.view("/b", 2, 0)
	w.settle("first fill", a)
	sent("first fill", "/a", "/b")
	sent("nothing")
	w.view("/a", 1, 0)
	w.settle("a view", a)
	sent("a view", "/a")
	w.view("/b", 1, 0)
	w.settle("another", a)
	w.redis.Del(w.keys.MirrorSink(worldSite))
	w.settle("after the loss", a)
	sent("after the loss", "/a", "/b")
	w.view("/b", -3, 0) // a rule takes it out
	delete(w.totals, "/b")
	w.settle("a rule", a)
	w.redis.Del(w.keys.MirrorSink(worldSite))
	w.redis.Del(w.keys.HotAll(worldSite))
	w.totals = map[string][2]int64{"/a": {0, 1}}
	w.view("/a", 4, 0)
	w.settle("lost before it was sent", a)
	sent("lost before it was sent", "/a", "/b")
	state, err := m.State(t.Context(), worldSite)
	check(t, err)
	if state.Sink != 0 || state.Due != 0 || !state.Named || state.Lost {
		t.Errorf("at last %+v", state)
	}
}

// A sink gets a page when SQL has it, not before: so it has none that SQL cannot tell of. It
// gets all where Redis lost the take that named them.
func TestSinkGetsWhatSQLHas(t *testing.T) {
	for _, x := range []struct {
		what string
		fail int  // the step at which the flusher is killed
		take bool // Redis loses the take
		due  []string
		then []string
	}{
		{"killed before SQL has it", 3, false, nil, []string{"/b"}},
		{"killed before it is done", 5, false, nil, []string{"/b"}},
		{"and the take is lost", 5, true, nil, []string{"/a", "/b"}},
	} {
		t.Run(x.what, func(t *testing.T) {
			w := newWorld(t, 1)
			a, m := w.flusher("a", 0), counter.NewMirror(w.rdb, w.keys, "a", true)
			w.view("/a", 3, 1)
			w.settle("first fill", a)
			due, _, err := m.SinkDue(t.Context(), worldSite, 0, 10)
			check(t, err)
			_, err = m.SinkDone(t.Context(), worldSite, due)
			check(t, err)
			is := func(want []string) {
				t.Helper()
				due, _, err := m.SinkDue(t.Context(), worldSite, 0, 10)
				check(t, err)
				var got []string
				for _, p := range due {
					got = append(got, p.Page)
				}
				if slices.Sort(got); !slices.Equal(got, want) {
					t.Errorf("%q are due, want %q", got, want)
				}
			}
			w.view("/b", 1, 0)
			w.fail = x.fail
			if err := a.Flush(t.Context()); !errors.Is(err, errKilled) {
				t.Fatal(err)
			}
			is(x.due)
			if x.take {
				w.redis.Del(w.keys.MirrorTake(worldSite, 2))
			}
			w.settle("at last", a)
			is(x.then)
		})
	}
}
