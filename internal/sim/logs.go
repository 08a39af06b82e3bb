package sim

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"time"

	"github.com/klauspost/compress/gzip"
)

// logFile is a log as its writers see it: the live file, and rotated ones whose
// descriptor a worker may still hold.
type logFile struct {
	w       *world
	host    *host
	path    string
	calls   bool // it is a site's own
	live    *writer
	rotated []*writer // the youngest first: path.1, path.2 and so on
}

// writer is one file that is written.
type writer struct {
	name   string
	f      *os.File
	half   *hit // whose line is begun
	rest   string
	gz     bool
	closed bool // nobody has it open any more
}

func (l *logFile) open() error {
	if l.live != nil {
		return nil
	}
	f, err := os.OpenFile(l.path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o640)
	if err != nil {
		return err
	}
	l.live = &writer{name: l.path, f: f}
	return l.touch(l.live)
}

// touch gives a file the time of the bubble, in which the program looks at it.
func (l *logFile) touch(o *writer) error {
	now := l.host.now()
	return os.Chtimes(o.name, now, now)
}

// remembered is how long a view is asked for again: longer than lines come late, and
// shorter than its id is remembered.
const remembered = 26 * time.Hour

// random makes requests for the log.
func (l *logFile) random(rng *rand.Rand, n, pages int) []hit {
	var all []hit
	now := l.host.now()
	for len(l.w.known) > 0 && now.Sub(l.w.known[0].at) > remembered {
		l.w.known = l.w.known[1:]
	}
	for range n {
		switch known := l.w.known; {
		case l.calls:
			all = append(all, randomCall(rng, now))
		case len(known) > 0 && rng.IntN(6) == 0:
			all = append(all, known[rng.IntN(len(known))].again())
		default:
			h := randomHit(rng, now, pages)
			all = append(all, l.w.seen(&h, now))
		}
	}
	return all
}

// seen notes a request that may be a duplicate's first. With DEDUPE_WINDOW it is the view
// that the same address had of the page before: which of two counts must not matter.
func (w *world) seen(h *hit, now time.Time) hit {
	if h.skipped {
		return *h
	}
	if w.sch.Window > 0 && h.event == nil {
		k := fmt.Sprint(h.site, h.page, h.ip, now.Sub(h.at) > w.window(""))
		if before := w.views[k]; before != nil {
			return before.again()
		}
		w.views[k] = h
	}
	if h.id != "" {
		w.known = append(w.known, h)
	}
	return *h
}

// write appends requests to a file. A line that is begun there is ended first, or
// left for good, with the next one right behind it.
func (l *logFile) write(o *writer, hits []hit, glue bool) error {
	var b bytes.Buffer
	var whole []hit
	if o.half != nil {
		if !glue {
			b.WriteString(o.rest + "\n")
			whole = append(whole, *o.half)
		} else if len(hits) > 0 {
			b.WriteString(hits[0].line(l.w.number()) + "\n") // two in one: neither counts
			hits = hits[1:]
		}
		if b.Len() > 0 {
			o.half = nil
		}
	}
	for i := range hits {
		b.WriteString(hits[i].line(l.w.number()) + "\n")
		whole = append(whole, hits[i])
	}
	if _, err := o.f.Write(b.Bytes()); err != nil {
		return err
	}
	for _, h := range whole {
		l.w.ledger.add(h)
	}
	return l.touch(o)
}

// begin writes the first part of a line.
func (l *logFile) begin(o *writer, h hit, share int) error {
	if o.half != nil {
		return nil
	}
	line := h.line(l.w.number())
	at := 1 + share%(len(line)-1)
	o.half, o.rest = &h, line[at:]
	if _, err := o.f.WriteString(line[:at]); err != nil {
		return err
	}
	return l.touch(o)
}

// rotate renames the live log away, as logrotate does: each older one moves up.
func (l *logFile) rotate() (bool, error) {
	if l.live == nil {
		return false, nil
	}
	if fi, err := l.live.f.Stat(); err != nil || fi.Size() == 0 {
		return false, err
	}
	for i := len(l.rotated) - 1; i >= 0; i-- {
		o := l.rotated[i]
		name := fmt.Sprintf("%s.%d", l.path, i+2)
		if o.gz {
			name += ".gz"
		}
		if err := os.Rename(o.name, name); err != nil && !errors.Is(err, os.ErrNotExist) {
			return false, err
		}
		o.name = name
	}
	o := l.live
	if err := os.Rename(o.name, l.path+".1"); err != nil {
		return false, err
	}
	o.name = l.path + ".1"
	l.rotated = append([]*writer{o}, l.rotated...)
	l.live = nil
	return true, nil
}

// compress makes a rotated file a compressed one; nobody writes it after that.
func (l *logFile) compress(i int) (bool, error) {
	if len(l.rotated) == 0 {
		return false, nil
	}
	o := l.rotated[i%len(l.rotated)]
	if o.gz {
		return false, nil
	}
	data, err := os.ReadFile(o.name)
	if errors.Is(err, os.ErrNotExist) {
		return false, nil // it was archived and deleted
	}
	if err != nil {
		return false, err
	}
	fi, err := os.Stat(o.name)
	if err != nil {
		return false, err
	}
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if _, err := z.Write(data); err != nil {
		return false, err
	}
	if err := z.Close(); err != nil {
		return false, err
	}
	if err := os.WriteFile(o.name+".gz", b.Bytes(), 0o640); err != nil {
		return false, err
	}
	if err := os.Chtimes(o.name+".gz", fi.ModTime(), fi.ModTime()); err != nil {
		return false, err
	}
	if err := os.Remove(o.name); err != nil {
		return false, err
	}
	o.name, o.gz = o.name+".gz", true
	return true, o.close()
}

func (o *writer) close() error {
	if o.closed {
		return nil
	}
	o.closed = true
	return o.f.Close()
}

func (l *logFile) close() error {
	var errs []error
	if l.live != nil {
		errs = append(errs, l.live.close())
	}
	for _, o := range l.rotated {
		errs = append(errs, o.close())
	}
	return errors.Join(errs...)
}

// late is a rotated file that somebody still writes, if there is one.
func (l *logFile) late(i int) *writer {
	var all []*writer
	for _, o := range l.rotated {
		if !o.gz && !o.closed {
			if _, err := os.Stat(o.name); err == nil {
				all = append(all, o)
			}
		}
	}
	if len(all) == 0 {
		return nil
	}
	return all[i%len(all)]
}

func (l *logFile) String() string {
	if l.calls {
		return "site log of " + strings.TrimPrefix(l.path, l.w.dir+"/")
	}
	return "log of " + strings.TrimPrefix(l.path, l.w.dir+"/")
}
