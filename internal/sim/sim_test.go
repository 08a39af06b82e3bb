package sim

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"ddkk-stats/counter"
)

// TestMain keeps what the Redis library says of failed connections, of which there
// are many, out of the output.
func TestMain(m *testing.M) {
	counter.LogTo(slog.New(slog.DiscardHandler))
	os.Exit(m.Run())
}

// What a run can be told by the environment; see make sim.
const (
	envSchedules = "SIM_SCHEDULES" // how many schedules
	envSeed      = "SIM_SEED"      // of the first; the next ones follow
	envShard     = "SIM_SHARD"     // i/n: a process plays every n-th of them
	envWithout   = "SIM_WITHOUT"   // steps and kinds of faults that are left out, by comma
	envVerbose   = "SIM_VERBOSE"   // 1: what the daemons log
	envPlan      = "SIM_PLAN"      // a schedule as the corpus has them, to be played alone
	envShrink    = "SIM_SHRINK"    // 0: failures are told as they are
	envEvery     = "SIM_EVERY"     // of how many days of a year one is played; 5
	envStop      = "SIM_STOP"      // 1: the first failure is enough
)

// A run of that many schedules must have seen every kind of fault.
const manySchedules = 2000

func envInt(t *testing.T, name string, def uint64) uint64 {
	t.Helper()
	v := os.Getenv(name)
	if v == "" {
		return def
	}
	n, err := strconv.ParseUint(v, 10, 64)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return n
}

func startRig(t *testing.T) *rig {
	t.Helper()
	r, err := newRig()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.close)
	return r
}

func logger() *slog.Logger {
	if os.Getenv(envVerbose) == "" {
		return slog.New(slog.DiscardHandler)
	}
	return slog.New(slog.NewTextHandler(os.Stderr, nil))
}

// TestCorpus plays schedules that failed once, each some times: what is ready at the
// same moment is taken in any order.
func TestCorpus(t *testing.T) {
	names, err := filepath.Glob("testdata/corpus/*.json")
	if err != nil || len(names) == 0 {
		t.Fatalf("no corpus: %v", err)
	}
	m := startRig(t)
	for _, name := range names {
		t.Run(strings.TrimSuffix(filepath.Base(name), ".json"), func(t *testing.T) {
			b, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			playPlan(t, m, b)
		})
	}
}

func playPlan(t *testing.T, m *rig, plan []byte) {
	t.Helper()
	var s schedule
	if err := json.Unmarshal(plan, &s); err != nil {
		t.Fatal(err)
	}
	for range tries {
		if out := play(t, m, &s, logger()); out.failure != "" {
			t.Fatalf("%s\n\n%s", out.failure, s.tell())
		}
	}
}

// TestSimulation plays schedules in as many processes as there are processors: in
// a process with one, the order in which goroutines run hardly varies.
func TestSimulation(t *testing.T) {
	if plan := os.Getenv(envPlan); plan != "" {
		playPlan(t, startRig(t), []byte(plan))
		return
	}
	def := uint64(60)
	if testing.Short() || raceEnabled {
		def = 20
	}
	schedules, seed := envInt(t, envSchedules, def), envInt(t, envSeed, 1)
	shards := min(runtime.NumCPU(), int(schedules))
	began := time.Now()
	var mu sync.Mutex
	var all Report
	var wg sync.WaitGroup
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	for i := range shards {
		wg.Go(func() {
			r, err := shard(ctx, i, shards, schedules, seed)
			mu.Lock()
			defer mu.Unlock()
			if err != nil && ctx.Err() == nil {
				t.Error(err)
			}
			all.add(r)
			if os.Getenv(envStop) != "" && (err != nil || len(r.Failures) > 0) {
				stop()
			}
		})
	}
	wg.Wait()
	for _, f := range all.Failures {
		t.Errorf("seed %d: %s", f.Seed, f)
	}
	t.Logf("%v\nseeds from %d on, %.1f schedules a second", &all, seed, float64(all.Schedules)/time.Since(began).Seconds())
	if never := all.never(); len(never) > 0 && schedules >= manySchedules && os.Getenv(envWithout) == "" {
		t.Errorf("these faults never struck: %s", strings.Join(never, ", "))
	}
}

