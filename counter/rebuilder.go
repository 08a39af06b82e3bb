package counter

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

// Rebuilder makes the keys of sites anew: it fences off every writer, deletes
// what was counted, has the archive written back where there is one, and opens
// the site with a checkpoint that names the archived segments. The daemons
// then count the rest of the log. It may be killed anywhere and run again.
type Rebuilder struct {
	Redis  redis.UniversalClient
	Keys   Keys
	Logger *slog.Logger
	// Restore writes back what the archive has of a site and returns the
	// segments that it covers, with their sizes; nil: there is no archive.
	Restore func(ctx context.Context, site string) (map[string]int64, error)
	// Ready tells whether the archive can be read: nothing is deleted before that.
	// It is waited for. nil: there is none, or it is known to answer.
	Ready func(ctx context.Context) error
	// Expect are the epochs at which sites were judged to need a rebuild: one
	// that has another epoch by now was rebuilt, or begun, by another daemon and
	// is left alone. Sites that are not in it are rebuilt whatever they have.
	Expect map[string]string

	tell  func(try int, err error)
	bases bool // purge takes these as well
}

func (r *Rebuilder) patience() *patience {
	if r.tell == nil {
		return r.untold()
	}
	return &patience{log: r.Logger, tell: r.tell}
}

// untold is for what waits for the archive, which says nothing of Redis.
func (r *Rebuilder) untold() *patience {
	return &patience{log: r.Logger, tell: func(int, error) {}}
}

// Locks of a rebuild live this long without being renewed.
const lockTTL = 15 * time.Second

// Rebuild rebuilds sites and returns, for each, the segments that came from
// the archive. A site that another daemon is rebuilding is waited for.
func (r *Rebuilder) Rebuild(ctx context.Context, sites []string) ([]map[string]int64, error) {
	done := make([]map[string]int64, len(sites))
	if r.Ready != nil {
		if err := r.untold().retry(ctx, "read the archive before anything is deleted", func() error { return r.Ready(ctx) }); err != nil {
			return nil, err
		}
	}
	var mine []string
	var at []int
	life := newEpoch() // names our locks, and the epochs while they are held
	for i, name := range sites {
		ok, err := r.lockOrAwait(ctx, name, life)
		if err != nil {
			return nil, fmt.Errorf("lock %s: %w", name, err)
		}
		if ok {
			mine, at = append(mine, name), append(at, i)
		}
	}
	held := r.hold(life, mine...)
	ctx, stop := held.keep(ctx)
	defer stop()
	mine, at, err := r.fence(ctx, mine, at, held)
	if len(mine) == 0 || err != nil {
		return done, err
	}
	restored, err := r.remake(ctx, mine, held)
	for j := range restored {
		done[at[j]] = restored[j]
	}
	return done, err
}

// lockOrAwait takes a site's lock, or waits until another daemon has finished
// with it; false: there is nothing left to do.
func (r *Rebuilder) lockOrAwait(ctx context.Context, name, life string) (bool, error) {
	before, looked := "", false
	for {
		var got bool
		err := r.patience().retry(ctx, "lock rebuild", func() (err error) {
			got, err = r.lock(ctx, name, life)
			return err
		})
		if err != nil || got {
			return got, err
		}
		var epoch string
		err = r.patience().retry(ctx, "read epoch", func() (err error) {
			epoch, err = r.Redis.HGet(ctx, r.Keys.Checkpoint(name), fieldEpoch).Result()
			if isNil(err) || redis.HasErrorPrefix(err, "WRONGTYPE") { // no hash: as if gone, as for fenceSite
				epoch, err = "", nil
			}
			return err
		})
		if err != nil {
			return false, err
		}
		if !looked {
			before, looked = epoch, true
			if expect, ok := r.Expect[name]; ok {
				before = expect
			}
		}
		// Who has the lock may not have fenced the site yet: its old epoch says nothing.
		if epoch != before && epoch != "" && !strings.HasPrefix(epoch, rebuilding) {
			return false, nil
		}
		select {
		case <-ctx.Done():
			return false, ctx.Err()
		case <-time.After(lockTTL / 30):
		}
	}
}

