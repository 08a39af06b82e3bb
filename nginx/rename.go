package nginx

import (
	"errors"
	"io/fs"
	"os"
)

// renameChecked looks before it renames. Between the two another process could
// take the name; where that matters renameNoReplace does it in one step.
func renameChecked(from, to string) error {
	_, err := os.Lstat(to)
	if err == nil {
		return &os.LinkError{Op: "rename", Old: from, New: to, Err: fs.ErrExist}
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return os.Rename(from, to)
}
