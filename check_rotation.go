package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// unreadable are endings of compressed segments that the tailer cannot read.
var unreadable = []string{".bz2", ".xz", ".zst", ".lz4", ".zip", ".7z", ".br", ".Z"}

// segments are the rotated files beside a log.
func (c *checkup) segments(context.Context) []finding {
	var all []finding
	for _, l := range c.logs() {
		all = append(all, c.siblings(l)...)
	}
	return all
}

func (c *checkup) siblings(l checkedLog) []finding {
	entries, err := os.ReadDir(filepath.Dir(l.path))
	if err != nil {
		return nil // told by logFiles
	}
	var all []finding
	n, oldest := 0, c.now()
	for _, e := range entries {
		rest, ok := strings.CutPrefix(e.Name(), filepath.Base(l.path))
		if !ok || len(rest) < 2 || rest[0] != '.' && rest[0] != '-' || !e.Type().IsRegular() {
			continue
		}
		path := filepath.Join(filepath.Dir(l.path), e.Name())
		switch f := c.sibling(l, path); {
		case f != nil:
			all = append(all, *f)
		default:
			n++
			if fi, err := e.Info(); err == nil && fi.ModTime().Before(oldest) {
				oldest = fi.ModTime()
			}
		}
	}
	if n > 0 {
		all = append(all, fine(l.name, "%d rotated segments beside it, the oldest %s old", n, c.now().Sub(oldest).Round(time.Minute)))
	}
	return all
}

// sibling is nil for a segment that can be read.
func (c *checkup) sibling(l checkedLog, path string) *finding {
	if slices.Contains(unreadable, filepath.Ext(path)) {
		f := poor(l.name, "%s cannot be read in this compression, so what was not counted before is missing; use gzip with delaycompress", path)
		return &f
	}
	file, err := os.Open(path)
	if err == nil {
		err = file.Close()
	}
	if err != nil {
		f := bad(l.name, "a rotated segment: %v; let the daemon's user read what logrotate makes (its directive create)", err)
		return &f
	}
	return nil
}

// rotation is about who rotates nginx's logs, and how. The daemon rotates the
// built-in beacon's.
func (c *checkup) rotation(context.Context) []finding {
	var all []finding
	for _, log := range []string{c.cfg.AccessLog, c.cfg.SiteLog} {
		if log == "" {
			continue
		}
		if abs, err := filepath.Abs(log); err == nil {
			log = abs
		}
		rules, err := readLogrotate(c.logrotate)
		if err != nil {
			return []finding{poor("rotation", "read logrotate's rules: %v", err)}
		}
		all = append(all, c.rotationOf(log, rules)...)
	}
	return all
}

func (c *checkup) rotationOf(log string, rules []logrotateRule) []finding {
	var all []finding
	var theirs *logrotateRule
	for i := range rules {
		if r := &rules[i]; r.matches(log) {
			theirs = r
			all = append(all, c.rotatedBy(r, log)...)
		}
	}
	ours := c.cfg.NginxPID != "" && c.cfg.RotateCron.On()
	switch {
	case theirs != nil && ours:
		all = append(all, poor("rotation", "both %s and the daemon (ROTATE_CRON) rotate %s; that loses nothing, but one is enough: leave NGINX_PID empty or remove the rule", theirs.file, log))
	case theirs != nil && len(all) == 0:
		all = append(all, fine("rotation", "%s rotates %s by rename and reopen, and deletes nothing", theirs.file, log))
	case ours:
		all = append(all, fine("rotation", "the daemon rotates %s (ROTATE_CRON=%s)", log, c.cfg.RotateCron.Text))
	case theirs == nil:
		all = append(all, poor("rotation", "nobody seems to rotate %s, so it grows without bound: set NGINX_PID, or install the rule in deploy/logrotate", log))
	}
	return all
}

// rotatedBy is what is wrong with a rule for a log.
func (c *checkup) rotatedBy(r *logrotateRule, log string) []finding {
	var all []finding
	if r.copyTruncate {
		all = append(all, bad("rotation", "%s has copytruncate for %s: what nginx writes between the copy and the cut is lost; use the rule in deploy/logrotate", r.file, log))
	} else if !r.postrotate {
		all = append(all, bad("rotation", "%s renames %s and tells nobody: nginx goes on writing into the renamed file; send USR1 in postrotate, as the rule in deploy/logrotate does", r.file, log))
	}
	if r.oldDir {
		all = append(all, bad("rotation", "%s has olddir for %s: what was not read before the rotation is not found there; leave the segments beside the log", r.file, log))
	}
	if when := r.deletes(); when != "" {
		keep := "LOG_RETENTION=" + c.cfg.LogRetention.String()
		if c.cfg.LogRetention == 0 {
			keep = "LOG_RETENTION=0, so it keeps all"
		}
		all = append(all, poor("rotation", "%s deletes the segments of %s %s, archived or not: an outage of Redis or the archive that is longer loses their lines. "+
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
