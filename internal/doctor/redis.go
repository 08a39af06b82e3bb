package doctor

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"ddkk-stats/counter"
	"ddkk-stats/internal/health"
	"ddkk-stats/internal/options"
)

// redisTimeout bounds all questions to Redis.
const redisTimeout = 5 * time.Second

// minRedis is the oldest version that runs the scripts: they begin with #!lua,
// so that a full Redis refuses one before it starts.
const minRedis = 7.0

// redis is about the store.
func (c *Checkup) redis(ctx context.Context) []Finding {
	if len(c.Cfg.Redis.Addrs) == 0 {
		return []Finding{Fine("REDIS_ADDR", "is empty: the embedded store is rebuilt from the log at each start, which is for trying out and small sites")}
	}
	ctx, cancel := context.WithTimeout(ctx, redisTimeout)
	defer cancel()
	if c.Cfg.Redis.Master != "" {
		master, _ := c.server(ctx, c.Cfg.Redis.Where(), c.connect(c.Cfg.Redis.Addrs...))
		return append(c.sentinels(ctx), master...)
	}
	var all []Finding
	cluster := false
	for _, addr := range c.Cfg.Redis.Addrs {
		found, is := c.server(ctx, addr, c.connect(addr))
		all, cluster = append(all, found...), cluster || is
	}
	if cluster && c.Cfg.Redis.IsCluster() {
		all = append(all, c.otherNodes(ctx)...)
	}
	return all
}

// connect speaks to one server, or to the master that sentinels name.
func (c *Checkup) connect(addrs ...string) redis.UniversalClient {
	opt := options.Redis(c.Cfg)
	opt.Addrs, opt.Cluster, opt.Timeout = addrs, false, 2*time.Second
	return counter.Connect(opt)
}

// server looks at one server, which may be a cluster's, and closes the connection.
func (c *Checkup) server(ctx context.Context, addr string, rdb redis.UniversalClient) (all []Finding, cluster bool) {
	info, err := counter.Info(ctx, rdb)
	if err == nil {
		cluster = info["redis_mode"] == "cluster"
		all = c.node(ctx, addr, rdb, info)
	} else {
		all = []Finding{c.unreachableRedis(addr, err)}
	}
	if err := rdb.Close(); err != nil {
		all = append(all, Poor("Redis", "close the connection to %s: %v", addr, err))
	}
	return all, cluster
}

// sentinels asks each of them alone: while one answers counting goes on, and nobody
// would miss the others before they are needed.
func (c *Checkup) sentinels(ctx context.Context) []Finding {
	r := &c.Cfg.Redis
	var all []Finding
	for _, addr := range r.Addrs {
		s := redis.NewSentinelClient(&redis.Options{Addr: addr, Username: r.SentinelUsername, Password: string(r.SentinelPassword),
			TLSConfig: r.TLS, DialTimeout: 2 * time.Second, ReadTimeout: 2 * time.Second, MaxRetries: -1, DisableIdentity: true, Protocol: 2})
		at, err := s.GetMasterAddrByName(ctx, r.Master).Result()
		switch {
		case errors.Is(err, redis.Nil):
			all = append(all, Bad("Sentinel", "%s knows no master %q; mend the name at the end of REDIS_ADDR", addr, r.Master))
		case err != nil:
			all = append(all, Poor("Sentinel", "%s does not answer: %v; the others are asked in its place", addr, err))
		default:
			all = append(all, Fine("Sentinel", "%s says that %s is at %s", addr, r.Master, net.JoinHostPort(at[0], at[1])))
		}
		if err := s.Close(); err != nil {
			all = append(all, Poor("Sentinel", "close the connection to %s: %v", addr, err))
		}
	}
	return all
}

