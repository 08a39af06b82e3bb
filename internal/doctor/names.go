package doctor

import (
	"context"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"ddkk-stats/counter"
	"ddkk-stats/internal/options"
	"ddkk-stats/parser"
)

// maxNamed is how many sites a finding names.
const maxNamed = 5

// names finds tables of names that are full: a stranger can fill them.
func (c *Checkup) names(ctx context.Context) []Finding {
	if len(c.Cfg.Redis.Addrs) == 0 {
		return nil // the embedded one is in another process
	}
	ctx, cancel := context.WithTimeout(ctx, redisTimeout)
	defer cancel()
	opt := options.Redis(c.Cfg)
	opt.Timeout = 2 * time.Second
	rdb := counter.Connect(opt)
	all, err := c.fullTables(ctx, rdb)
	if err != nil {
		all = nil // the look at Redis says why it does not answer
	}
	if err := rdb.Close(); err != nil {
		all = append(all, Poor("Redis", "close the connection: %v", err))
	}
	return all
}

func (c *Checkup) fullTables(ctx context.Context, rdb redis.UniversalClient) ([]Finding, error) {
	keys := counter.NewKeys(c.Cfg.RedisPrefix, c.Cfg.Redis.IsCluster())
	sites, err := rdb.SMembers(ctx, keys.Sites()).Result()
	if err != nil {
		return nil, err
	}
	var all []Finding
	if len(sites) >= c.Cfg.MaxSites {
		all = append(all, Poor("MAX_SITES", "there are %d sites, as many as it allows: new ones are not counted. List yours in SITES, or raise it", len(sites)))
	}
	today := parser.DayOf(c.Now().In(c.Cfg.Timezone))
	var over []string
	for len(sites) > 0 {
		some := sites[:min(len(sites), 500)]
		sites = sites[len(some):]
		rest := make([]*redis.FloatCmd, len(some))
		_, err := rdb.Pipelined(ctx, func(p redis.Pipeliner) error {
			for i, s := range some {
				rest[i] = p.ZScore(ctx, keys.HotDay(s, today), parser.OtherPage)
			}
			return nil
		})
		if err != nil && err != redis.Nil {
			return nil, err
		}
		for i, s := range some {
			if rest[i].Err() == nil {
				over = append(over, s)
			}
		}
	}
	if len(over) > 0 {
		all = append(all, Poor("MAX_PAGES_PER_SITE", "today's pages of %d sites are more than it allows, and the rest counts as %s: %s. If strangers made them up, block them (BLOCK_IPS, BLOCK_PATHS), else raise it; then run `recount`",
			len(over), parser.OtherPage, strings.Join(over[:min(len(over), maxNamed)], ", ")))
	}
	return all, nil
}
