package e2e

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"
)

// WriterOptions say how much like nginx at its worst a Writer behaves.
type WriterOptions struct {
	Workers int // descriptors that write side by side; 0: 1
	// Late is how long after a rotation the last worker still writes to the
	// renamed file; the others change one after the other before that.
	Late time.Duration
	// Halves writes every line in two parts, so that a reader sees half lines.
	Halves bool
	// Now is the clock of Late; nil: time.Now.
	Now func() time.Time
}

// Writer writes v1 lines as nginx's workers do: each with a descriptor of its
// own opened with O_APPEND, one write(2) a line. After a rotation each worker
// changes to the new file in its own time. It is used by many goroutines, each
// with a worker of its own.
type Writer struct {
	t      testing.TB
	path   string
	ledger *Ledger
	opts   WriterOptions

	// halves is held while a line is written in two parts: no other worker
	// may come between, which the kernel's O_APPEND cannot promise for two.
	halves  sync.RWMutex
	workers []*logWorker
}

// logWorker is one of nginx's workers.
type logWorker struct {
	mu     sync.Mutex
	file   *os.File
	reopen bool // a rotation has happened that it does not know of
	at     time.Time
}

// NewWriter opens the log at path, made if it is missing. What is written is
// recorded in ledger.
func NewWriter(t testing.TB, path string, ledger *Ledger, opts WriterOptions) *Writer {
	t.Helper()
	if opts.Now == nil {
		opts.Now = time.Now
	}
	w := &Writer{t: t, path: path, ledger: ledger, opts: opts}
	for range max(1, opts.Workers) {
		file, err := openLog(path)
		if err != nil {
			t.Fatalf("open the log: %v", err)
		}
		w.workers = append(w.workers, &logWorker{file: file})
	}
	t.Cleanup(func() {
		for _, worker := range w.workers {
			if err := worker.file.Close(); err != nil {
				t.Errorf("close the log: %v", err)
			}
		}
	})
	return w
}

func openLog(path string) (*os.File, error) {
	return os.OpenFile(path, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o644)
}

// Write writes a beacon that nginx answered with 200 and records it. A zero
// time is now.
func (w *Writer) Write(worker int, r Request) {
	w.t.Helper()
	if r.Time.IsZero() {
		r.Time = time.Now()
	}
	w.Raw(worker, Line(r)+"\n")
	w.ledger.Record(r.Beacon)
}

// Raw writes bytes as they are, with one write(2) or, with Halves, two. They
// are not recorded: it is the way to write what must not count.
func (w *Writer) Raw(worker int, text string) {
	w.t.Helper()
	if err := w.write(w.workers[worker], text); err != nil {
		w.t.Errorf("write the log: %v", err)
	}
}

func (w *Writer) write(worker *logWorker, text string) error {
	worker.mu.Lock()
	defer worker.mu.Unlock()
	if worker.reopen && !w.opts.Now().Before(worker.at) {
		if err := w.change(worker); err != nil {
			return err
		}
	}
	if !w.opts.Halves {
		w.halves.RLock()
		defer w.halves.RUnlock()
		_, err := worker.file.WriteString(text)
		return err
	}
	w.halves.Lock()
	defer w.halves.Unlock()
	half := len(text) / 2
	_, first := worker.file.WriteString(text[:half])
	_, second := worker.file.WriteString(text[half:])
	return errors.Join(first, second)
}

// Torn begins a line and never ends it, as a worker that dies or a full disk
// does. Only the last thing in a segment may be torn; otherwise the next line
// is glued to it and both are lost.
func (w *Writer) Torn(worker int, r Request) {
	w.t.Helper()
	line := Line(r)
	w.Raw(worker, line[:len(line)/2])
}

// Rotate renames the log and makes a new one, as nginx's master does at USR1.
// Workers change to it in their own time: see WriterOptions.Late.
func (w *Writer) Rotate(renamed string) {
	w.t.Helper()
	if err := os.Rename(w.path, renamed); err != nil {
		w.t.Fatalf("rotate: %v", err)
	}
	file, err := openLog(w.path)
	if err != nil {
		w.t.Fatalf("rotate: %v", err)
	}
	if err := file.Close(); err != nil {
		w.t.Fatalf("rotate: %v", err)
	}
	now := w.opts.Now()
	for i, worker := range w.workers {
		worker.mu.Lock()
		worker.reopen = true
		worker.at = now.Add(w.opts.Late * time.Duration(i+1) / time.Duration(len(w.workers)))
		worker.mu.Unlock()
	}
}

// Settle makes all workers change to the current file now.
func (w *Writer) Settle() {
	w.t.Helper()
	for _, worker := range w.workers {
		worker.mu.Lock()
		if worker.reopen {
			if err := w.change(worker); err != nil {
				w.t.Errorf("settle: %v", err)
			}
		}
		worker.mu.Unlock()
	}
}

// change needs the worker's mu.
func (w *Writer) change(worker *logWorker) error {
	file, err := openLog(w.path)
	if err != nil {
		return err
	}
	old := worker.file
	worker.file, worker.reopen = file, false
	return old.Close()
}

// Line is the v1 line of a request that nginx answered with 200, without the
// newline.
func Line(r Request) string {
	ms := r.Time.UnixMilli()
	return strings.Join([]string{
		"v1", fmt.Sprintf("%d.%03d", ms/1000, ms%1000), requestID(), field(r.IP), "count.example.net", "GET", "200",
		field(r.URI), field(r.Referer), field(r.UA), "-", "-", "-", "0.000", "43", "end",
	}, "\t")
}

// requestID is 32 random hex digits, as nginx's $request_id.
func requestID() string {
	var id [16]byte
	rand.Read(id[:]) // never fails (Go 1.24)
	return hex.EncodeToString(id[:])
}

// field is nginx's default escaping of a log variable, "-" when it is missing.
func field(s string) string {
	if s == "" {
		return "-"
	}
	var b strings.Builder
	for i := range len(s) {
		if c := s[i]; c < 0x20 || c == '"' || c == '\\' || c >= 0x7f {
			fmt.Fprintf(&b, `\x%02X`, c)
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}
