package counter

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"
	"time"

	"ddkk-stats/parser"
)

// A backlog touches most pages of a site many times over. Writing each page's
// six keys with every batch would make Redis the bound, so such a batch
// appends its page changes, packed, to the site's pending list, in the same
// atomic step as everything else. Folding sums many of these up and spreads
// them over the keys, a few milliseconds at a time.
//
// A pending element is one day's changes: the day (4 bytes, little endian),
// then for each page PV, UV and the length of its name (uvarints) and the name.

// pendingBlobs packs the page changes of a part that is deferred.
func pendingBlobs(p *part, deferred bool) [][]byte {
	if !deferred {
		return nil
	}
	var blobs [][]byte
	for _, d := range p.days {
		if len(d.pages) == 0 {
			continue
		}
		b := binary.LittleEndian.AppendUint32(make([]byte, 0, 40*len(d.pages)), uint32(d.state.day))
		for i := range d.pages {
			ch := &d.pages[i]
			b = appendPending(b, ch.page.name, ch.pv, ch.uv)
		}
		blobs = append(blobs, b)
	}
	return blobs
}

func appendPending(b []byte, name string, pv, uv int64) []byte {
	b = binary.AppendUvarint(b, uint64(pv))
	b = binary.AppendUvarint(b, uint64(uv))
	b = binary.AppendUvarint(b, uint64(len(name)))
	return append(b, name...)
}

var errPending = errors.New("read pending page changes: an element is damaged")

// readPending calls f for every page of an element.
func readPending(b string, f func(d parser.Day, name string, pv, uv int64)) error {
	if len(b) < 4 {
		return errPending
	}
	d := parser.Day(binary.LittleEndian.Uint32([]byte(b[:4])))
	b = b[4:]
	number := func() uint64 {
		v, n := binary.Uvarint([]byte(b[:min(len(b), binary.MaxVarintLen64)]))
		if n <= 0 {
			b = ""
			return 0
		}
		b = b[n:]
		return v
	}
	for len(b) > 0 {
		pv, uv, n := number(), number(), number()
		if n == 0 || n > uint64(len(b)) {
			return errPending
		}
		f(d, b[:n], int64(pv), int64(uv))
		b = b[n:]
	}
	return nil
}

// maxFold is how many pending elements one fold sums up.
const maxFold = 1024

// While a backlog is read, pending changes wait for company: a fold costs Redis
// six writes a page however often the page was seen. At the live edge they are
// folded at once.
const (
	foldEvery      = 30 * time.Second
	maxPendingSize = 64 << 20 // bytes of a site's pending list
)

// foldDue names a site whose pending changes should be folded now.
func (in *Ingester) foldDue(now time.Time, idle bool) *site {
	wait := foldEvery
	if idle && in.loop.live {
		wait = 0
	}
	if now.Sub(in.loop.folded) >= wait {
		in.loop.folding = true // all of them, one after the other
	}
	for s := range in.pendingSites {
		switch {
		case in.sites[s.name] != s:
			delete(in.pendingSites, s) // dropped meanwhile; loading it again folds
		case in.loop.folding, s.pendingSize >= maxPendingSize, s.pending >= maxFold:
			return s
		}
	}
	if in.loop.folding {
		in.loop.folding, in.loop.folded = false, now
	}
	return nil
}

type foldKey struct {
	day  parser.Day
	name string
}

type foldSum struct{ pv, uv int64 }

// foldOnce folds what is pending of a site, at most maxFold elements, and
// returns how many are left. The list in Redis is the truth: what another
// daemon or an earlier run left there is folded as well.
func (in *Ingester) foldOnce(ctx context.Context, name, epoch string) (int, error) {
	k := in.keys
	list := k.Pending(name)
	pipe := in.rdb.Pipeline()
	version := pipe.HGet(ctx, k.Checkpoint(name), "fold")
	elements := pipe.LRange(ctx, list, 0, maxFold-1)
	length := pipe.LLen(ctx, list)
	if _, err := pipe.Exec(ctx); err != nil && !isNil(err) {
		return 0, fmt.Errorf("read pending pages of %s: %w", name, err)
	}
	got := elements.Val()
	if len(got) == 0 {
		return 0, nil
	}
	steps, err := in.foldSteps(got)
	if err != nil {
		return 0, err
	}
	v, take, put := version.Val(), len(got), steps[min(1, len(steps)):]
	for _, step := range steps {
		ok, err := in.foldStep(ctx, foldAt{name, epoch, v}, take, put, step)
		if err != nil || !ok {
			return int(length.Val()), err
		}
		v, take, put = nextVersion(v), 1, nil
	}
	in.meter.update(func(s *IngestStats) { s.Folds++ })
	return int(length.Val()) - len(got), nil
}

