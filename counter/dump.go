package counter

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/redis/go-redis/v9"

	"ddkk-stats/parser"
)

// Dump reads what was counted as it lies in Redis, for those who compare it
// with what it must be. It writes nothing.
type Dump struct {
	rdb  redis.UniversalClient
	keys Keys
}

// NewDump makes a Dump.
func NewDump(rdb redis.UniversalClient, keys Keys) *Dump { return &Dump{rdb: rdb, keys: keys} }

// Mark is a site's checkpoint.
type Mark struct {
	Epoch      string           // "": the site has none
	Rebuilding bool             // its keys are being made anew
	Partial    bool             // a commit was applied in part
	Fold       string           // changes whenever pending changes are spread over their keys
	Offsets    map[string]int64 // segment -> counted up to here
}

// Mark reads a site's checkpoint.
func (d *Dump) Mark(ctx context.Context, site string) (Mark, error) {
	fields, err := d.rdb.HGetAll(ctx, d.keys.Checkpoint(site)).Result()
	if err != nil {
		return Mark{}, fmt.Errorf("read checkpoint of %s: %w", site, err)
	}
	c, err := parseCheckpoint(fields)
	if err != nil {
		return Mark{}, err
	}
	return Mark{
		Epoch: c.epoch, Rebuilding: strings.HasPrefix(c.epoch, rebuilding), Partial: c.part,
		Fold: foldVersion(fields[fieldFold], fields[fieldFacets]), Offsets: c.offsets,
	}, nil
}

// Sites are the names of all sites that ever counted.
func (d *Dump) Sites(ctx context.Context) ([]string, error) {
	all, err := d.rdb.SMembers(ctx, d.keys.Sites()).Result()
	if err != nil {
		return nil, fmt.Errorf("read sites: %w", err)
	}
	return all, nil
}

// PageDay is a page on one day, as people or as bots saw it.
type PageDay struct {
	Day  parser.Day
	Bots bool
	Page string
}

// Views are those of one page.
type Views struct{ PV, UV int64 }

// foldTries is how often the pending list is read again because it was folded
// meanwhile.
const foldTries = 20

// FacetDayName is a name of a facet on one day.
type FacetDayName struct {
	Day   parser.Day
	Facet parser.Facet
	Name  string
}

// Pending are changes that are committed and not yet spread over their keys, and the
// Mark.Fold at which they were.
type Pending struct {
	Pages  map[PageDay]Views
	Facets map[FacetDayName]FacetCount
	Terms  map[TermPageName]int64 // visitors
	Fold   string
}

// TermPageName is a page in a week or a month, which is named by its first day.
type TermPageName struct {
	Term  parser.Term
	First parser.Day
	Page  string
}

func foldVersion(pages, facets string) string { return pages + " " + facets }

// Pending reads what is pending of a site.
func (d *Dump) Pending(ctx context.Context, site string) (all Pending, err error) {
	for range foldTries {
		before, err := d.fold(ctx, site)
		if err != nil {
			return all, err
		}
		all = Pending{Pages: map[PageDay]Views{}, Facets: map[FacetDayName]FacetCount{}, Terms: map[TermPageName]int64{}}
		err = d.pending(ctx, pendingPages, site, func(p pendingPage) {
			if t, ok := p.term(); ok {
				all.Terms[TermPageName{t, p.day, strings.Clone(p.name)}] += p.uv
				return
			}
			x := PageDay{p.day, p.bots(), strings.Clone(p.name)}
			all.Pages[x] = Views{all.Pages[x].PV + p.pv, all.Pages[x].UV + p.uv}
		})
		if err != nil {
			return all, err
		}
		err = d.pending(ctx, pendingFacets, site, func(p pendingPage) {
			if f, name, _, ok := parser.FieldOf(p.name); ok {
				x := FacetDayName{p.day, f, strings.Clone(name)}
				all.Facets[x] = FacetCount{all.Facets[x].PV + p.pv, all.Facets[x].Bot + p.uv}
			}
		})
		if err != nil {
			return all, err
		}
		if all.Fold, err = d.fold(ctx, site); err != nil || before == all.Fold {
			return all, err
		}
	}
	return all, fmt.Errorf("read pending changes of %s: they are spread faster than they can be read; try again when the daemon has caught up", site)
}

func (d *Dump) fold(ctx context.Context, site string) (string, error) {
	v, err := d.rdb.HMGet(ctx, d.keys.Checkpoint(site), fieldFold, fieldFacets).Result()
	if err != nil {
		return "", fmt.Errorf("read checkpoint of %s: %w", site, err)
	}
	pages, _ := v[0].(string) // none: it was never folded
	facets, _ := v[1].(string)
	return foldVersion(pages, facets), nil
}

func (d *Dump) pending(ctx context.Context, l pendingKind, site string, f func(pendingPage)) error {
	const piece = 64
	for from := int64(0); ; from += piece {
		part, err := d.rdb.LRange(ctx, l.key(d.keys, site), from, from+piece-1).Result()
		if err != nil {
			return fmt.Errorf("read pending changes of %s: %w", site, err)
		}
		for _, e := range part {
			if err := readPending(e, f); err != nil {
				return err
			}
		}
		if len(part) < piece {
			return nil
		}
	}
}

// Measure is what is asked of a key.
type Measure uint8

const (
	Number  Measure = iota // a String's integer
	Length                 // a String's bytes
	Members                // a Set's members
	Score                  // a member's score in a sorted set
)

// Question asks for one number.
type Question struct {
	Measure Measure
	Key     string
	Member  string // of Score
}