// hung is how long a schedule may take before its process is ended, which then tells
// what each goroutine does: one goes round without time going by, or waits for what is
// outside of the bubble.
const hung = time.Minute

// endHung has a process print its stacks, and ends it in case it cannot.
func endHung(p *os.Process) {
	_ = p.Signal(syscall.SIGQUIT) // if it ended just now all is well, here and below
	time.Sleep(5 * time.Second)
	_ = p.Kill()
}

// shard plays its share in a process of its own.
func shard(ctx context.Context, i, n int, schedules, seed uint64) (*Report, error) {
	cmd := exec.CommandContext(ctx, os.Args[0], "-test.run=^TestShard$", "-test.timeout=0")
	cmd.Env = append(os.Environ(), "GOTRACEBACK=all", "GOMAXPROCS=1", "GOGC=800", "GODEBUG=asyncpreemptoff=1",
		fmt.Sprintf("%s=%d/%d", envShard, i, n), fmt.Sprintf("%s=%d", envSchedules, schedules), fmt.Sprintf("%s=%d", envSeed, seed))
	pipe, err := cmd.StdoutPipe()
	if err != nil {
		return &Report{}, err
	}
	var said strings.Builder
	cmd.Stderr = &said
	if os.Getenv(envVerbose) != "" {
		cmd.Stderr = os.Stderr
	}
	if err := cmd.Start(); err != nil {
		return &Report{}, err
	}
	watch := time.AfterFunc(hung, func() { endHung(cmd.Process) })
	defer watch.Stop()
	all, at, rest := &Report{}, "", ""
	lines := bufio.NewScanner(pipe)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		watch.Reset(hung)
		line := lines.Text()
		if next, ok := strings.CutPrefix(line, "at "); ok {
			at = next
			continue
		}
		var r Report
		if json.Unmarshal([]byte(line), &r) == nil {
			all.add(&r)
			continue
		}
		rest += line + "\n"
	}
	if err := cmd.Wait(); err != nil && len(all.Failures) == 0 {
		return all, fmt.Errorf("the process that played seed %s ended: %w\nAgain: make sim SCHEDULES=1 SEED=%s\n%.6000s%.60000s", at, err, at, rest, said.String())
	}
	return all, nil
}

// mostFailures is how many failures a process tells before it gives up.
const mostFailures = 12

// TestShard is what the processes of TestSimulation do.
func TestShard(t *testing.T) {
	var i, n, schedules, seed uint64
	if _, err := fmt.Sscanf(os.Getenv(envShard), "%d/%d", &i, &n); err != nil {
		t.Skip("only for the processes of TestSimulation")
	}
	schedules, seed = envInt(t, envSchedules, 1), envInt(t, envSeed, 1)
	without := map[string]bool{}
	for _, k := range strings.Split(os.Getenv(envWithout), ",") {
		if k != "" {
			without[k] = true
		}
	}
	m := startRig(t)
	most := mostFailures
	if os.Getenv(envStop) != "" {
		most = 1
	}
	failures := 0
	for at := i; at < schedules && failures < most; at += n {
		fmt.Printf("at %d\n", seed+at)
		s := newSchedule(seed+at, without)
		out := play(t, m, s, logger())
		r := Report{Schedules: 1, Asked: out.asked, Strikes: out.strikes}
		if out.failure != "" {
			failures++
			r.Failures = []Failure{explain(t, m, s, out.failure)}
		}
		if err := json.NewEncoder(os.Stdout).Encode(&r); err != nil {
			t.Fatal(err)
		}
	}
}

// explain makes a failing schedule short.
func explain(t *testing.T, m *rig, s *schedule, what string) Failure {
	if os.Getenv(envShrink) != "0" {
		s = shrink(s, func(c *schedule) bool {
			fmt.Printf("at %d\n", s.Seed)
			out := play(t, m, c, slog.New(slog.DiscardHandler))
			if out.failure != "" {
				what = out.failure
			}
			return out.failure != ""
		})
	}
	plan, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	return Failure{Seed: s.Seed, What: what, Words: s.tell(), Plan: string(plan)}
}
