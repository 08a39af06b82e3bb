package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Each mutant changes a place that there is once, and no two have one name: where the
// program was changed the list has to be.
func TestMutantsFit(t *testing.T) {
	names := map[string]bool{}
	for _, m := range mutants {
		text, err := os.ReadFile(filepath.Join("../../..", m.file))
		if err != nil {
			t.Errorf("%s: %v", m.name, err)
			continue
		}
		if n := strings.Count(string(text), m.old); n != 1 {
			t.Errorf("%s: %s has %d places like %q", m.name, m.file, n, m.old)
		}
		if names[m.name] || m.old == m.what {
			t.Errorf("%s is there twice, or changes nothing", m.name)
		}
		names[m.name] = true
	}
}
