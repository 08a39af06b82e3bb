package counter

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/redis/go-redis/v9"

	"ddkk-stats/parser"
)

// uniquesNote is the note in Redis of what visitors are counted by.
type uniquesNote struct {
	wire  *wire
	rdb   redis.UniversalClient
	keys  Keys
	loc   *time.Location
	now   func() time.Time // Redis' clock
	uvTTL time.Duration
}

// keep notes by which UNIQUES is counted from now on. Where the daemon before told
// visitors of more terms, those of now get lines that are not among their pairs: they are
// marked as not whole, so that no number of them is shown should they be told again.
func (n *uniquesNote) keep(ctx context.Context, now parser.Uniques, sites []string) error {
	key := n.keys.Uniques()
	before := parser.UniquesDay
	err := n.wire.retry(ctx, "ask for what visitors were counted by", func() error {
		text, err := n.rdb.Get(ctx, key).Result()
		if passing(err) {
			return err
		}
		if u, err := parser.ParseUniques(text); err == nil {
			before = u
		}
		return nil
	})
	if err != nil || before == now {
		return err
	}
	terms := n.termsOfNow(now, before)
	for some := range slices.Chunk(sites, adoptedPerTrip) {
		err := n.wire.ask(ctx, "mark weeks and months that are not whole", func(pipe redis.Pipeliner) {
			for _, site := range some {
				for _, name := range terms {
					pipe.Eval(ctx, markPart, []string{n.keys.TermVisitors(site, name)}, TermPart)
				}
			}
		})
		if err != nil {
			return err
		}
	}
	return n.wire.retry(ctx, "note what visitors are counted by", func() error {
		if err := n.rdb.Set(ctx, key, now.String(), 0).Err(); err != nil {
			return fmt.Errorf("note what visitors are counted by: %w", err)
		}
		return nil
	})
}

// termsOfNow are the names of the terms whose keys live, of the kinds from one on.
func (n *uniquesNote) termsOfNow(from, to parser.Uniques) (names []string) {
	now := n.now().In(n.loc)
	for d := parser.DayOf(now.Add(-n.uvTTL - 24*time.Hour)); d <= parser.DayOf(now).Next(); d = d.Next() {
		for k := parser.Term(from); k < parser.Term(to); k++ {
			if name := k.Name(d); !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
	}
	return names
}

// markPart has a term's hash, if there is one, say that it is not whole.
const markPart = `
if redis.call('EXISTS', KEYS[1]) == 1 then redis.call('HSET', KEYS[1], ARGV[1], 1) end
return 1`