func (c *Checkup) unreachableRedis(addr string, err error) Finding {
	switch text := err.Error(); {
	case strings.HasPrefix(text, "NOAUTH"), strings.HasPrefix(text, "WRONGPASS"):
		return Bad("Redis", "%s refuses us: %v; set REDIS_PASSWORD, and REDIS_USERNAME if it has an ACL", addr, err)
	case strings.HasPrefix(text, "NOPERM"):
		return Poor("Redis", "%s does not let us ask (%v); make sure that maxmemory-policy is noeviction and appendonly is yes", addr, err)
	}
	if c.Cfg.Redis.TLS != nil {
		return Bad("Redis", "%s does not answer by TLS: %v; start it, or mend REDIS_ADDR, REDIS_TLS_CA for a certificate that we do not trust, REDIS_TLS_CERT and REDIS_TLS_KEY if it wants ours. Meanwhile views wait in the log", addr, err)
	}
	return Bad("Redis", "%s does not answer: %v; start it, or mend REDIS_ADDR. Meanwhile views wait in the log", addr, err)
}

// otherNodes are the masters of a cluster that REDIS_ADDR does not name.
func (c *Checkup) otherNodes(ctx context.Context) []Finding {
	opt := options.Redis(c.Cfg)
	opt.Cluster, opt.Timeout = true, 2*time.Second
	rdb := counter.Connect(opt)
	all := c.masters(ctx, rdb)
	if err := rdb.Close(); err != nil {
		all = append(all, Poor("Redis", "close the connections to the cluster: %v", err))
	}
	return all
}

func (c *Checkup) masters(ctx context.Context, rdb redis.UniversalClient) []Finding {
	cluster, ok := rdb.(*redis.ClusterClient)
	if !ok {
		return nil
	}
	named := map[string]bool{}
	for _, a := range c.Cfg.Redis.Addrs {
		named[a] = true
	}
	var mu sync.Mutex // nodes are asked side by side
	var all []Finding
	err := cluster.ForEachMaster(ctx, func(ctx context.Context, node *redis.Client) error {
		addr := node.Options().Addr
		if named[addr] {
			return nil
		}
		info, err := counter.Info(ctx, node)
		if err != nil {
			return fmt.Errorf("%s: %w", addr, err)
		}
		more := c.node(ctx, addr, node, info)
		mu.Lock()
		defer mu.Unlock()
		all = append(all, more...)
		return nil
	})
	if err != nil {
		all = append(all, Bad("Redis", "not every master of the cluster answers: %v; mend the cluster (redis-cli --cluster check)", err))
	}
	return all
}

// node judges one Redis.
func (c *Checkup) node(ctx context.Context, addr string, rdb redis.UniversalClient, info map[string]string) []Finding {
	all := []Finding{redisVersion(addr, info), c.redisMode(addr, info), redisScripts(ctx, addr, rdb), c.eviction(ctx, addr, rdb)}
	all = append(all, redisMemory(addr, info), redisDurability(addr, info))
	if info["role"] == "slave" {
		all = append(all, Bad("Redis", "%s is a replica and takes no writes; name the primary in REDIS_ADDR", addr))
	}
	if info["loading"] == "1" {
		all = append(all, Poor("Redis", "%s is still loading its data; counting waits for it", addr))
	}
	return all
}

func redisVersion(addr string, info map[string]string) Finding {
	version, server := info["redis_version"], counter.ServerName(info)
	major, rest, _ := strings.Cut(version, ".")
	minor, _, _ := strings.Cut(rest, ".")
	n, err := strconv.ParseFloat(major+"."+minor, 64)
	switch {
	case err != nil:
		return Poor("Redis", "%s does not tell its version; it must understand what Redis %.1f does", addr, minRedis)
	case n < minRedis:
		return Bad("Redis", "%s is %s, which is like Redis %s; at least %.1f is needed: upgrade it, or take Redis or Valkey", addr, server, version, minRedis)
	case server != "Redis "+version:
		return Fine("Redis", "%s answers, version %s: %s", addr, version, server)
	}
	return Fine("Redis", "%s answers, version %s", addr, version)
}

