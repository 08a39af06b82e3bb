package config

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"strconv"
	"syscall"
)

// OwnerOf is who a folder belongs to; false: root, or nobody yet.
func OwnerOf(dir string) (*syscall.Credential, bool, error) {
	fi, err := os.Stat(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, fmt.Errorf("look at DATA_DIR: %w", err)
	}
	st, ok := fi.Sys().(*syscall.Stat_t)
	if !ok || st.Uid == 0 {
		return nil, false, nil
	}
	c := &syscall.Credential{Uid: st.Uid, Gid: st.Gid}
	u, err := user.LookupId(strconv.Itoa(int(st.Uid)))
	if err != nil {
		return c, true, nil // a number alone, as in a container
	}
	groups, err := u.GroupIds()
	if err != nil {
		return c, true, nil
	}
	for _, g := range groups {
		if n, err := strconv.ParseUint(g, 10, 32); err == nil {
			c.Groups = append(c.Groups, uint32(n))
		}
	}
	return c, true, nil
}
