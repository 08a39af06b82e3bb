package counter

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

// ConnectOptions says where Redis is.
type ConnectOptions struct {
	Addrs    []string
	Cluster  bool   // several addresses mean a cluster as well
	Username string // empty: the default user
	Password string
	DB       int           // not in a cluster
	TLS      *tls.Config   // nil: without
	Timeout  time.Duration // of one read or write; 4 s
	PoolSize int           // connections at most; 16
	Buffer   int           // bytes of a connection's buffer each way; 0: the library's 32 KiB
	// Life is how long a connection is used; 0: for as long as it holds. One that
	// is never made anew stays with the server that it found, whoever is the
	// master by now.
	Life time.Duration
	// Master is the name that the sentinels at Addrs know Redis by; empty: Addrs are
	// Redis's own.
	Master           string
	SentinelUsername string
	SentinelPassword string
	// Dial connects; nil: over the network.
	Dial func(ctx context.Context, network, addr string) (net.Conn, error)
}

// Connect makes a client; it dials when it is first used. The library's own
// retries are off: the ingest side has its own, which ask the checkpoint first,
// and a read is answered from the last known values sooner than a retry could.
func Connect(o ConnectOptions) redis.UniversalClient {
	if o.Timeout == 0 {
		o.Timeout = 4 * time.Second
	}
	if o.PoolSize == 0 {
		o.PoolSize = 16
	}
	return redis.NewUniversalClient(&redis.UniversalOptions{
		Addrs: o.Addrs, IsClusterMode: o.Cluster, Username: o.Username, Password: o.Password, DB: o.DB, TLSConfig: o.TLS,
		MasterName: o.Master, SentinelUsername: o.SentinelUsername, SentinelPassword: o.SentinelPassword,
		Dialer: o.Dial, DialTimeout: min(o.Timeout, 2*time.Second), ReadTimeout: o.Timeout, WriteTimeout: o.Timeout,
		ContextTimeoutEnabled: true, ConnMaxLifetime: o.Life, ConnMaxLifetimeJitter: o.Life / 4,
		MaxRetries: -1, PoolSize: o.PoolSize, PoolTimeout: o.Timeout,
		ReadBufferSize: o.Buffer, WriteBufferSize: o.Buffer,
		PipelinePoolSize: -1, // pipelines share the pool
		Protocol:         2,  // plain replies; nothing here needs RESP3
		DisableIdentity:  true,
	})
}

// errEvicts is returned by CheckEviction.
var errEvicts = errors.New("counters may be evicted by Redis")

// CheckEviction refuses a Redis that throws keys away when it is full: totals
// of quiet sites would go first, and silently. A server that does not tell its
// configuration (managed services) is accepted with the reason in unknown.
func CheckEviction(ctx context.Context, rdb redis.UniversalClient) (unknown string, err error) {
	v, err := rdb.ConfigGet(ctx, "maxmemory-policy").Result()
	if err != nil {
		if redis.HasErrorPrefix(err, "NOPERM") || redis.HasErrorPrefix(err, "ERR") {
			return err.Error(), nil // it has no such command, or not for us
		}
		return "", fmt.Errorf("read maxmemory-policy: %w", err)
	}
	policy := v["maxmemory-policy"]
	if policy == "" {
		return "the server does not tell its maxmemory-policy", nil
	}
	if strings.HasPrefix(policy, "noeviction") {
		return "", nil
	}
	return "", fmt.Errorf("%w: its maxmemory-policy is %s. Set maxmemory-policy noeviction in redis.conf (deploy/redis.conf is a whole example), or ALLOW_EVICTION=1 if losing numbers is all right", errEvicts, policy)
}

// Evicts tells whether err says that Redis may evict counters.
func Evicts(err error) bool { return errors.Is(err, errEvicts) }

// CheckScripts tells whether Redis runs scripts such as ours are. It writes nothing,
// but a Redis that takes no writes refuses it as it refuses them.
func CheckScripts(ctx context.Context, rdb redis.UniversalClient, embedded bool) error {
	head := "#!lua\n"
	if embedded {
		head = ""
	}
	if _, err := (&call{}).run(ctx, rdb, redis.NewScript(head+"return {'ok'}")); err != nil {
		return fmt.Errorf("run a script: %w", err)
	}
	return nil
}

// ShareSecret makes all daemons on one Redis use one secret: what Redis has
// wins, else mine is put there, unless it is "". The returned one is to be used and
// kept; "": there is none.
func ShareSecret(ctx context.Context, rdb redis.UniversalClient, k Keys, mine string) (string, error) {
	get := func() (string, error) {
		s, err := rdb.Get(ctx, k.Secret()).Result()
		if err != nil && !isNil(err) {
			return "", fmt.Errorf("read secret: %w", err)
		}
		return s, nil
	}
	if s, err := get(); s != "" || err != nil || mine == "" {
		return s, err
	}
	if err := rdb.SetNX(ctx, k.Secret(), mine, 0).Err(); err != nil {
		return "", fmt.Errorf("share secret: %w", err)
	}
	return get()
}
