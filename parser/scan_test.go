package parser

import (
	"bytes"
	"testing"
)

// FuzzScan compares both ways of looking at a line's bytes with the plainest
// one.
func FuzzScan(f *testing.F) {
	f.Add([]byte("v1\t1763769600.123\t\x00\x1f\x20\x7e\x7f\x80\xff\\"), uint16(3))
	f.Add(bytes.Repeat([]byte{'\t', ' ', 0xFF, 0x7F}, 33), uint16(200))
	f.Fuzz(func(t *testing.T, b []byte, offset uint16) {
		for len(b) < chunkSize {
			b = append(b, ' ')
		}
		b = b[min(int(offset), len(b)-chunkSize):] // any alignment
		b = b[:min(len(b), scanSize)]
		var want [scanWords]uint64
		for i := range want {
			want[i] = 0x5A // words that nobody writes stay
		}
		got, words := want, want
		for i, c := range b {
			if i%chunkSize == 0 {
				want[i/chunkSize] = 0
			}
			if c < ' ' || c > '~' {
				want[i/chunkSize] |= 1 << (i % chunkSize)
			}
		}
		backslash := bytes.IndexByte(b, '\\') >= 0
		if is := scan(b, &got); got != want || is != backslash {
			t.Errorf("%q: %x, backslash %t, want %x, %t", b, got, is, want, backslash)
		}
		if is := scanWordwise(b, &words); words != want || is != backslash {
			t.Errorf("%q, word by word: %x, backslash %t, want %x, %t", b, words, is, want, backslash)
		}
	})
}