// redisScripts has it run a script that may write, as all that counts does: it is
// refused by a Redis that is full, cannot save, or takes no writes.
func redisScripts(ctx context.Context, addr string, rdb redis.UniversalClient) Finding {
	err := counter.CheckScripts(ctx, rdb, false)
	if err == nil {
		return Fine("Redis scripts", "%s runs them", addr)
	}
	name := counter.TroubleOf(err)
	return Bad("Redis scripts", "%s does not run them now (%s): %v; %s", addr, name, err, health.Advice(name))
}

// redisMode compares what it is with what we take it for: keys of a cluster
// have braces, so a wrong setting would count into other keys.
func (c *Checkup) redisMode(addr string, info map[string]string) Finding {
	is := info["redis_mode"] == "cluster"
	switch {
	case is && !c.Cfg.Redis.IsCluster():
		return Bad("REDIS_CLUSTER", "%s is a node of a cluster: set REDIS_CLUSTER=1", addr)
	case !is && c.Cfg.Redis.IsCluster():
		return Bad("REDIS_CLUSTER", "%s is no cluster, but REDIS_CLUSTER is on or REDIS_ADDR has several addresses; name one address and switch it off", addr)
	case is:
		return Fine("REDIS_CLUSTER", "%s is a node of a cluster, as configured", addr)
	}
	return Fine("REDIS_CLUSTER", "%s is a single Redis, as configured", addr)
}

func (c *Checkup) eviction(ctx context.Context, addr string, rdb redis.UniversalClient) Finding {
	unknown, err := counter.CheckEviction(ctx, rdb)
	switch {
	case err != nil && c.Cfg.AllowEviction && counter.Evicts(err):
		return Poor("maxmemory-policy", "%s: %v", addr, err)
	case err != nil:
		return Bad("maxmemory-policy", "%s: %v", addr, err)
	case unknown != "":
		return Poor("maxmemory-policy", "%s does not tell it (%s); make sure that it is noeviction", addr, unknown)
	}
	return Fine("maxmemory-policy", "%s never evicts", addr)
}

// Shares of maxmemory from which it is too little.
const (
	memoryHigh = 0.8
	memoryFull = 0.97
)

func redisMemory(addr string, info map[string]string) Finding {
	used, errUsed := strconv.ParseFloat(info["used_memory"], 64)
	limit, errLimit := strconv.ParseFloat(info["maxmemory"], 64)
	if errUsed != nil || errLimit != nil {
		return Poor("maxmemory", "%s does not tell its memory; watch it yourself", addr)
	}
	if limit == 0 {
		return Fine("maxmemory", "%s uses %.0f MiB and has no limit of its own", addr, used/(1<<20))
	}
	text := fmt.Sprintf("%s uses %.0f of %.0f MiB (%.0f %%)", addr, used/(1<<20), limit/(1<<20), 100*used/limit)
	switch {
	case used >= memoryFull*limit:
		return Bad("maxmemory", "%s: it refuses writes, or soon will, and counting stands still meanwhile; raise maxmemory", text)
	case used >= memoryHigh*limit:
		return Poor("maxmemory", "%s; raise maxmemory before it is full", text)
	}
	return Fine("maxmemory", "%s", text)
}

func redisDurability(addr string, info map[string]string) Finding {
	switch {
	case info["aof_last_write_status"] == "err" || info["aof_enabled"] == "1" && info["aof_last_bgrewrite_status"] == "err":
		return Bad("appendonly", "%s cannot write its append-only file: look at its log and its disk", addr)
	case info["aof_enabled"] == "0":
		return Poor("appendonly", "%s keeps no append-only file: after a crash all since its last snapshot is counted again from the log, as far as that goes back; set appendonly yes (deploy/redis.conf)", addr)
	case info["aof_enabled"] == "1":
		return Fine("appendonly", "%s writes an append-only file", addr)
	}
	return Poor("appendonly", "%s does not tell whether it has an append-only file; it should", addr)
}
