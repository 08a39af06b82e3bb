package counter

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"time"

	"github.com/redis/go-redis/v9"
	"golang.org/x/sync/errgroup"

	"ddkk-stats/parser"
)

// Ingester counts the lines of its inputs. New starts nothing; Run does all
// the work and returns when its context ends and everything is put away.
//
// It is the loop: it takes blocks, has the aggregate count their lines, sends what
// they change to the committer and has the settler take the answers. Each of its
// parts is a type of its own, with what it needs.
type Ingester struct {
	opt    Options
	rdb    redis.UniversalClient
	keys   Keys
	inputs []Input
	log    *slog.Logger

	// The loop's own, touched by no other goroutine.
	aggregate
	flight     *flight // what Redis is doing for us right now; nil: nothing
	again      *flight // what goes out next, before anything else
	hit        parser.Hit
	misses     int  // questions to Redis that lines of this block had
	aheadFirst bool // the next block is looked at before it is counted
	loop       schedule

	// Its parts: what they are asked runs in the loop.
	wire   *wire
	load   *loader
	filler *filler
	roll   *registry
	places *places
	holds  *holders
	wards  *wards
	folds  *folds
	audits *audits
	heal   *healer
	settle *settler

	// Shared with other goroutines.
	commit  *committer
	budget  *budget
	clock   *redisClock
	looping pulse
	rules   rulesBox
	windows windowBox
	meter   meter
	waiting waiting
	wait    waiters
}

// schedule holds the loop's moments.
type schedule struct {
	committed time.Time // when the last batch was sent
	opened    time.Time // when the first line came into the open batch
	saved     time.Time // progress
	saveTook  time.Duration
	liveAt    time.Time // when the last block came from the live edge
	rules     *Rules    // wait for the batches to be settled; nil: none do
}

// New makes an Ingester; it reads no input and asks Redis nothing yet.
func New(opt Options, inputs ...Input) (*Ingester, error) {
	if opt.Redis == nil {
		return nil, errors.New("make ingester: no Redis client given")
	}
	opt.defaults()
	known, err := readProgress(opt.Progress)
	if err != nil {
		return nil, err
	}
	for _, name := range opt.Forgotten {
		delete(known.Sites, name)
	}
	in := &Ingester{
		opt: opt, rdb: opt.Redis, keys: opt.Keys, inputs: inputs, log: opt.Logger,
		aggregate: aggregate{
			caps: opt.caps(), sites: map[string]*site{}, refused: map[string]refusal{},
			open: newBatch(1, len(inputs)), number: 1, now: opt.Now(), redisNow: opt.Now(),
			serial: rand.Uint64(), // a parser may have been another ingester's, with notes of that one
		},
		clock:  &redisClock{own: opt.Now},
		budget: newBudget(opt.BatchSize, opt.Reading, opt.Embedded),
		wait:   newWaiters(),
		rules:  newRulesBox(),
	}
	scripts := newScripts(!opt.Embedded)
	in.wire = &wire{rdb: opt.Redis, patience: patience{log: opt.Logger, tell: in.asked}}
	in.audits = &audits{wire: in.wire, rdb: opt.Redis, keys: opt.Keys, budget: in.budget, clock: in.clock, now: opt.Now, log: in.log}
	in.places = &places{inputs: inputs, segs: map[string]*segment{}, resume: resumePoints{at: map[string]int64{}}, known: known, file: opt.Progress,
		cut: map[string]bool{}, archive: opt.Archive, meter: &in.meter, log: opt.Logger}
	in.holds = newHolders(holders{wire: in.wire, rdb: opt.Redis, keys: opt.Keys, places: in.places}, opt.Audit)
	in.audits.holders = in.holds
	in.wards = &wards{cares: map[string]*care{}, stales: map[string]struct{}{}, recounts: map[string]struct{}{}, told: opt.Stale, now: opt.Now, meter: &in.meter}
	in.roll = &registry{wire: in.wire, rdb: opt.Redis, keys: opt.Keys, log: opt.Logger, known: known, archive: opt.Archive}
	in.load = &loader{wire: in.wire, rdb: opt.Redis, keys: opt.Keys, loc: opt.Location, now: in.clock.now, log: opt.Logger, known: known,
		archive: opt.Archive, newDay: in.newDay, newTerms: in.wantedTerms}
	enc := &encoder{keys: opt.Keys, loc: opt.Location, now: opt.Now, redisNow: in.clock.now, uvTTL: opt.UVSetTTL}
	layouts := &migrator{wire: in.wire, load: in.load, enc: enc, rdb: opt.Redis, keys: opt.Keys, script: scripts.layout, log: opt.Logger}
	spread := &spreader{enc: enc, rdb: opt.Redis, keys: opt.Keys, script: scripts.fold, budget: in.budget, meter: &in.meter, now: opt.Now}
	in.folds = newFolds(folds{sites: in.sites, spread: spread, places: in.places, wards: in.wards, audits: in.audits, wire: in.wire})
	in.heal = &healer{counts: &in.aggregate, places: in.places, holders: in.holds, wards: in.wards, folds: in.folds, load: in.load, layouts: layouts, roll: in.roll,
		doubts: newDoubts(), rebuilt: make(chan rebuilt), rdb: opt.Redis, keys: opt.Keys, archive: opt.Archive, committed: opt.Committed,
		went: in.redisWent, now: opt.Now, log: opt.Logger, meter: &in.meter}
	in.filler = &filler{counts: &in.aggregate, load: in.load, heal: in.heal, folds: in.folds, wire: in.wire, keys: opt.Keys}
	in.settle = &settler{counts: &in.aggregate, places: in.places, wards: in.wards, folds: in.folds, audits: in.audits, load: in.load, heal: in.heal,
		wire: in.wire, keys: opt.Keys, loc: opt.Location, uvTTL: opt.UVSetTTL, now: opt.Now, redisNow: in.clock.now, committed: opt.Committed, wait: &in.wait,
		log: opt.Logger, meter: &in.meter}
	in.commit = &committer{enc: enc, spread: spread, rdb: opt.Redis, script: scripts.commit, budget: in.budget, durable: opt.Sync, now: opt.Now}
	in.commit.patience = patience{log: opt.Logger, tell: func(try int, err error) {
		in.commit.pulse.beat(opt.Now())
		in.redisWent(byCommitter, try, err)
	}}
	in.commit.pulse.rest.Store(true)
	in.windows.set(opt.DedupeWindow)
	return in, nil
}

