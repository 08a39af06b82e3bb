package counter

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sort"

	"github.com/redis/go-redis/v9"
)

// registry keeps what all daemons see of sites beside their numbers: the list of all
// sites, and marks in their checkpoints.
type registry struct {
	wire    *wire
	rdb     redis.UniversalClient
	keys    Keys
	log     *slog.Logger
	known   *progress // what an earlier run left
	archive Archive   // nil: there is none
}

// names are all sites that Redis, the archive or the progress file knows.
func (r *registry) names(ctx context.Context) ([]string, error) {
	all := map[string]struct{}{}
	for s := range r.known.Sites {
		all[s] = struct{}{}
	}
	if r.archive != nil {
		for _, s := range r.archive.Sites() {
			all[s] = struct{}{}
		}
	}
	err := r.wire.retry(ctx, "read sites", func() error {
		members, err := r.rdb.SMembers(ctx, r.keys.Sites()).Result()
		for _, s := range members {
			all[s] = struct{}{}
		}
		return err
	})
	if redis.HasErrorPrefix(err, "WRONGTYPE") {
		r.log.Error("the list of sites is no set: somebody wrote into it. It is made anew of the sites that the progress file and the archive know", "key", r.keys.Sites())
		err = r.wire.retry(ctx, "replace the list of sites", func() error { return r.rdb.Del(ctx, r.keys.Sites()).Err() })
	}
	if err != nil {
		return nil, fmt.Errorf("read sites: %w", err)
	}
	names := make([]string, 0, len(all))
	for s := range all {
		names = append(names, s)
	}
	sort.Strings(names)
	return names, nil
}

// relist puts names back that the set of all sites lost. In a cluster that set
// lies in another slot than the sites' keys, so a failover may lose a name while
// the site's checkpoint is as it was; a site that is not listed is passed over
// by whoever goes through all of them, such as the mirror and verify.
func (r *registry) relist(ctx context.Context, names []string) error {
	for len(names) > 0 {
		trip := names[:min(len(names), 500)]
		names = names[len(trip):]
		members := make([]any, len(trip))
		for i, name := range trip {
			members[i] = name
		}
		var listed []bool
		err := r.wire.retry(ctx, "look for sites", func() (err error) {
			listed, err = r.rdb.SMIsMember(ctx, r.keys.Sites(), members...).Result()
			return err
		})
		if redis.HasErrorPrefix(err, "WRONGTYPE") {
			err, listed = nil, make([]bool, len(trip))
		}
		if err != nil {
			return fmt.Errorf("look for sites: %w", err)
		}
		if err := r.listMissing(ctx, trip, listed); err != nil {
			return err
		}
	}
	return nil
}

// listSites adds names to the list of all sites. Where somebody made it something else it
// is made anew: of the names, and of what the next audit of each daemon misses.
func listSites(ctx context.Context, rdb redis.UniversalClient, k Keys, log *slog.Logger, names ...any) error {
	err := rdb.SAdd(ctx, k.Sites(), names...).Err()
	if !redis.HasErrorPrefix(err, "WRONGTYPE") {
		return err
	}
	log.Error("the list of sites is no set: somebody wrote into it. It is made anew", "key", k.Sites())
	if err := rdb.Eval(ctx, dropOtherType, []string{k.Sites()}, "set").Err(); err != nil {
		return err
	}
	return rdb.SAdd(ctx, k.Sites(), names...).Err()
}

// unlist takes names off the list of all sites.
func (r *registry) unlist(ctx context.Context, names []string) error {
	for some := range slices.Chunk(names, 500) {
		members := make([]any, len(some))
		for i, name := range some {
			members[i] = name
		}
		err := r.wire.retry(ctx, "take sites off the list", func() error { return r.rdb.SRem(ctx, r.keys.Sites(), members...).Err() })
		if err != nil && passing(err) {
			return fmt.Errorf("take sites off the list: %w", err)
		}
	}
	return nil
}

// list adds names to the list of all sites.
func (r *registry) list(ctx context.Context, names []any) error {
	err := r.wire.retry(ctx, "note sites", func() error { return listSites(ctx, r.rdb, r.keys, r.log, names...) })
	if err != nil {
		return fmt.Errorf("note sites: %w", err)
	}
	return nil
}

// listMissing adds the names that are not listed to the set of all sites.
func (r *registry) listMissing(ctx context.Context, names []string, listed []bool) error {
	var gone []any
	for i, name := range names {
		if !listed[i] {
			gone = append(gone, name)
		}
	}
	if len(gone) == 0 {
		return nil
	}
	err := r.wire.retry(ctx, "list sites", func() error { return listSites(ctx, r.rdb, r.keys, r.log, gone...) })
	if err != nil {
		return fmt.Errorf("list sites: %w", err)
	}
	r.log.Warn("Redis had lost names from the list of sites; they are back", "key", r.keys.Sites(), "sites", len(gone), "first", gone[0])
	return nil
}

// noteLost writes into a site's checkpoint that it has lost something. A key of
// another type there is seen by whoever commits.
func (r *registry) noteLost(ctx context.Context, name string) error {
	err := r.wire.retry(ctx, "note what is lost", func() error {
		return r.rdb.HSet(ctx, r.keys.Checkpoint(name), fieldLost, 1).Err()
	})
	if err != nil && passing(err) {
		return fmt.Errorf("note what %s lost: %w", name, err)
	}
	return nil
}

// caughtUp takes the mark off a site that a rebuild left, if it is still of the
// life that was counted. KEYS[1] -> checkpoint; ARGV: the epoch.
const caughtUp = `
if redis.call('HGET', KEYS[1], 'epoch') == ARGV[1] then redis.call('HDEL', KEYS[1], 'behind') end
return 1`

// complete takes the mark of a rebuild off sites whose logs are counted again.
func (r *registry) complete(ctx context.Context, sites []*site) error {
	return r.wire.ask(ctx, "note that sites are complete", func(pipe redis.Pipeliner) {
		for _, s := range sites {
			pipe.Eval(ctx, caughtUp, []string{r.keys.Checkpoint(s.name)}, s.epoch)
		}
	})
}
