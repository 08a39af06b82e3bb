package main

import (
	"bytes"
	"context"
	"fmt"
	"runtime"
	"syscall"
	"time"

	"ddkk-stats/parser"
	"ddkk-stats/tailer"
)

// benchStages measures the pieces of the pipeline alone: reader and parser.
func (b *bench) benchStages(ctx context.Context, l *hitLog, theirs run) error {
	all, err := repeat(3, func() (run, error) { return readAlone(ctx, l) })
	if err != nil {
		return err
	}
	r := median(all)
	b.add(result{part: "ingest", what: "the reader alone (tailer, from the page cache)", figure: rate(r.perSecond(), "lines"),
		cpu: r.cpuText(), ratio: against(r, theirs)})
	data, err := l.head(64 << 20)
	if err != nil {
		return err
	}
	all, err = repeat(3, func() (run, error) { return parseAlone(data) })
	if err != nil {
		return err
	}
	r = median(all)
	b.add(result{part: "ingest", what: "the parser alone (parse, classify, hash; one core)", figure: rate(r.perSecond(), "lines"),
		cpu: r.cpuText(), ratio: against(r, theirs), target: ">= 2.5M lines/s", ok: r.cpuSeconds() <= 0.4})
	return nil
}

func readAlone(ctx context.Context, l *hitLog) (r run, err error) {
	before, began := ownCPU(syscall.RUSAGE_SELF), time.Now()
	t, err := tailer.Open(tailer.Options{Path: l.v1, Identify: parser.SegmentID, MaxLine: parser.MaxLine})
	if err != nil {
		return r, err
	}
	for at := int64(0); at < l.size; {
		block, err := t.Next(ctx)
		if err != nil {
			return r, err
		}
		at = block.End
		block.Release()
	}
	r = run{lines: l.lines, took: time.Since(began), cpu: ownCPU(syscall.RUSAGE_SELF) - before}
	return r, t.Close()
}

// rusageThread is RUSAGE_THREAD of getrusage(2), which syscall does not name.
const rusageThread = 1

func parseAlone(data []byte) (r run, err error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	p, err := parser.New(parser.Config{Secret: []byte("0123456789abcdef"), RefererCheck: true, Location: time.UTC})
	if err != nil {
		return r, err
	}
	var h parser.Hit
	before, began := ownCPU(rusageThread), time.Now()
	for rest := data; len(rest) > 0; r.lines++ {
		i := bytes.IndexByte(rest, '\n')
		p.Parse(rest[:i], &h)
		if h.Kind != parser.Pageview || h.Bot {
			return r, fmt.Errorf("the parser says %v %v of %q", h.Kind, h.Reason, rest[:i])
		}
		rest = rest[i+1:]
	}
	r.took, r.cpu = time.Since(began), ownCPU(rusageThread)-before
	return r, nil
}

func ownCPU(who int) time.Duration {
	var u syscall.Rusage
	if syscall.Getrusage(who, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
