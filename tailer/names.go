package tailer

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// What a rotation puts behind a log's name (or between its name and its
// extension): a number, or a date with whatever dateformat or our own rotation
// add to it.
//
//	event.log.1                      logrotate, savelog
//	event.log.20261128T000000Z-1     our own
//	event.log-20261128               dateext
//	event.log.20261128-1795737600    dateformat .%Y%m%d-%s
//	event.log-2026-11-28_06:00       dateformat -%Y-%m-%d_%H:%M
//	event.log.1795737600             rotatelogs
//	event-20261128.log, event.1.log  dateext and numbers before an extension
const (
	year  = `(?:19|20)\d\d`
	month = `(?:0[1-9]|1[0-2])`
	dayOf = `(?:0[1-9]|[12]\d|3[01])`
	gap   = `[-._]?`
	dates = year + gap + month + gap + dayOf + `|` + dayOf + gap + month + gap + year
	spans = year + gap + month + `|` + year + gap + `W[0-5]\d|` + year
	hours = `(?:[-._T]{0,2}(?:[01]\d|2[0-3])(?:[-:._]?[0-5]\d(?:[-:._]?[0-5]\d(?:[.,]\d{1,9})?)?)?)?(?:Z|[+-]\d\d:?\d\d)?`
)

var (
	stamp = regexp.MustCompile(`^(?:\.\d{1,4}|[-._]{1,2}(?:(?:` + dates + `)` + hours + `(?:[-._]\d{1,10})?|` + spans + `|\d{10}|\d{13}))$`)
	// replaced is what logrotate appends to a compressed file that is in its way.
	replaced = regexp.MustCompile(`-` + year + month + dayOf + `(?:[01]\d|2[0-3])\.backup$`)
)

// compressions are the endings that a compressor appends. Whether a file is
// compressed, and how, its content tells.
var compressions = []string{".gz", ".bz2", ".xz", ".zst", ".lz4", ".lzo", ".lzma", ".Z", ".zip", ".7z", ".br"}

// isRotation reports whether a rotation of the log called base made this name.
func isRotation(base, name string) bool {
	if at := replaced.FindStringIndex(name); at != nil {
		name = name[:at[0]]
	}
	for _, c := range compressions {
		if rest, ok := strings.CutSuffix(name, c); ok {
			name = rest
			break
		}
	}
	if rest, ok := strings.CutPrefix(name, base); ok && stamp.MatchString(rest) {
		return true
	}
	ext := filepath.Ext(base)
	if ext == "" || ext == base {
		return false
	}
	rest, ok := strings.CutPrefix(name, strings.TrimSuffix(base, ext))
	if !ok {
		return false
	}
	rest, ok = strings.CutSuffix(rest, ext)
	return ok && stamp.MatchString(rest)
}

// unfinished are endings of files that somebody is still making: no pattern
// means them.
var unfinished = []string{"~", ".tmp", ".temp", ".part", ".partial", ".swp", ".swo", ".swx", ".lock", ".lck", ".pid"}

func hasSuffix(name string, endings []string) bool {
	return slices.ContainsFunc(endings, func(e string) bool { return strings.HasSuffix(name, e) })
}

// pattern names segments that are called otherwise: a folder and a glob.
type pattern struct{ dir, glob string }

// errPattern is about Options.Segments.
var errPattern = errors.New("a pattern is a path whose last element alone may have *, ? and [...]")

func parsePatterns(texts []string, home string) ([]pattern, error) {
	var all []pattern
	for _, text := range texts {
		p := pattern{dir: filepath.Dir(text), glob: filepath.Base(text)}
		if !filepath.IsAbs(text) {
			p.dir = filepath.Join(home, p.dir)
		}
		if _, err := filepath.Match(p.glob, ""); err != nil || strings.ContainsAny(p.dir, `*?[\`) {
			return nil, fmt.Errorf("%q: %w", text, errPattern)
		}
		all = append(all, p)
	}
	return all, nil
}

// folder knows which names beside the log are its segments'.
type folder struct {
	opt      *Options
	dir      string // the live log's
	base     string // its name
	patterns []pattern
}

// belongs reports whether a name in dir is one of the log's.
func (d *folder) belongs(dir, name string) bool {
	path := filepath.Join(dir, name)
	if path == d.opt.Path {
		return true
	}
	if slices.Contains(d.opt.Except, path) || hasSuffix(name, unfinished) {
		return false
	}
	if dir == d.dir && isRotation(d.base, name) {
		return true
	}
	return slices.ContainsFunc(d.patterns, func(p pattern) bool {
		ok, err := filepath.Match(p.glob, name)
		return p.dir == dir && ok && err == nil
	})
}

// folders are those in which segments lie, the log's own first.
func (d *folder) folders() []string {
	all := []string{d.dir}
	for _, p := range d.patterns {
		if !slices.Contains(all, p.dir) {
			all = append(all, p.dir)
		}
	}
	return all
}

// list returns the paths of what may be segments, sorted; with an error, those
// that are known all the same.
func (d *folder) list() ([]string, error) {
	var names []string
	var errs []error
	for _, dir := range d.folders() {
		entries, err := d.opt.disk.Names(dir)
		if errors.Is(err, fs.ErrNotExist) && dir != d.dir {
			continue // nothing was put there yet
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("list the log's folder: %w", err))
			continue
		}
		for _, e := range entries {
			if d.belongs(dir, e) {
				names = append(names, filepath.Join(dir, e))
			}
		}
	}
	slices.Sort(names)
	return names, errors.Join(errs...)
}

// Passed is a file beside a log that is none of its segments, although its name
// begins like the log's or a rotation may have made it.
type Passed struct {
	Name, Why string
	Err       error // it is a segment that could not be read; nil: it is none
	Counted   bool  // it holds lines that were counted from another file
}

// similar returns the files in the log's folder whose names begin like the
// log's without being a rotation's.
func (d *folder) similar() ([]Passed, error) {
	entries, err := d.opt.disk.Names(d.dir)
	if err != nil {
		return nil, fmt.Errorf("list the log's folder: %w", err)
	}
	stem, _, _ := strings.Cut(d.base, ".")
	if stem == "" {
		stem = d.base
	}
	var all []Passed
	for _, e := range entries {
		path := filepath.Join(d.dir, e)
		if !strings.HasPrefix(e, stem) || d.belongs(d.dir, e) || slices.Contains(d.opt.Except, path) {
			continue
		}
		if fi, err := d.opt.disk.Stat(path); err != nil || !fi.Mode().IsRegular() {
			if err != nil && !errors.Is(err, fs.ErrNotExist) {
				all = append(all, Passed{Name: path, Why: err.Error(), Err: err})
			}
			continue
		}
		all = append(all, Passed{Name: path, Why: "no rotation gives this name, and LOG_SEGMENTS does not name it"})
	}
	return all, nil
}
