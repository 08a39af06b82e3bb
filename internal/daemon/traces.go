package daemon

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"ddkk-stats/counter"
	"ddkk-stats/internal/jobs"
	"ddkk-stats/internal/logs"
	"ddkk-stats/tailer"
)

// traceKeeper copies into Redis what the tailers know of segments, so that it lies
// beside the checkpoints. Tailers tell it from inside Next; its own goroutine writes.
type traceKeeper struct {
	rdb  redis.UniversalClient
	keys counter.Keys
	log  *slog.Logger
	now  func() time.Time

	mu    sync.Mutex
	noted map[string]map[string]json.RawMessage // by log; what is in it does not change

	sent    map[string]json.RawMessage // of the goroutine
	all     time.Time                  // when all was sent last
	dropped time.Time                  // when old ones were dropped last
	failing bool
}

const (
	// tracesEvery is how long Redis may be behind.
	tracesEvery = 2 * time.Second
	// tracesAgain is how often all are written again, should Redis have lost some.
	tracesAgain = 10 * time.Minute
	// tracesKept is how long those are kept that nobody has a file of.
	tracesKept = 400 * 24 * time.Hour
	// lastTraces is how long a stop waits for Redis to take them.
	lastTraces = 500 * time.Millisecond
)

func newTraceKeeper(rdb redis.UniversalClient, keys counter.Keys, log *slog.Logger) *traceKeeper {
	return &traceKeeper{rdb: rdb, keys: keys, log: log, now: time.Now, noted: map[string]map[string]json.RawMessage{}, sent: map[string]json.RawMessage{}}
}

// note is tailer.Options.Note of a log.
func (k *traceKeeper) note(name string, traces map[string]json.RawMessage) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.noted[name] = traces
}

// run writes until ctx ends.
func (k *traceKeeper) run(ctx context.Context) {
	tick := time.NewTicker(tracesEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			k.report(ctx, k.write(ctx))
		}
	}
}

func (k *traceKeeper) report(ctx context.Context, err error) {
	if err != nil && !k.failing && ctx.Err() == nil {
		k.log.Warn("cannot keep what is known of the logs' segments in Redis; trying again. Until then it is in DATA_DIR alone", "err", err)
	}
	k.failing = err != nil
}

// write writes what has changed.
func (k *traceKeeper) write(ctx context.Context) error {
	now := k.now()
	if now.Sub(k.all) >= tracesAgain {
		clear(k.sent)
		k.all = now
	}
	changed := map[string]counter.Trace{}
	k.mu.Lock()
	for name, traces := range k.noted {
		for id, text := range traces {
			if !bytes.Equal(k.sent[id], text) {
				changed[id] = counter.Trace{Log: name, Noted: now, Text: text}
			}
		}
	}
	k.mu.Unlock()
	if len(changed) > 0 {
		if err := counter.WriteTraces(ctx, k.rdb, k.keys, changed); err != nil {
			return err
		}
	}
	for id, t := range changed {
		k.sent[id] = t.Text
	}
	if now.Sub(k.dropped) < 24*time.Hour {
		return nil
	}
	if err := counter.DropTraces(ctx, k.rdb, k.keys, now.Add(-tracesKept)); err != nil {
		return err
	}
	k.dropped = now
	return nil
}

// close writes what the tailers noted when they were closed. run has returned.
func (k *traceKeeper) close() {
	ctx, cancel := context.WithTimeout(context.Background(), lastTraces)
	defer cancel()
	k.report(ctx, k.write(ctx))
}

// recalled are what Redis and the archive knew of the logs' segments at the start, by
// path: it is had before the first line is read.
type recalled struct {
	mu    sync.Mutex
	byLog map[string]tailer.Recollection
}

func (r *recalled) of(path string) tailer.Recollection {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.byLog[path]
}

// startSegments learns what is known of the segments beside DATA_DIR.
func (s *server) startSegments(ctx context.Context) error {
	byLog := map[string]tailer.Recollection{}
	for _, in := range s.inputs {
		r, err := jobs.Recall(ctx, s.vault, in)
		if err != nil {
			return err
		}
		byLog[in.Name()] = r
	}
	s.recalled.mu.Lock()
	defer s.recalled.mu.Unlock()
	s.recalled.byLog = byLog
	return nil
}

// remembering has a log's tailer ask and tell what is known of segments beside DATA_DIR.
func (s *server) remembering(opt *tailer.Options, in logs.Input) error {
	name, err := jobs.LogName(in)
	if err != nil {
		return err
	}
	opt.Recall = func() (tailer.Recollection, error) { return s.recalled.of(in.Name()), nil }
	if s.embedded == nil { // which keeps nothing anyway
		opt.Note = func(traces map[string]json.RawMessage) { s.traces.note(name, traces) }
	}
	return nil
}
