package counter

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"ddkk-stats/parser"
)

// A key that is lost is noticed by the next commit that knew it, which may never
// come: a page that nobody looks at, a day that is over. So a scrub goes round all
// sites, slowly, and compares numbers that must agree with each other whatever was
// counted. What it reads at once it reads in one transaction, and what is too long
// for that it holds against the totals before and after: they only grow. So it is
// exact beside counting. What it finds goes the way of what commits find: into
// `lost` of the checkpoint, and from there to the audit.
//
// It knows what makes numbers differ without a loss: keys that died or are about to,
// pending page changes, visitors that nobody may count, days of clocks that were
// ahead. What an earlier counter had is in keys of its own.

// scrubber is the state of the rounds. One goroutine.
type scrubber struct {
	rdb    redis.UniversalClient
	keys   Keys
	loc    *time.Location
	now    func() time.Time // this host's clock
	redis  *redisClock
	uvTTL  time.Duration
	idWide time.Duration                   // how long a view id is remembered
	window func(site string) time.Duration // DEDUPE_WINDOW
	log    *slog.Logger
	every  time.Duration // from the beginning of one round to that of the next
	rate   int           // keys a second at most
	pause  func(ctx context.Context, d time.Duration)
	found  func() // is told when a site's loss was noted
	update func(func(*IngestStats))

	round int
	sites map[string]*scrubbed
}

// scrubbed is what earlier rounds left of a site.
type scrubbed struct {
	noted   string // the differences that were noted last
	strikes int    // times that they were the same again
	next    int    // the round from which on they may be noted again
}

const (
	// scrubRate costs Redis about one hundredth of its time.
	scrubRate = 20_000
	// scrubFirst is when the first round begins.
	scrubFirst = 5 * time.Second
	// scrubOld is in which rounds keys of former days are looked for one by one: some
	// minutes apart.
	scrubOld = 20
	// scrubPiece is how many members or keys are read at once.
	scrubPiece = 500
)

func (in *Ingester) newScrubber() *scrubber {
	return &scrubber{
		rdb: in.rdb, keys: in.keys, loc: in.opt.Location, now: in.opt.Now, redis: in.clock, uvTTL: in.opt.UVSetTTL, idWide: in.opt.IDWindow, window: in.windows.width, log: in.log,
		every: in.opt.Scrub, rate: scrubRate, pause: pause, found: func() { in.audits.lossFound.Store(true) }, update: in.meter.update,
		sites: map[string]*scrubbed{},
	}
}

// pause waits for d, or until ctx ends.
func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}

// run goes round until ctx ends. Trouble with Redis is the counting's to tell: a
// round that fails is begun anew.
func (s *scrubber) run(ctx context.Context) {
	s.pause(ctx, min(scrubFirst, s.every))
	for ctx.Err() == nil {
		begin := s.now()
		if err := s.goRound(ctx); err != nil && ctx.Err() == nil {
			s.log.Debug("a scrub was not finished", "err", err)
		}
		s.pause(ctx, max(s.every-s.now().Sub(begin), s.every/4))
	}
}

// goRound looks at all sites once.
func (s *scrubber) goRound(ctx context.Context) error {
	names, err := s.rdb.SMembers(ctx, s.keys.Sites()).Result()
	if err != nil {
		return fmt.Errorf("scrub: read sites: %w", err)
	}
	s.round++
	there := make(map[string]bool, len(names))
	for _, name := range names {
		there[name] = true
		if err := s.scrub(ctx, name); err != nil {
			return fmt.Errorf("scrub %s: %w", name, err)
		}
	}
	for name := range s.sites {
		if !there[name] {
			delete(s.sites, name)
		}
	}
	s.update(func(st *IngestStats) { st.ScrubRounds++; st.ScrubEnded = s.now() })
	return nil
}

// scrub looks at one site.
func (s *scrubber) scrub(ctx context.Context, name string) error {
	l := &look{scrubber: s, site: name, days: map[parser.Day]bool{}}
	err := l.all(ctx)
	if errors.Is(err, errOtherLife) {
		return nil // it is another's turn to make it right
	}
	if err != nil {
		return err
	}
	return s.judge(ctx, l)
}

