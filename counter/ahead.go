package counter

import (
	"bytes"
	"context"
	"fmt"
	"slices"

	"github.com/redis/go-redis/v9"

	"ddkk-stats/parser"
)

// What a line needs to know from Redis (its site, its day, what the duplicate
// rules remember) is mostly in memory. Where many quiet sites are counted it
// mostly is not, and a backlog of ten thousand of them would wait for as many
// replies as it has lines. So once a block of lines has missed a few times, all
// that the rest of it will ask for is asked for at once.

const (
	// missesAllowed is how often a block may ask by itself: a busy site does so
	// whenever its time passes into the next bucket.
	missesAllowed = 3
	// manyWanted has the next block looked at from its first line.
	manyWanted = 16
	// bucketsPerTrip bounds what one pipeline asks for: about a millisecond of
	// Redis's time.
	bucketsPerTrip = 500
)

// wanted is what lines will ask for.
type wanted struct {
	sites   []string
	days    []dayLoad
	buckets []bucketLoad
	known   map[any]bool // what is in the lists
}

// bucketLoad is a bucket of a duplicate rule that is being read.
type bucketLoad struct {
	site   *site
	rule   *recent
	number int64
	first  *redis.StringCmd
}

// add tells whether key is not in the lists yet.
func (w *wanted) add(key any) bool {
	if w.known[key] {
		return false
	}
	w.known[key] = true
	return true
}

func (w *wanted) len() int { return len(w.sites) + len(w.days) + len(w.buckets) }

// lookAhead reads what complete lines that start at an offset will ask for.
// Whatever is not found this way, or is forgotten again, is asked for when its
// line is counted.
func (in *Ingester) lookAhead(ctx context.Context, seg *segment, at int64, data []byte) error {
	in.countViews()
	w := in.want(seg, at, data)
	n := w.len()
	if len(w.sites) > 0 {
		if err := in.loadSites(ctx, w.sites); err != nil {
			return err
		}
		if slices.ContainsFunc(w.sites, func(name string) bool { s := in.sites[name]; return s != nil && s.epoch != "" }) {
			w = in.want(seg, at, data) // what Redis has of sites that it knows
		}
	}
	for loads := range slices.Chunk(w.days, daysPerTrip) {
		if err := in.loadDays(ctx, loads); err != nil {
			return err
		}
	}
	for loads := range slices.Chunk(w.buckets, bucketsPerTrip) {
		if err := in.loadBuckets(ctx, loads); err != nil {
			return err
		}
	}
	in.misses, in.aheadFirst = 0, n >= manyWanted
	return nil
}

// want parses lines and notes what is not in memory.
func (in *Ingester) want(seg *segment, at int64, data []byte) *wanted {
	w := &wanted{known: map[any]bool{}}
	p := in.inputs[seg.input].Parser
	for len(data) > 0 {
		i := bytes.IndexByte(data, '\n')
		if i < 0 {
			break
		}
		p.Parse(data[:i], &in.hit)
		at, data = at+int64(i)+1, data[i+1:]
		switch in.hit.Kind {
		case parser.Skipped, parser.Malformed:
		default:
			in.wantLine(w, seg, at)
		}
	}
	return w
}

func (in *Ingester) wantLine(w *wanted, seg *segment, end int64) {
	h := &in.hit
	s := in.sites[h.Site]
	if s == nil {
		if _, refused := in.refused[h.Site]; !refused && w.add(h.Site) {
			w.sites = append(w.sites, h.Site)
		}
		return
	}
	if s.epoch == "" || s.health.aside() || h.Kind == parser.APICall {
		return // it has nothing to read, or must not; calls come from few sites
	}
	if o := s.offsets[seg.id]; o != nil && end <= o.open {
		return
	}
	if in.heldDay(s, h.Day) == nil && s.pending == 0 && w.add(siteDay{s, h.Day}) {
		w.days = append(w.days, in.newDayLoad(s, h.Day))
	}
	if len(h.ViewID) > 0 {
		w.around(s, s.ids, h.Time)
	}
	if s.window != nil && h.Kind == parser.Pageview {
		w.around(s, s.window, h.Time)
	}
}

type siteDay struct {
	site *site
	day  parser.Day
}

type ruleBucket struct {
	rule   *recent
	number int64
}

// around wants the buckets that a rule looks into for a moment.
func (w *wanted) around(s *site, r *recent, t int64) {
	n := t / r.width
	if r.near[1] != nil && r.near[1].number == n {
		return
	}
	for n := n - 1; n <= t/r.width+1; n++ {
		if r.buckets[n] == nil && w.add(ruleBucket{r, n}) {
			w.buckets = append(w.buckets, bucketLoad{site: s, rule: r, number: n})
		}
	}
}

// loadDays has days in memory. One that is damaged has its site rebuilt.
func (in *Ingester) loadDays(ctx context.Context, loads []dayLoad) error {
	if err := in.readDays(ctx, loads); err != nil {
		return err
	}
	for i := range loads {
		l := &loads[i]
		if in.sites[l.site.name] != l.site {
			continue // another of its days was damaged
		}
		if err := in.keepDay(l); err != nil {
			if err := in.damage(ctx, l.site, err); err != nil {
				return err
			}
		}
	}
	clear(loads) // the replies need not wait for the other days
	return nil
}

// loadBuckets has buckets in memory. Those that are larger than a quiet site's
// and those that cannot be read are left to their lines.
func (in *Ingester) loadBuckets(ctx context.Context, loads []bucketLoad) error {
	const most = 1 << 10 / seenEntry * seenEntry
	err := in.askMany(ctx, "look for seen", func(pipe redis.Pipeliner) {
		for i := range loads {
			l := &loads[i]
			l.first = pipe.GetRange(ctx, in.keys.Seen(l.site.name, l.rule.name, l.number), 0, most)
		}
	})
	if err != nil {
		return err
	}
	for i := range loads {
		l := &loads[i]
		packed, err := l.first.Bytes()
		if err == nil && len(packed) <= most {
			b := &bucket{number: l.number, used: in.number, length: int64(len(packed))}
			b.fill(packed)
			l.rule.buckets[l.number] = b
		}
	}
	return nil
}

// loadBucket reads a bucket of a duplicate rule.
func (in *Ingester) loadBucket(ctx context.Context, s *site, r *recent, n int64) (*bucket, error) {
	b := &bucket{number: n, used: in.number}
	if s.epoch == "" {
		return b, nil // a new site has seen nothing
	}
	in.misses++
	err := in.retry(ctx, "read seen", func() (err error) {
		b.times = times64{}
		b.length, err = in.readPacked(ctx, in.keys.Seen(s.name, r.name, n), 0, b.fill)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read what %s has seen: %w", s.name, err)
	}
	return b, nil
}
