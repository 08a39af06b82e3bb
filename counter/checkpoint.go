package counter

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/redis/go-redis/v9"
)

// newEpoch names a life of a site's keys: it changes when they are rebuilt.
func newEpoch() string {
	var b [8]byte
	rand.Read(b[:]) // never fails, by its documentation
	return lifeNoted + hex.EncodeToString(b[:])
}

// lifeNoted begins the name of a life that had its notes of what was made (Keys.Made) from its
// beginning on: where they are lacking they were lost, and maybe what only they told of.
// Lives that earlier versions began have none. prelude.lua names it as well.
const lifeNoted = "m"

// Fields of the checkpoint hash that are no segments.
const (
	fieldEpoch  = "epoch"
	fieldFold   = "fold"
	fieldFacets = "facets"
	fieldBegun  = "begun"
	fieldDone   = "done"
	fieldLost   = "lost"
	// fieldBehind is there from the end of a rebuild until a daemon has counted
	// what its log has beyond the archive: meanwhile the numbers are too small.
	fieldBehind = "behind"
	fieldLayout = "layout"
)

// rebuilding starts the epoch of a site while it is being rebuilt.
const rebuilding = "rebuild:"

// checkpoint is a site's checkpoint hash.
type checkpoint struct {
	epoch   string
	offsets map[string]int64
	layout  int
	part    bool                 // a script was applied in part (see prelude.lua)
	lost    int64                // keys that scripts found gone
	behind  bool                 // the log is not counted again since a rebuild
	done    int64                // scripts that have run
	lists   [pendingKinds]string // versions of its lists: how often each was folded
}

func (c *checkpoint) rebuilding() bool { return strings.HasPrefix(c.epoch, rebuilding) }

func parseCheckpoint(fields map[string]string) (checkpoint, error) {
	c := checkpoint{epoch: fields[fieldEpoch], offsets: map[string]int64{},
		part: fields[fieldBegun] != fields[fieldDone], behind: fields[fieldBehind] != ""}
	for l := range c.lists {
		c.lists[l] = fields[pendingKind(l).version()]
	}
	for f, v := range fields {
		switch f {
		case fieldEpoch, fieldFold, fieldFacets, fieldBegun, fieldDone, fieldLost, fieldBehind:
			continue
		}
		n, err := strconv.ParseInt(v, 10, 64)
		if err != nil {
			return c, fmt.Errorf("read checkpoint of segment %s: %w", f, err)
		}
		if f == fieldLayout {
			c.layout = int(n)
			continue
		}
		c.offsets[f] = n
	}
	if v, ok := fields[fieldDone]; ok {
		n, err := strconv.ParseInt(v, 10, 64)
		if err != nil {
			return c, fmt.Errorf("read checkpoint, the scripts that have run: %w", err)
		}
		c.done = n
	}
	if v, ok := fields[fieldLost]; ok {
		n, err := strconv.ParseInt(v, 10, 64)
		if err != nil {
			n = 1 // somebody wrote into it
		}
		c.lost = n
	}
	return c, nil
}

// readCheckpoints reads the checkpoints of many sites, in as few round trips
// as is kind to Redis. One that is damaged comes back empty, as if gone: what
// it said is lost either way.
func (ld *loader) readCheckpoints(ctx context.Context, sites []string) ([]checkpoint, error) {
	out := make([]checkpoint, 0, len(sites))
	for len(sites) > 0 {
		trip := sites[:min(len(sites), 500)]
		sites = sites[len(trip):]
		cmds := make([]*redis.MapStringStringCmd, len(trip))
		err := ld.wire.ask(ctx, "read checkpoints", func(pipe redis.Pipeliner) {
			for i, s := range trip {
				cmds[i] = pipe.HGetAll(ctx, ld.keys.Checkpoint(s))
			}
		})
		if err != nil {
			return nil, err
		}
		for i, cmd := range cmds {
			c, err := parseCheckpoint(cmd.Val())
			if err == nil {
				err = cmd.Err()
			}
			if err != nil {
				ld.log.Error("a checkpoint is damaged; the site is rebuilt", "site", trip[i], "err", err)
				c = checkpoint{}
			}
			out = append(out, c)
		}
	}
	return out, nil
}

// Segments are the segments that a site's checkpoint names.
func Segments(ctx context.Context, rdb redis.UniversalClient, k Keys, site string) ([]string, error) {
	fields, err := rdb.HGetAll(ctx, k.Checkpoint(site)).Result()
	if err != nil {
		return nil, fmt.Errorf("read checkpoint of %s: %w", site, err)
	}
	c, err := parseCheckpoint(fields)
	return slices.Collect(maps.Keys(c.offsets)), err
}
