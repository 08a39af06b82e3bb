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
	descRedisClients = desc("redis_clients", "Connections that Redis has, all masters together, by whether they wait for something.", "state")
	descRedisSaved   = desc("redis_last_save_timestamp_seconds", "When Redis last saved its data, the oldest of all masters; 0: it does not tell.")
	descRedisSaving  = desc("redis_persistence_ok", "1 unless the last snapshot (rdb), write of the append-only file (aof) or rewrite of it failed on some master.", "what")
	descRedisAOF     = desc("redis_aof_enabled", "1 if every master keeps an append-only file.")
	descRedisRewrite = desc("redis_aof_rewriting", "Masters that rewrite it now.")
	descRedisReplica = desc("redis_replicas", "Replicas that are connected, of all masters together.")
	descRedisMaster  = desc("redis_master", "1 if what answers is a master.")
	descRedisEvicted = desc("redis_evicted_keys_total", "Keys that Redis threw away because it was full. More than 0: numbers were lost.")
)

// Describe implements prometheus.Collector.
func (m *redisMetrics) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{descRedisUsed, descRedisMax, descRedisEvicted, descRedisClients, descRedisSaved,
		descRedisSaving, descRedisAOF, descRedisRewrite, descRedisReplica, descRedisMaster} {
		ch <- d
	}
}

// Collect implements prometheus.Collector.
func (m *redisMetrics) Collect(ch chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), infoTimeout)
	defer cancel()
	info, err := redisInfo(ctx, m.db)
	if err != nil {
		return
	}
	gauge(ch, descRedisUsed, float64(info["used_memory"]))
	gauge(ch, descRedisMax, float64(info["maxmemory"]))
	count(ch, descRedisEvicted, info["evicted_keys"])
	gauge(ch, descRedisClients, float64(info["connected_clients"]-info["blocked_clients"]), "free")
	gauge(ch, descRedisClients, float64(info["blocked_clients"]), "blocked")
	gauge(ch, descRedisSaved, float64(info["oldest_save"]))
	for what, field := range map[string]string{"rdb": "rdb_last_bgsave_status", "aof": "aof_last_write_status", "rewrite": "aof_last_bgrewrite_status"} {
		gauge(ch, descRedisSaving, one(info[field+":err"] == 0), what)
	}
	gauge(ch, descRedisAOF, one(info["aof_enabled"] == info["nodes"]))
	gauge(ch, descRedisRewrite, float64(info["aof_rewrite_in_progress"]))
	gauge(ch, descRedisReplica, float64(info["connected_slaves"]))
	gauge(ch, descRedisMaster, one(info["role:master"] > 0 && info["role:slave"] == 0))
}

// saves tells whether the last snapshots and append-only files were written.
func saves(info map[string]int64) bool {
	return info["rdb_last_bgsave_status:err"]+info["aof_last_write_status:err"]+info["aof_last_bgrewrite_status:err"] == 0
}

// redisInfo asks Redis about itself; in a cluster all masters' numbers are
// added up. A word becomes a count of those who say it, "role:master"; and oldest_save is
// the earliest rdb_last_save_time.
func redisInfo(ctx context.Context, db redis.UniversalClient) (map[string]int64, error) {
	var mu sync.Mutex
	info := map[string]int64{}
	ask := func(ctx context.Context, node redis.Cmdable) error {
		for _, section := range []string{"memory", "stats", "clients", "persistence", "replication"} {
			text, err := node.Info(ctx, section).Result()
			if err != nil {
				return err
			}
			mu.Lock()
			addInfo(info, text)
			mu.Unlock()
		}
		mu.Lock()
		info["nodes"]++
		mu.Unlock()
		return nil
	}
	var err error
	if c, ok := db.(*redis.ClusterClient); ok {
		err = c.ForEachMaster(ctx, func(ctx context.Context, node *redis.Client) error { return ask(ctx, node) })
	} else {
		err = ask(ctx, db)
	}
	return info, err
}

// addInfo adds what an INFO answer says.
func addInfo(info map[string]int64, text string) {
	for line := range strings.Lines(text) {
		name, value, ok := strings.Cut(strings.TrimSpace(line), ":")
		if !ok {
			continue
		}
		n, err := strconv.ParseInt(value, 10, 64)
		switch {
		case err != nil:
			info[name+":"+value]++
		case name == "rdb_last_save_time":
			if at := info["oldest_save"]; at == 0 || n < at {
				info["oldest_save"] = n
			}
		default:
			info[name] += n
		}
	}
}
