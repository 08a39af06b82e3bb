package parser

import (
	"bytes"
	"encoding/binary"
)

// A word of eight bytes is looked at in one go: these hold a byte's lowest bit,
// its highest bit, and a space, eight times.
const (
	lowBits  = 0x0101010101010101
	highBits = 0x8080808080808080
	spaces   = ' ' * lowBits
)

// Of chunkSize bytes the special ones are told in one word, and of scanWords
// words at a time.
const (
	chunkSize = 64
	scanWords = 16
	scanSize  = scanWords * chunkSize
)

// scanWordwise is scan for any processor.
func scanWordwise(b []byte, masks *[scanWords]uint64) (backslash bool) {
	n := len(b) / chunkSize
	for i := range n {
		masks[i] = specials((*[chunkSize]byte)(b[i*chunkSize:]))
	}
	if rest := len(b) % chunkSize; rest > 0 {
		masks[n] = specials((*[chunkSize]byte)(b[len(b)-chunkSize:])) >> (chunkSize - rest)
	}
	return bytes.IndexByte(b, '\\') >= 0
}

// specials has a bit for each byte of the chunk that is below 0x20 or over 0x7E.
// It is unrolled: in a loop, constants and shifts would cost as much as the work.
func specials(chunk *[chunkSize]byte) uint64 {
	w0, w1 := binary.LittleEndian.Uint64(chunk[0:]), binary.LittleEndian.Uint64(chunk[8:])
	w2, w3 := binary.LittleEndian.Uint64(chunk[16:]), binary.LittleEndian.Uint64(chunk[24:])
	w4, w5 := binary.LittleEndian.Uint64(chunk[32:]), binary.LittleEndian.Uint64(chunk[40:])
	w6, w7 := binary.LittleEndian.Uint64(chunk[48:]), binary.LittleEndian.Uint64(chunk[56:])
	return ^(plain(w0) | plain(w1)<<8 | plain(w2)<<16 | plain(w3)<<24 |
		plain(w4)<<32 | plain(w5)<<40 | plain(w6)<<48 | plain(w7)<<56)
}

// plain has bit k set if byte k of w is one of 0x20 to 0x7E: the highest bit of a
// byte survives the subtraction of 0x20, and it comes from adding 1 to 0x7F. The
// product gathers the eight bits in its top byte.
func plain(w uint64) uint64 {
	ascii := w &^ highBits
	is := ((ascii | highBits) - spaces) &^ (ascii + lowBits) &^ w & highBits
	return is * 0x0002040810204081 >> 56
}
