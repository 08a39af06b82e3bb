package counter

import (
	"context"
	"encoding/binary"
	"strings"

	"github.com/redis/go-redis/v9"

	"ddkk-stats/parser"
)

// dayLoad is a day that is being read.
type dayLoad struct {
	site *site
	day  *dayState
	err  error

	pairs          *redis.StringCmd
	before, after  sumsAsked
	pages          *redis.ZSliceCmd
	bots           *redis.ScanCmd
	facets, events *redis.StringSliceCmd
	terms          [parser.NumTerms]termLoad
}

func (ld *loader) newDayLoad(s *site, day parser.Day) dayLoad {
	return dayLoad{site: s, day: ld.newDay(day), terms: ld.newTermLoads(s, day)}
}

// Reads of large keys go in pieces, so that Redis answers others in between.
// The first pieces of many days go in one pipeline and are smaller.
const (
	pieceBytes   = 4 << 20
	pieceMembers = 10_000
	firstBytes   = 24 << 10
	firstMembers = 1000
	daysPerTrip  = 16
)

// readDays reads days of sites in few round trips. Each has an error of its own;
// the one that is returned says that Redis did not answer.
func (ld *loader) readDays(ctx context.Context, loads []dayLoad) error {
	if err := ld.askDays(ctx, loads); err != nil {
		return err
	}
	for i := range loads {
		l, tries := &loads[i], 0
		err := ld.wire.retry(ctx, "read day", func() error {
			if tries++; tries > 1 { // Redis was away: what it said before may be lost
				*l = ld.newDayLoad(l.site, l.day.day)
				if err := ld.askDays(ctx, loads[i:i+1]); err != nil {
					return err
				}
			}
			return ld.fillDay(ctx, l)
		})
		if passing(err) {
			return err
		}
		l.err = err
	}
	return ld.checkPages(ctx, loads)
}

func (ld *loader) askDays(ctx context.Context, loads []dayLoad) error {
	return ld.wire.ask(ctx, "read days", func(pipe redis.Pipeliner) {
		for i := range loads {
			ld.askDay(ctx, pipe, &loads[i])
		}
	})
}

func (ld *loader) askDay(ctx context.Context, pipe redis.Pipeliner, l *dayLoad) {
	k, s, d := ld.keys, l.site.name, l.day.day
	l.pairs = pipe.GetRange(ctx, k.Pairs(s, d), 0, firstBytes-1)
	l.before = ld.askSums(ctx, pipe, s, d)
	l.pages = pipe.ZRangeWithScores(ctx, k.HotDay(s, d), 0, firstMembers-1)
	l.after = ld.askSums(ctx, pipe, s, d)
	l.bots = pipe.HScan(ctx, k.PageBotsDay(s, d), 0, "", firstMembers)
	l.facets = pipe.HKeys(ctx, k.Facets(s, d))
	l.events = pipe.HKeys(ctx, k.Events(s, d))
	for t := range l.terms {
		ld.askTerm(ctx, pipe, l.site, &l.terms[t])
	}
}

// fillDay takes the first pieces of a day and reads the others.
func (ld *loader) fillDay(ctx context.Context, l *dayLoad) error {
	if err := ld.fillPairs(ctx, ld.keys.Pairs(l.site.name, l.day.day), l.pairs, &l.day.pairs); err != nil {
		return err
	}
	if err := ld.fillPages(ctx, l); err != nil {
		return err
	}
	if err := ld.fillBots(ctx, l); err != nil {
		return err
	}
	for t := range l.terms {
		if err := ld.fillTerm(ctx, l.site, &l.terms[t]); err != nil {
			return err
		}
	}
	return l.fillNames()
}

func (ld *loader) fillPairs(ctx context.Context, key string, first *redis.StringCmd, into *pairSet) error {
	b, err := first.Bytes()
	if err != nil && !isNil(err) {
		return err
	}
	*into = pairSet{bytes: int64(len(b))}
	addPairs(b, &into.set64)
	if len(b) < firstBytes {
		return nil
	}
	into.bytes, err = ld.readPairs(ctx, key, into.bytes, &into.set64)
	return err
}

func (ld *loader) fillPages(ctx context.Context, l *dayLoad) error {
	pages, err := l.pages.Result()
	if err != nil {
		return err
	}
	ranked, whole := l.day.rank(pages), len(pages) < firstMembers
	for from := int64(len(pages)); !whole; from += pieceMembers {
		pages, err := ld.rdb.ZRangeWithScores(ctx, ld.keys.HotDay(l.site.name, l.day.day), from, from+pieceMembers-1).Result()
		if err != nil {
			return err
		}
		ranked += l.day.rank(pages)
		if len(pages) < pieceMembers {
			break
		}
	}
	l.day.seen.ranks = len(l.day.pages) > 0
	return ld.checkDay(ctx, l, ranked, whole)
}

// rank admits pages of the day's ranked list and returns the sum of their views.
func (d *dayState) rank(pages []redis.Z) (views int64) {
	for _, p := range pages {
		name, _ := p.Member.(string)
		admit(d.pages, name).seenPV = true
		views += int64(p.Score)
	}
	return views
}

// fillBots reads which pages bots saw on a day.
func (ld *loader) fillBots(ctx context.Context, l *dayLoad) error {
	d := l.day
	clear(d.bots)
	fields, cursor, err := l.bots.Result()
	for {
		if err != nil {
			return err
		}
		for i := 0; i < len(fields); i += 2 {
			if d.bots[fields[i]] == nil { // HSCAN may repeat itself
				admit(d.bots, fields[i])
			}
		}
		if cursor == 0 {
			break
		}
		fields, cursor, err = ld.rdb.HScan(ctx, ld.keys.PageBotsDay(l.site.name, d.day), cursor, "", pieceMembers).Result()
	}
	d.seen.bots = len(d.bots) > 0
	return nil
}

// fillNames takes the names of facets and the events that keep theirs. Names that are
// still in the list of facets are not known, so that a cap may be passed by these: it
// is there to bound memory.
func (l *dayLoad) fillNames() error {
	d := l.day
	d.facets = facetNames{}
	fields, err := l.facets.Result()
	if err != nil {
		return err
	}
	for _, field := range fields {
		d.facets.know(field)
	}
	events, err := l.events.Result()
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

// readPacked reads a packed key from an offset on, in pieces of whole entries
// (a piece is a multiple of both entry sizes, 8 and 12), and returns the key's
// length.
func (ld *loader) readPacked(ctx context.Context, key string, at int64, f func([]byte)) (int64, error) {
	const piece = pieceBytes / 24 * 24
	for {
		b, err := ld.rdb.GetRange(ctx, key, at, at+piece-1).Bytes()
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

// readPairs adds pairs from an offset of their key on to a set, and returns the length
// of the key.
func (ld *loader) readPairs(ctx context.Context, key string, at int64, into *set64) (int64, error) {
	return ld.readPacked(ctx, key, at, func(b []byte) { addPairs(b, into) })
}

func addPairs(packed []byte, into *set64) {
	for ; len(packed) >= 8; packed = packed[8:] {
		into.add(binary.LittleEndian.Uint64(packed))
	}
}
