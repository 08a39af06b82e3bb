package daemon

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
)

// lockFolder makes sure that one daemon at a time uses a DATA_DIR. The lock
// goes when the process goes, however it ends.
func lockFolder(dir string) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_CREATE|os.O_RDWR, 0o640)
	if err != nil {
		return nil, fmt.Errorf("lock DATA_DIR: %w; does it, and all in it, belong to this user (%d)?", err, os.Geteuid())
	}
	err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		err = fmt.Errorf("another daemon uses %s; stop it or choose another DATA_DIR", dir)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("lock DATA_DIR: %w", err), f.Close())
	}
	return f, nil
}
