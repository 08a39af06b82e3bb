package counter

import (
	"context"

	"github.com/redis/go-redis/v9"

	"ddkk-stats/parser"
)

// termLoad is a term that is being read.
type termLoad struct {
	term *term // nil: it is in memory, or not counted

	days  *redis.SliceCmd // visitors of the term's days
	pairs *redis.StringCmd
	hash  *redis.IntCmd
	part  *redis.BoolCmd
}

func (ld *loader) newTermLoads(s *site, day parser.Day) (all [parser.NumTerms]termLoad) {
	for k, t := range ld.newTerms(s, day) {
		all[k].term = t
	}
	return all
}

// askTerm asks for a term. What its days have comes first: a line of the term that is
// counted meanwhile is among the pairs.
func (ld *loader) askTerm(ctx context.Context, pipe redis.Pipeliner, s *site, l *termLoad) {
	t := l.term
	if t == nil {
		return
	}
	var days []string
	for d := t.first; d < t.kind.End(t.first); d = d.Next() {
		days = append(days, ld.keys.SiteUVDay(s.name, d))
	}
	l.days = pipe.MGet(ctx, days...)
	l.pairs = pipe.GetRange(ctx, ld.keys.TermPairs(s.name, t.name), 0, firstBytes-1)
	l.hash = pipe.Exists(ctx, ld.keys.TermVisitors(s.name, t.name))
	l.part = pipe.HExists(ctx, ld.keys.TermVisitors(s.name, t.name), TermPart)
}

// fillTerm takes the first piece of a term and reads the others. A term of which nobody was
// counted though its days had visitors began before it was counted. (One whose keys are
// lost is noted to have had them; see made.go.)
func (ld *loader) fillTerm(ctx context.Context, s *site, l *termLoad) error {
	t := l.term
	if t == nil {
		return nil
	}
	if err := ld.fillPairs(ctx, ld.keys.TermPairs(s.name, t.name), l.pairs, &t.pairs); err != nil {
		return err
	}
	there, err := l.hash.Result()
	if err != nil {
		return err
	}
	if t.noted, err = l.part.Result(); err != nil {
		return err
	}
	values, err := l.days.Result()
	if err != nil {
		return err
	}
	before := int64(0)
	for _, v := range values {
		n, err := replyCount(v)
		if err != nil {
			return err
		}
		before += n
	}
	t.seen, t.part = there > 0, t.noted || before > 0 && t.pairs.bytes == 0
	return nil
}

// loadedTerms are those of a day that were read.
func (l *dayLoad) loadedTerms() (all [parser.NumTerms]*term) {
	for k := range l.terms {
		all[k] = l.terms[k].term
	}
	return all
}
