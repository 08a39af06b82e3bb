package counter

import (
	"context"
	_ "embed"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"ddkk-stats/counter/keys"
	"ddkk-stats/parser"
)

// layout is the version of the keys' names; a site's checkpoint has the one that
// its keys were written under. Before layout 2 a day's pairs were called what
// the visitors of a page of a site "set" are called; before layout 3 a day's
// referrers had a hash of their own, and its views by hour were in its books.
//
// A site gets today's names before anything is counted into it: at the start, or
// when Redis went back to a time before. That is one script for each site, so it may
// be killed anywhere, and of several daemons one does it. To a daemon of an
// older version the field is a segment that it does not have: it goes on
// counting, and does not rebuild the site under the former names.
const layout = 3

// namedPairs is the layout from which on pairs have their present name.
const namedPairs = 2

// former is a day of a site that has pairs under the former name or, left by an
// earlier life, under the present one.
type former struct {
	day     string
	spoiled bool // another site's page was counted into the same key
}

// migrator gives the keys of sites the names of today.
type migrator struct {
	wire   *wire
	load   *loader
	enc    *encoder
	rdb    redis.UniversalClient
	keys   Keys
	script *redis.Script
	log    *slog.Logger
}

// migrate gives keys of an older layout their present names. It returns the sites
// whose keys are spoiled, both that the key was of: only a rebuild helps. cs is
// brought up to date.
func (m *migrator) migrate(ctx context.Context, names []string, cs []checkpoint) (spoiled map[string]bool, err error) {
	spoiled = map[string]bool{}
	for {
		old, pairs := map[string]int{}, map[string]int{}
		for i, name := range names {
			if cs[i].outdated() && !spoiled[name] {
				old[name] = i
				if cs[i].layout < namedPairs {
					pairs[name] = i
				}
			}
		}
		if len(old) == 0 {
			return spoiled, nil
		}
		found, err := m.formerDays(ctx, pairs)
		if err != nil {
			return nil, fmt.Errorf("look for keys of an older version: %w", err)
		}
		renamed, done := 0, make([]string, 0, len(old))
		for _, name := range slices.Sorted(maps.Keys(old)) {
			if slices.ContainsFunc(found[name], func(f former) bool { return f.spoiled }) {
				spoiled[name] = true
				spoiled[keys.FormerSite] = true
				continue
			}
			a, err := m.rename(ctx, name, cs[old[name]], found[name])
			if err != nil {
				return nil, err
			}
			if a.verdict == damaged {
				spoiled[name] = true
				continue
			}
			renamed, done = renamed+int(a.lost), append(done, name)
		}
		again, err := m.load.readCheckpoints(ctx, done)
		if err != nil {
			return nil, err
		}
		for i, name := range done {
			cs[old[name]] = again[i]
		}
		m.log.Info("keys that an older version wrote have their present names", "sites", len(old), "spoiled", len(spoiled), "keys", renamed)
	}
}

// outdated tells whether the keys of a site that is counted have former names.
func (c *checkpoint) outdated() bool { return c.epoch != "" && !c.rebuilding() && c.layout < layout }

// rename is one run of layout.lua.
func (m *migrator) rename(ctx context.Context, name string, c checkpoint, days []former) (a answer, err error) {
	from := ""
	if c.layout > 0 {
		from = strconv.Itoa(c.layout)
	}
	x := &call{}
	x.key(m.keys.Checkpoint(name))
	var spoiled []string
	for _, d := range days {
		if d.spoiled {
			spoiled = append(spoiled, m.keys.FormerPairs(name, d.day))
		}
		x.key(m.keys.FormerPairs(name, d.day), m.keys.Key(keys.Name{Family: keys.Pairs, Site: name, Rest: d.day}))
	}
	gone := append(spoiled, m.keys.FacetsPending(name)) // of an earlier life
	x.key(gone...)
	x.arg(c.epoch, from, layout, len(days), len(gone))
	m.enc.formerFacets(x, name)
	err = m.wire.retry(ctx, "rename keys of "+name, func() (err error) {
		a, err = x.run(ctx, m.rdb, m.script)
		return err
	})
	return a, err
}

// formerFacets names the days whose referrers and hours move: what the archive
// answers by now goes.
func (e *encoder) formerFacets(x *call, name string) {
	now := e.now().In(e.loc)
	at := len(x.args)
	x.arg(0)
	n := 0
	for d := parser.DayOf(now.Add(-DayKeysTTL).AddDate(0, 0, -1)); d <= parser.DayOf(now).Next(); d = d.Next() {
		end, ok := e.expireAt(d.Next(), FacetTTL)
		if !ok {
			end = 0
		}
		x.key(e.keys.FormerReferrers(name, keys.Day(d)), e.keys.Books(name, d), e.keys.Facets(name, d))
		x.arg(end)
		n++
	}
	x.args[at] = n
}

