package parser

import (
	"hash/maphash"
	"slices"
)

// Known is what the parser keeps of a page that comes again and again. Two hits
// with the same Known have the same page; the other way round that need not be.
type Known struct {
	// Note is the caller's own, for what it found out about the page, and About
	// tells what that is good for: a page can be on many sites and days. Both
	// are zero at first, and the parser never looks at them.
	Note  any
	About uint64

	landed landed     // by what it says of a campaign
	rules  *PageRules // that it was normalised by

	both []byte // as it stands in the query, and behind it what that means
	n    uint32 // bytes of the first
}

func (k *Known) is(raw []byte, rules *PageRules) bool {
	return k.rules == rules && string(k.both[:k.n]) == string(raw)
}

func (k *Known) page() []byte { return k.both[k.n:] }

// knownPages maps the raw text of a page parameter to the page, so that what was
// decoded and normalised once is looked up from then on. It is a table of pairs
// of places, the one that was used last before the other, and small enough for
// the processor's own memory: the pages that most lines are of stay in it, and
// for the others the work takes no longer than the wait for a larger table would.
// A text takes a place when it comes for the second time, so that a flood of
// pages that nobody asks for twice displaces nothing and allocates nothing.
type knownPages struct {
	seed  maphash.Seed
	pairs []knownPair // nil until the first page
	size  int         // bytes that it keeps, about
}

type knownPair struct {
	tags  [2]uint32 // of the hashes
	once  uint32    // of what came last and is not kept
	known [2]*Known
}

// Bounds of the table.
const (
	knownPairs    = 1 << 12
	maxKnownPage  = 256     // bytes of a raw text
	maxKnownBytes = 4 << 20 // then it begins anew
	knownOverhead = 100
)

// find is what is known of raw on a site with these rules, nil if it is nothing; then the pair is where keep
// may put it, nil if it should not.
func (k *knownPages) find(raw []byte, rules *PageRules) (*Known, *knownPair) {
	if len(raw) > maxKnownPage {
		return nil, nil
	}
	if k.pairs == nil {
		k.seed, k.pairs = maphash.MakeSeed(), make([]knownPair, knownPairs)
	}
	hash := maphash.Bytes(k.seed, raw)
	tag := uint32(hash >> 32)
	pair := &k.pairs[hash&(knownPairs-1)]
	if first := pair.known[0]; first != nil && pair.tags[0] == tag && first.is(raw, rules) {
		return first, nil
	}
	if second := pair.known[1]; second != nil && pair.tags[1] == tag && second.is(raw, rules) {
		pair.known[0], pair.known[1] = second, pair.known[0]
		pair.tags[0], pair.tags[1] = tag, pair.tags[0]
		return second, nil
	}
	if pair.once != tag {
		pair.once = tag
		return nil, nil
	}
	return nil, pair
}

// keep puts raw into a pair that find gave, in place of what was used longer ago.
func (k *knownPages) keep(pair *knownPair, raw, page []byte, rules *PageRules, l landed) *Known {
	if k.size > maxKnownBytes {
		tag := pair.once
		clear(k.pairs)
		k.size, pair.once = 0, tag
	}
	both := slices.Concat(raw, page)
	known := &Known{landed: l, rules: rules, both: both[:len(both):len(both)], n: uint32(len(raw))}
	pair.known[1], pair.tags[1] = known, pair.once
	k.size += len(both) + knownOverhead
	return known
}
