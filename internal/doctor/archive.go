package doctor

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
func (c *Checkup) archive(ctx context.Context) []Finding {
	ctx, cancel := context.WithTimeout(ctx, archiveTimeout)
	defer cancel()
	if c.Cfg.MySQLDSN == "" {
		return c.sqlite(ctx, filepath.Join(c.Cfg.DataDir, "archive.db"))
	}
	look, err := archive.Probe(ctx, string(c.Cfg.MySQLDSN), c.Cfg.MySQLTLS, "")
	if err != nil {
		return []Finding{Bad("MYSQL_DSN", "cannot use the archive: %v; start MySQL, or mend MYSQL_DSN. Meanwhile nothing is archived, and an empty Redis is not filled", err)}
	}
	all := []Finding{Fine("MYSQL_DSN", "MySQL answers")}
	if off := look.Now.Sub(c.Now()); off.Abs() > clockDiffers {
		all = append(all, Bad("clock", "MySQL's clock differs from this machine's by %v; set the wrong one right (timedatectl, chronyc)", off.Round(time.Second)))
	}
	return append(all, trouble(look)...)
}

func (c *Checkup) sqlite(ctx context.Context, path string) []Finding {
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return []Finding{Fine("archive", "%s is made at the first start", path)}
	}
	look, err := archive.Probe(ctx, "", nil, path)
	if err != nil {
		return []Finding{Bad("archive", "cannot read %s: %v; give it to the daemon's user, or put a backup in its place while the daemon is stopped", path, err)}
	}
	return append([]Finding{Fine("archive", "%s can be read", path)}, trouble(look)...)
}

func trouble(look archive.Look) []Finding {
	if look.Trouble == "" {
		return nil
	}
	return []Finding{Bad("clock", "the last archive cycle found: %s", look.Trouble)}
}