// redisWent notes how an exchange with Redis went.
func (in *Ingester) redisWent(who asker, try int, err error) {
	if changed, long := in.waiting.note(who, try, err); changed {
		in.opt.Waits(long)
	}
	if err != nil {
		in.meter.update(func(s *IngestStats) { s.Retries++ })
	}
}

// Stats tells what was done since the start. Any goroutine.
func (in *Ingester) Stats() IngestStats {
	s := in.meter.snapshot()
	s.Redis = in.waiting.well()
	s.at(in.opt.Now())
	return s
}

// fetched is a block on its way from a source to the loop.
type fetched struct {
	input int
	block Block
}

// Run reads, counts and commits until ctx ends. Then it stops reading, commits
// what is in hand within Grace and saves its progress. Redis being away, full
// or loading is waited for; what is returned is an error that only a person
// can mend.
func (in *Ingester) Run(ctx context.Context) error {
	// Redis work outlives ctx by Grace.
	work, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer func() {
		cancel()
		in.heal.behind.Wait()
	}()
	stop := context.AfterFunc(ctx, func() {
		t := time.AfterFunc(in.opt.Grace, cancel)
		context.AfterFunc(work, func() { t.Stop() })
	})
	defer stop()

	in.looping.beat(in.opt.Now())
	defer in.looping.rest.Store(true)
	if err := in.prepare(work); err != nil {
		if ctx.Err() != nil {
			return nil
		}
		return fmt.Errorf("prepare counting: %w", err)
	}
	in.wait.counted(in.places.segs, nil) // what was counted in earlier runs is known now
	readable, stopReading := context.WithCancel(ctx)
	defer stopReading()
	if in.opt.Scrub > 0 {
		in.heal.behind.Go(func() { in.newScrubber().run(readable) })
	}
	pumps, reading := errgroup.WithContext(readable)
	blocks := make(chan fetched, 4)
	for i := range in.inputs {
		pumps.Go(func() error { return in.pump(reading, i, blocks) })
	}
	jobs, results := make(chan *flight), make(chan *flight, 1)
	committer := make(chan struct{})
	go func() {
		defer close(committer)
		in.commit.run(work, jobs, results)
	}()
	err := in.run(work, reading, blocks, jobs, results)
	stopReading()
	cancel()
	close(jobs)
	<-committer
	if perr := pumps.Wait(); perr != nil && ctx.Err() == nil {
		err = errors.Join(err, perr)
	}
	return err
}

// pump hands a source's blocks to the loop.
func (in *Ingester) pump(ctx context.Context, i int, blocks chan<- fetched) error {
	for {
		b, err := in.inputs[i].Source.Next(ctx)
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read log: %w", err)
		}
		if !in.pass(ctx, fetched{i, b}, blocks) {
			return nil
		}
	}
}

// watchEvery is how often a log is looked at whose blocks wait, as while Redis is away.
const watchEvery = time.Second

// pass waits until the loop takes a block, and watches its log meanwhile. It reports
// false when ctx ended.
func (in *Ingester) pass(ctx context.Context, f fetched, blocks chan<- fetched) bool {
	select {
	case blocks <- f:
		return true
	default:
	}
	watch := time.NewTicker(watchEvery)
	defer watch.Stop()
	for {
		select {
		case blocks <- f:
			return true
		case <-watch.C:
			in.inputs[f.input].Source.Watch()
		case <-ctx.Done():
			return false
		}
	}
}

