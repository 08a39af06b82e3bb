package once

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"
)

// memory is a ledger that may fail, or cut its host off at a given exchange.
type memory struct {
	mu    sync.Mutex
	notes map[string]string
}

func (m *memory) SharedNote(_ context.Context, name string) (string, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.notes[name], nil
}

func (m *memory) SwapSharedNote(_ context.Context, name, was, is string) (bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.notes[name] != was {
		return false, nil
	}
	m.notes[name] = is
	return true, nil
}

var errKilled = errors.New("killed")

// killed is a host's view of a ledger: from the exchange at on nothing of it arrives.
type killed struct {
	*memory
	at int
}

func (k *killed) dead() bool { k.at--; return k.at < 0 }

func (k *killed) SharedNote(ctx context.Context, name string) (string, error) {
	if k.dead() {
		return "", errKilled
	}
	return k.memory.SharedNote(ctx, name)
}

func (k *killed) SwapSharedNote(ctx context.Context, name, was, is string) (bool, error) {
	if k.dead() {
		return false, errKilled
	}
	return k.memory.SwapSharedNote(ctx, name, was, is)
}

// TestKilledAnywhere kills a host at each exchange: it is told at least once, and twice
// only after a kill between the telling and its note.
func TestKilledAnywhere(t *testing.T) {
	for at := range 4 {
		for _, heir := range []string{"a", "b"} { // the same host again, or another
			now := time.Unix(1_800_000_000, 0)
			clock := func() time.Time { return now }
			m, told := &memory{notes: map[string]string{}}, 0
			tell := func(context.Context) error { told++; return nil }
			_, err := NewTeller("a", clock).Do(t.Context(), &killed{m, at}, "n", "w1", tell)
			if (at < 3) != errors.Is(err, errKilled) {
				t.Fatalf("killed at %d: %v", at, err)
			}
			after := NewTeller(heir, clock)
			for range 3 {
				if _, err := after.Do(t.Context(), m, "n", "w1", tell); err != nil {
					t.Fatal(err)
				}
				now = now.Add(Lease)
			}
			want := 1
			if at == 2 { // read, claimed, told: the note was lost
				want = 2
			}
			if told != want {
				t.Errorf("killed at %d, then %s: told %d times, want %d", at, heir, told, want)
			}
		}
	}
}

// TestHostsTogether: of many hosts at once one tells, and the others know.
func TestHostsTogether(t *testing.T) {
	m := &memory{notes: map[string]string{}}
	var mu sync.Mutex
	told := map[string]int{}
	for _, what := range []string{"w1", "w2", "w3"} {
		var all sync.WaitGroup
		for i := range 8 {
			teller := NewTeller(string(rune('a'+i)), time.Now)
			all.Go(func() {
				for {
					got, err := teller.Do(t.Context(), m, "n", what, func(context.Context) error {
						mu.Lock()
						defer mu.Unlock()
						told[what]++
						return nil
					})
					if err != nil {
						t.Error(err)
					}
					if got != Elsewhere {
						return
					}
				}
			})
		}
		all.Wait()
		if told[what] != 1 {
			t.Errorf("%s was told %d times", what, told[what])
		}
	}
}

// TestFailedIsTriedAgain: who failed tries again at once; another host when the claim has
// not moved for a lease, and each try moves it.
func TestFailedIsTriedAgain(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	clock := func() time.Time { return now }
	m := &memory{notes: map[string]string{}}
	a, b := NewTeller("a", clock), NewTeller("b", clock)
	away := errors.New("away")
	fail := func(context.Context) error { return away }
	told := func(context.Context) error { return nil }
	do := func(x *Teller, tell func(context.Context) error, want Outcome, wantErr error) {
		t.Helper()
		if got, err := x.Do(t.Context(), m, "n", "w", tell); got != want || !errors.Is(err, wantErr) {
			t.Errorf("%d %v, want %d %v", got, err, want, wantErr)
		}
	}
	do(a, fail, 0, away)
	do(b, told, Elsewhere, nil)
	now = now.Add(Lease - time.Second)
	do(a, fail, 0, away) // its claim moves
	now = now.Add(time.Minute)
	do(b, told, Elsewhere, nil)
	now = now.Add(-time.Hour) // a clock that was set back begins anew
	do(b, told, Elsewhere, nil)
	now = now.Add(Lease)
	if last, err := Last(t.Context(), m, "n"); last != "w" || err != nil {
		t.Errorf("last %q %v", last, err)
	}
	do(b, told, Told, nil)
	do(a, told, Already, nil)
}

// TestNoteIsLost: who told and could not note it, notes it later and tells no more.
func TestNoteIsLost(t *testing.T) {
	m, told := &memory{notes: map[string]string{}}, 0
	a := NewTeller("a", time.Now)
	tell := func(context.Context) error { told++; return nil }
	if got, err := a.Do(t.Context(), &killed{m, 2}, "n", "w", tell); got != Told || !errors.Is(err, errKilled) {
		t.Errorf("%d %v", got, err)
	}
	for _, want := range []Outcome{Told, Already} {
		if got, err := a.Do(t.Context(), m, "n", "w", tell); got != want || err != nil {
			t.Errorf("%d %v, want %d", got, err, want)
		}
	}
	if told != 1 {
		t.Errorf("told %d times", told)
	}
}
