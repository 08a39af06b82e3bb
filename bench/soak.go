package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// A soak feeds many lines over many rotations and looks at what the daemon
// holds after each of them. A day has four segments; what is over is deleted, as
// a daemon with an archive would.
const (
	soakSegment  = 500_000 // lines of one segment
	soakPerDay   = 4       // segments
	soakKeep     = 2       // rotated segments that stay
	soakLimit    = 3 * time.Hour
	soakSettle   = 10          // a daemon's memory may grow while the first days fill
	soakGrowth   = 1.15        // of the highest memory after that: more is not flat
	soakSlack    = 10          // goroutines and descriptors that come and go
	soakMoreWait = time.Minute // for one segment to be counted
)

// soakSample is what the daemon holds after a rotation.
type soakSample struct {
	rss, redis        int64 // bytes
	goroutines, files int
}

// soak is one run of it.
type soak struct {
	b       *bench
	rdb     *redisServer
	d       *daemon
	log     string
	rng     *rand.Rand
	agents  []string
	counted int64
	rotated []string
	samples []soakSample
}

func runSoak(ctx context.Context, b *bench) (err error) {
	s := &soak{b: b, rng: rand.New(rand.NewPCG(3, 4)), agents: userAgents()}
	dir, err := b.folder("soak")
	if err != nil {
		return err
	}
	s.log = filepath.Join(dir, "event.log")
	if err := os.WriteFile(s.log, nil, 0o644); err != nil {
		return err
	}
	if s.rdb, err = b.startRedis(ctx); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.rdb.stop()) }()
	if s.d, err = b.startDaemon("REDIS_ADDR="+s.rdb.addr, "ACCESS_LOG="+s.log); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.d.stop()) }()
	if err := s.d.ready(ctx); err != nil {
		return err
	}
	rounds := max(1, b.lines/soakSegment)
	began, cpu := time.Now(), s.d.cpu()
	for i := range rounds {
		if err := s.round(ctx, i, rounds); err != nil {
			return fmt.Errorf("segment %d of %d: %w", i+1, rounds, err)
		}
	}
	s.report(run{lines: int(s.counted), took: time.Since(began), cpu: s.d.cpu() - cpu, note: "daemon alone; the log is written meanwhile"})
	return nil
}

// round writes one segment, rotates, waits until it is counted, and looks.
func (s *soak) round(ctx context.Context, i, of int) error {
	age := time.Duration(of-i) * 24 * time.Hour / soakPerDay
	if err := s.write(time.Now().Add(-age)); err != nil {
		return fmt.Errorf("write: %w", err)
	}
	name := fmt.Sprintf("%s.%s-%d", s.log, time.Now().UTC().Format("20060102T150405Z"), i+1)
	if err := os.Rename(s.log, name); err != nil {
		return fmt.Errorf("rotate: %w", err)
	}
	if err := os.WriteFile(s.log, nil, 0o644); err != nil {
		return fmt.Errorf("rotate: %w", err)
	}
	err := s.d.await(ctx, soakMoreWait, func() error { return counted(ctx, s.rdb.client, 1, s.counted) })
	if err != nil {
		return err
	}
	if s.rotated = append(s.rotated, name); len(s.rotated) > soakKeep {
		if err := os.Remove(s.rotated[0]); err != nil {
			return fmt.Errorf("delete: %w", err)
		}
		s.rotated = s.rotated[1:]
	}
	x, err := s.look(ctx)
	if err != nil {
		return err
	}
	s.samples = append(s.samples, x)
	s.b.say("soak: %d lines, %d rotations; daemon %d MB, %d goroutines, %d descriptors; Redis %d MB",
		s.counted, i+1, x.rss>>20, x.goroutines, x.files, x.redis>>20)
	return nil
}

