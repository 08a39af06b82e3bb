package main

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"ddkk-stats/archive"
)

// archiveTimeout bounds the questions to SQL.
const archiveTimeout = 10 * time.Second

// clockDiffers is from when on a clock is said to be wrong.
const clockDiffers = time.Minute

// archive is about SQL: whether it can be used, and whether its clock is ours.
func (c *checkup) archive(ctx context.Context) []finding {
	ctx, cancel := context.WithTimeout(ctx, archiveTimeout)
	defer cancel()
	if c.cfg.MySQLDSN == "" {
		return c.sqlite(ctx, filepath.Join(c.cfg.DataDir, "archive.db"))
	}
	look, err := archive.Probe(ctx, string(c.cfg.MySQLDSN), "")
	if err != nil {
		return []finding{bad("MYSQL_DSN", "cannot use the archive: %v; start MySQL, or mend MYSQL_DSN. Meanwhile nothing is archived, and an empty Redis is not filled", err)}
	}
	all := []finding{fine("MYSQL_DSN", "MySQL answers")}
	if off := look.Now.Sub(c.now()); off.Abs() > clockDiffers {
		all = append(all, bad("clock", "MySQL's clock differs from this machine's by %v; set the wrong one right (timedatectl, chronyc)", off.Round(time.Second)))
	}
	return append(all, trouble(look)...)
}

func (c *checkup) sqlite(ctx context.Context, path string) []finding {
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return []finding{fine("archive", "%s is made at the first start", path)}
	}
	look, err := archive.Probe(ctx, "", path)
	if err != nil {
		return []finding{bad("archive", "cannot read %s: %v; give it to the daemon's user, or put a backup in its place while the daemon is stopped", path, err)}
	}
	return append([]finding{fine("archive", "%s can be read", path)}, trouble(look)...)
}

func trouble(look archive.Look) []finding {
	if look.Trouble == "" {
		return nil
	}
	return []finding{bad("clock", "the last archive cycle found: %s", look.Trouble)}
}
