package counter

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"

	"ddkk-stats/parser"
)

// A site has two lists of changes that are committed and not yet spread over the
// keys that they are of. Commits append packed elements to them, in the same atomic
// step as everything else; folding sums many of these up and spreads them, a few
// milliseconds at a time.
//
// Pages: a backlog touches most pages of a site many times over. Writing each page's
// six keys with every batch would make Redis the bound, so such a batch appends its
// page changes. Facets: always, since only the dashboard asks for them.
//
// A pending element is one day's changes: the day (4 bytes, little endian, the
// highest bit set for views of bots, the next ones for visitors of a week and of a
// month, with its first day), then for each page PV, UV and the length of its name
// (uvarints) and the name.

// pendingKind is one of a site's lists of changes.
type pendingKind uint8

const (
	pendingPages pendingKind = iota
	pendingFacets
	pendingKinds
)

// key is the list's.
func (l pendingKind) key(k Keys, site string) string {
	if l == pendingFacets {
		return k.FacetsPending(site)
	}
	return k.Pending(site)
}

// version is the field of the checkpoint that changes with every fold.
func (l pendingKind) version() string {
	if l == pendingFacets {
		return fieldFacets
	}
	return fieldFold
}

// tail are elements at the end of a list.
type tail struct{ n, size int }

// ofBots marks the day of an element that has the views of bots, ofTerm that of one
// with the visitors of a term.
const ofBots = uint32(1) << 31

var ofTerm = [parser.NumTerms]uint32{parser.Week: 1 << 30, parser.Month: 1 << 29}

const ofAny = uint32(7) << 29

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
			b := appendElement(nil, uint32(d.state.day)|x.kind, 40*len(x.pages))
			for i := range x.pages {
				ch := &x.pages[i]
				b = appendPending(b, ch.page.name, ch.pv, ch.uv)
			}
			blobs = append(blobs, b)
		}
		for t := range d.terms {
			if b := termBlob(d, t); b != nil {
				blobs = append(blobs, b)
			}
		}
	}
	return blobs
}