// lock takes a lock, or finds that an earlier try took it whose answer was lost.
func (r *Rebuilder) lock(ctx context.Context, name, life string) (bool, error) {
	got, err := r.Redis.SetNX(ctx, r.Keys.Rebuild(name), life, lockTTL).Result()
	if err != nil || got {
		return got, err
	}
	holder, err := r.Redis.Get(ctx, r.Keys.Rebuild(name)).Result()
	if redis.HasErrorPrefix(err, "WRONGTYPE") {
		r.Logger.Error("the lock of a rebuild is no string: somebody wrote into it; it is deleted", "site", name, "key", r.Keys.Rebuild(name))
		err = r.Redis.Eval(ctx, dropOtherType, []string{r.Keys.Rebuild(name)}, "string").Err()
	}
	if isNil(err) {
		err = nil // it has just ended: the next try gets it
	}
	return holder == life, err
}

// errLockLost says that a rebuild stood still for so long that another daemon may
// have begun the same.
var errLockLost = errors.New("the lock of the rebuild was lost")

// locks are those that a rebuild holds.
type locks struct {
	rebuilder *Rebuilder
	life      string // their value

	turn  chan struct{}   // has one element while somebody uses what follows: Redis is asked meanwhile
	names map[string]bool // sites
}

// hold are locks of a life that were taken.
func (r *Rebuilder) hold(life string, sites ...string) *locks {
	l := &locks{rebuilder: r, life: life, turn: make(chan struct{}, 1), names: map[string]bool{}}
	for _, name := range sites {
		l.names[name] = true
	}
	return l
}

// drop lets a lock go that is deleted by now.
func (l *locks) drop(name string) {
	l.turn <- struct{}{}
	delete(l.names, name)
	<-l.turn
}

// keep renews the locks until stop is called. Where one is lost, held ends.
func (l *locks) keep(ctx context.Context) (held context.Context, stop func()) {
	held, cancel := context.WithCancelCause(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		t := time.NewTicker(lockTTL / 3)
		defer t.Stop()
		for {
			select {
			case <-held.Done():
				return
			case <-t.C:
				if !l.renew(held) {
					cancel(errLockLost)
				}
			}
		}
	}()
	return held, func() { cancel(nil); <-done }
}

// renewLock lets a lock live on, or takes it again if nobody else has. KEYS[1] ->
// lock; ARGV: its value, seconds. Returns 1 if it is ours.
const renewLock = `
local holder = redis.call('GET', KEYS[1])
if holder and holder ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'EX', ARGV[2])
return 1`

// renew is false when a lock is another's by now. A Redis that does not answer
// says nothing: it is asked again.
func (l *locks) renew(ctx context.Context) bool {
	l.turn <- struct{}{} // none is dropped, and taken by another, meanwhile
	defer func() { <-l.turn }()
	r := l.rebuilder
	for n := range l.names {
		ok, err := r.Redis.Eval(ctx, renewLock, []string{r.Keys.Rebuild(n)}, l.life, seconds(lockTTL)).Int()
		if err != nil {
			if ctx.Err() == nil {
				r.Logger.Warn("lock of a rebuild is not renewed", "site", n, "err", err)
			}
			return true
		}
		if ok == 0 {
			r.Logger.Error("the lock of a rebuild is another daemon's by now; this one ends", "site", n)
			return false
		}
	}
	return true
}

// fenceSite gives a site an epoch that no daemon commits to, if it still has
// the one that is expected. KEYS[1] -> checkpoint; ARGV: the new epoch, 1 if
// one is expected, the expected one (” = none). Returns 1 if it did, now or
// in an earlier try whose answer was lost.
const fenceSite = `
local epoch = redis.pcall('HGET', KEYS[1], 'epoch') or ''
if type(epoch) == 'table' then epoch = '' end -- not a hash: as if gone
if epoch ~= ARGV[1] then
  if ARGV[2] == '1' and epoch ~= ARGV[3] then return 0 end
  redis.call('DEL', KEYS[1])
  redis.call('HSET', KEYS[1], 'epoch', ARGV[1])
end
return 1`

// fence fences off every writer of sites whose locks are held, and returns
// those that are still to be rebuilt, with their places.
func (r *Rebuilder) fence(ctx context.Context, names []string, at []int, held *locks) (mine []string, places []int, err error) {
	for i, name := range names {
		expect, expected := r.Expect[name]
		epoch := rebuilding + held.life
		var ok int
		err := r.patience().retry(ctx, "fence site", func() (err error) {
			ok, err = r.Redis.Eval(ctx, fenceSite, []string{r.Keys.Checkpoint(name)}, epoch, flag(expected), expect).Int()
			return err
		})
		if err != nil {
			return nil, nil, fmt.Errorf("fence %s: %w", name, err)
		}
		if ok == 1 {
			mine, places = append(mine, name), append(places, at[i])
			continue
		}
		held.drop(name)
		err = r.patience().retry(ctx, "unlock rebuild", func() error { return r.Redis.Del(ctx, r.Keys.Rebuild(name)).Err() })
		if err != nil {
			return nil, nil, fmt.Errorf("unlock %s: %w", name, err)
		}
	}
	return mine, places, nil
}