// foldSteps sums up elements and cuts the sum into steps, each one element
// that could stand in the list by itself.
func (in *Ingester) foldSteps(elements []string) ([]string, error) {
	sums := map[foldKey]*foldSum{}
	var order []foldKey
	for _, e := range elements {
		err := readPending(e, func(d parser.Day, name string, pv, uv int64) {
			key := foldKey{d, name}
			s := sums[key]
			if s == nil {
				s = &foldSum{}
				sums[key] = s
				order = append(order, key)
			}
			s.pv += pv
			s.uv += uv
		})
		if err != nil {
			return nil, err
		}
	}
	var steps []string
	var b []byte
	var n int
	var d parser.Day
	for _, key := range order {
		if n == in.budget.pages() || (n > 0 && key.day != d) {
			steps, b, n = append(steps, string(b)), nil, 0
		}
		if n == 0 {
			d = key.day
			b = binary.LittleEndian.AppendUint32(nil, uint32(d))
		}
		b = appendPending(b, key.name, sums[key].pv, sums[key].uv)
		n++
	}
	if n > 0 {
		steps = append(steps, string(b))
	}
	return steps, nil
}

// foldAt is what a fold must find: the site's epoch and the fold version.
type foldAt struct{ site, epoch, version string }

func nextVersion(v string) string {
	n, err := strconv.ParseInt(v, 10, 64)
	if err != nil {
		return "1" // there was none
	}
	return strconv.FormatInt(n+1, 10)
}

// foldStep applies a step in place of the first take elements and puts the
// steps after it in front; false when another daemon folded meanwhile.
func (in *Ingester) foldStep(ctx context.Context, at foldAt, take int, put []string, step string) (bool, error) {
	k, name := in.keys, at.site
	c := &call{}
	c.key(k.Checkpoint(name), k.Pending(name))
	c.arg(at.epoch, at.version, take, len(put))
	for _, b := range put {
		c.arg(b)
	}
	pages, err := in.encodeFold(c, name, step)
	if err != nil {
		return false, err
	}
	begin := in.opt.Now()
	a, err := c.run(ctx, in.rdb, in.scripts.fold)
	in.budget.spent(pages*writesPerPage, in.opt.Now().Sub(begin))
	switch {
	case err != nil:
		return false, fmt.Errorf("fold pending pages of %s: %w", name, err)
	case a.verdict == damaged:
		return false, &damagedError{site: name, what: a.text}
	case a.verdict == noEpoch:
		return false, &damagedError{site: name, what: "its epoch changed while pending pages were folded"}
	}
	return a.verdict == applied, nil
}

// encodeFold adds the keys and arguments of a step, and returns its pages.
func (in *Ingester) encodeFold(c *call, name, step string) (pages int, err error) {
	var d parser.Day
	var counters, ranks []any
	var keys []string
	n := 0
	err = readPending(step, func(day parser.Day, page string, pv, uv int64) {
		d = day
		keys = append(keys, in.keys.PagePV(name, page))
		counters = append(counters, pv, "0", 0)
		n++
		if uv > 0 {
			keys = append(keys, in.keys.PageUV(name, page))
			counters = append(counters, uv, "0", 0)
			n++
		}
		ranks = append(ranks, page, pv)
		pages++
	})
	if err != nil {
		return 0, err
	}
	rankKeys, ends := in.rankKeys(name, d)
	c.arg(len(rankKeys))
	c.key(rankKeys...)
	for range rankKeys {
		c.arg("zset")
	}
	c.arg(n)
	c.key(keys...)
	c.arg(counters...)
	c.arg(1, flag(false), len(rankKeys))
	c.key(rankKeys...)
	for _, e := range ends {
		c.arg(e)
	}
	c.arg(pages)
	c.arg(ranks...)
	return pages, nil
}

// foldAll folds until nothing of the site is pending.
func (in *Ingester) foldAll(ctx context.Context, s *site) error {
	for {
		left := 0
		err := in.retry(ctx, "spread pending pages", func() (err error) {
			left, err = in.foldOnce(ctx, s.name, s.epoch)
			return err
		})
		if err != nil {
			return err
		}
		if left <= 0 {
			s.pending = 0
			delete(in.pendingSites, s)
			return nil
		}
	}
}
