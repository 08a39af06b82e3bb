package parser

import (
	"encoding/binary"
	"math/bits"
)

// SipHash-2-4 by Aumasson and Bernstein ("SipHash: a fast short-input PRF",
// 2012), with 64-bit output and with the 128-bit output of the authors'
// reference implementation. A keyed function is what makes a visitor's hash
// irreversible without the secret.

// sipKey is a SipHash key as its two little-endian words.
type sipKey struct{ k0, k1 uint64 }

func sipKeyOf(b []byte) sipKey {
	return sipKey{binary.LittleEndian.Uint64(b), binary.LittleEndian.Uint64(b[8:])}
}

// sip64 is the 64-bit hash of msg.
func (k sipKey) sip64(msg []byte) uint64 {
	v0, v1, v2, v3 := k.absorb(msg)
	v2 ^= 0xff
	for range 4 {
		v0, v1, v2, v3 = sipRound(v0, v1, v2, v3)
	}
	return v0 ^ v1 ^ v2 ^ v3
}

// sipState is the inside of a SipHash.
type sipState struct{ v0, v1, v2, v3 uint64 }

// start128 is the state of a 128-bit hash before its message.
func (k sipKey) start128() sipState {
	return sipState{k.k0 ^ 0x736f6d6570736575, k.k1 ^ 0x646f72616e646f6d ^ 0xee, k.k0 ^ 0x6c7967656e657261, k.k1 ^ 0x7465646279746573}
}

// add is the state after one more word of the message.
func (s sipState) add(m uint64) sipState {
	s.v3 ^= m
	s.v0, s.v1, s.v2, s.v3 = sipRound(s.v0, s.v1, s.v2, s.v3)
	s.v0, s.v1, s.v2, s.v3 = sipRound(s.v0, s.v1, s.v2, s.v3)
	s.v0 ^= m
	return s
}

// end128 is the hash of n bytes, those that were added before and text.
func (s sipState) end128(n int, text string) (out [16]byte) {
	v0, v1, v2, v3 := s.v0, s.v1, s.v2, s.v3
	for ; len(text) >= 8; text = text[8:] {
		m := uint64(text[0]) | uint64(text[1])<<8 | uint64(text[2])<<16 | uint64(text[3])<<24 |
			uint64(text[4])<<32 | uint64(text[5])<<40 | uint64(text[6])<<48 | uint64(text[7])<<56
		v3 ^= m
		v0, v1, v2, v3 = sipRound(v0, v1, v2, v3)
		v0, v1, v2, v3 = sipRound(v0, v1, v2, v3)
		v0 ^= m
	}
	last := uint64(n) << 56
	for i := range len(text) {
		last |= uint64(text[i]) << (8 * i & 63)
	}
	v3 ^= last
	v0, v1, v2, v3 = sipRound(v0, v1, v2, v3)
	v0, v1, v2, v3 = sipRound(v0, v1, v2, v3)
	v0 ^= last
	v2 ^= 0xee
	for range 4 {
		v0, v1, v2, v3 = sipRound(v0, v1, v2, v3)
	}
	binary.LittleEndian.PutUint64(out[:], v0^v1^v2^v3)
	v1 ^= 0xdd
	for range 4 {
		v0, v1, v2, v3 = sipRound(v0, v1, v2, v3)
	}
	binary.LittleEndian.PutUint64(out[8:], v0^v1^v2^v3)
	return out
}

// absorb runs the compression over msg.
func (k sipKey) absorb(msg []byte) (v0, v1, v2, v3 uint64) {
	v0 = k.k0 ^ 0x736f6d6570736575
	v1 = k.k1 ^ 0x646f72616e646f6d
	v2 = k.k0 ^ 0x6c7967656e657261
	v3 = k.k1 ^ 0x7465646279746573
	last := uint64(len(msg)) << 56
	for ; len(msg) >= 8; msg = msg[8:] {
		m := binary.LittleEndian.Uint64(msg)
		v3 ^= m
		v0, v1, v2, v3 = sipRound(v0, v1, v2, v3)
		v0, v1, v2, v3 = sipRound(v0, v1, v2, v3)
		v0 ^= m
	}
	for i, c := range msg {
		last |= uint64(c) << (8 * i)
	}
	v3 ^= last
	v0, v1, v2, v3 = sipRound(v0, v1, v2, v3)
	v0, v1, v2, v3 = sipRound(v0, v1, v2, v3)
	v0 ^= last
	return v0, v1, v2, v3
}

func sipRound(v0, v1, v2, v3 uint64) (_, _, _, _ uint64) {
	v0 += v1
	v1 = bits.RotateLeft64(v1, 13) ^ v0
	v0 = bits.RotateLeft64(v0, 32)
	v2 += v3
	v3 = bits.RotateLeft64(v3, 16) ^ v2
	v0 += v3
	v3 = bits.RotateLeft64(v3, 21) ^ v0
	v2 += v1
	v1 = bits.RotateLeft64(v1, 17) ^ v2
	v2 = bits.RotateLeft64(v2, 32)
	return v0, v1, v2, v3
}
