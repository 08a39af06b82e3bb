package doctor

import (
	"context"
	"testing"

	"github.com/redis/go-redis/v9"

	"ddkk-stats/counter"
	"ddkk-stats/parser"
)

// Tables that have no room for another name are named.
func TestCheckNames(t *testing.T) {
	addr := startCheckRedis(t)
	c := newCheckup(t, map[string]string{"REDIS_ADDR": addr, "MAX_SITES": "3", "TIMEZONE": "UTC"})
	rdb := redis.NewClient(&redis.Options{Addr: addr})
	defer func() {
		if err := rdb.Close(); err != nil {
			t.Error(err)
		}
	}()
	ctx, keys := context.Background(), counter.NewKeys(c.Cfg.RedisPrefix, false)
	if all := c.names(ctx); len(all) != 0 {
		t.Errorf("nothing is there: %v", all)
	}
	today := parser.DayOf(c.Now().UTC())
	add := func(site, page string) {
		t.Helper()
		if err := rdb.SAdd(ctx, keys.Sites(), site).Err(); err != nil {
			t.Fatal(err)
		}
		if err := rdb.ZAdd(ctx, keys.HotDay(site, today), redis.Z{Score: 1, Member: page}).Err(); err != nil {
			t.Fatal(err)
		}
	}
	add("a.example", "/")
	add("b.example", "/")
	if all := c.names(ctx); len(all) != 0 {
		t.Errorf("two sites of three, no page over the limit: %v", all)
	}
	add("b.example", parser.OtherPage)
	add("c.example", "/")
	all := c.names(ctx)
	wantFinding(t, all, LevelWarn, "MAX_SITES", "there are 3 sites")
	wantFinding(t, all, LevelWarn, "MAX_PAGES_PER_SITE", "of 1 sites", "b.example", "recount")
}
