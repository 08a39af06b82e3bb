package e2e

import (
	"fmt"
	"net/url"
	"os"
	"testing"
	"time"
)

// The rules by which a line is a duplicate must be exact through all that
// happens to the daemon and to Redis.

// rule is what the ledger knows of duplicates: the same key within a window of
// one that counted does not count.
type rule struct {
	window  time.Duration
	counted map[string][]time.Time
}

// counts reports whether a view counts, and remembers it if it does.
func (d *rule) counts(key string, at time.Time) bool {
	for _, other := range d.counted[key] {
		if diff := at.Sub(other); -d.window < diff && diff < d.window {
			return false
		}
	}
	d.counted[key] = append(d.counted[key], at)
	return true
}

// duplicates writes views of which many are duplicates. Their times lie in
// groups: within a group all are near, and between groups they are farther
// apart than any window, so that it does not matter which of two workers'
// lines is read first.
type duplicates struct {
	r     *rig
	rule  rule
	byID  bool
	base  time.Time
	lines int
}

const (
	dedupeWindow = 10 * time.Minute
	groupEvery   = 25 * time.Minute
	groupWidth   = time.Minute
	groups       = 40 // of one day
)

func newDuplicates(r *rig, byID bool) *duplicates {
	y, m, d := time.Now().UTC().AddDate(0, 0, -1).Date() // no line is from the future
	return &duplicates{
		r: r, byID: byID, base: time.Date(y, m, d, 1, 0, 0, 0, time.UTC),
		rule: rule{window: dedupeWindow, counted: map[string][]time.Time{}},
	}
}

// write writes n views by random visitors.
func (d *duplicates) write(n int) {
	d.r.t.Helper()
	for range n {
		d.lines++
		visitor, page := d.r.rand.IntN(12), d.r.rand.IntN(4)
		at := d.base.Add(time.Duration(d.r.rand.IntN(groups)) * groupEvery).Add(time.Duration(d.r.rand.Int64N(int64(groupWidth)))).
			Truncate(time.Millisecond)
		req := Request{Beacon: Beacon{
			Site: "ddkk.com", Page: fmt.Sprintf("/p/%d", page), Time: at,
			IP: fmt.Sprintf("203.0.113.%d", visitor),
			UA: fmt.Sprintf("Mozilla/5.0 (X11; Linux x86_64; rv:%d.0) Gecko/20100101 Firefox/%d.0", 90+visitor, 90+visitor),
		}}
		q := url.Values{"site": {req.Site}, "page": {req.Page}}
		key := req.IP + " " + req.Page
		if d.byID {
			key += " id"
			q.Set("id", fmt.Sprintf("view-%d-%d", visitor, page)) // of one page: which of two counts does not matter
		}
		req.URI = "/event.png?" + q.Encode()
		worker := d.lines % len(d.r.writer.workers)
		if d.rule.counts(key, at) {
			d.r.writer.Write(worker, req)
		} else {
			d.r.writer.Raw(worker, Line(req)+"\n")
		}
	}
}

func TestFaultDuplicateIDs(t *testing.T) { dedupeStorm(t, true, 2) }

func TestFaultDedupeWindow(t *testing.T) { dedupeStorm(t, false, 2) }

// dedupeStorm has duplicates through SIGKILLs, restarts, rotations, a Redis
// that is killed, one that comes back with old data and one that was emptied.
func dedupeStorm(t *testing.T, byID bool, rounds int) {
	env := map[string]string{}
	if !byID {
		env["DEDUPE_WINDOW"] = dedupeWindow.String()
	}
	r := startRig(t, rigOptions{env: env, writer: WriterOptions{Workers: 2, Late: 100 * time.Millisecond}})
	d := newDuplicates(r, byID)
	for range rounds {
		d.write(400)
		r.exact()
		r.redis.Stop()
		old := r.redis.Snapshot()
		r.redis.Start()

		d.write(300)
		r.daemon.Kill() // some of it read, some not
		d.write(100)
		r.rotate()
		d.write(300)
		r.daemon.Start()
		d.write(300)
		r.redis.Kill()
		d.write(200)
		r.redis.Start()
		d.write(200)
		r.daemon.Terminate()
		d.write(200)
		r.daemon.Start()
		r.exact()

		r.redis.Stop()
		r.redis.Restore(old)
		r.redis.Start()
		d.write(200)
		r.exact()
		r.daemon.Kill()
		must(t, r.client.FlushAll(t.Context()).Err())
		d.write(200)
		r.daemon.Start()
		r.exact()
		d.write(200)
		r.exact()
	}
	// A last reading from the start, in one go and by a daemon that knows
	// nothing: the books tell all duplicates.
	r.daemon.Terminate()
	must(t, os.RemoveAll(r.daemon.Dir))
	must(t, r.client.FlushAll(t.Context()).Err())
	r.daemon.Start()
	r.exact()
	r.wantMetric(float64(d.lines), "ddkk_log_lines_read_total") // the last ones may all be duplicates
	b := r.exact()
	if got, want := b.result("deduplicated"), float64(d.lines-r.ledger.Count()); got != want {
		t.Errorf("%v lines are duplicates, want %v:\n%s", got, want, b.lines())
	}
	t.Logf("%d lines, %d counted", d.lines, r.ledger.Count())
}
