//go:build !linux

package tailer

import "fmt"

// followPath: only Linux has names for open files that survive a rename, so
// elsewhere the block reader polls.
func followPath(file) (string, bool) { return "", false }

// datasync makes the file's content durable.
func datasync(f file) error {
	s, ok := f.(interface{ Sync() error })
	if !ok {
		return errNotSyncable
	}
	if err := s.Sync(); err != nil {
		return fmt.Errorf("sync segment: %w", err)
	}
	return nil
}