// run is the loop that owns all state.
func (in *Ingester) run(work, reading context.Context, blocks <-chan fetched, jobs chan<- *flight, results <-chan *flight) error {
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	pace := time.NewTimer(time.Hour) // wakes the loop when a live batch may go
	defer pace.Stop()
	held := make(chan fetched, 1) // a block that waits for new rules
	for {
		in.looping.beat(in.opt.Now())
		in.switchRules()
		in.next(len(blocks) == 0, reading.Err() != nil, jobs, pace)
		if reading.Err() != nil && in.flight == nil && in.open.empty() {
			return in.finish(work)
		}
		from := blocks
		if len(held) > 0 {
			from = held
		}
		if in.full() || reading.Err() != nil || in.standingBy() || in.loop.rules != nil {
			from = nil // back-pressure: what is not read waits in the log
		}
		done := reading.Done()
		if reading.Err() != nil {
			done = nil
		}
		var err error
		select {
		case f := <-from:
			if in.loop.rules = in.rules.heed(in.loop.rules); in.loop.rules != nil {
				held <- f // its lines may have been written after them
				break
			}
			err = in.take(work, f)
		case f := <-results:
			in.flight, in.folds.batchOut = nil, false
			in.again, err = in.settle.settle(work, f)
		case r := <-in.heal.rebuilt:
			err = in.heal.finishRebuild(work, r)
		case a := <-in.heal.doubts.answers:
			err = in.heal.doubtsAnswered(work, a)
		case <-tick.C:
			err = in.upkeep(work)
		case <-in.rules.wake:
			in.loop.rules = in.rules.heed(in.loop.rules)
		case <-pace.C:
		case <-done:
		case <-work.Done():
		}
		if work.Err() != nil {
			return in.abandon() // whatever failed, failed because of the stop
		}
		if err != nil {
			return err
		}
	}
}

// next gives Redis its next job when it has none and one is due.
func (in *Ingester) next(idle, stopping bool, jobs chan<- *flight, pace *time.Timer) {
	if in.flight != nil {
		return
	}
	if f := in.again; f != nil {
		in.again = nil
		in.send(f, jobs)
		return
	}
	now := in.opt.Now()
	if s, l := in.folds.foldDue(now, in.open.empty() && (idle || stopping), now.Sub(in.loop.opened) >= quietFor); s != nil {
		in.send(&flight{fold: s, list: l}, jobs)
		return
	}
	if in.open.empty() || (!stopping && !in.due(now, idle, pace)) {
		return
	}
	in.loop.committed = now
	in.send(&flight{batch: in.close()}, jobs)
}

func (in *Ingester) send(f *flight, jobs chan<- *flight) {
	in.flight, in.folds.batchOut = f, f.batch != nil
	jobs <- f
}

// catchUpAge is how long a batch may grow while a backlog is read: long
// enough to fold many lines into few writes, short enough to show progress.
const catchUpAge = 250 * time.Millisecond

// liveAge is how long a line may wait at the live edge for those behind it.
const liveAge = 10 * time.Millisecond

// due tells whether the open batch should go now. At the live edge that is at
// once, but not more often than BatchInterval; in a backlog when it is full or
// old enough.
func (in *Ingester) due(now time.Time, idle bool, pace *time.Timer) bool {
	if in.full() || in.loop.rules != nil {
		return true
	}
	if !in.places.live {
		return now.Sub(in.loop.opened) >= catchUpAge
	}
	if !idle {
		return now.Sub(in.loop.opened) >= liveAge
	}
	if wait := in.opt.BatchInterval - now.Sub(in.loop.committed); wait > 0 {
		pace.Reset(wait)
		return false
	}
	return true
}

// Limits of one batch beside BatchSize: how much is lost to a rewind, and how
// much memory a batch takes.
const (
	maxBatchPages = 128 << 10
	maxBatchLines = 256 << 10
)

func (in *Ingester) full() bool {
	b := in.open
	return b.most >= in.budget.writes() || b.pages+b.bots >= maxBatchPages || b.lines >= maxBatchLines
}

func (in *Ingester) standingBy() bool { return in.opt.Now().Before(in.settle.standby) }

// abandon ends the loop when Redis did not take the last batch in time: what
// it holds is read again at the next start.
func (in *Ingester) abandon() error {
	in.log.Warn("stopped before everything was committed; the next start reads it again from the log",
		"lines", in.open.lines)
	return in.places.save(in.sites)
}

func (in *Ingester) finish(ctx context.Context) error {
	for _, s := range in.sites {
		if s.waits[pendingPages].n == 0 {
			continue
		}
		if err := in.folds.foldAll(ctx, s); err != nil {
			in.log.Warn("pending page changes stay for the next start", "site", s.name, "err", err)
			break
		}
	}
	return in.places.save(in.sites)
}
