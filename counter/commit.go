package counter

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/redis/go-redis/v9"
)

// flight is the one job that Redis does for us at a time: a batch or a fold.
// One at a time keeps the order of commits, which their checkpoints need; the
// next batch is filled meanwhile.
type flight struct {
	batch   *batch
	answers []answer // of the batch's parts
	retried int

	fold *site
	list pendingKind // of the site, that is folded
	folded
	err error
}

// committer takes the loop's jobs to Redis, one after the other. It owns a job until
// it gives it back, and knows nothing of the loop.
type committer struct {
	enc      *encoder
	spread   *spreader
	rdb      redis.UniversalClient
	script   *redis.Script
	budget   *budget
	durable  bool // lines are synced before they are committed
	now      func() time.Time
	patience patience
	pulse    pulse
}

// run executes jobs until there are no more.
func (c *committer) run(ctx context.Context, jobs <-chan *flight, results chan<- *flight) {
	for f := range jobs {
		c.pulse.beat(c.now())
		c.pulse.rest.Store(false)
		f.err = c.execute(ctx, f)
		c.pulse.rest.Store(true)
		results <- f
	}
}

// liveFor is how long after the last block from the live edge a log that fell a
// little behind is not yet a backlog.
const liveFor = 2 * time.Second

// close makes the open batch ready to be sent and opens the next one.
func (in *Ingester) close() *batch {
	b := in.open
	b.seal()
	// At the live edge, and a moment behind it, somebody may wait for a page's
	// number: there it takes a batch as long as any may be to put it off.
	limit := in.budget.whole()
	if in.opt.Now().Sub(in.loop.liveAt) < liveFor {
		limit = int(in.budget.most.Load())
	}
	many := b.pages*writesPerPage+b.bots*writesPerBot > limit
	for _, p := range b.parts {
		p.deferred = many && p.pages() >= minDeferred
		p.expect, p.epoch = p.site.epoch, p.site.epoch
		p.listed = p.site.waits[pendingFacets].n > 0
		if p.epoch == "" {
			p.epoch = p.site.first
		}
	}
	for id, m := range b.ends {
		b.syncs = append(b.syncs, syncPoint{in.inputs[in.places.segs[id].input].Source, id, m.end})
	}
	in.number++
	in.open = newBatch(in.number, len(in.inputs))
	in.cur = cursor{}
	return b
}

// syncLines makes the lines of a batch durable before they are committed, so that a
// checkpoint never lies beyond what a power loss leaves in the file.
func (c *committer) syncLines(ctx context.Context, b *batch) error {
	if !c.durable || len(b.parts) == 0 {
		return nil
	}
	for _, p := range b.syncs {
		err := c.patience.retry(ctx, "sync log", func() error { return p.source.Sync(p.segment, p.end) })
		if err != nil {
			return err
		}
	}
	return nil
}

// execute runs a job; it touches nothing that the loop changes meanwhile.
func (c *committer) execute(ctx context.Context, f *flight) error {
	if f.fold != nil {
		return c.patience.retry(ctx, "spread pending changes", func() (err error) {
			f.folded, err = c.spread.foldOnce(ctx, f.list, f.fold.name, f.fold.epoch)
			return err
		})
	}
	b := f.batch
	if err := c.syncLines(ctx, b); err != nil {
		return err
	}
	f.answers = make([]answer, len(b.parts))
	todo := make([]int, len(b.parts))
	for i := range todo {
		todo[i] = i
	}
	return c.patience.retry(ctx, "commit to Redis", func() error {
		err := c.commitParts(ctx, b, f.answers, &todo)
		if err != nil {
			f.retried++
		}
		return err
	})
}

// partsPerTrip bounds how many parts go out in one pipeline: replies are
// buffered by Redis.
const partsPerTrip = 64

// tripOf chooses the parts that go out in one pipeline, and those that are left for later
// ones: other clients wait for all of a trip, so together they keep to the budget as one script
// does. A part builds on those of its site before it, so it waits for their answers: sent
// along, it would be applied on top of what somebody else wrote in place of a refused one, where
// that is just as long.
func (c *committer) tripOf(b *batch, parts []int) (trip, rest []int, writes int) {
	budget, on := c.budget.writes(), make(map[*site]bool, min(len(parts), partsPerTrip))
	for at, i := range parts {
		p := b.parts[i]
		if on[p.site] {
			rest = append(rest, i)
			continue
		}
		w := p.writes() + writesPerPart
		if len(trip) == partsPerTrip || len(trip) > 0 && writes+w > budget {
			return trip, append(rest, parts[at:]...), writes
		}
		on[p.site] = true
		trip, writes = append(trip, i), writes+w
	}
	return trip, rest, writes
}

// maxSilent is how many trips in a row may go unanswered before the rest is not
// tried: where Redis hangs each of them takes its whole timeout. In a cluster
// some of them are another master's.
const maxSilent = 4

// commitParts sends the parts that are still to do, in order, and keeps those
// that must be sent again. After a passing error of one part the later parts
// of its site are sent again as well: they build on it. Those of one that was refused are
// not sent, and get its answer.
func (c *committer) commitParts(ctx context.Context, b *batch, answers []answer, todo *[]int) error {
	var again []int
	var first error
	held, refused := map[*site]bool{}, map[*site]answer{}
	silent := 0
	for rest := *todo; len(rest) > 0; {
		c.pulse.beat(c.now())
		var trip []int
		var writes int
		rest = slices.DeleteFunc(rest, func(i int) bool {
			s := b.parts[i].site
			a, was := refused[s]
			switch {
			case was:
				answers[i] = a
			case held[s]:
				again = append(again, i)
			}
			return was || held[s]
		})
		if trip, rest, writes = c.tripOf(b, rest); len(trip) == 0 {
			break
		}
		pipe := c.rdb.Pipeline()
		cmds, calls, reached := make([]*redis.Cmd, len(trip)), make([]*call, len(trip)), false
		for j, i := range trip {
			calls[j] = c.enc.part(b.parts[i])
			cmds[j] = calls[j].queue(ctx, pipe, c.script)
		}
		begin := c.now()
		_, failed := pipe.Exec(ctx) // the first command's error; each has its own
		c.budget.spent(writes, c.now().Sub(begin))
		for j, i := range trip {
			s := b.parts[i].site
			a, err := parseAnswer(cmds[j])
			if err != nil && redis.HasErrorPrefix(err, "NOSCRIPT") {
				a, err = calls[j].run(ctx, c.rdb, c.script)
			}
			reached = reached || !passing(err)
			if err != nil && passing(err) {
				held[s] = true
				again = append(again, i)
				if first == nil {
					first = cmp.Or(err, failed)
				}
				continue
			}
			if err != nil {
				a = answer{verdict: damaged, text: err.Error()}
			}
			if answers[i] = a; a.verdict != applied {
				refused[s] = a
			}
		}
		if silent++; reached {
			silent = 0
		}
		if silent == maxSilent {
			again, rest = append(again, rest...), nil
		}
	}
	*todo = again
	return first
}
