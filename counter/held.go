package counter

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"
)

// Hosts that share a Redis tell each other which segments they can read again. A rebuild
// takes away what every log counted, and each daemon counts its own again: so it loses
// nothing where each segment is archived, here, or with somebody who is alive.
//
// The time is Redis' own, so no two clocks are compared; where Redis comes back with an old
// state what is there is old as well.
const heldFor = time.Minute // what was told is believed

// holders tells what this daemon has, and what others have. The loop owns it.
type holders struct {
	wire   *wire
	rdb    redis.UniversalClient
	keys   Keys
	places *places
	every  time.Duration // this daemon tells it
	at     time.Time     // when it is told next
}

func newHolders(h holders, audit time.Duration) *holders {
	h.every = min(audit/3, heldFor/3)
	return &h
}

// tellHeld notes the segments in ARGV; KEYS[1] is Keys.Held. What nobody told for a day
// goes, where there is much. Returns 0 where a key of another type had to go first.
const tellHeld = `
local kind = redis.call('TYPE', KEYS[1])
kind = type(kind) == 'table' and kind.ok or kind
local well = kind == 'none' or kind == 'hash'
if not well then redis.call('DEL', KEYS[1]) end
local now = redis.call('TIME')[1]
for i = 1, #ARGV do redis.call('HSET', KEYS[1], ARGV[i], now) end
if redis.call('HLEN', KEYS[1]) > 1000 then
  local all = redis.call('HGETALL', KEYS[1])
  for i = 1, #all, 2 do
    if tonumber(now) - (tonumber(all[i + 1]) or 0) > 86400 then redis.call('HDEL', KEYS[1], all[i]) end
  end
end
return well and 1 or 0`

// heldPerTrip bounds what one script notes.
const heldPerTrip = 500

// tell adds what this daemon can read again to the questions of a look, when it is time.
func (h *holders) tell(ctx context.Context, pipe redis.Pipeliner, now time.Time) (told []*redis.Cmd) {
	if now.Before(h.at) {
		return nil
	}
	h.at = now.Add(h.every)
	var here []any
	for id := range h.places.onDisk() {
		if !h.places.archived(id) {
			here = append(here, id)
		}
	}
	for some := range slices.Chunk(here, heldPerTrip) {
		told = append(told, pipe.Eval(ctx, tellHeld, []string{h.keys.Held()}, some...))
	}
	return told
}

// lacking names the counted segments that nobody is known to be able to count again.
func (h *holders) lacking(ctx context.Context, c checkpoint) ([]string, error) {
	gone := h.places.lacking(c)
	if len(gone) == 0 {
		return nil, nil
	}
	held, err := h.elsewhere(ctx, gone)
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(gone, func(id string) bool { return held[id] }), nil
}

// elsewhere tells which of the segments somebody has who is alive. A key of another type,
// or no right to ask, is as if nobody had any.
func (h *holders) elsewhere(ctx context.Context, segments []string) (map[string]bool, error) {
	var held map[string]bool
	err := h.wire.retry(ctx, "ask who has segments", func() (err error) {
		held, err = HeldSegments(ctx, h.rdb, h.keys, segments)
		return err
	})
	if err != nil && passing(err) {
		return nil, fmt.Errorf("ask who has segments: %w", err)
	}
	return held, nil
}

// HeldSegments tells which of the segments a daemon has that is alive: here, or on
// another host.
func HeldSegments(ctx context.Context, rdb redis.UniversalClient, k Keys, segments []string) (map[string]bool, error) {
	held := map[string]bool{}
	pipe := rdb.Pipeline()
	told, clock := pipe.HMGet(ctx, k.Held(), segments...), pipe.Time(ctx)
	if _, err := pipe.Exec(ctx); err != nil && !redis.HasErrorPrefix(err, "NOPERM") {
		return held, err
	}
	for i, v := range told.Val() {
		text, _ := v.(string)
		if at, err := strconv.ParseInt(text, 10, 64); err == nil && clock.Val().Sub(time.Unix(at, 0)).Abs() <= heldFor {
			held[segments[i]] = true
		}
	}
	return held, nil
}

// whose names the logs that segments are of, as far as their traces tell.
func (h *holders) whose(ctx context.Context, segments []string) []string {
	traces, err := ReadTraces(ctx, h.rdb, h.keys)
	if err != nil {
		return nil // it is told without
	}
	var logs []string
	for _, id := range segments {
		if t, ok := traces[id]; ok {
			logs = append(logs, t.Log)
		}
	}
	slices.Sort(logs)
	return slices.Compact(logs)
}
