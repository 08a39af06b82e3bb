package counter

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"ddkk-stats/counter/keys"
	"ddkk-stats/parser"
)

// present looks for every key that is noted to have been made (keys.Made) and is still to
// be there, and that it has the type it must have. Keys of today and yesterday that are
// there and not noted are noted, where an older version made them. A life that had its notes
// from the first commit on made no such key: it is left of another one, and what was in
// it was counted twice.
func (l *look) present(ctx context.Context) error {
	k, s := l.keys, l.site
	var asked *redis.MapStringStringCmd
	var single []*redis.StatusCmd
	err := l.at(ctx, 10, func(p redis.Pipeliner) {
		asked = p.HGetAll(ctx, k.Made(s))
		single = single[:0]
		for _, f := range looseKeys {
			single = append(single, p.Type(ctx, k.Key(keys.Name{Family: f, Site: s})))
		}
	})
	if err != nil {
		return err
	}
	for i, f := range looseKeys {
		if err := l.loose(ctx, f, single[i].Val()); err != nil {
			return err
		}
	}
	made := asked.Val() // nothing, where it is no hash
	l.leastUV, l.uv = -1, 0
	if made[keys.MadeEpoch] != l.epoch {
		if strings.HasPrefix(l.epoch, lifeNoted) {
			l.differ("%s is gone, and nobody else knows what was made", k.Made(s))
		}
		made = map[string]string{}
	} else if n, err := strconv.ParseInt(made[keys.MadePages], 10, 64); err == nil {
		l.leastUV = n
	}
	return l.compareMade(ctx, made)
}

// compareMade compares what is noted with what is there.
func (l *look) compareMade(ctx context.Context, made map[string]string) error {
	young, all := l.youngKeys(), l.round%scrubOld == 1
	noted := map[keys.Name]bool{}
	names := slices.Clone(young)
	var over []any
	for period, letters := range made {
		if period == keys.MadeEpoch || period == keys.MadePages {
			continue
		}
		lives := false
		for _, letter := range letters {
			n, ok := keys.Marked(l.site, string(letter), period)
			if !ok || !l.lives(n) {
				continue
			}
			lives, noted[n] = true, true
			if d, err := strconv.Atoi(period); err == nil && n.Family == keys.Books {
				l.days[parser.Day(d)] = true
			}
			if !slices.Contains(young, n) && (all || l.recent(n)) {
				names = append(names, n)
			}
		}
		if !lives {
			over = append(over, period)
		}
	}
	var missing []any
	for some := range slices.Chunk(names, scrubPiece) {
		types, now := make([]*redis.StatusCmd, len(some)), make([]*redis.StringCmd, len(some))
		err := l.at(ctx, len(some), func(p redis.Pipeliner) {
			for i, n := range some {
				types[i] = p.Type(ctx, l.keys.Key(n))
				if _, period, ok := n.Mark(); ok && !noted[n] && l.notesAll(n) { // it may have been made since
					now[i] = p.HGet(ctx, l.keys.Made(l.site), period)
				}
			}
		})
		if err != nil {
			return err
		}
		for i, n := range some {
			switch is, want := types[i].Val(), n.Family.RedisType(); {
			case is == "none" && noted[n]:
				l.differ("%s is gone", l.keys.Key(n))
			case is != "none" && is != want:
				l.differ("%s is a %s, want a %s", l.keys.Key(n), is, want)
			case is == want && !noted[n]:
				letter, period, _ := n.Mark()
				if now[i] != nil && !strings.Contains(now[i].Val(), letter) {
					l.differ("%s is there, and was not made in this life", l.keys.Key(n))
					continue
				}
				missing = append(missing, period, letter)
			}
		}
	}
	return l.noteMade(ctx, missing, over)
}

// notesAll tells whether keys like n are noted whenever this life makes one. Of those that
// UV_SET_TTL lets die it depends on what that was.
func (l *look) notesAll(n keys.Name) bool {
	switch n.Family {
	case keys.Visitors, keys.Pairs, keys.TermVisitors, keys.TermPairs:
		return false
	}
	return strings.HasPrefix(l.epoch, lifeNoted)
}

// recent tells whether a key that has a mark is looked for in every round.
func (l *look) recent(n keys.Name) bool {
	if n.Family == keys.SeenID || n.Family == keys.SeenWindow {
		return true
	}
	for _, d := range l.young() {
		if strings.HasPrefix(n.Rest, keys.Day(d)) {
			return true
		}
	}
	return n.Family == keys.TermVisitors || n.Family == keys.TermPairs
}

// youngKeys are those of today and yesterday, and those that do not die, that can be noted.
func (l *look) youngKeys() []keys.Name {
	all := []keys.Name{{Family: keys.SitePV, Site: l.site}, {Family: keys.SiteUV, Site: l.site}, {Family: keys.HotAll, Site: l.site}, {Family: keys.PageBots, Site: l.site}}
	for _, d := range l.young() {
		digits := keys.Day(d)
		for t := range parser.NumTerms {
			for _, f := range []keys.Family{keys.TermVisitors, keys.TermPairs} {
				if n := (keys.Name{Family: f, Site: l.site, Rest: t.Name(d)}); !slices.Contains(all, n) && l.lives(n) {
					all = append(all, n)
				}
			}
		}
		for _, f := range []keys.Family{keys.SitePVDay, keys.SiteUVDay, keys.Visitors, keys.Books, keys.Minutes, keys.Facets, keys.Pairs,
			keys.PageBotsDay, keys.HotDay, keys.Events, keys.CallsDay, keys.LatencyDay, keys.Requests, keys.RequestNames} {
			if n := (keys.Name{Family: f, Site: l.site, Rest: digits}); l.lives(n) {
				all = append(all, n)
			}
		}
	}
	return all
}

