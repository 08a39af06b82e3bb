package tailer

import (
	"fmt"
	"os"
	"strconv"
	"syscall"
)

// followPath is a name that leads to the open file itself, wherever its name
// has gone meanwhile.
func followPath(f file) (string, bool) {
	held, ok := f.(interface{ Fd() uintptr })
	if !ok {
		return "", false
	}
	path := "/proc/self/fd/" + strconv.Itoa(int(held.Fd()))
	if _, err := os.Stat(path); err != nil {
		return "", false // no /proc here: the block reader polls instead
	}
	return path, true
}

// datasync makes the file's content durable.
func datasync(f file) error {
	s, ok := f.(syscall.Conn)
	if !ok {
		return errNotSyncable
	}
	c, err := s.SyscallConn()
	if err != nil {
		return fmt.Errorf("fdatasync segment: %w", err)
	}
	var serr error
	// Control keeps the descriptor open meanwhile, whoever closes the file.
	if err := c.Control(func(fd uintptr) {
		for {
			if serr = syscall.Fdatasync(int(fd)); serr != syscall.EINTR {
				return
			}
		}
	}); err != nil {
		return fmt.Errorf("fdatasync segment: %w", err)
	}
	if serr != nil {
		return fmt.Errorf("fdatasync segment: %w", serr)
	}
	return nil
}
