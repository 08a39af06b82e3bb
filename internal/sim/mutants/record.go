package main

import (
	"bufio"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"os"
	"strings"
)

// record is what came of mutants in earlier runs: a file with a line for each look. A mutant that
// is another one by now, by its place or its change, has none.
type record struct {
	file string // empty: nothing is kept
	all  map[string]outcome
}

// outcome is what came of a mutant.
type outcome struct {
	found  bool
	played int // schedules without finding it
}

// openRecord reads the file, which need not be there.
func openRecord(file string) (*record, error) {
	r := &record{file: file, all: map[string]outcome{}}
	if file == "" {
		return r, nil
	}
	f, err := os.Open(file)
	if errors.Is(err, fs.ErrNotExist) {
		return r, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read record of mutants: %w", err)
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		var word, id string
		var played int
		if n, _ := fmt.Sscan(lines.Text(), &word, &id, &played); n != 3 {
			continue // somebody's remark
		}
		was := r.all[id]
		r.all[id] = outcome{found: was.found || word == "found", played: max(was.played, played)}
	}
	return r, lines.Err()
}

// id names a mutant together with what it changes.
func (m *mutant) id() string {
	return fmt.Sprintf("%s/%08x", m.name, crc32.ChecksumIEEE([]byte(m.file+"\x00"+m.old+"\x00"+m.what)))
}

func (r *record) of(m *mutant) outcome { return r.all[m.id()] }

// note adds a line.
func (r *record) note(m *mutant, o outcome, how string) error {
	if r.all[m.id()] = o; r.file == "" {
		return nil
	}
	word := "alive"
	if o.found {
		word = "found"
	}
	f, err := os.OpenFile(r.file, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return fmt.Errorf("note mutant: %w", err)
	}
	_, err = fmt.Fprintf(f, "%s %s %d %s\n", word, m.id(), o.played, strings.TrimSuffix(strings.ReplaceAll(how, "\n", " "), ": "))
	return errors.Join(err, f.Close())
}