// Value is a number that was asked for; a key or member that is not there has 0. Wrong tells
// why there is none, such as a key of another type.
type Value struct {
	N     int64
	Wrong string
}

// questionsPerTrip keeps replies small, so that others are answered in between.
const questionsPerTrip = 1000

// Ask answers questions, in their order.
func (d *Dump) Ask(ctx context.Context, questions []Question) ([]Value, error) {
	answers := make([]Value, 0, len(questions))
	for len(questions) > 0 {
		trip := questions[:min(len(questions), questionsPerTrip)]
		questions = questions[len(trip):]
		pipe := d.rdb.Pipeline()
		cmds := make([]redis.Cmder, len(trip))
		for i, q := range trip {
			cmds[i] = q.queue(ctx, pipe)
		}
		if _, err := pipe.Exec(ctx); err != nil && !isNil(err) && !wrongKind(err) {
			return nil, fmt.Errorf("read counters: %w", err)
		}
		for _, cmd := range cmds {
			a, err := valueOf(cmd)
			if err != nil {
				return nil, fmt.Errorf("read counters: %w", err)
			}
			answers = append(answers, a)
		}
	}
	return answers, nil
}

func (q *Question) queue(ctx context.Context, pipe redis.Pipeliner) redis.Cmder {
	switch q.Measure {
	case Length:
		return pipe.StrLen(ctx, q.Key)
	case Score:
		return pipe.ZScore(ctx, q.Key, q.Member)
	case Members:
		return pipe.SCard(ctx, q.Key)
	}
	return pipe.Get(ctx, q.Key)
}

// wrongKind tells an answer about the key itself from a failure to answer.
func wrongKind(err error) bool {
	return redis.HasErrorPrefix(err, "WRONGTYPE")
}

func valueOf(cmd redis.Cmder) (Value, error) {
	switch err := cmd.Err(); {
	case isNil(err):
		return Value{}, nil
	case wrongKind(err):
		return Value{Wrong: "a key of another type"}, nil
	case err != nil:
		return Value{}, err
	}
	switch c := cmd.(type) {
	case *redis.IntCmd:
		return Value{N: c.Val()}, nil
	case *redis.FloatCmd:
		return scoreValue(c.Val()), nil
	case *redis.StringCmd:
		return scanValue(c.Val()), nil
	}
	return Value{}, errors.New("BUG: an answer of an unknown kind")
}

func scanValue(text string) Value {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return Value{Wrong: fmt.Sprintf("%.40q, which is no number", text)}
	}
	return Value{N: n}
}

func scoreValue(score float64) Value {
	if score != math.Trunc(score) || math.Abs(score) > 1<<53 {
		return Value{Wrong: fmt.Sprintf("score %v, which is no count", score)}
	}
	return Value{N: int64(score)}
}

// Hash reads the numbers of a hash by field.
func (d *Dump) Hash(ctx context.Context, key string) (map[string]Value, error) {
	all := map[string]Value{}
	for cursor := uint64(0); ; {
		pairs, next, err := d.rdb.HScan(ctx, key, cursor, "", questionsPerTrip).Result()
		if wrongKind(err) {
			return map[string]Value{"": {Wrong: "a key of another type"}}, nil
		}
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", key, err)
		}
		for i := 0; i+1 < len(pairs); i += 2 {
			all[pairs[i]] = scanValue(pairs[i+1])
		}
		if cursor = next; cursor == 0 {
			return all, nil
		}
	}
}

// Ranks calls f for the members of a sorted set, each at least once. A key of
// another type has the one member "" with a Value that says so.
func (d *Dump) Ranks(ctx context.Context, key string, f func(member string, a Value)) error {
	for cursor := uint64(0); ; {
		pairs, next, err := d.rdb.ZScan(ctx, key, cursor, "", questionsPerTrip).Result()
		if wrongKind(err) {
			f("", Value{Wrong: "a key of another type"})
			return nil
		}
		if err != nil {
			return fmt.Errorf("read %s: %w", key, err)
		}
		for i := 0; i+1 < len(pairs); i += 2 {
			score, err := strconv.ParseFloat(pairs[i+1], 64)
			if err != nil {
				return fmt.Errorf("read %s: score of %q: %w", key, pairs[i], err)
			}
			f(pairs[i], scoreValue(score))
		}
		if cursor = next; cursor == 0 {
			return nil
		}
	}
}

// Counts calls f for every key that holds a count, of any site, each at least
// once: not for those that hold who was seen, or when.
func (d *Dump) Counts(ctx context.Context, f func(site, key string)) error {
	node := func(ctx context.Context, n redis.Cmdable, found func(site, key string)) error {
		for cursor := uint64(0); ; {
			keys, next, err := n.Scan(ctx, cursor, d.keys.Pattern(), 2000).Result()
			if err != nil {
				return fmt.Errorf("list keys: %w", err)
			}
			for _, key := range keys {
				if site, ok := d.keys.Counted(key); ok {
					found(site, key)
				}
			}
			if cursor = next; cursor == 0 {
				return nil
			}
		}
	}
	c, ok := d.rdb.(*redis.ClusterClient)
	if !ok {
		return node(ctx, d.rdb, f)
	}
	type named struct{ site, key string }
	found, done := make(chan named), make(chan error, 1)
	go func() {
		defer close(found)
		done <- c.ForEachMaster(ctx, func(ctx context.Context, n *redis.Client) error {
			return node(ctx, n, func(site, key string) { found <- named{site, key} })
		})
	}()
	for x := range found {
		f(x.site, x.key)
	}
	return <-done
}
