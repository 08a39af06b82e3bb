package doctor

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// maxForeign is how many files of others are named.
const maxForeign = 3

// owners looks for files in DATA_DIR that belong to somebody else than the
// folder: those that root made when a command was run as root.
func (c *Checkup) owners(ctx context.Context) []Finding {
	fi, err := os.Stat(c.Cfg.DataDir)
	if err != nil {
		return nil // dataDir says so
	}
	of, ok := fi.Sys().(*syscall.Stat_t)
	if !ok {
		return nil
	}
	var foreign []string
	err = filepath.WalkDir(c.Cfg.DataDir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		fi, err := d.Info()
		if errors.Is(err, fs.ErrNotExist) {
			return nil // it was there a moment ago
		}
		if err != nil {
			return err
		}
		if st, ok := fi.Sys().(*syscall.Stat_t); ok && st.Uid != of.Uid {
			foreign = append(foreign, path)
		}
		return nil
	})
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil // something went away while we looked; the next look will tell
	case err != nil:
		return []Finding{Bad("DATA_DIR", "%v; run check as the daemon's user", err)}
	case len(foreign) > 0:
		more := ""
		if n := len(foreign) - maxForeign; n > 0 {
			more = fmt.Sprintf(" and %d more", n)
		}
		return []Finding{Bad("DATA_DIR", "%s%s belong to another user than the folder, and the daemon may not be able to use them: chown -R %d:%d %s",
			strings.Join(foreign[:min(len(foreign), maxForeign)], ", "), more, of.Uid, of.Gid, c.Cfg.DataDir)}
	}
	return nil
}
