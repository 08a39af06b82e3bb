package doctor

import (
	"context"
	"os"
	"path/filepath"
)

// privateLogs finds logs that every user of this machine can read: they have the
// addresses of visitors.
func (c *Checkup) privateLogs(context.Context) []Finding {
	var all []Finding
	for _, l := range c.logs() {
		switch open, err := anybodyReads(l.path); {
		case err != nil: // logFiles says what is wrong
		case open:
			all = append(all, Poor(l.name, "%s: every user of this machine can read it, and it has visitors' addresses. Run: chmod o-rwx %s (nginx's workers enter the folder by its group: chgrp www-data)",
				l.path, filepath.Dir(l.path)))
		}
	}
	return all
}

// anybodyReads tells whether a user without any rights of his own gets at a file.
func anybodyReads(path string) (bool, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return false, err
	}
	fi, err := os.Stat(path)
	if err != nil || fi.Mode()&0o004 == 0 {
		return false, err
	}
	for dir := filepath.Dir(path); ; dir = filepath.Dir(dir) {
		fi, err := os.Stat(dir)
		if err != nil || fi.Mode()&0o001 == 0 {
			return false, err
		}
		if dir == filepath.Dir(dir) {
			return true, nil
		}
	}
}
