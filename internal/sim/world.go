package sim

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"ddkk-stats/parser"
)

// world is one run: hosts with their logs, daemons, the store, and the oracle.
type world struct {
	sch     *schedule
	dir     string
	log     *slog.Logger
	store   *store
	index   *index // for searches
	hosts   [2]*host
	daemons [3]*daemon // of host 0, of host 1, a second one on host 0's logs
	ledger  *ledger
	parsers parsers
	known   []*hit          // with a view's id
	views   map[string]*hit // that DEDUPE_WINDOW knows
	lines   int
	file    snapshot // nil: none was taken
	empty   template // of the archive

	mu      sync.Mutex
	strikes map[string]int
	failure string
	away    time.Time // until when the archive is
	harmed  *harmed   // nil: nothing is
	flushes []string  // what befalls the next transactions of the mirror
	made    *ruled    // nil: no rule was made
}

func (w *world) archivePath() string { return filepath.Join(w.dir, "archive.db") }

func (w *world) archiveAway() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return time.Now().Before(w.away)
}

// host is a machine: the logs that lie on it, and its clock.
type host struct {
	logs []*logFile
	fast atomic.Int64 // how far its clock is ahead
}

// now is the time by the host's clock.
func (h *host) now() time.Time { return time.Now().Add(time.Duration(h.fast.Load())) }

func (w *world) number() int {
	w.lines++
	return w.lines
}

// strike counts that a fault took place.
func (w *world) strike(kind string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.strikes[kind]++
}

// fail notes the first thing that went wrong.
func (w *world) fail(format string, args ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.failure == "" {
		w.failure = fmt.Sprintf(format, args...)
	}
}

func (w *world) failed() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.failure
}

// reading is a log and what is read of it: a site's own is read twice where its views
// count.
type reading struct {
	*logFile
	views bool
}

// readings are those of a host.
func (w *world) readings(h *host) (all []reading) {
	for _, l := range h.logs {
		all = append(all, reading{l, false})
		if l.calls && w.sch.Views > 0 {
			all = append(all, reading{l, true})
		}
	}
	return all
}

