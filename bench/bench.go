package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// bench is one run: where it works, what it started and what it found.
type bench struct {
	options
	dir      string // everything temporary
	daemon   string // the built binary
	self     string // this program, for the opponents
	machine  machine
	began    time.Time
	before   cpuTimes
	results  []result
	commands []string
	logs     map[string]*hitLog
	rival    goaccess // as it was fastest; none before the ingest part
}

// result is one row of the table.
type result struct {
	part   string
	what   string
	figure string // with its unit
	cpu    string // processor time, "" where it says nothing
	ratio  string // to the baseline that it names
	target string // of the design; "" for none
	ok     bool   // target reached
}

func newBench(ctx context.Context, o options) (*bench, error) {
	root, err := moduleRoot(ctx)
	if err != nil {
		return nil, err
	}
	if err := os.Chdir(root); err != nil {
		return nil, fmt.Errorf("enter the repository: %w", err)
	}
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("find this program: %w", err)
	}
	dir, err := os.MkdirTemp("", "ddkk-bench-")
	if err != nil {
		return nil, fmt.Errorf("make a folder: %w", err)
	}
	// The workers of an nginx that root starts run as another user.
	if err := os.Chmod(dir, 0o755); err != nil {
		return nil, fmt.Errorf("open the folder: %w", err)
	}
	b := &bench{options: o, dir: dir, self: self, daemon: filepath.Join(dir, "ddkk-stats"),
		began: time.Now(), logs: map[string]*hitLog{}}
	b.say("building the daemon")
	if err := buildDaemon(ctx, b.daemon); err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	b.machine = describeMachine(ctx, b.daemon)
	b.before = readCPUTimes()
	return b, nil
}

// runParts runs the chosen parts; one that fails does not keep the others from
// running. The table is written in any case.
func (b *bench) runParts(ctx context.Context) error {
	var errs []error
	for _, p := range parts() {
		if p.apart && len(b.only) == 0 || len(b.only) > 0 && !slices.Contains(b.only, p.name) {
			continue
		}
		b.say("part %s", p.name)
		if err := p.run(ctx, b); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", p.name, err))
		}
		if ctx.Err() != nil {
			break
		}
	}
	return errors.Join(append(errs, b.writeResults())...)
}

func (b *bench) close() error { return os.RemoveAll(b.dir) }

// say tells whoever waits what goes on.
func (b *bench) say(format string, args ...any) {
	fmt.Fprintf(os.Stderr, "%6.1fs  %s\n", time.Since(b.began).Seconds(), fmt.Sprintf(format, args...))
}

// add adds a row and shows it.
func (b *bench) add(r result) {
	b.results = append(b.results, r)
	b.say("%s", strings.Join(slices.DeleteFunc([]string{r.what, r.figure, r.cpu, r.ratio, r.target, r.verdict()},
		func(s string) bool { return s == "" }), " | "))
}

func (r result) verdict() string {
	switch {
	case r.target == "":
		return ""
	case r.ok:
		return "reached"
	}
	return "missed"
}

// folder makes a folder for one server or one log.
func (b *bench) folder(name string) (string, error) {
	dir, err := os.MkdirTemp(b.dir, name+"-")
	if err != nil {
		return "", fmt.Errorf("make a folder: %w", err)
	}
	return dir, os.Chmod(dir, 0o777)
}

// longRun is what is not measured a second time.
const longRun = 5 * time.Second

// repeat calls f n times, or once if that takes long, and returns what it gave,
// fastest first.
func repeat(n int, f func() (run, error)) ([]run, error) {
	var all []run
	for range n {
		r, err := f()
		if err != nil {
			return nil, err
		}
		if all = append(all, r); r.took > longRun {
			break
		}
	}
	slices.SortFunc(all, func(a, b run) int { return int(a.took - b.took) })
	return all, nil
}

// run is one measurement: so many lines in so much time.
type run struct {
	lines int
	took  time.Duration
	cpu   time.Duration // of all processes that did the work
	note  string
}

func median(all []run) run { return all[len(all)/2] }

func (r run) perSecond() float64 { return float64(r.lines) / r.took.Seconds() }

// cpuSeconds is processor time per million lines.
func (r run) cpuSeconds() float64 { return r.cpu.Seconds() / float64(r.lines) * 1e6 }

func (r run) cpuText() string {
	s := fmt.Sprintf("%.2f s/M", r.cpuSeconds())
	if r.note != "" {
		s += " (" + r.note + ")"
	}
	return s
}

// rate writes a number of lines or requests per second.
func rate(perSecond float64, unit string) string {
	switch {
	case perSecond >= 1e6:
		return fmt.Sprintf("%.2fM %s/s", perSecond/1e6, unit)
	case perSecond >= 1e4:
		return fmt.Sprintf("%.0fk %s/s", perSecond/1e3, unit)
	}
	return fmt.Sprintf("%.0f %s/s", perSecond, unit)
}

// ms writes a latency.
func ms(d time.Duration) string { return fmt.Sprintf("%.2f ms", float64(d)/float64(time.Millisecond)) }

// quantile of durations; q between 0 and 1. It sorts them.
func quantile(all []time.Duration, q float64) time.Duration {
	if len(all) == 0 {
		return 0
	}
	slices.Sort(all)
	return all[min(len(all)-1, int(q*float64(len(all))))]
}
