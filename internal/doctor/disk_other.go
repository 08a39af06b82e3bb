//go:build !linux

package doctor

// diskOf knows nothing here.
func diskOf(string) (diskInfo, error) { return diskInfo{unknown: true}, nil }
