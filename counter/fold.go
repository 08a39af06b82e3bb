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
// A pending element is one day's changes: the day (4 bytes, little endian, the
// highest bit set for views of bots), then for each page PV, UV and the length
// of its name (uvarints) and the name.

// ofBots marks the day of an element that has the views of bots.
const ofBots = uint32(1) << 31

// pendingPage is what is pending of a page on a day.
type pendingPage struct {
	foldKey
	pv, uv int64
}

// pendingBlobs packs the page changes of a part that is deferred.
func pendingBlobs(p *part, deferred bool) [][]byte {
	if !deferred {
		return nil
	}
	var blobs [][]byte
	for _, d := range p.days {
		for _, x := range []struct {
			kind  uint32
			pages []pageChange
		}{{0, d.pages}, {ofBots, d.bots}} {
			if len(x.pages) == 0 {
				continue
			}
			b := binary.LittleEndian.AppendUint32(make([]byte, 0, 40*len(x.pages)), uint32(d.state.day)|x.kind)
			for i := range x.pages {
				ch := &x.pages[i]
				b = appendPending(b, ch.page.name, ch.pv, ch.uv)
			}
			blobs = append(blobs, b)
		}
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
func readPending(b string, f func(p pendingPage)) error {
	if len(b) < 4 {
		return errPending
	}
	head := binary.LittleEndian.Uint32([]byte(b[:4]))
	d, bots := parser.Day(head&^ofBots), head&ofBots != 0
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
		f(pendingPage{foldKey{d, bots, b[:n]}, int64(pv), int64(uv)})
		b = b[n:]
	}
	return nil
}

// maxFold is how many pending elements one fold sums up, foldPiece how many of
// them are read at once.
const (
	maxFold   = 8192
	foldPiece = 32
)

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
	bots bool
	name string
}

// list is the start of an element that the key may stand in.
func (k foldKey) list() uint32 {
	if k.bots {
		return uint32(k.day) | ofBots
	}
	return uint32(k.day)
}

type foldSum struct{ pv, uv int64 }

// folded is what a fold leaves.
type folded struct {
	left int   // elements of the pending list
	lost int64 // keys of the site that were found lost, by whichever script
}

// foldOnce folds what is pending of a site, at most maxFold elements. The list in Redis is the truth: what another
// daemon or an earlier run left there is folded as well.
func (in *Ingester) foldOnce(ctx context.Context, name, epoch string) (out folded, err error) {
	// The version comes first: should another daemon fold meanwhile, the first
	// step is refused.
	version, err := in.rdb.HGet(ctx, in.keys.Checkpoint(name), "fold").Result()
	if err != nil && !isNil(err) {
		return out, fmt.Errorf("read pending pages of %s: %w", name, err)
	}
	got, length, err := in.pendingOf(ctx, name)
	if err != nil {
		return out, fmt.Errorf("read pending pages of %s: %w", name, err)
	}
	if len(got) == 0 {
		return out, nil
	}
	steps, err := in.foldSteps(got)
	if err != nil {
		return out, err
	}
	v, take, put := version, len(got), steps[min(1, len(steps)):]
	for _, step := range steps {
		ok, gone, err := in.foldStep(ctx, foldAt{name, epoch, v}, take, put, step)
		out.lost = max(out.lost, gone)
		if out.left = length; err != nil || !ok {
			return out, err
		}
		v, take, put = nextVersion(v), 1, nil
	}
	in.meter.update(func(s *IngestStats) { s.Folds++ })
	out.left = length - len(got)
	return out, nil
}

// pendingOf reads the first elements of a site's pending list, a few at a time,
// and its length.
func (in *Ingester) pendingOf(ctx context.Context, name string) (all []string, length int, err error) {
	list := in.keys.Pending(name)
	for len(all) < maxFold {
		pipe := in.rdb.Pipeline()
		piece := pipe.LRange(ctx, list, int64(len(all)), int64(len(all)+foldPiece-1))
		n := pipe.LLen(ctx, list)
		if _, err := pipe.Exec(ctx); err != nil {
			return nil, 0, err
		}
		all, length = append(all, piece.Val()...), int(n.Val())
		if len(piece.Val()) < foldPiece {
			break
		}
	}
	return all, length, nil
}

