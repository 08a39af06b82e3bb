package main

import (
	"path/filepath"
	"testing"
)

// What was found is known to the next run, and how far a mutant was looked for; a mutant that changes
// something else by now is not known.
func TestRecord(t *testing.T) {
	file := filepath.Join(t.TempDir(), "log")
	a, b := &mutant{"a", "f.go", "x", "y"}, &mutant{"b", "f.go", "x", "z"}
	for _, step := range []struct {
		of   *mutant
		what outcome
	}{{a, outcome{false, 300}}, {b, outcome{false, 300}}, {a, outcome{true, 3000}}} {
		r, err := openRecord(file)
		if err != nil {
			t.Fatal(err)
		}
		if err := r.note(step.of, step.what, "corpus, x:\n went wrong"); err != nil {
			t.Fatal(err)
		}
	}
	r, err := openRecord(file)
	if err != nil {
		t.Fatal(err)
	}
	if got := r.of(a); !got.found {
		t.Errorf("a: %+v", got)
	}
	if got, want := r.of(b), (outcome{false, 300}); got != want {
		t.Errorf("b: %+v", got)
	}
	if got := r.of(&mutant{"a", "f.go", "x", "w"}); got != (outcome{}) {
		t.Errorf("another one: %+v", got)
	}
}
