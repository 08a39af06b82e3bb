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

func (s *set64) grow() {
	old := s.slots
	s.slots = make([]uint64, max(64, 2*len(old)))
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
// start of the bucket that owns it.
type times64 struct {
	keys []uint64
	at   []uint32
	n    int
}

// get is the moment of key.
func (m *times64) get(key uint64) (uint32, bool) {
	if m.n == 0 {
		return 0, false
	}
	i := m.find(nonZero(key))
	return m.at[i], m.keys[i] != 0
}

// put sets the moment of key; the latest put wins.
func (m *times64) put(key uint64, at uint32) {
	key = nonZero(key)
	if m.n >= len(m.keys)/4*3 {
		m.grow()
	}
	i := m.find(key)
	if m.keys[i] == 0 {
		m.keys[i] = key
		m.n++
	}
	m.at[i] = at
}

func (m *times64) find(key uint64) uint64 {
	mask := uint64(len(m.keys) - 1)
	i := spread(key) & mask
	for m.keys[i] != 0 && m.keys[i] != key {
		i = (i + 1) & mask
	}
	return i
}

func (m *times64) grow() {
	keys, at := m.keys, m.at
	m.keys = make([]uint64, max(64, 2*len(keys)))
	m.at = make([]uint32, len(m.keys))
	for i, k := range keys {
		if k != 0 {
			j := m.find(k)
			m.keys[j], m.at[j] = k, at[i]
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