// remake rebuilds sites whose locks are held.
func (r *Rebuilder) remake(ctx context.Context, names []string, held *locks) ([]map[string]int64, error) {
	if err := r.patience().retry(ctx, "purge sites", func() error { return r.purge(ctx, names) }); err != nil {
		return nil, err
	}
	done := make([]map[string]int64, len(names))
	for i, name := range names {
		if r.Restore != nil {
			err := r.untold().retry(ctx, "restore from the archive", func() (err error) {
				done[i], err = r.Restore(ctx, name)
				return err
			})
			if err != nil {
				return nil, fmt.Errorf("restore %s: %w", name, err)
			}
		}
		if err := r.release(ctx, name, held, done[i]); err != nil {
			return nil, err
		}
	}
	return done, nil
}

// openSite opens a rebuilt site, once: a try whose answer was lost has opened it,
// and somebody may have counted since. KEYS: checkpoint, lock, hash of what was made. ARGV: the epoch that
// fences it, the new one, then the checkpoint's other fields. Returns 1, or 0 when
// another rebuild has fenced it meanwhile.
const openSite = `
local epoch = redis.pcall('HGET', KEYS[1], 'epoch')
if epoch == ARGV[2] then return 1 end
if epoch ~= ARGV[1] then return 0 end
redis.call('DEL', KEYS[1])
redis.call('HSET', KEYS[1], 'epoch', ARGV[2])
for i = 3, #ARGV, 1000 do
  redis.call('HSET', KEYS[1], unpack(ARGV, i, math.min(i + 999, #ARGV)))
end
redis.call('HSET', KEYS[3], 'epoch', ARGV[2])
redis.call('DEL', KEYS[2])
return 1`

// release opens a rebuilt site for counting.
func (r *Rebuilder) release(ctx context.Context, name string, held *locks, done map[string]int64) error {
	held.drop(name) // it is deleted as the site opens
	args := []any{rebuilding + held.life, newEpoch(), fieldBehind, "1", fieldLayout, layout}
	for id, size := range done {
		args = append(args, id, size)
	}
	var ok int
	err := r.patience().retry(ctx, "open site", func() (err error) {
		ok, err = r.Redis.Eval(ctx, openSite, []string{r.Keys.Checkpoint(name), r.Keys.Rebuild(name), r.Keys.Made(name)}, args...).Int()
		return err
	})
	if err != nil {
		return err
	}
	if ok == 0 {
		return fmt.Errorf("open %s: %w", name, errLockLost)
	}
	return r.patience().retry(ctx, "tell of the rebuild", func() error {
		if err := listSites(ctx, r.Redis, r.Keys, r.Logger, name); err != nil {
			return err
		}
		return r.Redis.Set(ctx, r.Keys.Rebuilds(), newEpoch(), 0).Err()
	})
}

// purge deletes every key of the sites but their checkpoints and locks.
func (r *Rebuilder) purge(ctx context.Context, names []string) error {
	sites := map[string]bool{}
	for _, n := range names {
		sites[n] = true
	}
	if c, ok := r.Redis.(*redis.ClusterClient); ok {
		return c.ForEachMaster(ctx, func(ctx context.Context, node *redis.Client) error {
			return r.purgeNode(ctx, node, sites)
		})
	}
	return r.purgeNode(ctx, r.Redis, sites)
}

func (r *Rebuilder) purgeNode(ctx context.Context, node redis.Cmdable, sites map[string]bool) error {
	var cursor uint64
	for {
		keys, next, err := node.Scan(ctx, cursor, r.Keys.Pattern(), 2000).Result()
		if err != nil {
			return err
		}
		pipe := node.Pipeline()
		for _, k := range keys {
			if r.purges(k, sites) {
				pipe.Unlink(ctx, k)
			}
		}
		if pipe.Len() > 0 {
			if _, err := pipe.Exec(ctx); err != nil {
				return err
			}
		}
		if cursor = next; cursor == 0 {
			return nil
		}
	}
}
