package counter

import (
	"context"
	"fmt"
	"slices"

	"github.com/redis/go-redis/v9"

	"ddkk-stats/parser"
)

// filler has in memory what lines lack. A site of which something is damaged it leaves
// to the healer.
type filler struct {
	counts *aggregate
	load   *loader
	heal   *healer
	folds  *folds
	wire   *wire
	keys   Keys
}

// bucketLoad is a bucket of a duplicate rule that is being read.
type bucketLoad struct {
	site   *site
	rule   *recent
	number int64
	first  *redis.StringCmd
}

// fill reads what is wanted. A site of which something is damaged is rebuilt.
func (f *filler) fill(ctx context.Context, w *wanted) error {
	if len(w.sites) > 0 {
		if err := f.heal.loadSites(ctx, w.sites); err != nil {
			return err
		}
	}
	for days := range slices.Chunk(w.days, daysPerTrip) {
		if err := f.loadDays(ctx, days); err != nil {
			return err
		}
	}
	for _, d := range w.calls {
		if err := f.heal.mend(ctx, d.site, f.loadCalls(ctx, d.site, d.day)); err != nil {
			return err
		}
	}
	for pages := range slices.Chunk(w.pages, bucketsPerTrip) {
		if err := f.loadNames(ctx, pages); err != nil {
			return err
		}
	}
	for loads := range slices.Chunk(w.buckets, bucketsPerTrip) {
		if err := f.loadBuckets(ctx, loads); err != nil {
			return err
		}
	}
	return nil
}

// loadDays has days in memory.
func (f *filler) loadDays(ctx context.Context, days []siteDay) error {
	var loads []dayLoad
	for _, d := range days {
		if d.site.waits[pendingPages].n > 0 {
			if err := f.heal.mend(ctx, d.site, f.folds.foldAll(ctx, d.site)); err != nil {
				return err
			}
		}
		if f.counts.sites[d.site.name] == d.site {
			loads = append(loads, f.load.newDayLoad(d.site, d.day))
		}
	}
	if err := f.load.readDays(ctx, loads); err != nil {
		return err
	}
	for i := range loads {
		if err := f.heal.mend(ctx, loads[i].site, f.keepDay(&loads[i])); err != nil {
			return err
		}
	}
	return nil
}

// loadBuckets has buckets in memory. The first pieces come in one pipeline.
func (f *filler) loadBuckets(ctx context.Context, loads []bucketLoad) error {
	const most = 1 << 10 / seenEntry * seenEntry
	err := f.wire.ask(ctx, "read seen", func(pipe redis.Pipeliner) {
		for i := range loads {
			l := &loads[i]
			l.first = pipe.GetRange(ctx, f.keys.Seen(l.site.name, l.rule.name, l.number), 0, most-1)
		}
	})
	if err != nil {
		return err
	}
	for i := range loads {
		l := &loads[i]
		b := &bucket{number: l.number, used: f.counts.number}
		packed, err := l.first.Bytes()
		if err == nil {
			b.fill(packed)
			b.length = int64(len(packed))
			if b.length == most {
				err = f.wire.retry(ctx, "read seen", func() (err error) {
					b.times, b.length = times64{}, 0
					b.length, err = f.load.readPacked(ctx, f.keys.Seen(l.site.name, l.rule.name, l.number), 0, b.fill)
					return err
				})
			}
		}
		if err == nil || isNil(err) {
			l.rule.buckets[l.number] = b
			continue
		}
		if err := f.heal.mend(ctx, l.site, fmt.Errorf("read what %s has seen: %w", l.site.name, err)); err != nil {
			return err
		}
	}
	return nil
}

// loadCalls has what is remembered of a site's calls of a day in memory.
func (f *filler) loadCalls(ctx context.Context, s *site, day parser.Day) error {
	var d *callDay
	err := f.wire.retry(ctx, "read calls", func() error {
		d = newCallDay(day)
		return f.load.fillCalls(ctx, s.name, d)
	})
	if err != nil {
		return fmt.Errorf("read calls of %s on %d: %w", s.name, day, err)
	}
	d.used, d.touched = f.counts.number, f.counts.now
	s.keepCalls(d)
	return nil
}

// keepDay stores a loaded day, or returns why loading failed.
func (f *filler) keepDay(l *dayLoad) error {
	if l.err != nil {
		return fmt.Errorf("read day %d of %s: %w", l.day.day, l.site.name, l.err)
	}
	f.counts.link(l.site, l.day, l.loadedTerms())
	l.day.loaded(&f.counts.caps)
	l.site.days[l.day.day] = l.day
	f.counts.weight += l.day.weight()
	return nil
}
