package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"
)

// envGoAccess names a GoAccess besides the installed one: Debian's is older than the
// newest. To build one: unpack its source, `./configure --enable-utf8 && make`.
const envGoAccess = "GOACCESS"

// notOurs are the panels of GoAccess that have no counterpart among what the daemon
// counts of a beacon. What is left: visitors, requests, systems, browsers, hours and
// referring sites.
var notOurs = []string{
	"REQUESTS_STATIC", "NOT_FOUND", "HOSTS", "VIRTUAL_HOSTS", "REFERRERS", "KEYPHRASES", "STATUS_CODES",
	"REMOTE_USER", "CACHE_STATUS", "GEO_LOCATION", "ASN", "MIME_TYPE", "TLS_TYPE",
}

// goaccess is one way to run GoAccess.
type goaccess struct {
	path, version string
	threads       int  // 0: it knows one only
	ours          bool // without notOurs
}

func (g goaccess) String() string {
	threads := "one thread"
	if g.threads > 1 {
		threads = fmt.Sprintf("%d threads", g.threads)
	}
	panels := "its usual panels"
	if g.ours {
		panels = "only the panels that we count as well"
	}
	return fmt.Sprintf("GoAccess %s, %s, %s", g.version, threads, panels)
}

func (g goaccess) args(log string) []string {
	args := []string{log, "--log-format=COMBINED", "-o", "json", "--no-progress", "--no-global-config"}
	if g.threads > 0 {
		args = append(args, fmt.Sprintf("--jobs=%d", g.threads))
	}
	if g.ours {
		for _, p := range notOurs {
			args = append(args, "--ignore-panel="+p)
		}
	}
	return args
}

// goaccesses are all ways to run the installed GoAccess and the one that GOACCESS names:
// with one thread and one per core, where it can, with its usual panels and with ours.
func goaccesses(ctx context.Context) ([]goaccess, error) {
	installed, err := program("goaccess")
	if err != nil {
		return nil, err
	}
	paths := []string{installed}
	if newer := os.Getenv(envGoAccess); newer != "" {
		if newer, err = filepath.Abs(newer); err != nil {
			return nil, fmt.Errorf("find the program that %s names: %w", envGoAccess, err)
		}
		paths = append(paths, newer)
	}
	var all []goaccess
	for _, path := range paths {
		help, err := exec.CommandContext(ctx, path, "--help").CombinedOutput()
		if len(help) == 0 {
			return nil, fmt.Errorf("ask %s for its options: %w", path, errors.Join(err, errors.New("it says nothing")))
		}
		g := goaccess{path: path, version: version(ctx, path, "--version")}
		threads := []int{0}
		if strings.Contains(string(help), "--jobs") {
			threads = []int{1}
			if n := min(runtime.NumCPU(), 6); n > 1 { // more it does not take
				threads = append(threads, n)
			}
		}
		for _, g.threads = range threads {
			for _, g.ours = range []bool{false, true} {
				all = append(all, g)
			}
		}
	}
	return all, nil
}

// runGoAccess has it read a combined log, and looks whether it counted all of it.
func (b *bench) runGoAccess(ctx context.Context, g goaccess, l *hitLog) (run, error) {
	began := time.Now()
	out, cpu, err := b.output(ctx, b.dir, g.path, g.args(l.combined)...)
	if err == nil && !strings.Contains(string(out), `"valid_requests": `+strconv.Itoa(l.lines)) {
		err = fmt.Errorf("%v did not count %d requests", g, l.lines)
	}
	return run{lines: l.lines, took: time.Since(began), cpu: cpu}, err
}

// benchGoAccess runs it in all ways. The fastest is the unit, and is run two times more.
func (b *bench) benchGoAccess(ctx context.Context, l *hitLog) (run, error) {
	all, err := goaccesses(ctx)
	if err != nil {
		return run{}, err
	}
	times := make([][]run, len(all))
	best := 0
	for i, g := range all {
		r, err := b.runGoAccess(ctx, g, l)
		if err != nil {
			return run{}, err
		}
		if times[i] = []run{r}; r.took < times[best][0].took {
			best = i
		}
	}
	more, err := repeat(2, func() (run, error) { return b.runGoAccess(ctx, all[best], l) })
	if err != nil {
		return run{}, err
	}
	times[best] = append(times[best], more...)
	slices.SortFunc(times[best], func(a, b run) int { return int(a.took - b.took) })
	unit := median(times[best])
	for i, g := range all {
		r, what, ratio := median(times[i]), fmt.Sprint(g, ", the same hits"), ""
		if i == best {
			what, ratio = what+" (the unit)", "1.0"
		} else {
			ratio = against(r, unit)
		}
		b.add(result{part: "ingest", what: what, figure: rate(r.perSecond(), "lines"), cpu: r.cpuText(), ratio: ratio})
	}
	b.rival = all[best]
	return unit, nil
}

// besideGoAccess is how a rate compares with GoAccess on the same combined log: as it was
// fastest, or with a thread per core and our panels where that was not measured.
func (b *bench) besideGoAccess(ctx context.Context, l *hitLog, r run) (string, error) {
	if b.rival.path == "" {
		all, err := goaccesses(ctx)
		if err != nil {
			return "", err
		}
		b.rival = all[len(all)-1]
	}
	theirs, err := b.runGoAccess(ctx, b.rival, l)
	if err != nil {
		return "", err
	}
	return against(r, theirs) + " x " + b.rival.String(), nil
}

// against compares with GoAccess by wall time and by processor time.
func against(r, theirs run) string {
	return fmt.Sprintf("%.1f (by processor time %.1f)", r.perSecond()/theirs.perSecond(), theirs.cpuSeconds()/r.cpuSeconds())
}
