package counter

// set64 is a set of 64-bit hashes: open addressing with linear probing, eight
// bytes a slot. Go's map costs three times that, and a busy site's day has
// millions of (visitor, page) pairs.
type set64 struct {
	slots   []uint64
	n       int
	hasZero bool // zero marks a free slot, so the value zero is kept apart
}

// len is the number of values in the set.
func (s *set64) len() int {
	if s.hasZero {
		return s.n + 1
	}
	return s.n
}

// add puts v into the set and reports whether it was not there yet.
func (s *set64) add(v uint64) bool {
	if v == 0 {
		fresh := !s.hasZero
		s.hasZero = true
		return fresh
	}
	if s.n >= len(s.slots)/4*3 {
		s.grow()
	}
	i := s.find(v)
	if s.slots[i] == v {
		return false
	}
	s.slots[i] = v
	s.n++
	return true
}

// has tells whether v is in the set.
func (s *set64) has(v uint64) bool {
	if v == 0 {
		return s.hasZero
	}
	return s.n > 0 && s.slots[s.find(v)] == v
}

// touch looks at the place of v, so that it is near when v is added. What it
// returns means nothing.
func (s *set64) touch(v uint64) uint64 {
	if len(s.slots) == 0 {
		return 0
	}
	return s.slots[spread(v)&uint64(len(s.slots)-1)]
}

// each calls f for every value.
func (s *set64) each(f func(uint64)) {
	if s.hasZero {
		f(0)
	}
	for _, v := range s.slots {
		if v != 0 {
			f(v)
		}
	}
}

// find is the slot that holds v, or the free one where it belongs.
func (s *set64) find(v uint64) uint64 {
	mask := uint64(len(s.slots) - 1)
	i := spread(v) & mask
	for s.slots[i] != 0 && s.slots[i] != v {
		i = (i + 1) & mask
	}
	return i
}

// firstSlots is small as most sites are: ten thousand of them have a set for each
// ten minutes and more.
const firstSlots = 4

func (s *set64) grow() {
	old := s.slots
	s.slots = make([]uint64, max(firstSlots, 2*len(old)))
	for _, v := range old {
		if v != 0 {
			s.slots[s.find(v)] = v
		}
	}
}

// spread mixes the bits, as callers' hashes may share their low ones
// (multiplier: 2^64 divided by the golden ratio).
func spread(v uint64) uint64 { return (v * 0x9e3779b97f4a7c15) >> 20 }

// times64 is a map from a 64-bit hash to a moment, in milliseconds since the
// start of the bucket that owns it. It is asked for hashes that it does not have
// most of the time, so half of it stays free: that ends the search early.
type times64 struct {
	slots []time64
	n     int
}

type time64 struct {
	key uint64 // zero: free
	at  uint32
}

// get is the moment of key.
func (m *times64) get(key uint64) (uint32, bool) {
	if m.n == 0 {
		return 0, false
	}
	s := m.find(nonZero(key))
	return s.at, s.key != 0
}

// put sets the moment of key; the latest put wins.
func (m *times64) put(key uint64, at uint32) {
	key = nonZero(key)
	if m.n >= len(m.slots)/2 {
		m.grow()
	}
	s := m.find(key)
	if s.key == 0 {
		s.key = key
		m.n++
	}
	s.at = at
}

// find is the slot that holds key, or the free one where it belongs.
func (m *times64) find(key uint64) *time64 {
	mask := uint64(len(m.slots) - 1)
	for i := spread(key); ; i++ {
		if s := &m.slots[i&mask]; s.key == 0 || s.key == key {
			return s
		}
	}
}

func (m *times64) grow() {
	old := m.slots
	m.slots = make([]time64, max(firstSlots, 2*len(old)))
	for _, s := range old {
		if s.key != 0 {
			*m.find(s.key) = s
		}
	}
}

// nonZero keeps zero free as the mark of an empty slot. The one value that
// this merges with another is as unlikely as any other collision of 64 bits.
func nonZero(v uint64) uint64 {
	if v == 0 {
		return 1
	}
	return v
}
