package doctor

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"ddkk-stats/parser"
	"ddkk-stats/tailer"
)

// dataDir must be ours to write.
func (c *Checkup) dataDir(context.Context) []Finding {
	dir, missing := c.Cfg.DataDir, false
	for {
		fi, err := os.Stat(dir)
		if err == nil && !fi.IsDir() {
			return []Finding{Bad("DATA_DIR", "%s is not a folder; choose another DATA_DIR", dir)}
		}
		if err == nil {
			break
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return []Finding{Bad("DATA_DIR", "%v; run check as the daemon's user, or let that user in", err)}
		}
		up := filepath.Dir(filepath.Clean(dir))
		if up == dir {
			return []Finding{Bad("DATA_DIR", "%s is missing", dir)}
		}
		dir, missing = up, true
	}
	if err := tryWrite(dir); err != nil {
		return []Finding{Bad("DATA_DIR", "%v; give the folder to the daemon's user (chown), or choose another DATA_DIR", err)}
	}
	if missing {
		return []Finding{Fine("DATA_DIR", "%s will be made at the first start", c.Cfg.DataDir)}
	}
	return append([]Finding{Fine("DATA_DIR", "%s is writable", dir)}, c.disk("DATA_DIR", dir)...)
}

// tryWrite makes a file in dir and removes it.
func tryWrite(dir string) error {
	f, err := os.CreateTemp(dir, ".check-*.tmp")
	if err != nil {
		return err
	}
	return errors.Join(f.Close(), os.Remove(f.Name()))
}

// Free space below which the disk is called full: a full disk loses views, as
// nginx cannot write them.
const (
	littleSpace = 1 << 30
	noSpace     = 64 << 20
)

// disk is about the file system under path.
func (c *Checkup) disk(what, path string) []Finding {
	d, err := diskOf(path)
	if err != nil {
		return []Finding{Poor(what, "ask for the disk of %s: %v", path, err)}
	}
	var all []Finding
	if d.remote != "" {
		all = append(all, Bad(what, "%s is on %s: appending is not atomic there and lines can be damaged; use a local disk", path, d.remote))
	}
	switch {
	case d.free == 0 && d.unknown:
	case d.free < noSpace:
		all = append(all, Bad(what, "%d MiB are free on the disk of %s: what nginx cannot write is lost; make room", d.free>>20, path))
	case d.free < littleSpace:
		all = append(all, Poor(what, "%d MiB are free on the disk of %s; on a full one nginx cannot write and views are lost", d.free>>20, path))
	}
	return all
}

// diskInfo is what is known of a file system.
type diskInfo struct {
	remote  string // name of a network file system; empty: local, as far as can be told
	free    uint64 // bytes for this user
	unknown bool
}

// checkedLog is a log that the daemon counts or will count.
type checkedLog struct {
	name   string // what it is called in the report
	path   string
	format parser.Format
	calls  bool // the site's own: its lines are API calls
	ours   bool // the built-in beacon's: made by the daemon itself
}

// formatSetting is the setting that tells the log's format.
func (l *checkedLog) formatSetting() string {
	if l.calls {
		return "SITE_LOG_FORMAT"
	}
	return "LOG_FORMAT"
}

func (c *Checkup) logs() []checkedLog {
	all := []checkedLog{{name: "beacon log", path: c.Cfg.BeaconLog(), format: parser.FormatV1, ours: true}}
	if c.Cfg.SiteLog != "" {
		all = append([]checkedLog{{name: "SITE_LOG", path: c.Cfg.SiteLog, format: c.Cfg.SiteLogFormat, calls: true}}, all...)
	}
	if c.Cfg.AccessLog != "" {
		all = append([]checkedLog{{name: "ACCESS_LOG", path: c.Cfg.AccessLog, format: c.Cfg.LogFormat}}, all...)
	}
	return all
}

// logFiles are there and can be read.
func (c *Checkup) logFiles(context.Context) []Finding {
	var all []Finding
	if c.sameLog() {
		all = append(all, Bad("ACCESS_LOG", "is the file into which the built-in beacon writes; have nginx write another one"))
	}
	for _, l := range c.logs() {
		all = append(all, c.logFile(l)...)
	}
	return all
}

// sameLog tells whether nginx's log and the built-in beacon's are one file.
func (c *Checkup) sameLog() bool {
	if c.Cfg.AccessLog == "" {
		return false
	}
	theirs, errTheirs := filepath.Abs(c.Cfg.AccessLog)
	ours, errOurs := filepath.Abs(c.Cfg.BeaconLog())
	if errTheirs == nil && errOurs == nil && theirs == ours {
		return true
	}
	a, errA := os.Stat(c.Cfg.AccessLog)
	b, errB := os.Stat(c.Cfg.BeaconLog())
	return errA == nil && errB == nil && os.SameFile(a, b)
}

func (c *Checkup) logFile(l checkedLog) []Finding {
	fi, err := os.Stat(l.path)
	switch {
	case errors.Is(err, fs.ErrNotExist) && l.ours:
		return nil // nothing came in yet
	case errors.Is(err, fs.ErrNotExist):
		return []Finding{missingLog(l)}
	case err != nil:
		return []Finding{Bad(l.name, "%v; the daemon's user must be able to enter every folder above it", err)}
	case !fi.Mode().IsRegular():
		return []Finding{Bad(l.name, "%s is not a file but %s; container images often link the log to /dev/stdout: name another file in access_log", l.path, tailer.KindOf(fi.Mode()))}
	}
	f, err := os.Open(l.path)
	if err != nil {
		return []Finding{Bad(l.name, "%v; let the daemon's user read it, for example by its group (Debian's nginx logs: adm)", err)}
	}
	if err := f.Close(); err != nil {
		return []Finding{Bad(l.name, "%v", err)}
	}
	dir := filepath.Dir(l.path)
	if _, err := os.ReadDir(dir); err != nil {
		return []Finding{Bad(l.name, "%v; the daemon must list the folder to find rotated segments: chmod g+rx it for the daemon's group", err)}
	}
	all := []Finding{Fine(l.name, "%s is readable, %d bytes", l.path, fi.Size())}
	if l.ours {
		return all // DATA_DIR's disk was looked at
	}
	return append(all, c.disk(l.name, l.path)...)
}

func missingLog(l checkedLog) Finding {
	if _, err := os.Stat(filepath.Dir(l.path)); err != nil {
		return Bad(l.name, "its folder is not there: %v; make it, as a folder that nginx's workers may enter and write", err)
	}
	return Poor(l.name, "%s is not there; nginx makes it when it starts. Is it the path in nginx's access_log? `nginx -T | grep access_log` tells", l.path)
}
