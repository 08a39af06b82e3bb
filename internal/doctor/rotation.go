package doctor

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"time"

	"ddkk-stats/internal/logs"
	"ddkk-stats/tailer"
)

// segments are the files beside a log: those that are its rotated segments, and
// those that are passed over.
func (c *Checkup) segments(ctx context.Context) []Finding {
	passed, err := logs.PassedOver(ctx, c.Cfg)
	var all []Finding
	for _, l := range c.logs() {
		all = append(all, c.siblings(l)...)
		all = append(all, passedBy(l.name, passed[l.path])...)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, tailer.ErrNotLog) {
		all = append(all, Bad("segments", "%v", err))
	}
	return all
}

// siblings are the segments that are read.
func (c *Checkup) siblings(l checkedLog) []Finding {
	in := logs.Input{Path: l.path, Format: l.format, Calls: l.calls}
	opt, err := logs.SegmentOptions(c.Cfg, in, nil)
	if err != nil {
		return []Finding{Bad(l.name, "%v", err)}
	}
	files, err := tailer.List(opt)
	if err != nil {
		return nil // told by segments and logFiles
	}
	var all []Finding
	n, oldest := 0, c.Now()
	for _, f := range files {
		if f.Live {
			continue
		}
		if n++; f.LastWrite.Before(oldest) {
			oldest = f.LastWrite
		}
	}
	if n > 0 {
		all = append(all, Fine(l.name, "%d rotated segments beside it, the oldest %s old", n, c.Now().Sub(oldest).Round(time.Minute)))
	}
	return all
}

// passedBy tells of files that are neither read nor deleted.
func passedBy(what string, passed []tailer.Passed) []Finding {
	var all []Finding
	for i, p := range passed {
		if p.Err != nil {
			all = append(all, Bad(what, "a rotated segment: %v; let the daemon's user read what logrotate makes (its directive create)", p.Err))
			continue
		}
		if p.Counted {
			all = append(all, Bad(what, "%s", p.Why))
			continue
		}
		if i == logs.MaxPassed {
			all = append(all, Poor(what, "and %d more files are neither read nor deleted", len(passed)-i))
			break
		}
		all = append(all, Poor(what, "%s is neither read nor deleted: %s", p.Name, p.Why))
	}
	return all
}

// rotation is about who rotates nginx's logs, and how. The daemon rotates the
// built-in beacon's.
func (c *Checkup) rotation(context.Context) []Finding {
	var all []Finding
	for _, log := range []string{c.Cfg.AccessLog, c.Cfg.SiteLog} {
		if log == "" {
			continue
		}
		if abs, err := filepath.Abs(log); err == nil {
			log = abs
		}
		rules, err := readLogrotate(c.Logrotate)
		if err != nil {
			return []Finding{Poor("rotation", "read logrotate's rules: %v", err)}
		}
		all = append(all, c.rotationOf(log, rules)...)
	}
	return all
}

func (c *Checkup) rotationOf(log string, rules []logrotateRule) []Finding {
	var all []Finding
	var theirs *logrotateRule
	for i := range rules {
		if r := &rules[i]; r.matches(log) {
			theirs = r
			all = append(all, c.rotatedBy(r, log)...)
		}
	}
	ours := c.Cfg.NginxPID != "" && c.Cfg.RotateCron.On()
	switch {
	case theirs != nil && ours:
		all = append(all, Poor("rotation", "both %s and the daemon (ROTATE_CRON) rotate %s; that loses nothing, but one is enough: leave NGINX_PID empty or remove the rule", theirs.file, log))
	case theirs != nil && len(all) == 0:
		all = append(all, Fine("rotation", "%s rotates %s by rename and reopen, and deletes nothing", theirs.file, log))
	case ours:
		all = append(all, Fine("rotation", "the daemon rotates %s (ROTATE_CRON=%s)", log, c.Cfg.RotateCron.Text))
	case theirs == nil:
		all = append(all, Poor("rotation", "nobody seems to rotate %s, so it grows without bound: set NGINX_PID, or install the rule in deploy/logrotate", log))
	}
	return all
}

// rotatedBy is what is wrong with a rule for a log.
func (c *Checkup) rotatedBy(r *logrotateRule, log string) []Finding {
	var all []Finding
	if r.copyTruncate {
		all = append(all, Bad("rotation", "%s has copytruncate for %s: what nginx writes between the copy and the cut is lost; use the rule in deploy/logrotate", r.file, log))
	} else if !r.postrotate {
		all = append(all, Bad("rotation", "%s renames %s and tells nobody: nginx goes on writing into the renamed file; send USR1 in postrotate, as the rule in deploy/logrotate does", r.file, log))
	}
	if r.oldDir {
		all = append(all, Bad("rotation", "%s has olddir for %s: what was not read before the rotation is not found there; leave the segments beside the log", r.file, log))
	}
	if when := r.deletes(); when != "" {
		keep := "LOG_RETENTION=" + c.Cfg.LogRetention.String()
		if c.Cfg.LogRetention == 0 {
			keep = "LOG_RETENTION=0, so it keeps all"
		}
		all = append(all, Poor("rotation", "%s deletes the segments of %s %s, archived or not: an outage of Redis or the archive that is longer loses their lines. "+
			"Write `rotate -1` and no maxage, as the rule in deploy/logrotate does; the daemon deletes what is archived (%s)", r.file, log, when, keep))
	}
	return all
}

// deletes tells when a rule deletes rotated files; empty: never.
func (r *logrotateRule) deletes() string {
	switch {
	case r.rotate == 0:
		return "at once (rotate 0, or no rotate at all)"
	case r.maxAge > 0:
		return fmt.Sprintf("after %d days (maxage)", r.maxAge)
	case r.rotate > 0:
		return fmt.Sprintf("after %d rotations (rotate %d)", r.rotate, r.rotate)
	}
	return ""
}
