package counter

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"ddkk-stats/parser"
)

// newEpoch names a life of a site's keys: it changes when they are rebuilt.
func newEpoch() string {
	var b [8]byte
	rand.Read(b[:]) // never fails, by its documentation
	return hex.EncodeToString(b[:])
}

// Fields of the checkpoint hash that are no segments.
const (
	fieldEpoch = "epoch"
	fieldFold  = "fold"
	fieldBegun = "begun"
	fieldDone  = "done"
)

// rebuilding starts the epoch of a site while it is being rebuilt.
const rebuilding = "rebuild:"

// checkpoint is a site's checkpoint hash.
type checkpoint struct {
	epoch   string
	offsets map[string]int64
	part    bool // a script was applied in part (see prelude.lua)
}

func parseCheckpoint(fields map[string]string) (checkpoint, error) {
	c := checkpoint{epoch: fields[fieldEpoch], offsets: map[string]int64{},
		part: fields[fieldBegun] != fields[fieldDone]}
	for f, v := range fields {
		switch f {
		case fieldEpoch, fieldFold, fieldBegun, fieldDone:
			continue
		}
		n, err := strconv.ParseInt(v, 10, 64)
		if err != nil {
			return c, fmt.Errorf("read checkpoint of segment %s: %w", f, err)
		}
		c.offsets[f] = n
	}
	return c, nil
}

// readCheckpoints reads the checkpoints of many sites, in as few round trips
// as is kind to Redis. One that is damaged comes back empty, as if gone: what
// it said is lost either way.
func (in *Ingester) readCheckpoints(ctx context.Context, sites []string) ([]checkpoint, error) {
	out := make([]checkpoint, 0, len(sites))
	for len(sites) > 0 {
		trip := sites[:min(len(sites), 500)]
		sites = sites[len(trip):]
		cmds := make([]*redis.MapStringStringCmd, len(trip))
		err := in.retry(ctx, "read checkpoints", func() error {
			pipe := in.rdb.Pipeline()
			for i, s := range trip {
				cmds[i] = pipe.HGetAll(ctx, in.keys.Checkpoint(s))
			}
			if _, err := pipe.Exec(ctx); passing(err) {
				return err
			}
			return nil
		})
		if err != nil {
			return nil, fmt.Errorf("read checkpoints: %w", err)
		}
		for i, cmd := range cmds {
			c, err := parseCheckpoint(cmd.Val())
			if err == nil {
				err = cmd.Err()
			}
			if err != nil {
				in.log.Error("a checkpoint is damaged; the site is rebuilt", "site", trip[i], "err", err)
				c = checkpoint{}
			}
			out = append(out, c)
		}
	}
	return out, nil
}

// loadSite makes a site known that was not known yet; nil when there are too
// many sites.
func (in *Ingester) loadSite(ctx context.Context, name string) (*site, error) {
	cs, err := in.readCheckpoints(ctx, []string{name})
	if err != nil {
		return nil, err
	}
	if cs[0].epoch == "" && len(in.sites) >= in.opt.MaxSites {
		in.refuse(name)
		return nil, nil
	}
	err = in.retry(ctx, "note site", func() error { return in.rdb.SAdd(ctx, in.keys.Sites(), name).Err() })
	if err != nil {
		return nil, fmt.Errorf("note site %s: %w", name, err)
	}
	return in.adopt(ctx, name, cs[0])
}

// maxRefused bounds the memory of names over the limit of sites.
const maxRefused = 100_000

// refuse remembers a site over the limit, so that a flood of made-up names
// does not ask Redis for each line.
func (in *Ingester) refuse(name string) {
	if len(in.refused) >= maxRefused {
		clear(in.refused)
	}
	in.refused[strings.Clone(name)] = struct{}{}
}

// adopt builds the state of a site from its checkpoint and returns what stands
// for the site now: when its keys are damaged, or somebody is rebuilding them,
// that is a parked site.
func (in *Ingester) adopt(ctx context.Context, name string, c checkpoint) (*site, error) {
	s := in.newSite(name, c)
	in.sites[s.name] = s
	var err error
	if strings.HasPrefix(c.epoch, rebuilding) {
		err = in.rebuild(ctx, s, "a rebuild was not finished")
	} else if err = in.readSite(ctx, s); errors.Is(err, errOpened) {
		cs, err := in.readCheckpoints(ctx, []string{name})
		if err != nil {
			return s, err
		}
		return in.adopt(ctx, name, cs[0])
	} else if err != nil {
		err = in.damage(ctx, s, err)
	}
	return in.sites[s.name], err
}

func (in *Ingester) newSite(name string, c checkpoint) *site {
	s := &site{name: strings.Clone(name), epoch: c.epoch, first: newEpoch(),
		offsets: map[string]*offsets{}, days: map[parser.Day]*dayState{}}
	s.ids = newRecent(RuleID, in.opt.IDWindow)
	s.keepWindow(in.opt.DedupeWindow(name))
	for id, n := range c.offsets {
		s.offsets[id] = &offsets{stored: n, sent: n, open: n}
	}
	return s
}

// errOpened says that another host began to count a site that was new to us.
var errOpened = errors.New("another host has opened the site")

