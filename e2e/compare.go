package e2e

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

// shownDifferences is how many differences a message lists.
const shownDifferences = 25

// prefix starts every key; the daemon under test runs with the default.
const prefix = "ddkk:"

// compared are the beginnings of the names of all keys that the ledger knows
// everything about: one that it does not imply is a difference.
var compared = []string{"site:pv:", "site:uv:", "page:pv:", "page:uv:", "page:bot:", "hot:", "event:"}

// packed are keys under the above that hold who was seen, not how often.
var packed = []string{"site:uv:set:"}

// Compare reads every key that the ledger implies, and the names of all
// others, and lists what differs; nothing means equal. A key that is missing
// is 0.
func (l *Ledger) Compare(ctx context.Context, client redis.UniversalClient) ([]string, error) {
	_, cluster := client.(*redis.ClusterClient)
	want := l.expected(cluster)
	names, err := keyNames(ctx, client)
	if err != nil {
		return nil, err
	}
	c := &comparison{client: client}
	for name, value := range want.numbers {
		c.number(name, value)
	}
	if err := c.run(ctx); err != nil {
		return nil, err
	}
	for name, fields := range want.hashes {
		if err := c.hash(ctx, name, fields); err != nil {
			return nil, err
		}
	}
	for name, n := range want.sums {
		if err := c.sum(ctx, name, n); err != nil {
			return nil, err
		}
	}
	for name, members := range want.ranks {
		if err := c.rank(ctx, name, members); err != nil {
			return nil, err
		}
	}
	for _, name := range names {
		if !want.has(name) && isCompared(name) {
			c.differ("%s is there and should not be", name)
		}
	}
	slices.Sort(c.differences)
	return c.differences, nil
}

// WaitEqual waits until Compare finds nothing.
func (l *Ledger) WaitEqual(t testing.TB, client redis.UniversalClient, limit time.Duration) {
	t.Helper()
	Eventually(t, limit, "the counters equal the ledger", func() error { return l.Equal(t.Context(), client) })
}

// Equal is nil when Compare finds nothing.
func (l *Ledger) Equal(ctx context.Context, client redis.UniversalClient) error {
	differences, err := l.Compare(ctx, client)
	if err != nil || len(differences) == 0 {
		return err
	}
	shown := differences[:min(len(differences), shownDifferences)]
	return fmt.Errorf("%d differences after %d beacons:\n  %s", len(differences), l.Count(), strings.Join(shown, "\n  "))
}

// expected is every key with its content.
type expected struct {
	numbers map[string]int64            // Strings
	hashes  map[string]map[string]int64 // fields that are not named may be anything
	ranks   map[string]map[string]int64 // sorted sets, complete
	sums    map[hashPart]int64
}

func (e *expected) has(name string) bool {
	_, number := e.numbers[name]
	_, hash := e.hashes[name]
	_, rank := e.ranks[name]
	return number || hash || rank
}

// hashPart are the fields of a hash that begin so. Sums over all minutes or
// hours do not depend on the sender's clock being the server's.
type hashPart struct{ name, begin string }

// expected spells out the names of the keys as DESIGN.md lists them. In a
// cluster the site is in braces.
func (l *Ledger) expected(cluster bool) *expected {
	l.mu.Lock()
	defer l.mu.Unlock()
	e := &expected{
		numbers: map[string]int64{}, hashes: map[string]map[string]int64{}, ranks: map[string]map[string]int64{},
		sums: map[hashPart]int64{},
	}
	for site, book := range l.sites {
		if cluster {
			site = "{" + site + "}"
		}
		for page, t := range book.pages {
			e.numbers[prefix+"page:pv:"+site+":"+page] = t.pv
			e.numbers[prefix+"page:uv:"+site+":"+page] = t.uv
		}
		if len(book.bots) > 0 {
			e.hashes[prefix+"page:bot:"+site] = maps.Clone(book.bots)
		}
		for day, d := range book.days {
			e.addDay(site, day, d)
		}
		for name, t := range book.terms {
			e.hashes[prefix+"uniques:uv:"+site+":"+name] = maps.Clone(t.visitors)
		}
	}
	return e
}

