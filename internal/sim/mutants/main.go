// Mutants breaks the program in one place after the other and has the simulation
// look for it: what it does not find is either a hole in the simulation or a check
// that nothing needs. The corpus is played first, as make sim does. It changes no file: a compiler's overlay stands in for one.
// With a log it goes on where it was ended: what was found is not looked for again, and what was not
// with the schedules that come next.
//
//	go run ./internal/sim/mutants [-schedules 3000] [-seed 1] [-log file] [name...]
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
	file := flag.String("log", "", "file that keeps what came of each, and is gone by")
	flag.Parse()
	r, err := openRecord(*file)
	if err == nil {
		err = run(r, *schedules, *seed, flag.Args())
	}
	if err != nil {
		log.Fatal(err)
	}
}

func run(r *record, schedules, seed int, only []string) error {
	dir, err := os.MkdirTemp("", "mutants")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	found, alive, broken := 0, []string{}, []string{}
	for i := range mutants {
		m := &mutants[i]
		if len(only) > 0 && !slices.Contains(only, m.name) {
			continue
		}
		was := r.of(m)
		if !was.found && was.played < schedules {
			if was, err = m.lookAfter(was, r, dir, schedules, seed); err != nil {
				fmt.Printf("BROKEN %-28s %v\n", m.name, err)
				broken = append(broken, m.name)
				continue
			}
		}
		if was.found {
			found++
		} else {
			alive = append(alive, m.name)
		}
	}
	fmt.Printf("%d found, %d alive, %d broken\n", found, len(alive), len(broken))
	if len(broken) > 0 {
		return fmt.Errorf("the list of mutants has to be mended: %s", strings.Join(broken, ", "))
	}
	if len(alive) > 0 {
		return fmt.Errorf("nothing finds %s", strings.Join(alive, ", "))
	}
	return nil
}

// lookAfter looks for a mutant with the schedules that come after those that were played, and notes
// what came of it.
func (m *mutant) lookAfter(was outcome, r *record, dir string, schedules, seed int) (outcome, error) {
	began := time.Now()
	where, how, err := m.look(dir, schedules-was.played, seed+was.played)
	if err != nil {
		return was, err
	}
	now := outcome{found: where != "", played: schedules}
	if now.found {
		fmt.Printf("found  %-28s %s: %s\n", m.name, where, how)
	} else {
		fmt.Printf("ALIVE  %-28s %s (%d schedules, %.0f s)\n", m.name, m.file, schedules, time.Since(began).Seconds())
	}
	return now, r.note(m, now, where+": "+how)
}

// look builds the program with the mutant and plays schedules until one fails: those of the
// corpus, and then new ones. It tells which.
func (m *mutant) look(dir string, schedules, seed int) (where, how string, err error) {
	text, err := os.ReadFile(m.file)
	if err != nil {
		return "", "", err
	}
	if n := strings.Count(string(text), m.old); n != 1 {
		return "", "", fmt.Errorf("%s has %d places like this one, and must have one; mend the list of mutants: %q", m.file, n, m.old)
	}
	patched := filepath.Join(dir, filepath.Base(m.file))
	if err := os.WriteFile(patched, []byte(strings.Replace(string(text), m.old, m.what, 1)), 0o600); err != nil {
		return "", "", err
	}
	file, err := filepath.Abs(m.file)
	if err != nil {
		return "", "", err
	}
	overlay, err := json.Marshal(map[string]map[string]string{"Replace": {file: patched}})
	if err != nil {
		return "", "", err
	}
	list, binary := filepath.Join(dir, "overlay.json"), filepath.Join(dir, "sim.test")
	if err := os.WriteFile(list, overlay, 0o600); err != nil {
		return "", "", err
	}
	if out, err := exec.Command("go", "test", "-vet=off", "-ldflags=-s -w", "-overlay", list, "-c", "-o", binary, "./internal/sim").CombinedOutput(); err != nil {
		return "", "", fmt.Errorf("build: %w\n%s", err, out)
	}
	cmd := exec.Command(binary, "-test.run=^(TestCorpus|TestSimulation)$", "-test.failfast", "-test.v", "-test.timeout=30m")
	cmd.Dir = "internal/sim"
	cmd.Env = append(os.Environ(), fmt.Sprint("SIM_SCHEDULES=", schedules), fmt.Sprint("SIM_SEED=", seed), "SIM_STOP=1", "SIM_SHRINK=0")
	out, err := cmd.CombinedOutput()
	if err == nil {
		return "", "", nil
	}
	if at := inCorpus.FindSubmatch(out); at != nil {
		return "corpus, " + string(at[2]), string(at[1]), nil
	}
	at := failed.FindSubmatch(out)
	if at == nil {
		if at = ended.FindSubmatch(out); at == nil {
			return "", "", fmt.Errorf("run: %w\n%.3000s", err, out)
		}
		return "the process ended", string(at[1]), nil
	}
	var found int
	if _, err := fmt.Sscan(string(at[1]), &found); err != nil {
		return "", "", err
	}
	first, _, _ := strings.Cut(strings.TrimSpace(string(at[2])), "\n")
	return fmt.Sprint("seed ", found), first, nil
}

// inCorpus is how a run tells that a schedule of the corpus went wrong: what, and which.
var inCorpus = regexp.MustCompile(`(?s)=== RUN   TestCorpus/[^\n]*\n[^\n]*sim_test.go:\d+: ([^\n]*)\n.*?--- FAIL: TestCorpus/(\S+)`)

// ended is how a process ends that goes round in circles, or in which all wait.
var ended = regexp.MustCompile(`(?m)^((?:panic|fatal error): .*)$`)

// failed is how a run tells that a schedule went wrong.
var failed = regexp.MustCompile(`(?s)seed (\d+)(?:: | ended: )(.{0,200})`)