// readSite reads what is remembered of a site beside its checkpoint and folds
// what an earlier run left pending.
func (in *Ingester) readSite(ctx context.Context, s *site) error {
	err := in.retry(ctx, "read site", func() error {
		pipe := in.rdb.Pipeline()
		totals := [...]*redis.StringCmd{pipe.Get(ctx, in.keys.SitePV(s.name)), pipe.Get(ctx, in.keys.SiteUV(s.name))}
		pending := pipe.LLen(ctx, in.keys.Pending(s.name))
		if _, err := pipe.Exec(ctx); passing(err) && !isNil(err) {
			return err
		}
		for i, to := range [...]*int64{&s.pv, &s.uv} {
			n, err := totals[i].Int64()
			if err != nil && !isNil(err) {
				return err
			}
			*to = n
		}
		if in.shrunk(s) {
			return &damagedError{s.name, "its totals are less than they were"}
		}
		if s.epoch == "" {
			opened, err := in.rdb.HExists(ctx, in.keys.Checkpoint(s.name), fieldEpoch).Result()
			if err != nil {
				return err
			}
			if opened {
				return errOpened
			}
		}
		if s.epoch == "" && (s.pv > 0 || in.opt.Archive != nil && in.opt.Archive.Knows(s.name)) {
			return &damagedError{s.name, "there are counts but no checkpoint"}
		}
		n, err := pending.Result()
		s.pending = int(n)
		return err
	})
	if err != nil || s.pending == 0 {
		return err
	}
	return in.foldAll(ctx, s)
}

// damage deals with an error that will not pass by itself while a site's keys
// are read: the site is rebuilt where that is possible without loss.
func (in *Ingester) damage(ctx context.Context, s *site, err error) error {
	in.countViews()
	if ctx.Err() != nil || passing(err) {
		return err
	}
	return in.rebuild(ctx, s, err.Error())
}

// idleDay is how long a day may stay in memory untouched: less than any of
// its keys lives, so that what is remembered is still there.
const idleDay = time.Hour

// dayOf finds or loads the state of a site's day.
func (in *Ingester) dayOf(ctx context.Context, s *site, day parser.Day) (*dayState, error) {
	if d := s.days[day]; d != nil {
		now := in.opt.Now()
		if d.used+1 >= in.number || now.Sub(d.touched) < idleDay {
			d.touched = now
			return d, nil
		}
		delete(s.days, day)
	}
	if s.pending > 0 {
		if err := in.foldAll(ctx, s); err != nil {
			return nil, err
		}
	}
	in.serial++
	d := &dayState{day: day, serial: in.serial, pages: map[string]*page{}, bots: map[string]*page{}, events: map[string]struct{}{}, from: newReferrers(),
		used: in.number, touched: in.opt.Now()}
	_, d.minutes = in.expireAt(day.Next(), MinutesTTL)
	if s.epoch != "" { // a new site has nothing to read
		err := in.retry(ctx, "read day", func() error { return in.fillDay(ctx, s, d) })
		if err != nil {
			return nil, fmt.Errorf("read day %d of %s: %w", day, s.name, err)
		}
	}
	s.days[day] = d
	in.weight += d.weight()
	return d, nil
}

// Reads of large keys go in pieces, so that Redis answers others in between.
const (
	pieceBytes   = 4 << 20
	pieceMembers = 10_000
)

func (in *Ingester) fillDay(ctx context.Context, s *site, d *dayState) error {
	k := in.keys
	d.pairs, d.pairsLen = set64{}, 0
	n, err := in.readPairs(ctx, s, d.day, 0, &d.pairs)
	if err != nil {
		return err
	}
	d.pairsLen = n
	before, err := in.sumsOf(ctx, s.name, d.day)
	if err != nil {
		return err
	}
	ranked := int64(0)
	for from := int64(0); ; from += pieceMembers {
		pages, err := in.rdb.ZRangeWithScores(ctx, k.HotDay(s.name, d.day), from, from+pieceMembers-1).Result()
		if err != nil {
			return err
		}
		for _, p := range pages {
			name, _ := p.Member.(string)
			admit(d.pages, name).seenPV = true
			ranked += int64(p.Score)
		}
		if err := in.checkPages(ctx, s.name, pages); err != nil {
			return err
		}
		if len(pages) < pieceMembers {
			break
		}
	}
	d.seen.ranks = len(d.pages) > 0
	if err := in.checkDay(ctx, s.name, d.day, before, ranked); err != nil {
		return err
	}
	if err := in.fillBots(ctx, s, d); err != nil {
		return err
	}
	if err := in.fillReferrers(ctx, s, d); err != nil {
		return err
	}
	events, err := in.rdb.HKeys(ctx, k.Events(s.name, d.day)).Result()
	if err != nil {
		return err
	}
	for _, e := range events {
		if !strings.HasSuffix(e, EventUV) {
			d.events[e] = struct{}{}
		}
	}
	d.seen.events = len(d.events) > 0
	return nil
}

