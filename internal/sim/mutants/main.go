// Mutants breaks the program in one place after the other and has the simulation
// look for it: what it does not find is either a hole in the simulation or a check
// that nothing needs. It changes no file: a compiler's overlay stands in for one.
//
//	go run ./internal/sim/mutants [-schedules 3000] [-seed 1] [name...]
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"log"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"
)

// mutant is one change of a file: what, in place of old, which is there once.
type mutant struct {
	name, file, old, what string
}

func main() {
	log.SetFlags(0)
	schedules := flag.Int("schedules", 3000, "schedules to look for each")
	seed := flag.Int("seed", 1, "of the first schedule")
	flag.Parse()
	if err := run(*schedules, *seed, flag.Args()); err != nil {
		log.Fatal(err)
	}
}

func run(schedules, seed int, only []string) error {
	dir, err := os.MkdirTemp("", "mutants")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	found, alive := 0, []string{}
	for _, m := range mutants {
		if len(only) > 0 && !slices.Contains(only, m.name) {
			continue
		}
		began := time.Now()
		after, how, err := m.look(dir, schedules, seed)
		switch {
		case err != nil:
			return fmt.Errorf("%s: %w", m.name, err)
		case after == 0:
			alive = append(alive, m.name)
			fmt.Printf("ALIVE  %-28s %s (%.0f s)\n", m.name, m.file, time.Since(began).Seconds())
		default:
			found++
			fmt.Printf("found  %-28s schedule %d: %s\n", m.name, after, how)
		}
	}
	fmt.Printf("%d found, %d alive\n", found, len(alive))
	if len(alive) > 0 {
		return fmt.Errorf("nothing finds %s", strings.Join(alive, ", "))
	}
	return nil
}

// look builds the program with the mutant and plays schedules until one fails.
func (m *mutant) look(dir string, schedules, seed int) (after int, how string, err error) {
	text, err := os.ReadFile(m.file)
	if err != nil {
		return 0, "", err
	}
	if n := strings.Count(string(text), m.old); n != 1 {
		return 0, "", fmt.Errorf("%s has %d places like this one, and must have one; mend the list of mutants: %q", m.file, n, m.old)
	}
	patched := filepath.Join(dir, filepath.Base(m.file))
	if err := os.WriteFile(patched, []byte(strings.Replace(string(text), m.old, m.what, 1)), 0o600); err != nil {
		return 0, "", err
	}
	file, err := filepath.Abs(m.file)
	if err != nil {
		return 0, "", err
	}
	overlay, err := json.Marshal(map[string]map[string]string{"Replace": {file: patched}})
	if err != nil {
		return 0, "", err
	}
	list, binary := filepath.Join(dir, "overlay.json"), filepath.Join(dir, "sim.test")
	if err := os.WriteFile(list, overlay, 0o600); err != nil {
		return 0, "", err
	}
	if out, err := exec.Command("go", "test", "-vet=off", "-ldflags=-s -w", "-overlay", list, "-c", "-o", binary, "./internal/sim").CombinedOutput(); err != nil {
		return 0, "", fmt.Errorf("build: %w\n%s", err, out)
	}
	cmd := exec.Command(binary, "-test.run=^TestSimulation$", "-test.v", "-test.timeout=0")
	cmd.Dir = "internal/sim"
	cmd.Env = append(os.Environ(), fmt.Sprint("SIM_SCHEDULES=", schedules), fmt.Sprint("SIM_SEED=", seed), "SIM_STOP=1", "SIM_SHRINK=0")
	out, err := cmd.CombinedOutput()
	if err == nil {
		return 0, "", nil
	}
	at := failed.FindSubmatch(out)
	if at == nil {
		return 0, "", fmt.Errorf("run: %w\n%.3000s", err, out)
	}
	if _, err := fmt.Sscan(string(at[1]), &after); err != nil {
		return 0, "", err
	}
	first, _, _ := strings.Cut(strings.TrimSpace(string(at[2])), "\n")
	return after - seed + 1, first, nil
}

// failed is how a run tells that a schedule went wrong.
var failed = regexp.MustCompile(`(?s)seed (\d+)(?:: | ended: )(.{0,200})`)
