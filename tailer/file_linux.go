package tailer

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"syscall"
)

// followPath is a name that leads to the open file itself, wherever its name
// has gone meanwhile. It reports false where there is no such name, or where
// stat may fail on it: nxadm/tail's poller ends the process then.
//
// On /proc/self/fd/N a stat has no folder to search, no permission to lack and
// no name to lose. ENOENT, for a descriptor that was closed, is the error that
// the poller takes for the end; what is left is the file system's own answer,
// which comes from memory, unless a server gives it.
func followPath(f file) (string, bool) {
	held, ok := f.(interface{ Fd() uintptr })
	if !ok {
		return "", false
	}
	fd := int(held.Fd())
	var fs syscall.Statfs_t
	if err := syscall.Fstatfs(fd, &fs); err != nil || slices.Contains(served, uint32(fs.Type)) {
		return "", false
	}
	path := "/proc/self/fd/" + strconv.Itoa(fd)
	if _, err := os.Stat(path); err != nil {
		return "", false // no /proc here
	}
	return path, true
}

// served are the file systems, by the magic numbers of statfs(2), whose stat is
// answered by a server: it may be away, or know the file no more.
var served = []uint32{
	0x6969,     // NFS
	0x65735546, // FUSE, virtiofs
	0x517b,     // SMB
	0xff534d42, // CIFS
	0xfe534d42, // SMB2
	0x01021997, // 9P
	0x00c36400, // Ceph
	0x5346414f, // AFS
	0x0bd00bd0, // Lustre
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
