package tailer

import (
	"bufio"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// setLease is F_SETLEASE of fcntl(2). A lease for reading is given only on a
// file that nobody has open to write, to the file's owner and to root.
const setLease = 1024

// writers reports whether somebody has the open file f open to write, and
// whether that could be found out.
func writers(f *os.File) (busy, known bool) {
	conn, err := f.SyscallConn()
	if err != nil {
		return false, false
	}
	var errno syscall.Errno
	lease := func(how int) func(uintptr) {
		return func(fd uintptr) { _, _, errno = syscall.Syscall(syscall.SYS_FCNTL, fd, setLease, uintptr(how)) }
	}
	if err := conn.Control(lease(syscall.F_RDLCK)); err != nil {
		return false, false
	}
	switch errno {
	case 0:
		err := conn.Control(lease(syscall.F_UNLCK))
		return false, err == nil
	case syscall.EAGAIN:
		return true, true
	}
	return openElsewhere(f)
}

// openElsewhere looks through the processes that may be looked at.
func openElsewhere(f *os.File) (busy, known bool) {
	fi, err := f.Stat()
	if err != nil {
		return false, false
	}
	procs, err := os.ReadDir("/proc")
	if err != nil {
		return false, false
	}
	known = true
	for _, p := range procs {
		if _, err := strconv.Atoi(p.Name()); err != nil {
			continue
		}
		dir := filepath.Join("/proc", p.Name())
		fds, err := os.ReadDir(filepath.Join(dir, "fd"))
		if err != nil {
			known = known && errors.Is(err, fs.ErrNotExist) // it ended
			continue
		}
		for _, fd := range fds {
			there, err := os.Stat(filepath.Join(dir, "fd", fd.Name()))
			if err == nil && os.SameFile(there, fi) && forWriting(filepath.Join(dir, "fdinfo", fd.Name())) {
				return true, true
			}
		}
	}
	return false, known
}

// forWriting reads a descriptor's flags; what cannot be read may be for writing.
func forWriting(fdinfo string) bool {
	f, err := os.Open(fdinfo)
	if err != nil {
		return !errors.Is(err, fs.ErrNotExist)
	}
	defer f.Close() // it was only read
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if flags, ok := strings.CutPrefix(lines.Text(), "flags:"); ok {
			n, err := strconv.ParseUint(strings.TrimSpace(flags), 8, 64)
			return err != nil || n&syscall.O_ACCMODE != syscall.O_RDONLY
		}
	}
	return true
}
