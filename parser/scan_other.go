//go:build !amd64 || purego

package parser

// scan looks at each byte of b, of which there are 64 to scanWords*64: bit i%64
// of word i/64 of masks is set if byte i is below 0x20 or over 0x7E. It reports
// whether there is a backslash. Words beyond b's end are left alone.
func scan(b []byte, masks *[scanWords]uint64) (backslash bool) { return scanWordwise(b, masks) }
