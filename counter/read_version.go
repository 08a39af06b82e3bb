package counter

import (
	"context"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

// keepFor is how long a value may be answered while its site's version stays
// what it was. It bounds what no version tells of: bases, and keys that
// somebody changed by hand.
const keepFor = 250 * time.Millisecond

// A site's version is the epoch and the number of scripts that its checkpoint
// has seen, whoever ran them. As long as it stays the same no counter of the
// site has changed, so all that was read at this version is current: one look
// at the checkpoint every FreshFor spares the reads of a thousand pages.
//
// Here a version is known by its generation, a number that is never used again.
// The version is read before the values, in one pipeline: values may be newer
// than the version they are kept under, never older.

// The lowest bits of a generation tell what lags at it, and are there also where
// there is no generation.
const (
	// lagPages: page changes wait to be spread over the pages' keys. The site's
	// totals have them, its pages and ranked lists do not.
	lagPages = 1 << iota
	// lagAll: the site was made anew, and the log is not counted again yet.
	lagAll
	nextGeneration
)

// lags are the bits that make what q asks for stale.
func (q *Query) lags() uint64 {
	if len(q.Pages) > 0 || q.Fields&^(ScalarFields&^PageFields) != 0 {
		return lagPages | lagAll
	}
	return lagAll
}

// stateAsked is the question how a site's numbers are. Whether page changes are
// pending is asked again after the values of pages: a commit that came in between
// may be in the totals alone.
type stateAsked struct {
	known          *commits // when it was asked; nil: nothing is known
	checkpoint     *redis.SliceCmd
	pending, after *redis.IntCmd // after is nil where no pages are asked for
}

// askState adds it to a pipeline, before the values.
func (r *asking) askState(ctx context.Context, pipe redis.Pipeliner, site string) *stateAsked {
	known, _ := r.committed.Load(site)
	c, _ := known.(*commits)
	return &stateAsked{
		known:      c,
		checkpoint: pipe.HMGet(ctx, r.keys.Checkpoint(site), fieldEpoch, fieldDone, fieldBehind),
		pending:    pipe.LLen(ctx, r.keys.Pending(site)),
	}
}

// field is one of the checkpoint, "" where it has none.
func (s *stateAsked) field(i int) string {
	if values := s.checkpoint.Val(); i < len(values) {
		text, _ := values[i].(string)
		return text
	}
	return ""
}

// remade tells that the site is being made anew: its keys are of no use.
func (s *stateAsked) remade() bool { return strings.HasPrefix(s.field(0), rebuilding) }

// whole tells whether the site's numbers can be used.
func (s *stateAsked) whole() bool { return !s.remade() && !s.old() && s.lag()&lagAll == 0 }

// commits are what counting has seen of a site's keys.
type commits struct {
	epoch   string
	scripts int64
}

// Committed notes what counting has seen of a site, see Options.Committed.
func (r *asking) Committed(site, epoch string, scripts int64) {
	if epoch == "" || strings.HasPrefix(epoch, rebuilding) {
		r.committed.Delete(site)
		return
	}
	r.committed.Store(site, &commits{epoch, scripts})
}

// old tells that this Redis has less than what was committed before it was asked: it
// was the master once, or went back in time, or lost the site.
func (s *stateAsked) old() bool {
	if s.known == nil || s.checkpoint.Err() != nil {
		return false
	}
	scripts, _ := strconv.ParseInt(s.field(1), 10, 64) // none: 0
	return s.field(0) != s.known.epoch || scripts < s.known.scripts
}

// lag are the bits of what lags.
func (s *stateAsked) lag() (bits uint64) {
	if s.pending.Val() > 0 || s.after != nil && s.after.Val() > 0 {
		bits |= lagPages
	}
	if s.field(2) != "" {
		bits |= lagAll
	}
	return bits
}

// vintage tells how old the values of an answer are.
type vintage struct {
	oldest int64  // when the first of them was read, in Unix nanoseconds; 0: one never was
	gen    uint64 // the generation at which all were read; 0: not all at one
	lag    uint64 // what lagged when they were
	some   bool
}

// note adds a value that was read at a moment and a generation.
func (v *vintage) note(at int64, gen uint64) {
	v.lag |= gen & (nextGeneration - 1)
	if !v.some {
		v.oldest, v.gen, v.some = at, gen, true
		return
	}
	v.oldest = min(v.oldest, at)
	if v.gen != gen {
		v.gen = 0
	}
}

// version is the site's, with what lags; "" means that nothing can be said: no
// checkpoint, or a site that is being rebuilt.
func (s *stateAsked) version() string {
	epoch := s.field(0)
	if epoch == "" || s.remade() || s.pending.Err() != nil {
		return ""
	}
	return epoch + " " + s.field(1) + " " + strconv.FormatUint(s.lag(), 10)
}

// trouble is why the site's numbers cannot be used, "" when they can.
func (s *stateAsked) trouble() Trouble {
	switch {
	case s.checkpoint.Err() != nil:
		return "" // the answer's own error tells
	case s.remade() || s.lag()&lagAll != 0:
		return Rebuilding
	case s.old():
		return RedisOld
	case s.lag() != 0:
		return CatchingUp
	}
	return ""
}

// noteWhy remembers for Reason what was found of a site, if its numbers are stale.
func (r *asking) noteWhy(site string, s *stateAsked) {
	if why := s.trouble(); why != "" {
		e := r.entry(lastKey{kind: lastSite, site: site})
		e.mu.Lock()
		e.why = why
		e.mu.Unlock()
	}
}

// Reason tells why numbers of a site were said to be stale just now.
func (r *asking) Reason(site string) Trouble {
	if r.markedStale(site) {
		return Rebuilding
	}
	if r.lane(site).breaker.openUntil.Load() > r.opt.Now().UnixNano() {
		return RedisDown
	}
	e, ok := r.cache.GetIfPresent(lastKey{kind: lastSite, site: site})
	if !ok {
		return RedisDown // it was asked, and did not answer in time
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.why != "" {
		return e.why
	}
	return RedisDown
}

// learned notes the version that a read has found its site at, and returns its
// generation; where there is none, what lags alone.
func (r *asking) learned(x *asked) uint64 {
	version, lag := x.state.version(), x.state.lag()
	if version == "" || r.opt.FreshFor <= 0 {
		return lag
	}
	e, at := r.entry(lastKey{kind: lastSite, site: x.q.Site}), x.now.UnixNano()
	e.mu.Lock()
	defer e.mu.Unlock()
	e.why = ""
	switch {
	case e.version == version:
		e.checked = max(e.checked, at)
	case at < e.checked:
		return lag // this read was overtaken by one that saw another version
	default:
		e.version, e.gen, e.checked = version, nextGeneration*r.generations.Add(1)+lag, at
	}
	return e.gen
}

// checked is the generation of a site and when Redis last confirmed it.
func (r *asking) checked(site string) (gen uint64, at int64) {
	e, ok := r.cache.GetIfPresent(lastKey{kind: lastSite, site: site})
	if !ok {
		return 0, 0
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.gen, e.checked
}

// fromMemory answers q from what was read before, if that is fresh. If not, the
// caller must ask Redis and call done, if there is one, when it has.
func (r *asking) fromMemory(q *Query, a *Answer, now time.Time) (ok bool, done func()) {
	v, at, fresh := r.recall(q, a, now), now.UnixNano(), int64(r.opt.FreshFor)
	if !v.some {
		return true, nil // nothing was asked for
	}
	a.Stale = v.lag&q.lags() != 0
	age, claim := at-v.oldest, q.mainEntry()
	if age <= fresh {
		return true, nil
	}
	if v.gen != 0 && age <= int64(keepFor) {
		if gen, checked := r.checked(q.Site); gen == v.gen && at-checked < age {
			age, claim = at-checked, lastKey{kind: lastSite, site: q.Site}
		}
	}
	switch {
	case age <= fresh:
		return true, nil
	case age > freshGrace*fresh:
		return false, nil
	}
	// Under load many reads find the value expired at once: one of them asks
	// Redis, the others make do with it for a moment longer.
	done = r.claim(claim)
	return done == nil, done
}