// judge notes the loss of a site whose numbers differ. Where they differ just so
// again after a rebuild, the archive or the log has them so: that is no loss, and
// the site is left alone for longer each time.
func (s *scrubber) judge(ctx context.Context, l *look) error {
	was := s.sites[l.site]
	if len(l.differences) == 0 {
		was.noted, was.strikes, was.next = "", 0, 0
		return nil
	}
	s.update(func(st *IngestStats) { st.ScrubDifferences += int64(len(l.differences)) })
	text := strings.Join(l.differences, "; ")
	if text == was.noted && s.round < was.next || l.lost > 0 {
		return nil // it was dealt with as well as it could be
	}
	if text == was.noted {
		was.strikes++
	} else {
		was.noted, was.strikes = text, 0
	}
	was.next = s.round + 2<<min(was.strikes, 12)
	ok, err := s.rdb.Eval(ctx, noteLoss, []string{s.keys.Checkpoint(l.site)}, l.epoch, len(l.differences)).Int()
	if err != nil || ok == 0 {
		was.noted = ""
		return err
	}
	s.log.Error("numbers of a site do not agree with each other: Redis lost keys; the site is rebuilt", "site", l.site,
		"differences", len(l.differences), "first", l.differences[0], "seen_before", was.strikes)
	s.found()
	return nil
}

// noteLoss notes a loss in a checkpoint (KEYS[1]) that is still of the epoch ARGV[1],
// of ARGV[2] keys. Returns 1 if it is.
const noteLoss = `
if redis.call('HGET', KEYS[1], 'epoch') ~= ARGV[1] then return 0 end
redis.call('HINCRBY', KEYS[1], 'lost', ARGV[2])
return 1`

// look is one look at a site.
type look struct {
	*scrubber
	site    string
	epoch   string
	lost    int64                 // what the checkpoint said already
	days    map[parser.Day]bool   // that may have books
	waiting *redis.StringSliceCmd // what is not spread yet of facets

	leastUV int64 // visitors that all pages had together when the look began; -1: not known
	uv      int64 // and those that were found since

	differences []string
}

// errOtherLife says that the site is being rebuilt, was, or has to be.
var errOtherLife = errors.New("the site's keys are another life's")

// mostDifferences bounds the list of a look.
const mostDifferences = 100

func (l *look) differ(format string, args ...any) {
	if len(l.differences) < mostDifferences {
		l.differences = append(l.differences, fmt.Sprintf(format, args...))
	}
}

// at asks what queue queues of one moment, in which the site must be whole and of the
// life in which the look began. Commands that fail for a key of another type
// have their own error. It takes as long as n keys may take.
func (l *look) at(ctx context.Context, n int, queue func(redis.Pipeliner)) error {
	var state *redis.SliceCmd
	_, err := l.rdb.TxPipelined(ctx, func(p redis.Pipeliner) error {
		state = p.HMGet(ctx, l.keys.Checkpoint(l.site), fieldEpoch, fieldBegun, fieldDone, fieldLost)
		queue(p)
		return nil
	})
	if err != nil && passing(err) {
		return err
	}
	f := func(i int) string { text, _ := state.Val()[i].(string); return text }
	if state.Err() != nil || f(0) == "" || strings.HasPrefix(f(0), rebuilding) || f(1) != f(2) {
		return errOtherLife // the audit sees that as well
	}
	if l.epoch == "" {
		l.epoch = f(0)
		if f(3) != "" {
			l.lost = 1
		}
	}
	if f(0) != l.epoch {
		return errOtherLife
	}
	l.paced(ctx, n)
	return ctx.Err()
}

// paced waits until n keys more may be read.
func (l *look) paced(ctx context.Context, n int) {
	l.update(func(st *IngestStats) { st.ScrubKeys += int64(n) })
	l.pause(ctx, time.Duration(n)*time.Second/time.Duration(l.rate))
}

// all does one comparison after the other.
func (l *look) all(ctx context.Context) error {
	if l.sites[l.site] == nil {
		l.sites[l.site] = &scrubbed{}
	}
	if err := l.numbers(ctx); err != nil {
		return err
	}
	if err := l.present(ctx); err != nil {
		return err
	}
	if err := l.lists(ctx); err != nil {
		return err
	}
	return l.visitorsOfPages(ctx)
}