// foldSteps sums up elements and cuts the sum into steps, each one element
// that could stand in the list by itself.
func (in *Ingester) foldSteps(elements []string) ([]string, error) {
	sums := map[foldKey]*foldSum{}
	var order []foldKey
	for _, e := range elements {
		err := readPending(e, func(p pendingPage) {
			s := sums[p.foldKey]
			if s == nil {
				s = &foldSum{}
				sums[p.foldKey] = s
				order = append(order, p.foldKey)
			}
			s.pv += p.pv
			s.uv += p.uv
		})
		if err != nil {
			return nil, err
		}
	}
	var steps []string
	var b []byte
	var n int
	var list uint32
	for _, key := range order {
		if n == in.budget.pages() || (n > 0 && key.list() != list) {
			steps, b, n = append(steps, string(b)), nil, 0
		}
		if n == 0 {
			list = key.list()
			b = binary.LittleEndian.AppendUint32(nil, list)
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
func (in *Ingester) foldStep(ctx context.Context, at foldAt, take int, put []string, step string) (ok bool, gone int64, err error) {
	k, name := in.keys, at.site
	c := &call{}
	c.key(k.Checkpoint(name), k.MirrorState(name), k.MirrorDue(name), k.PageBots(name), k.Made(name), k.Pending(name))
	c.arg(at.epoch, at.version, take, len(put))
	for _, b := range put {
		c.arg(b)
	}
	pages, err := in.encodeFold(c, name, step)
	if err != nil {
		return false, 0, err
	}
	begin := in.opt.Now()
	a, err := c.run(ctx, in.rdb, in.scripts.fold)
	in.budget.spent(pages*writesPerPage, in.opt.Now().Sub(begin))
	switch {
	case err != nil:
		return false, 0, fmt.Errorf("fold pending pages of %s: %w", name, err)
	case a.verdict == damaged:
		return false, 0, &damagedError{site: name, what: a.text}
	case a.verdict == noEpoch:
		return false, 0, &damagedError{site: name, what: "its epoch changed while pending pages were folded"}
	}
	return a.verdict == applied, a.lost, nil
}

// encodeFold adds the keys and arguments of a step, and returns its pages.
func (in *Ingester) encodeFold(c *call, name, step string) (pages int, err error) {
	var all []pendingPage
	if err := readPending(step, func(p pendingPage) { all = append(all, p) }); err != nil {
		return 0, err
	}
	if len(all) > 0 && all[0].bots {
		in.encodeFoldBots(c, name, all)
	} else if len(all) > 0 {
		in.encodeFoldPages(c, name, all)
	} else {
		c.arg(0, 0, 0, 0, 0) // an empty element: it only goes
	}
	return len(all), nil
}

// encodeFoldBots adds the sections of a step with views of bots.
func (in *Ingester) encodeFoldBots(c *call, name string, all []pendingPage) {
	c.arg(0, 0, 0) // no types, no visitors, no counters
	at := len(c.args)
	c.arg(0)
	c.args[at] = in.encodeBotDay(c, name, all[0].day, false, false, len(all), func(f func(string, int64)) {
		for i := range all {
			f(all[i].name, all[i].pv)
		}
	})
	c.arg(0) // no ranks
}

// encodeFoldPages adds the sections of a step with views of people.
func (in *Ingester) encodeFoldPages(c *call, name string, all []pendingPage) {
	var counters, ranks, visitors []any
	var keys, uvKeys []string
	sum := int64(0)
	for i := range all {
		p := &all[i]
		keys = append(keys, in.keys.PagePV(name, p.name))
		counters = append(counters, p.pv, "0", 0)
		if p.uv > 0 {
			uvKeys = append(uvKeys, in.keys.PageUV(name, p.name))
			visitors = append(visitors, p.uv, "0", 0)
			sum += p.uv
		}
		ranks = append(ranks, p.name, p.pv)
	}
	keys, counters = append(keys, uvKeys...), append(counters, visitors...)
	rankKeys, ends := in.rankKeys(name, all[0].day)
	c.arg(len(rankKeys))
	c.key(rankKeys...)
	for range rankKeys {
		c.arg("zset")
	}
	c.arg(sum, len(keys))
	c.key(keys...)
	c.arg(counters...)
	c.arg(0) // no hashes
	c.arg(1, flag(false), len(rankKeys))
	c.key(rankKeys...)
	for _, e := range ends {
		c.arg(e)
	}
	c.arg(len(all))
	c.arg(ranks...)
}

// foldAll folds until nothing of the site is pending.
func (in *Ingester) foldAll(ctx context.Context, s *site) error {
	for {
		var done folded
		err := in.retry(ctx, "spread pending pages", func() (err error) {
			done, err = in.foldOnce(ctx, s.name, s.epoch)
			return err
		})
		if err != nil {
			return err
		}
		if done.lost > in.knownLost(s.name) {
			in.loop.auditNow = true // it deals with the loss
		}
		if done.left <= 0 {
			s.pending = 0
			delete(in.pendingSites, s)
			if in.flight == nil || in.flight.batch == nil {
				s.foldedAll()
			}
			return nil
		}
	}
}
