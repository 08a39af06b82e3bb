package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

// limit bounds the whole run; quickLimit the quick one.
const (
	limit      = 20 * time.Minute
	quickLimit = 8 * time.Minute
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	err := mainRun(ctx, os.Args[1:])
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// part is one subject of the run.
type part struct {
	name  string
	title string
	run   func(ctx context.Context, b *bench) error
	apart bool // takes long, runs only when it is asked for
}

// parts in the order in which they run.
func parts() []part {
	return []part{
		{"ingest", "Counting a backlog", runIngest, false},
		{"reads", "Reading the API", runReads, false},
		{"freshness", "From the beacon to the number", runFreshness, false},
		{"nginx", "nginx alone", runNginx, false},
		{"growth", "Growth", runGrowth, false},
		{"archive", "Archive and restore", runArchive, false},
		{"soak", "Soak", runSoak, true},
	}
}

func mainRun(ctx context.Context, args []string) error {
	if len(args) > 0 {
		if f, ok := opponents()[args[0]]; ok {
			return f(ctx, args[1:])
		}
	}
	o, err := parseFlags(args)
	if err != nil {
		return err
	}
	for _, name := range o.only {
		if !slices.ContainsFunc(parts(), func(p part) bool { return p.name == name }) {
			return fmt.Errorf("-only: there is no part %q; there are %s", name, partNames())
		}
	}
	bound := limit
	switch {
	case slices.Contains(o.only, "soak"):
		bound = soakLimit
	case o.quick:
		bound = quickLimit
	}
	ctx, cancel := context.WithTimeout(ctx, bound)
	defer cancel()
	b, err := newBench(ctx, o)
	if err != nil {
		return err
	}
	err = b.runParts(ctx)
	return errors.Join(err, b.close())
}

// options are the flags.
type options struct {
	quick bool
	only  []string
	out   string
	lines int
	note  string
}

func parseFlags(args []string) (options, error) {
	var o options
	var only string
	f := flag.NewFlagSet("bench", flag.ContinueOnError)
	f.BoolVar(&o.quick, "quick", false, "smaller and shorter: to see that everything works")
	f.StringVar(&only, "only", "", "parts to run, separated by commas: "+partNames())
	f.StringVar(&o.out, "out", "", "where the table goes (default bench/RESULTS.md, bench/SOAK.md for the soak alone)")
	f.IntVar(&o.lines, "lines", 0, "lines of the backlog (default 2000000, with -quick 300000; soak 50000000 and 2000000)")
	f.StringVar(&o.note, "note", "", "a sentence on the circumstances, for the head of the table")
	if err := f.Parse(args); err != nil {
		return o, err
	}
	if f.NArg() > 0 {
		return o, fmt.Errorf("unexpected argument %q", f.Arg(0))
	}
	if only != "" {
		o.only = strings.Split(only, ",")
	}
	soaking := slices.Equal(o.only, []string{"soak"})
	switch {
	case o.lines > 0:
	case soaking:
		o.lines = pick(o.quick, 2_000_000, 50_000_000)
	default:
		o.lines = pick(o.quick, 300_000, 2_000_000)
	}
	if o.out == "" {
		o.out = filepath.Join("bench", pick(soaking, "SOAK.md", "RESULTS.md"))
	}
	return o, nil
}

func partNames() string {
	var names []string
	for _, p := range parts() {
		names = append(names, p.name)
	}
	return strings.Join(names, ",")
}

// pick is a or b.
func pick[T any](first bool, a, b T) T {
	if first {
		return a
	}
	return b
}