func (w *world) rules(l reading) parser.Config {
	c := parser.Config{Secret: []byte(secret), Location: w.ledger.loc, Country: countryOf, Uniques: w.sch.Uniques}
	if l.calls {
		c.Calls, c.Views = &parser.CallRules{}, l.views
	}
	if w.sch.Views > 0 {
		c.LogViews = []parser.LogView{{Site: viewed, From: w.ledger.from.UnixMilli()}}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.made != nil {
		c.Rules = w.made.rules
	}
	return c
}

// window is DEDUPE_WINDOW.
func (w *world) window(string) time.Duration { return time.Duration(w.sch.Window) * time.Minute }

// setup makes hosts and daemons.
func (w *world) setup() error {
	for i := range w.hosts {
		h := &host{}
		w.hosts[i] = h
		for j, name := range []string{"event.log", "site.log"} {
			dir := filepath.Join(w.dir, fmt.Sprintf("host%d-%d", i, j))
			if err := os.Mkdir(dir, 0o750); err != nil {
				return err
			}
			l := &logFile{w: w, host: h, path: filepath.Join(dir, name), calls: j == 1}
			h.logs = append(h.logs, l)
			if err := l.open(); err != nil {
				return err
			}
		}
	}
	if w.sch.Archive {
		if err := os.WriteFile(w.archivePath(), w.empty, 0o600); err != nil {
			return err
		}
	}
	for i := range w.daemons {
		d := &daemon{w: w, host: w.hosts[i%2], id: i, data: filepath.Join(w.dir, fmt.Sprintf("data%d", i)), real: filepath.Join(w.dir, fmt.Sprintf("data%d.real", i))}
		if err := os.Mkdir(d.real, 0o750); err != nil {
			return err
		}
		w.daemons[i] = d
	}
	w.store.kill = func(owner int) {
		d := w.daemons[owner/livesOf]
		if p := d.alive(); p != nil && p.owner == owner {
			d.kill()
		}
	}
	return nil
}

// run does all steps and looks at the end what came of them.
func (w *world) run() error {
	for i := range w.sch.Steps {
		if err := w.do(&w.sch.Steps[i]); err != nil {
			return fmt.Errorf("step %d: %w", i+1, err)
		}
		time.Sleep(time.Duration(w.sch.Steps[i].Wait) * time.Millisecond)
		w.watch()
		if w.failed() != "" {
			break
		}
	}
	if w.failed() == "" {
		if err := w.end(); err != nil {
			return err
		}
	}
	return w.close()
}

// mostAsked is how many exchanges a schedule may need: more are a loop that never
// ends.
const mostAsked = 20_000

// askedByStep is how often a step of a long schedule may ask it.
const askedByStep = 500

// watch notices a daemon that ended by itself, and keeps older progress files.
func (w *world) watch() {
	w.store.mu.Lock()
	asked := w.store.asked
	w.store.mu.Unlock()
	if asked > max(mostAsked, askedByStep*len(w.sch.Steps)) {
		w.fail("Redis was asked %d times: something goes round in circles", asked)
	}
	for _, d := range w.daemons {
		d.keepOlder()
		if !d.ended() {
			continue
		}
		p, err := d.reap()
		switch {
		case p.killed.Load():
		case d.torn && err != nil:
			d.torn = false // an operator does what the message says
			if err := errors.Join(os.Remove(d.progress()), d.start()); err != nil {
				w.fail("start with no progress file: %v", err)
			}
		case err != nil:
			w.fail("daemon %d ended by itself: %v", d.id, err)
		default:
			w.fail("daemon %d ended by itself", d.id)
		}
	}
}

func (d *daemon) progress() string { return filepath.Join(d.real, "progress.json") }

// do does a step.
func (w *world) do(s *step) error {
	rng := rand.New(rand.NewPCG(s.Seed, 7))
	l := w.hosts[s.Daemon%2].logs[s.Log%2]
	d := w.daemons[s.Daemon%3]
	switch s.Do {
	case doLines, doGlue, doPages, doHalf:
		return w.write(s, l, rng)
	case doLate:
		if o := l.late(int(s.Seed)); o != nil {
			w.strike("line late on an old descriptor")
			return l.write(o, l.random(rng, s.N, 5), false)
		}
	case doRotate:
		done, err := l.rotate()
		if done {
			w.strike("rotated")
		}
		if s.Seed%2 == 0 { // else when the next line comes
			err = errors.Join(err, l.open())
		}
		return err
	case doCompress:
		done, err := l.compress(s.N)
		if done {
			w.strike("compressed")
		}
		return err
	case doExchange:
		w.store.arm(fault{kind: s.Kind, owner: -1, skip: s.Skip, scripts: s.Script, n: s.N})
	case doOutage:
		w.store.befall(s.Kind, time.Duration(s.N)*time.Millisecond)
	case doSnapshot:
		w.file = w.store.snap()
	case doGoBack, doPromote:
		if w.file != nil {
			w.strike(map[action]string{doGoBack: "Redis went back", doPromote: "lagging replica promoted"}[s.Do])
			w.store.goBack(w.file)
		}
	case doLoseAll:
		w.strike("all keys lost")
		w.store.goBack(snapshot{})
	case doLoseKey, doRetype:
		w.harm(s)
	case doRepair:
		w.repair()
	case doReplay:
		if w.store.replay(s.N) {
			w.strike("beginning of a transaction applied again")
		}
	case doArchive:
		w.archive(d, s)
	case doAway:
		w.mu.Lock()
		w.away = time.Now().Add(time.Duration(s.N) * time.Millisecond)
		w.mu.Unlock()
		w.strike("archive away")
	case doIndex:
		w.index.arm(s.Kind)
	case doFlush:
		w.mu.Lock()
		w.flushes = append(w.flushes, s.Kind)
		w.mu.Unlock()
	case doClock:
		w.strike("clock wrong")
		w.hosts[s.Daemon%2].fast.Store(int64(time.Duration(s.N) * time.Hour))
	case doRule:
		return ruling{w}.makeRule(s.Kind, rng)
	case doUndo:
		return ruling{w}.undoRule()
	case doConfirm:
		if p := d.alive(); p != nil && p.keeper != nil {
			return p.keeper.confirm()
		}
	case doKill:
		if d.alive() != nil {
			w.strike("daemon killed")
			d.kill()
		}
	case doStop:
		if p := d.alive(); p != nil && !p.killed.Load() {
			w.strike("daemon stopped")
			if _, err := d.reap(); err != nil {
				w.fail("stop daemon %d: %v", d.id, err)
			}
		}
	case doStart:
		return w.startDaemon(d, s)
	}
	return nil
}

// archive runs a cycle of a daemon, maybe not to its end.
func (w *world) archive(d *daemon, s *step) {
	p := d.alive()
	if p == nil || p.killed.Load() || p.keeper == nil || p.ingester() == nil {
		return
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	left, struck := s.N%6, false
	err := p.keeper.cycle(ctx, d.host, func() error {
		if left--; left >= 0 || s.Kind == "" {
			return nil
		}
		if !struck {
			struck = true
			w.strike(s.Kind)
		}
		if s.Kind == archiveKill {
			d.kill()
			cancel()
		}
		return errCut
	})
	if err != nil && !struck && !errors.Is(err, errAway) {
		w.fail("archive: %v", err)
	}
	if err == nil && w.sch.KeepRaw > 0 {
		if err := w.checkRaw(p.keeper); err != nil {
			w.fail("%v", err)
		}
	}
}

func (w *world) write(s *step, l *logFile, rng *rand.Rand) error {
	if err := l.open(); err != nil {
		return err
	}
	switch s.Do {
	case doHalf:
		w.strike("line cut")
		return l.begin(l.live, l.random(rng, 1, 5)[0], s.N)
	case doPages:
		return l.write(l.live, l.random(rng, 2*s.N, s.N), false)
	case doGlue:
		if l.live.half != nil {
			w.strike("lines glued")
		}
		return l.write(l.live, l.random(rng, s.N, 5), true)
	}
	return l.write(l.live, l.random(rng, s.N, 5), false)
}

func (w *world) startDaemon(d *daemon, s *step) error {
	if p := d.alive(); p != nil {
		if !p.killed.Load() {
			return nil
		}
		if _, err := d.reap(); err != nil {
			return err
		}
	}
	if d.id == 2 {
		w.strike("second daemon on a log")
	}
	if err := w.spoil(d, s); err != nil {
		return err
	}
	return d.start()
}

const (
	lookAgain = 500 * time.Millisecond
	patience  = 90 * time.Second
)

func (w *world) close() error {
	var errs []error
	for _, d := range w.daemons {
		d.kill()
		_, err := d.reap()
		errs = append(errs, err)
	}
	for _, h := range w.hosts {
		for _, l := range h.logs {
			errs = append(errs, l.close())
		}
	}

	w.store.cutAll()
	time.Sleep(2 * looks) // nxadm/tail's pollers end by themselves
	return errors.Join(errs...)
}