func (e *expected) addDay(site, day string, d *dayBook) {
	pv, uv := prefix+"site:pv:"+site, prefix+"site:uv:"+site
	e.numbers[pv] += d.views.pv
	e.numbers[uv] += d.views.uv
	e.numbers[pv+":"+day] = d.views.pv
	e.numbers[uv+":"+day] = d.views.uv
	if time.Since(d.date) < recent {
		e.addParts(site+":"+day, d)
	}
	if len(d.bots) > 0 {
		sum := int64(0)
		for _, n := range d.bots {
			sum += n
		}
		e.hashes[prefix+"site:books:"+site+":"+day] = map[string]int64{"bot": sum}
		e.hashes[prefix+"page:bot:"+site+":"+day] = maps.Clone(d.bots)
	}
	if len(d.events) > 0 {
		fields := map[string]int64{}
		for key, t := range d.events {
			fields[key], fields[key+"|uv"] = t.pv, t.uv
		}
		e.hashes[prefix+"event:"+site+":"+day] = fields
	}
	for _, period := range d.periods() {
		if len(d.pages) == 0 {
			break
		}
		name := prefix + "hot:" + site + ":" + period
		if e.ranks[name] == nil {
			e.ranks[name] = map[string]int64{}
		}
		for page, t := range d.pages {
			e.ranks[name][page] += t.pv
		}
	}
}

// recent is how old a day may be so that all of its keys are there.
const recent = 36 * time.Hour

// viewed are the facets that each view has a name of, by what their fields begin with:
// country, browser, os, device and channel.
var viewed = []string{"c", "b", "o", "d", "k"}

// addParts adds a day's views by minute and facet.
func (e *expected) addParts(siteDay string, d *dayBook) {
	var bots, referred int64
	for _, n := range d.bots {
		bots += n
	}
	minutes, facets := prefix+"site:minutes:"+siteDay, prefix+"facet:"+siteDay
	e.sums[hashPart{minutes, ""}], e.sums[hashPart{minutes, "b"}] = d.views.pv+bots, bots
	fields := map[string]int64{}
	for host, t := range d.referrers {
		fields["r"+host] = t.pv
		referred += t.pv
	}
	e.sums[hashPart{facets, "h"}], e.sums[hashPart{facets, "H"}] = d.views.pv, bots
	e.sums[hashPart{facets, "r"}] = referred
	for _, facet := range viewed {
		e.sums[hashPart{facets, facet}] = d.views.pv
	}
	if len(fields) > 0 {
		e.hashes[facets] = fields
	}
}

func isCompared(name string) bool {
	rest, ours := strings.CutPrefix(name, prefix)
	begins := func(p string) bool { return strings.HasPrefix(rest, p) }
	return ours && slices.ContainsFunc(compared, begins) && !slices.ContainsFunc(packed, begins)
}

// keyNames lists all keys of ours, on every node.
func keyNames(ctx context.Context, client redis.UniversalClient) ([]string, error) {
	var mu sync.Mutex
	var names []string
	scan := func(ctx context.Context, node *redis.Client) error {
		var found []string
		keys := node.Scan(ctx, 0, prefix+"*", 5000).Iterator()
		for keys.Next(ctx) {
			found = append(found, keys.Val())
		}
		mu.Lock()
		defer mu.Unlock()
		names = append(names, found...)
		return keys.Err()
	}
	var err error
	switch c := client.(type) {
	case *redis.ClusterClient:
		err = c.ForEachMaster(ctx, scan)
	case *redis.Client:
		err = scan(ctx, c)
	default:
		err = fmt.Errorf("cannot list the keys of a %T", client)
	}
	if err != nil {
		return nil, fmt.Errorf("list keys: %w", err)
	}
	slices.Sort(names)
	return slices.Compact(names), nil // SCAN may repeat itself
}