// lives tells whether a key must still be there if it ever was. Buckets of a future are
// those of another width.
func (l *look) lives(n keys.Name) bool {
	now := l.redis.now()
	until, dies := madeUntil(n, l.loc, l.uvTTL, l.idWide, l.window(l.site))
	if !dies {
		return true
	}
	if (n.Family == keys.SeenID || n.Family == keys.SeenWindow) && until.After(now.Add(l.uvTTL+24*time.Hour)) {
		return false
	}
	return until.After(now.Add(time.Hour))
}

// looseKeys come and go, so nothing tells that they should be there; but of which type.
var looseKeys = []keys.Family{keys.Pending, keys.FacetsPending, keys.Online, keys.Made, keys.MirrorState, keys.MirrorDue, keys.MirrorSink, keys.MirrorPV, keys.MirrorBots}

// loose deals with one of them. A rebuild is for numbers; others are made anew by what
// comes, and the mirror begins a new life from what SQL has.
func (l *look) loose(ctx context.Context, f keys.Family, is string) error {
	key, want := l.keys.Key(keys.Name{Family: f, Site: l.site}), f.RedisType()
	if is == "none" || is == want || is == "" {
		return nil
	}
	if f == keys.Pending || f == keys.FacetsPending {
		l.differ("%s is a %s, want a %s", key, is, want)
		return nil
	}
	drop := []string{key}
	if f != keys.Online && f != keys.Made {
		drop = append(drop, l.keys.MirrorState(l.site))
	}
	l.log.Error("a key is of another type: somebody wrote into it; it is deleted and made anew", "site", l.site, "key", key, "type", is, "want", want)
	return l.rdb.Eval(ctx, dropOtherType, drop, want).Err()
}

// dropOtherType deletes KEYS if the first one is not of type ARGV[1].
const dropOtherType = `
local is = redis.call('TYPE', KEYS[1])
is = type(is) == 'table' and is.ok or is
if is ~= ARGV[1] then redis.call('DEL', unpack(KEYS)) end
return 1`

// noteMade notes keys that are there, given as period and letter, and forgets periods
// that are over.
func (l *look) noteMade(ctx context.Context, missing, over []any) error {
	if len(missing)+len(over) == 0 {
		return nil
	}
	args := append([]any{l.epoch, len(over)}, over...)
	return l.rdb.Eval(ctx, noteMade, []string{l.keys.Checkpoint(l.site), l.keys.Made(l.site)}, append(args, missing...)...).Err()
}

// noteMade: KEYS: checkpoint, hash of what was made. ARGV: epoch, periods that are over
// and how many before them, then period and letter of each key.
const noteMade = `
if redis.call('HGET', KEYS[1], 'epoch') ~= ARGV[1] then return 0 end
if redis.pcall('HGET', KEYS[2], 'epoch') ~= ARGV[1] then
  redis.call('DEL', KEYS[2])
  redis.call('HSET', KEYS[2], 'epoch', ARGV[1])
end
local over = tonumber(ARGV[2])
for i = 3, 2 + over do redis.call('HDEL', KEYS[2], ARGV[i]) end
for i = 3 + over, #ARGV, 2 do
  local have = redis.call('HGET', KEYS[2], ARGV[i]) or ''
  if not string.find(have, ARGV[i + 1], 1, true) then redis.call('HSET', KEYS[2], ARGV[i], have .. ARGV[i + 1]) end
end
return 1`

// visitorsOfPages compares the visitors of all pages with their sum, which was read before
// them: both only grow. Where less was noted, by an older version or before the notes were
// lost, what was found is.
func (l *look) visitorsOfPages(ctx context.Context) error {
	switch {
	case l.uv < l.leastUV:
		l.differ("the pages of %s have %d visitors, want %d", l.site, l.uv, l.leastUV)
	case l.uv > l.leastUV && len(l.differences) == 0:
		return l.rdb.Eval(ctx, raisePages, []string{l.keys.Checkpoint(l.site), l.keys.Made(l.site)}, l.epoch, l.uv).Err()
	}
	return nil
}

// raisePages has the sum of the pages' visitors be at least ARGV[2]. KEYS: checkpoint, hash
// of what was made. ARGV[1]: epoch of both.
const raisePages = `
if redis.call('HGET', KEYS[1], 'epoch') ~= ARGV[1] or redis.pcall('HGET', KEYS[2], 'epoch') ~= ARGV[1] then return 0 end
if tonumber(redis.call('HGET', KEYS[2], 'pages') or -1) < tonumber(ARGV[2]) then redis.call('HSET', KEYS[2], 'pages', ARGV[2]) end
return 1`
