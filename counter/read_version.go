package counter

import (
	"strings"
	"time"
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

// vintage tells how old the values of an answer are.
type vintage struct {
	oldest int64  // when the first of them was read, in Unix nanoseconds; 0: one never was
	gen    uint64 // the generation at which all were read; 0: not all at one
	some   bool
}

// note adds a value that was read at a moment and a generation.
func (v *vintage) note(at int64, gen uint64) {
	if !v.some {
		*v = vintage{oldest: at, gen: gen, some: true}
		return
	}
	v.oldest = min(v.oldest, at)
	if v.gen != gen {
		v.gen = 0
	}
}

// versionText makes a version of epoch and number of scripts; "" means that
// nothing can be said: no checkpoint, or a site that is being rebuilt.
func versionText(reply []any) string {
	if len(reply) < 2 {
		return ""
	}
	epoch, _ := reply[0].(string)
	if epoch == "" || strings.HasPrefix(epoch, rebuilding) {
		return ""
	}
	done, _ := reply[1].(string)
	return epoch + " " + done
}

// learned notes the version that a read has found its site at, and returns its
// generation, 0 for none.
func (r *Reader) learned(x *asked) uint64 {
	if x.version == nil || x.version.Err() != nil {
		return 0
	}
	version := versionText(x.version.Val())
	if version == "" {
		return 0
	}
	e, at := r.entry(lastKey{kind: lastSite, site: x.q.Site}), x.now.UnixNano()
	e.mu.Lock()
	defer e.mu.Unlock()
	switch {
	case e.version == version:
		e.checked = max(e.checked, at)
	case at < e.checked:
		return 0 // this read was overtaken by one that saw another version
	default:
		e.version, e.gen, e.checked = version, r.generations.Add(1), at
	}
	return e.gen
}

// checked is the generation of a site and when Redis last confirmed it.
func (r *Reader) checked(site string) (gen uint64, at int64) {
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
func (r *Reader) fromMemory(q *Query, a *Answer, now time.Time) (ok bool, done func()) {
	v, at, fresh := r.recall(q, a, now), now.UnixNano(), int64(r.opt.FreshFor)
	if !v.some {
		return true, nil // nothing was asked for
	}
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