// comparison collects differences. Reads of numbers are gathered and sent in
// pipelines: there are tens of thousands.
type comparison struct {
	client      redis.UniversalClient
	pending     []pendingNumber
	differences []string
}

type pendingNumber struct {
	name string
	want int64
}

func (c *comparison) differ(format string, args ...any) {
	c.differences = append(c.differences, fmt.Sprintf(format, args...))
}

func (c *comparison) number(name string, want int64) {
	c.pending = append(c.pending, pendingNumber{name, want})
}

func (c *comparison) run(ctx context.Context) error {
	for chunk := range slices.Chunk(c.pending, 1000) {
		pipe := c.client.Pipeline()
		replies := make([]*redis.StringCmd, len(chunk))
		for i, p := range chunk {
			replies[i] = pipe.Get(ctx, p.name)
		}
		if _, err := pipe.Exec(ctx); err != nil && !errors.Is(err, redis.Nil) {
			return fmt.Errorf("read counters: %w", err)
		}
		for i, p := range chunk {
			if err := c.check(p.name, replies[i], p.want); err != nil {
				return err
			}
		}
	}
	return nil
}

func (c *comparison) check(name string, reply *redis.StringCmd, want int64) error {
	text, err := reply.Result()
	switch {
	case errors.Is(err, redis.Nil):
		text = "0"
	case err != nil:
		return fmt.Errorf("read %s: %w", name, err)
	}
	if text != strconv.FormatInt(want, 10) {
		c.differ("%s is %s, want %d", name, text, want)
	}
	return nil
}

// hash compares the named fields; in the hash of events no others may be.
func (c *comparison) hash(ctx context.Context, name string, want map[string]int64) error {
	got, err := c.client.HGetAll(ctx, name).Result()
	if err != nil {
		return fmt.Errorf("read %s: %w", name, err)
	}
	for field, n := range want {
		text := got[field]
		if text == "" {
			text = "0"
		}
		if text != strconv.FormatInt(n, 10) {
			c.differ("%s field %s is %s, want %d", name, field, text, n)
		}
	}
	for field, text := range got {
		if _, ok := want[field]; !ok && isCompared(name) && text != "0" {
			c.differ("%s has field %s (%s) and should not", name, field, text)
		}
	}
	return nil
}

// sum adds up the fields of a hash that begin so.
func (c *comparison) sum(ctx context.Context, part hashPart, want int64) error {
	got, err := c.client.HGetAll(ctx, part.name).Result()
	if err != nil {
		return fmt.Errorf("read %s: %w", part.name, err)
	}
	var sum int64
	for field, text := range got {
		if !strings.HasPrefix(field, part.begin) {
			continue
		}
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return fmt.Errorf("read %s: %w", part.name, err)
		}
		sum += n
	}
	if sum != want {
		c.differ("%s fields %q add up to %d, want %d", part.name, part.begin, sum, want)
	}
	return nil
}

// rank compares a whole sorted set.
func (c *comparison) rank(ctx context.Context, name string, want map[string]int64) error {
	got, err := c.client.ZRangeWithScores(ctx, name, 0, -1).Result()
	if err != nil {
		return fmt.Errorf("read %s: %w", name, err)
	}
	found := map[string]bool{}
	for _, z := range got {
		member := fmt.Sprint(z.Member)
		found[member] = true
		if n, ok := want[member]; !ok {
			c.differ("%s ranks %q and should not", name, member)
		} else if math.Abs(z.Score-float64(n)) > 0 {
			c.differ("%s ranks %q at %v, want %d", name, member, z.Score, n)
		}
	}
	for member, n := range want {
		if !found[member] {
			c.differ("%s does not rank %q (%d)", name, member, n)
		}
	}
	return nil
}
