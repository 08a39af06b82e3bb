//go:build !purego

package parser

// scanChunks is scanWordwise with the vector instructions that every amd64
// processor has, 16 bytes at a time. n is 64 to scanWords*64.
//
//go:noescape
func scanChunks(b *byte, n int, masks *[scanWords]uint64) (backslashes uint64)

// scan looks at each byte of b, of which there are 64 to scanWords*64: bit i%64
// of word i/64 of masks is set if byte i is below 0x20 or over 0x7E. It reports
// whether there is a backslash. Words beyond b's end are left alone.
func scan(b []byte, masks *[scanWords]uint64) (backslash bool) {
	return scanChunks(&b[0], len(b), masks) != 0
}
