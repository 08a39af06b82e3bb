package counter

import (
	"context"
	"time"

	"github.com/redis/go-redis/v9"
)

// prepare learns from Redis where every site stands and decides where reading
// starts: at the remembered floor of each segment, or earlier where Redis
// holds less than we remember.
func (in *Ingester) prepare(ctx context.Context) error {
	now := in.opt.Now()
	in.audits.at, in.loop.saved = now.Add(firstAudit-in.opt.Audit), now
	for l := range in.folds.turns {
		in.folds.turns[l].at = now
	}
	in.lookBack(now)
	in.heal.scanned = now.Add(firstAudit)
	in.holds.at = in.heal.scanned
	if err := in.wire.retry(ctx, "ask for the time", func() error {
		at, err := in.rdb.Time(ctx).Result()
		in.clock.tell(at)
		if redis.HasErrorPrefix(err, "NOPERM") {
			return nil // by rights of an earlier version: then it is ours
		}
		return err
	}); err != nil {
		return err
	}
	names, err := in.roll.names(ctx)
	if err != nil {
		return err
	}
	note := uniquesNote{wire: in.wire, rdb: in.rdb, keys: in.keys, loc: in.opt.Location, now: in.clock.now, uvTTL: in.opt.UVSetTTL}
	if err := note.keep(ctx, in.opt.Uniques, names); err != nil {
		return err
	}
	cs, err := in.load.readCheckpoints(ctx, names)
	if err != nil {
		return err
	}
	at := map[string]int64{}
	for id, s := range in.places.known.Segments {
		at[id] = s.Floor
	}
	gone := map[string]string{}
	for i, name := range names {
		if cs[i].epoch == "" {
			gone[name] = ""
			continue
		}
		before, known := in.places.known.Sites[name]
		if known && before.Epoch != cs[i].epoch {
			before.Offsets = nil // another life: only Redis knows
		}
		for id := range at {
			at[id] = min(at[id], startOf(id, before, known, cs[i]))
		}
	}
	if len(gone) > 0 {
		at = map[string]int64{} // what is rebuilt is read from the start
	}
	in.places.resume.set(at)
	there := names[:0:0]
	for i, name := range names {
		if cs[i].epoch != "" {
			cs[len(there)] = cs[i]
			there = append(there, name)
		}
	}
	if err := in.heal.adoptAll(ctx, there, cs); err != nil {
		return err
	}
	in.heal.doubts.add(false, there...)
	in.heal.spare(gone, len(there))
	in.heal.startRebuild(ctx, gone, "its keys are gone")
	return nil
}

// startOf is where a segment must be read from for one site: far behind if
// Redis holds less than was remembered, anywhere if it holds as much.
func startOf(id string, before siteProgress, known bool, c checkpoint) int64 {
	const anywhere = int64(1) << 62
	stored, has := c.offsets[id]
	remembered, had := before.Offsets[id]
	switch {
	case !known:
		return anywhere // its lines lie above the floor, or on other hosts
	case before.Offsets == nil, before.Parked:
		return stored // zero when the site has none; of one that was aside, lines were passed over
	case !had:
		return anywhere
	case !has:
		return 0
	case stored < remembered:
		return stored
	}
	return anywhere
}

// firstAudit is how long after the start all checkpoints are looked at: the
// logs are found by then.
const firstAudit = 2 * time.Second

// saveEvery is how often progress is written, and how much of the time that
// may take at most (one part in twenty).
const (
	saveEvery = 2 * time.Second
	saveShare = 20
)

// upkeep is what the loop does ten times a second beside counting.
func (in *Ingester) upkeep(ctx context.Context) error {
	now := in.opt.Now()
	in.lookBack(now)
	if err := in.heal.rebuildPostponed(ctx, now); err != nil {
		return err
	}
	in.heal.askArchive(ctx, now)
	in.heal.placeRefused(ctx, now)
	if err := in.heal.healed(ctx, now); err != nil {
		return err
	}
	in.wards.countUnwell()
	in.tellCrowds()
	if in.saveDue(now) {
		keep := in.number - 1 // the batch in flight and the open one
		if in.flight == nil {
			keep = in.number
		}
		in.trim(now, keep)
		in.places.missing()
		in.places.beyond(in.sites)
		in.keepProgress(now, func() error { return in.places.save(in.sites) })
	}
	if in.flight != nil {
		return nil
	}
	if err := in.audits.look(ctx, now); err != nil {
		return err
	}
	if !in.audits.due && now.Sub(in.audits.at) < in.opt.Audit {
		return nil
	}
	in.audits.due, in.audits.at = false, now
	if err := in.heal.adoptArchived(ctx); err != nil {
		return err
	}
	if err := in.heal.adoptRebuilt(ctx); err != nil {
		return err
	}
	err := in.heal.audit(ctx)
	in.audits.took = in.opt.Now().Sub(now)
	return err
}

func (in *Ingester) saveDue(now time.Time) bool {
	return now.Sub(in.loop.saved) >= max(saveEvery, saveShare*in.loop.saveTook)
}

// keepProgress has the progress file written. The file is a hint: without it
// counting goes on.
func (in *Ingester) keepProgress(now time.Time, save func() error) {
	if err := save(); err != nil {
		in.log.Warn("progress is not saved; a restart will read more of the log than it needs", "err", err)
	}
	in.loop.saveTook = in.opt.Now().Sub(now)
	in.loop.saved = now
}

// asked is told how each exchange of the loop with Redis went. Waiting may take
// hours; what the loop owes meanwhile is done here.
func (in *Ingester) asked(try int, err error) {
	now := in.opt.Now()
	in.looping.beat(now)
	in.redisWent(byLoop, try, err)
	if err != nil && in.saveDue(now) {
		in.keepProgress(now, in.places.saveSizes)
	}
}
