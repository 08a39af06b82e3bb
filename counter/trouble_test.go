package counter

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"net"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/redis/go-redis/v9"
)

// redisError is what go-redis makes of an answer that begins with "-".
type redisError string

func (e redisError) Error() string { return string(e) }
func (redisError) RedisError()     {}

func TestTroubles(t *testing.T) {
	for _, x := range []struct {
		says string
		want Trouble
	}{
		{"OOM command not allowed when used memory > 'maxmemory'.", RedisFull},
		{"MISCONF Redis is configured to save RDB snapshots, but ...", RedisCannotSave},
		{"READONLY You can't write against a read only replica.", RedisReadOnly},
		{"NOREPLICAS Not enough good replicas to write.", RedisReadOnly},
		{"LOADING Redis is loading the dataset in memory", RedisLoading},
		{"BUSY Redis is busy running a script.", RedisBusy},
		{"CLUSTERDOWN The cluster is down", RedisDown},
		{"NOAUTH Authentication required.", RedisRefuses},
		{"WRONGPASS invalid username-password pair or user is disabled.", RedisRefuses},
		{"NOPERM User ddkk has no permissions to run the 'evalsha' command", RedisRefuses},
		{"ERR max number of clients reached", RedisRefuses},
		{"ERR anything that nobody has thought of", RedisRefuses},
		{"ERR Error compiling script (new function): user_script:1: unexpected symbol near '#'", ScriptsUnsupported},
		{"ERR unknown command 'EVALSHA', with args beginning with: ", ScriptsUnsupported},
	} {
		err := fmt.Errorf("commit: %w", redisError(x.says))
		if got := TroubleOf(err); got != x.want {
			t.Errorf("%q is %q, want %q", x.says, got, x.want)
		}
		if !passing(err) {
			t.Errorf("%q is taken for damage of a site's keys", x.says)
		}
	}
	if got := TroubleOf(errors.New("dial tcp: refused")); got != RedisDown {
		t.Errorf("a dead connection is %q", got)
	}
	for _, says := range []string{
		"WRONGTYPE Operation against a key holding the wrong kind of value",
		"ERR Error running script: WRONGTYPE Operation against a key holding the wrong kind of value",
		"ERR value is not an integer or out of range", "ERR hash value is not an integer", "ERR increment or decrement would overflow",
	} {
		if passing(redisError(says)) {
			t.Errorf("%q is waited for, though it is a key's", says)
		}
	}
}

// refuser is a hook that answers scripts in Redis's place.
type refuser struct {
	says  atomic.Pointer[string]
	times atomic.Int64
}

func (r *refuser) DialHook(next redis.DialHook) redis.DialHook {
	return func(ctx context.Context, network, addr string) (net.Conn, error) { return next(ctx, network, addr) }
}

func (r *refuser) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		if says := r.says.Load(); says != nil && strings.HasPrefix(cmd.Name(), "eval") {
			r.times.Add(1)
			cmd.SetErr(redisError(*says))
			return cmd.Err()
		}
		return next(ctx, cmd)
	}
}

func (r *refuser) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		if says := r.says.Load(); says != nil && strings.HasPrefix(cmds[0].Name(), "eval") {
			r.times.Add(1)
			for _, c := range cmds {
				c.SetErr(redisError(*says))
			}
			return cmds[0].Err()
		}
		return next(ctx, cmds)
	}
}

// A Redis that refuses scripts for a reason that is no key's is waited for, and its
// name told, though it answers everything else; nothing is deleted.
func TestRefusedScriptsAreNoDamage(t *testing.T) {
	t.Parallel()
	s := startReadServer(t)
	r := newRig(t, readClient(t, s.addr()))
	refuse, waits := &refuser{}, atomic.Int64{}
	r.opt.Waits = func(on bool) {
		if on {
			waits.Add(1)
		} else {
			waits.Add(-1)
		}
	}
	r.rdb.AddHook(refuse)
	hits := randomHits(rand.New(rand.NewPCG(39, 40)), 600, 20)
	r.start()
	r.log.write("a", lines(hits[:300])...)
	r.await()
	eventually(t, func() bool { return maps.Equal(tallyUp(hits[:300]), dump(t, r.rdb)) }, func() { r.check(hits[:300]) })
	for says, name := range map[string]Trouble{
		"ERR unknown command 'EVALSHA', with args beginning with: ":                       ScriptsUnsupported,
		"ERR Error compiling script (new function): user_script:1: unexpected symbol '#'": ScriptsUnsupported,
		"ERR nobody knows":              RedisRefuses,
		"OOM command not allowed when ": RedisFull,
	} {
		refuse.times.Store(0)
		refuse.says.Store(&says)
		r.log.write("a", hits[300-1].line()) // a line to wait with; it is counted once below
		hits = append(hits[:300:300], append([]testHit{hits[299]}, hits[300:]...)...)
		eventually(t, func() bool { return r.in.Trouble() == name && waits.Load() == 1 && refuse.times.Load() > 5 },
			func() { t.Fatalf("%q: trouble is %q, %d waits", says, r.in.Trouble(), waits.Load()) })
		if st := r.in.Stats(); st.Redis || st.Rebuilds != 0 {
			t.Errorf("%q: %+v", says, st)
		}
		refuse.says.Store(nil)
		r.await()
		if r.in.Trouble() != "" || waits.Load() != 0 {
			t.Errorf("%q is over, and trouble is still %q", says, r.in.Trouble())
		}
	}
	r.log.write("a", lines(hits[304:])...)
	r.await()
	r.stop()
	r.check(hits)
}

// What a start asks first: a full Redis is told from one that cannot run scripts.
func TestCheckScripts(t *testing.T) {
	s := startReadServer(t)
	rdb := readClient(t, s.addr())
	if err := CheckScripts(t.Context(), rdb, false); err != nil {
		t.Error(err)
	}
	rdb.ConfigSet(t.Context(), "maxmemory", "1")
	if err := CheckScripts(t.Context(), rdb, false); TroubleOf(err) != RedisFull {
		t.Errorf("a full Redis: %v", err)
	}
	keys := NewKeys(DefaultPrefix, false)
	if got, err := ShareSecret(t.Context(), rdb, keys, "mine"); TroubleOf(err) != RedisFull {
		t.Errorf("a full Redis keeps a secret: %q, %v", got, err)
	}
	rdb.ConfigSet(t.Context(), "maxmemory", "0")
	if got, err := ShareSecret(t.Context(), rdb, keys, ""); got != "" || err != nil {
		t.Errorf("nobody has a secret: %q, %v", got, err)
	}
	if got, err := ShareSecret(t.Context(), rdb, keys, "mine"); got != "mine" || err != nil {
		t.Errorf("the first one: %q, %v", got, err)
	}
	rdb.ConfigSet(t.Context(), "maxmemory", "1")
	if got, err := ShareSecret(t.Context(), rdb, keys, "other"); got != "mine" || err != nil {
		t.Errorf("a full Redis that has one: %q, %v", got, err)
	}
}
