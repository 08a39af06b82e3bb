package counter

import (
	"encoding/binary"
	"testing"
)

// FuzzSet64 compares the sets and maps of hashes with Go's own. The input is a
// row of keys of a few values, so that some come again.
func FuzzSet64(f *testing.F) {
	f.Add([]byte{0, 1, 2, 0, 255, 255})
	var many []byte
	for i := range 2000 {
		many = binary.BigEndian.AppendUint16(many, uint16(i%700*93))
	}
	f.Add(many)
	f.Fuzz(func(t *testing.T, b []byte) {
		var set set64
		var times times64
		seen := map[uint64]bool{}
		moments := map[uint64]uint32{}
		for i := 0; i+2 <= len(b); i += 2 {
			key := uint64(binary.BigEndian.Uint16(b[i:])) << 40
			set.touch(key)
			if fresh := set.add(key); fresh == seen[key] || !set.has(key) {
				t.Fatalf("%x is new: %t", key, fresh)
			}
			seen[key] = true
			at, ok := times.get(key)
			if want, is := moments[nonZero(key)]; ok != is || at != want {
				t.Fatalf("%x is at %d, %t, want %d, %t", key, at, ok, want, is)
			}
			times.put(key, uint32(i))
			moments[nonZero(key)] = uint32(i)
		}
		if set.len() != len(seen) || times.n != len(moments) {
			t.Fatalf("%d and %d keys, want %d and %d", set.len(), times.n, len(seen), len(moments))
		}
		set.each(func(key uint64) { delete(seen, key) })
		if len(seen) != 0 {
			t.Fatalf("%d keys are left out", len(seen))
		}
	})
}