// renameLeft renames what is left of a site that cannot be rebuilt; spoiled keys go.
func (m *migrator) renameLeft(ctx context.Context, name string, c checkpoint) (checkpoint, error) {
	if !c.outdated() {
		return c, nil
	}
	found := map[string][]former{}
	if c.layout < namedPairs {
		var err error
		if found, err = m.formerDays(ctx, map[string]int{name: 0}); err != nil {
			return c, fmt.Errorf("look for keys of an older version: %w", err)
		}
	}
	if _, err := m.rename(ctx, name, c, found[name]); err != nil {
		return c, err
	}
	cs, err := m.load.readCheckpoints(ctx, []string{name})
	if err != nil {
		return c, err
	}
	return cs[0], nil
}

// formerDays finds the days of sites that have pairs.
func (m *migrator) formerDays(ctx context.Context, sites map[string]int) (map[string][]former, error) {
	if len(sites) == 0 {
		return nil, nil
	}
	var days map[keys.Name]bool
	err := m.wire.retry(ctx, "look for keys of an older version", func() (err error) {
		days, err = m.scanPairs(ctx, sites)
		return err
	})
	if err != nil {
		return nil, err
	}
	found := map[string][]former{}
	for names := range slices.Chunk(slices.Collect(maps.Keys(days)), chunk) {
		if err := m.judgeFormer(ctx, names, found); err != nil {
			return nil, err
		}
	}
	return found, nil
}

// scanPairs names the days of sites that have pairs under any name.
func (m *migrator) scanPairs(ctx context.Context, sites map[string]int) (map[keys.Name]bool, error) {
	var mu sync.Mutex
	days := map[keys.Name]bool{}
	node := func(ctx context.Context, node redis.Cmdable) error {
		for _, pattern := range m.keys.PairsPatterns() {
			for cursor := uint64(0); ; {
				page, next, err := node.Scan(ctx, cursor, pattern, 2000).Result()
				if err != nil {
					return err
				}
				mu.Lock()
				for _, key := range page {
					n, ok := m.keys.ParseFormerPairs(key)
					if !ok {
						n, ok = m.keys.Parse(key)
					}
					if _, wanted := sites[n.Site]; ok && wanted && n.Family == keys.Pairs {
						days[n] = true
					}
				}
				mu.Unlock()
				if cursor = next; cursor == 0 {
					break
				}
			}
		}
		return nil
	}
	if c, ok := m.rdb.(*redis.ClusterClient); ok {
		return days, c.ForEachMaster(ctx, func(ctx context.Context, n *redis.Client) error { return node(ctx, n) })
	}
	return days, node(ctx, m.rdb)
}

// judgeFormer looks at what lies under the former names of days.
func (m *migrator) judgeFormer(ctx context.Context, names []keys.Name, found map[string][]former) error {
	type look struct {
		life   *redis.DurationCmd
		length *redis.IntCmd
		start  *redis.StringCmd
	}
	looks := make([]look, len(names))
	err := m.wire.ask(ctx, "look at keys of an older version", func(pipe redis.Pipeliner) {
		for i, n := range names {
			key := m.keys.FormerPairs(n.Site, n.Rest)
			looks[i] = look{pipe.PTTL(ctx, key), pipe.StrLen(ctx, key), pipe.GetRange(ctx, key, 0, 31)}
		}
	})
	if err != nil {
		return err
	}
	for i, n := range names {
		l := looks[i]
		f := former{day: n.Rest}
		switch {
		case l.life.Val() == -2*time.Nanosecond: // there is none
		case l.length.Err() == nil && l.life.Val() > 0 && l.length.Val()%8 == 0: // pairs
		case l.length.Err() == nil && l.life.Val() < 0 && isCount(l.start.Val()):
			// Visitors of a page of a site "set", and of nobody else.
			if exists, err := m.hasPairs(ctx, n); !exists || err != nil {
				if err != nil {
					return err
				}
				continue
			}
		default:
			f.spoiled = true
		}
		found[n.Site] = append(found[n.Site], f)
	}
	return nil
}

// hasPairs tells whether a day has pairs under the present name.
func (m *migrator) hasPairs(ctx context.Context, n keys.Name) (there bool, err error) {
	err = m.wire.retry(ctx, "look for pairs", func() error {
		found, err := m.rdb.Exists(ctx, m.keys.Key(n)).Result()
		there = found == 1
		return err
	})
	return there, err
}

func isCount(text string) bool {
	_, err := strconv.ParseInt(text, 10, 64)
	return err == nil
}