// fillBots reads which pages bots saw on a day.
func (in *Ingester) fillBots(ctx context.Context, s *site, d *dayState) error {
	clear(d.bots)
	for cursor := uint64(0); ; {
		fields, next, err := in.rdb.HScan(ctx, in.keys.PageBotsDay(s.name, d.day), cursor, "", pieceMembers).Result()
		if err != nil {
			return err
		}
		for i := 0; i < len(fields); i += 2 {
			if d.bots[fields[i]] == nil { // HSCAN may repeat itself
				admit(d.bots, fields[i])
			}
		}
		if cursor = next; cursor == 0 {
			break
		}
	}
	d.seen.bots = len(d.bots) > 0
	return nil
}

// readPacked reads a packed key from an offset on, in pieces of whole entries
// (a piece is a multiple of both entry sizes, 8 and 12), and returns the key's
// length.
func (in *Ingester) readPacked(ctx context.Context, key string, at int64, f func([]byte)) (int64, error) {
	const piece = pieceBytes / 24 * 24
	for {
		b, err := in.rdb.GetRange(ctx, key, at, at+piece-1).Bytes()
		if err != nil {
			return 0, err
		}
		f(b)
		at += int64(len(b))
		if len(b) < piece {
			return at, nil
		}
	}
}

// readPairs adds a day's pairs from an offset of their key on to a set, and
// returns the length of the key.
func (in *Ingester) readPairs(ctx context.Context, s *site, day parser.Day, at int64, into *set64) (int64, error) {
	return in.readPacked(ctx, in.keys.Pairs(s.name, day), at, func(b []byte) {
		for ; len(b) >= 8; b = b[8:] {
			into.add(binary.LittleEndian.Uint64(b))
		}
	})
}

// loadBucket reads a bucket of a duplicate rule.
func (in *Ingester) loadBucket(ctx context.Context, s *site, r *recent, n int64) (*bucket, error) {
	b := &bucket{number: n, used: in.number}
	if s.epoch == "" {
		return b, nil // a new site has seen nothing
	}
	if !in.loop.live {
		free, err := in.freeBucket(ctx, s, r, n)
		if free || err != nil {
			return b, err
		}
	}
	err := in.retry(ctx, "read seen", func() (err error) {
		b.times = times64{}
		b.length, err = in.readPacked(ctx, in.keys.Seen(s.name, r.name, n), 0, b.fill)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read what %s has seen: %w", s.name, err)
	}
	return b, nil
}

// freeBucket tells whether Redis has nothing of a bucket. In a backlog a quiet
// site comes into a new bucket with nearly every line; so the ones ahead are
// looked at in the same round trip and known for a moment, and a backlog of ten
// thousand sites does not wait for as many replies as it has lines.
func (in *Ingester) freeBucket(ctx context.Context, s *site, r *recent, n int64) (bool, error) {
	now := in.opt.Now()
	if r.knownFree(n, now) {
		return true, nil
	}
	ahead := make([]string, freeAhead)
	for i := range ahead {
		ahead[i] = in.keys.Seen(s.name, r.name, n+1+int64(i))
	}
	var here, later *redis.IntCmd
	err := in.retry(ctx, "look for seen", func() error {
		pipe := in.rdb.Pipeline()
		here, later = pipe.Exists(ctx, in.keys.Seen(s.name, r.name, n)), pipe.Exists(ctx, ahead...)
		_, err := pipe.Exec(ctx)
		return err
	})
	if err != nil {
		return false, fmt.Errorf("look for what %s has seen: %w", s.name, err)
	}
	if later.Val() == 0 {
		r.found(span{n + 1, n + freeAhead}, now)
	}
	return here.Val() == 0, nil
}

// Memory that days may take before those go that no batch in hand uses.
const maxDayWeight = 64 << 20

// trim forgets days and buckets that no batch in hand uses.
func (in *Ingester) trim() {
	in.weight = 0
	for _, s := range in.sites {
		for _, d := range s.days {
			in.weight += d.weight()
		}
	}
	keep := in.number - 1 // the batch in flight and the open one
	if in.flight == nil {
		keep = in.number
	}
	for _, s := range in.sites {
		s.ids.forget(keep)
		in.trimCalls(s, keep)
		if s.window != nil {
			s.window.forget(keep)
		}
		for n, d := range s.days {
			old := in.opt.Now().Sub(d.touched) > idleDay
			if d.used < keep && (old || in.weight > maxDayWeight) && !in.open.uses(d) {
				in.weight -= d.weight()
				delete(s.days, n)
			}
		}
	}
}

// uses tells whether the batch changes the day.
func (b *batch) uses(d *dayState) bool {
	for _, p := range b.parts {
		for _, c := range p.days {
			if c.state == d {
				return true
			}
		}
	}
	return false
}

// Segments are the segments that a site's checkpoint names.
func Segments(ctx context.Context, rdb redis.UniversalClient, k Keys, site string) ([]string, error) {
	fields, err := rdb.HGetAll(ctx, k.Checkpoint(site)).Result()
	if err != nil {
		return nil, fmt.Errorf("read checkpoint of %s: %w", site, err)
	}
	c, err := parseCheckpoint(fields)
	return slices.Collect(maps.Keys(c.offsets)), err
}
