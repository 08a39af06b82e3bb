package counter

import (
	"encoding/binary"
	"iter"
)

// pairSet are the (visitor, thing) pairs of a day, or of a week or a month, that are known
// to be in a packed key of Redis.
type pairSet struct {
	set64
	bytes int64 // of the key, those of closed batches included
}

// pairChange are those that a part adds to one.
type pairChange struct {
	set    *pairSet
	packed []byte
	owners []int32 // whose visitor each of them is: see pairOwner
	before int64   // bytes of the key before; set when the batch is closed
}

// add notes a pair of an owner; true if it is new.
func (c *pairChange) add(hash uint64, owner int32) bool {
	if !c.set.add(hash) {
		return false
	}
	c.packed = binary.LittleEndian.AppendUint64(c.packed, hash)
	c.owners = append(c.owners, owner)
	return true
}

// seal fixes where the change begins in the key.
func (c *pairChange) seal() {
	c.before = c.set.bytes
	c.set.bytes += int64(len(c.packed))
}

// pairOwner is what pairs were changed of: a day, or a term on that day.
type pairOwner struct {
	day  *dayChange
	term int // theDay: the day itself
}

const theDay = -1

func (o pairOwner) change() *pairChange {
	if o.term == theDay {
		return &o.day.pairs
	}
	return &o.day.terms[o.term].pairs
}

func (o pairOwner) key(k Keys, site string) string {
	if o.term == theDay {
		return k.Pairs(site, o.day.state.day)
	}
	return k.TermPairs(site, o.day.terms[o.term].state.name)
}

// notNew takes back the visitor that an entry of owners stands for.
func (o pairOwner) notNew(owner int32) {
	if o.term == theDay {
		*o.day.owner(owner)--
	} else {
		o.day.notNew(o.term, owner)
	}
}

// without takes out the pairs that others have counted.
func (o pairOwner) without(theirs *set64) {
	c := o.change()
	packed, owners := c.packed[:0], c.owners[:0]
	for i, owner := range c.owners {
		hash := c.packed[8*i : 8*i+8]
		if theirs.has(binary.LittleEndian.Uint64(hash)) {
			o.notNew(owner)
			continue
		}
		packed, owners = append(packed, hash...), append(owners, owner)
	}
	c.packed, c.owners = packed, owners
}

// pairs are all changes of pairs of a part, in the order in which they are written.
func (p *part) pairs() iter.Seq[pairOwner] {
	return func(yield func(pairOwner) bool) {
		for _, d := range p.days {
			if !yield(pairOwner{d, theDay}) {
				return
			}
		}
		for _, d := range p.days {
			for t := range d.terms {
				if d.terms[t].state != nil && !yield(pairOwner{d, t}) {
					return
				}
			}
		}
	}
}

// pairsOf are the changes of a set among those of parts.
func pairsOf(parts []*part, s *pairSet) []pairOwner {
	var all []pairOwner
	for _, p := range parts {
		for x := range p.pairs() {
			if x.change().set == s {
				all = append(all, x)
			}
		}
	}
	return all
}

// known is the length of the key without what was refused.
func (s *pairSet) known(refused []pairOwner) int64 {
	at := s.bytes
	for _, x := range refused {
		at -= int64(len(x.change().packed))
	}
	return at
}

// merge learns the pairs of others, which end at a length of the key: what of them was
// refused or is open goes.
func (s *pairSet) merge(theirs *set64, end int64, refused, open []pairOwner) {
	s.bytes = end
	for _, x := range refused {
		x.without(theirs)
		x.change().seal()
	}
	for _, x := range open {
		x.without(theirs)
	}
	theirs.each(func(v uint64) { s.add(v) })
}
