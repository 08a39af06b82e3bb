package daemon

import (
	"context"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/redis/go-redis/v9"
)

// redisMetrics asks Redis about itself when somebody scrapes. A Redis that does
// not answer in time has no such metrics; ddkk_redis_up tells that.
type redisMetrics struct{ db redis.UniversalClient }

// infoTimeout keeps a scrape short while Redis hangs.
const infoTimeout = 500 * time.Millisecond

var (
	descRedisUsed    = desc("redis_memory_used_bytes", "Memory that Redis uses, all masters together.")
	descRedisMax     = desc("redis_memory_max_bytes", "Its limit (maxmemory), all masters together; 0: none.")
	descRedisEvicted = desc("redis_evicted_keys_total", "Keys that Redis threw away because it was full. More than 0: numbers were lost.")
)

// Describe implements prometheus.Collector.
func (m *redisMetrics) Describe(ch chan<- *prometheus.Desc) {
	ch <- descRedisUsed
	ch <- descRedisMax
	ch <- descRedisEvicted
}

// Collect implements prometheus.Collector.
func (m *redisMetrics) Collect(ch chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), infoTimeout)
	defer cancel()
	sums, err := redisInfo(ctx, m.db)
	if err != nil {
		return
	}
	gauge(ch, descRedisUsed, float64(sums["used_memory"]))
	gauge(ch, descRedisMax, float64(sums["maxmemory"]))
	count(ch, descRedisEvicted, sums["evicted_keys"])
}

// redisInfo asks Redis about itself; in a cluster all masters' numbers are
// added up.
func redisInfo(ctx context.Context, db redis.UniversalClient) (map[string]int64, error) {
	var mu sync.Mutex
	sums := map[string]int64{}
	ask := func(ctx context.Context, node redis.Cmdable) error {
		for _, section := range []string{"memory", "stats"} {
			text, err := node.Info(ctx, section).Result()
			if err != nil {
				return err
			}
			mu.Lock()
			addInfo(sums, text)
			mu.Unlock()
		}
		return nil
	}
	var err error
	if c, ok := db.(*redis.ClusterClient); ok {
		err = c.ForEachMaster(ctx, func(ctx context.Context, node *redis.Client) error { return ask(ctx, node) })
	} else {
		err = ask(ctx, db)
	}
	return sums, err
}

// addInfo adds the numbers of an INFO answer.
func addInfo(sums map[string]int64, text string) {
	for line := range strings.Lines(text) {
		name, value, ok := strings.Cut(strings.TrimSpace(line), ":")
		if !ok {
			continue
		}
		if n, err := strconv.ParseInt(value, 10, 64); err == nil {
			sums[name] += n
		}
	}
}