// write appends a segment's lines, six hours of them up to end.
func (s *soak) write(end time.Time) (err error) {
	f, err := os.OpenFile(s.log, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	w := bufio.NewWriterSize(f, 1<<16)
	zipf := rand.NewZipf(s.rng, 1.1, 8, distinctPages-1)
	span := 24 * time.Hour / soakPerDay
	var line []byte
	for i := range soakSegment {
		at := end.Add(-span + span*time.Duration(i)/soakSegment)
		h := hit{ms: at.UnixMilli(), id: [2]uint64{s.rng.Uint64(), s.rng.Uint64()}, page: int(zipf.Uint64()), visitor: s.rng.IntN(distinctVisitors)}
		line = appendV1(line[:0], &h, s.agents, false)
		// Whole lines only: a reader must not see the end of the buffer as torn.
		if w.Available() < len(line) {
			if err := w.Flush(); err != nil {
				return err
			}
		}
		if _, err := w.Write(line); err != nil {
			return err
		}
	}
	s.counted += soakSegment
	return w.Flush()
}

// look asks the kernel, the daemon and Redis.
func (s *soak) look(ctx context.Context) (x soakSample, err error) {
	proc := filepath.Join("/proc", strconv.Itoa(s.d.cmd.Process.Pid))
	kb, err := strconv.ParseInt(strings.TrimSuffix(procLine(filepath.Join(proc, "status"), "VmRSS"), " kB"), 10, 64)
	if err != nil {
		return x, fmt.Errorf("read the daemon's memory: %w", err)
	}
	x.rss = kb << 10
	files, err := os.ReadDir(filepath.Join(proc, "fd"))
	if err != nil {
		return x, fmt.Errorf("count the daemon's descriptors: %w", err)
	}
	x.files = len(files)
	if x.goroutines, err = s.goroutines(ctx); err != nil {
		return x, err
	}
	x.redis, err = usedMemory(ctx, s.rdb.client)
	return x, err
}

func (s *soak) goroutines(ctx context.Context) (n int, err error) {
	text, err := get(ctx, "http://"+s.d.addr+"/metrics")
	if err != nil {
		return 0, fmt.Errorf("ask for metrics: %w", err)
	}
	for line := range strings.Lines(text) {
		if v, ok := strings.CutPrefix(line, "go_goroutines "); ok {
			return strconv.Atoi(strings.TrimSpace(v))
		}
	}
	return 0, errors.New("read metrics: go_goroutines is missing")
}

// report judges: after the first days what the daemon holds must not grow.
func (s *soak) report(r run) {
	settled := s.samples[min(len(s.samples)-1, soakSettle):]
	half := max(1, len(settled)/2)
	early, late := most(settled[:half]), most(settled[len(settled)-half:])
	flat := func(what, figure string, ok bool) {
		s.b.add(result{part: "soak", what: what, figure: figure, target: "flat", ok: ok})
	}
	s.b.add(result{part: "soak", what: fmt.Sprintf("%d lines over %d rotations, %d to a day", s.counted, len(s.samples), soakPerDay),
		figure: rate(r.perSecond(), "lines"), cpu: r.cpuText()})
	flat("memory of the daemon (RSS), most in the first and in the second half", fmt.Sprintf("%d MB, %d MB", early.rss>>20, late.rss>>20),
		float64(late.rss) <= soakGrowth*float64(early.rss))
	flat("goroutines", fmt.Sprintf("%d, %d", early.goroutines, late.goroutines), late.goroutines <= early.goroutines+soakSlack)
	flat("descriptors", fmt.Sprintf("%d, %d", early.files, late.files), late.files <= early.files+soakSlack)
	s.b.add(result{part: "soak", what: "memory of Redis (it keeps days for 90 days, visitors for 3)", figure: fmt.Sprintf("%d MB, %d MB", early.redis>>20, late.redis>>20)})
}

// most is the highest of each.
func most(all []soakSample) (m soakSample) {
	for _, x := range all {
		m.rss, m.redis = max(m.rss, x.rss), max(m.redis, x.redis)
		m.goroutines, m.files = max(m.goroutines, x.goroutines), max(m.files, x.files)
	}
	return m
}