// appendElement begins an element that will have about so many bytes.
func appendElement(b []byte, head uint32, size int) []byte {
	return binary.LittleEndian.AppendUint32(slices.Grow(b, 4+size), head)
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
	d, of := parser.Day(head&^ofAny), head&ofAny
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
		f(pendingPage{foldKey{d, of, b[:n]}, int64(pv), int64(uv)})
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

type foldKey struct {
	day  parser.Day
	of   uint32 // ofBots, one of ofTerm, or 0: people
	name string
}

// list is the start of an element that the key may stand in.
func (k foldKey) list() uint32 { return uint32(k.day) | k.of }

func (k foldKey) bots() bool { return k.of == ofBots }

// term is whose visitors these are; false: it is no term's.
func (k foldKey) term() (parser.Term, bool) {
	for t := range parser.NumTerms {
		if k.of == ofTerm[t] {
			return t, true
		}
	}
	return 0, false
}

type foldSum struct{ pv, uv int64 }

// folded is what a fold leaves.
type folded struct {
	left    int    // elements of the pending list
	lost    int64  // keys of the site that were found lost, by whichever script
	version string // of the list; empty: nothing was folded
}

// foldOnce folds what is in a list of a site, at most maxFold elements. The list in
// Redis is the truth: what another daemon or an earlier run left there is folded as
// well.
func (s *spreader) foldOnce(ctx context.Context, l pendingKind, name, epoch string) (out folded, err error) {
	// The version comes first: should another daemon fold meanwhile, the first
	// step is refused.
	version, err := s.rdb.HGet(ctx, s.keys.Checkpoint(name), l.version()).Result()
	if err != nil && !isNil(err) {
		return out, fmt.Errorf("read pending changes of %s: %w", name, err)
	}
	got, length, err := s.pendingOf(ctx, l, name)
	if err != nil {
		return out, fmt.Errorf("read pending changes of %s: %w", name, err)
	}
	if len(got) == 0 {
		return out, nil
	}
	steps, err := foldSteps(got, s.stepSize(l))
	if err != nil {
		return out, err
	}
	v, take, put := version, len(got), steps[min(1, len(steps)):]
	for _, step := range steps {
		ok, gone, err := s.foldStep(ctx, foldAt{l, name, epoch, v}, take, put, step)
		out.lost = max(out.lost, gone)
		if out.left = length; err != nil || !ok {
			return out, err
		}
		v, take, put = nextVersion(v), 1, nil
		out.version = v
	}
	s.meter.update(func(s *IngestStats) { s.Folds++ })
	out.left = length - len(got)
	return out, nil
}

// spreader folds: it spreads what is pending over the keys that it is of. Both the
// committer and the loop ask it to, never at the same time.
type spreader struct {
	enc    *encoder
	rdb    redis.UniversalClient
	keys   Keys
	script *redis.Script
	budget *budget
	meter  *meter
	now    func() time.Time
}

// stepSize is how many names one step may spread.
func (s *spreader) stepSize(l pendingKind) int {
	if l == pendingFacets {
		return max(1, s.budget.writes()/2)
	}
	return s.budget.pages()
}

// pendingOf reads the first elements of a site's list, a few at a time, and its
// length.
func (s *spreader) pendingOf(ctx context.Context, l pendingKind, name string) (all []string, length int, err error) {
	list := l.key(s.keys, name)
	for len(all) < maxFold {
		pipe := s.rdb.Pipeline()
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

// foldSteps sums up elements and cuts the sum into steps of so many names, each one
// element that could stand in the list by itself.
func foldSteps(elements []string, names int) ([]string, error) {
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
		if n == names || (n > 0 && key.list() != list) {
			steps, b, n = append(steps, string(b)), nil, 0
		}
		if n == 0 {
			list = key.list()
			b = appendElement(nil, list, 0)
		}
		b = appendPending(b, key.name, sums[key].pv, sums[key].uv)
		n++
	}
	if n > 0 {
		steps = append(steps, string(b))
	}
	return steps, nil
}

// foldAt is what a fold must find: the site's epoch and the list's version.
type foldAt struct {
	list                 pendingKind
	site, epoch, version string
}

func nextVersion(v string) string {
	n, err := strconv.ParseInt(v, 10, 64)
	if err != nil {
		return "1" // there was none
	}
	return strconv.FormatInt(n+1, 10)
}

// foldStep applies a step in place of the first take elements and puts the
// steps after it in front; false when another daemon folded meanwhile.
func (s *spreader) foldStep(ctx context.Context, at foldAt, take int, put []string, step string) (ok bool, gone int64, err error) {
	k, name := s.keys, at.site
	c := &call{}
	c.key(k.Checkpoint(name), k.MirrorState(name), k.MirrorDue(name), k.PageBots(name), k.Made(name), at.list.key(k, name))
	c.arg(at.epoch, at.list.version(), at.version, take, len(put))
	for _, b := range put {
		c.arg(b)
	}
	writes, err := s.enc.fold(c, at.list, name, step)
	if err != nil {
		return false, 0, err
	}
	begin := s.now()
	a, err := c.run(ctx, s.rdb, s.script)
	s.budget.spent(writes, s.now().Sub(begin))
	switch {
	case err != nil:
		return false, 0, fmt.Errorf("fold pending changes of %s: %w", name, err)
	case a.verdict == damaged:
		return false, 0, &damagedError{site: name, what: a.text}
	case a.verdict == noEpoch:
		return false, 0, &damagedError{site: name, what: "its epoch changed while pending changes were folded"}
	}
	return a.verdict == applied, a.lost, nil
}

// fold adds the keys and arguments of a step, and returns its writes.
func (e *encoder) fold(c *call, l pendingKind, name, step string) (writes int, err error) {
	var all []pendingPage
	if err := readPending(step, func(p pendingPage) { all = append(all, p) }); err != nil {
		return 0, err
	}
	if len(all) == 0 {
		c.arg(0, 0, 0, 0, 0) // an empty element: it only goes
		return 0, nil
	}
	t, ofTerm := all[0].term()
	switch {
	case l == pendingFacets:
		return e.foldFacets(c, name, all), nil
	case ofTerm:
		return e.foldTerm(c, name, t, all), nil
	case all[0].bots():
		e.foldBots(c, name, all)
	default:
		e.foldPages(c, name, all)
	}
	return len(all) * writesPerPage, nil
}

// foldBots adds the sections of a step with views of bots.
func (e *encoder) foldBots(c *call, name string, all []pendingPage) {
	c.arg(0, 0, 0) // no types, no visitors, no counters
	at := len(c.args)
	c.arg(0)
	c.args[at] = e.botDay(c, name, all[0].day, false, false, len(all), func(f func(string, int64)) {
		for i := range all {
			f(all[i].name, all[i].pv)
		}
	})
	c.arg(0) // no ranks
}

// foldPages adds the sections of a step with views of people.
func (e *encoder) foldPages(c *call, name string, all []pendingPage) {
	var counters, ranks, visitors []any
	var keys, uvKeys []string
	sum := int64(0)
	for i := range all {
		p := &all[i]
		keys = append(keys, e.keys.PagePV(name, p.name))
		counters = append(counters, p.pv, "0", 0)
		if p.uv > 0 {
			uvKeys = append(uvKeys, e.keys.PageUV(name, p.name))
			visitors = append(visitors, p.uv, "0", 0)
			sum += p.uv
		}
		ranks = append(ranks, p.name, p.pv)
	}
	keys, counters = append(keys, uvKeys...), append(counters, visitors...)
	rankKeys, ends := e.rankKeys(name, all[0].day)
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
