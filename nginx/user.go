package nginx

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
)

// workerUser says which user the workers of an nginx started by root need to
// be, for a log in dir; empty means nginx's own default is right.
//
// At a rotation each worker opens the log by its path with its own rights. The
// default user (nobody) cannot when a folder above is closed to others; then
// the worker goes on writing into the renamed file, and only its error log
// says so. So the workers get the folder's owner.
func workerUser(dir string) (string, error) {
	if os.Geteuid() != 0 {
		return "", nil
	}
	info, err := os.Stat(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil // to be made before nginx starts, by whoever installs it
	}
	if err != nil {
		return "", fmt.Errorf("--log: look at its folder: %w", err)
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return "", nil
	}
	if stat.Uid == 0 && openToOthers(dir) {
		return "", nil
	}
	owner, err := user.LookupId(strconv.FormatUint(uint64(stat.Uid), 10))
	if err != nil {
		return "", fmt.Errorf("--log: %s belongs to user %d, who has no name; name the workers' user with --user: %w", dir, stat.Uid, err)
	}
	// nginx takes a group of the user's own name if none is given, and does not
	// start where there is none (nobody's group is nogroup on Debian).
	group, err := user.LookupGroupId(owner.Gid)
	if err != nil {
		return "", fmt.Errorf("--log: %s belongs to %s, whose group %s has no name; name the workers' user with --user USER:GROUP: %w", dir, owner.Username, owner.Gid, err)
	}
	return owner.Username + ":" + group.Name, nil
}

// openToOthers tells whether everyone may enter dir and all folders above it.
func openToOthers(dir string) bool {
	for {
		info, err := os.Stat(dir)
		if err != nil || info.Mode().Perm()&0o001 == 0 {
			return false
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return true
		}
		dir = parent
	}
}
