package tailer

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// patience is how long a test waits for something before it fails.
const patience = 20 * time.Second

// firstWord identifies the tests' segments: their lines are "<segment> <n> ...".
func firstWord(line []byte) string {
	word, _, _ := strings.Cut(string(line), " ")
	return word
}

// reading is a consumer that keeps what it was handed and checks that it fits
// together.
type reading struct {
	*testing.T
	*Tailer
	log *logged

	image    map[string][]byte // content handed out, by segment
	handed   map[string]int    // lines handed out, those twice counted twice
	oversize map[string]int
	torn     map[string]string
	closed   map[string]int
	order    []string // segments in the order of their first block
	release  bool
}

func testOptions(path string) Options {
	return Options{
		Path: path, Identify: firstWord,
		Poll: 2 * time.Millisecond, Quiet: 80 * time.Millisecond, Rescan: 20 * time.Millisecond,
	}
}

// read opens a tailer that is closed with the test.
func read(t *testing.T, opt Options, change ...func(*Tailer)) *reading {
	t.Helper()
	r := &reading{
		T: t, log: &logged{}, release: true,
		image: map[string][]byte{}, handed: map[string]int{}, oversize: map[string]int{},
		torn: map[string]string{}, closed: map[string]int{},
	}
	opt.Logger = slog.New(slog.NewTextHandler(r.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	before := runtime.NumGoroutine()
	tl, err := Open(opt)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range change {
		c(tl)
	}
	r.Tailer = tl
	t.Cleanup(func() {
		if err := tl.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
		settle(t, before)
		if t.Failed() {
			t.Logf("log:\n%s", r.log)
		}
	})
	return r
}

// settle waits until there are no more goroutines than there were.
func settle(t *testing.T, before int) {
	t.Helper()
	end := time.Now().Add(patience)
	for runtime.NumGoroutine() > before {
		if time.Now().After(end) {
			buf := make([]byte, 64<<10)
			t.Fatalf("%d goroutines, %d before:\n%s", runtime.NumGoroutine(), before, buf[:runtime.Stack(buf, true)])
		}
		runtime.Gosched()
	}
}

// until consumes until cond holds.
func (r *reading) until(what string, cond func() bool) {
	r.Helper()
	end := time.Now().Add(patience)
	for !cond() {
		if time.Now().After(end) {
			for _, s := range r.Segments() {
				r.Logf("%+v (image %d)", s, len(r.image[s.ID]))
			}
			r.Fatalf("waited in vain until %s", what)
		}
		r.step(10 * time.Millisecond)
	}
}

// step consumes a block, if there is one before the time is up.
func (r *reading) step(d time.Duration) bool {
	r.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), d)
	defer cancel()
	b, err := r.Next(ctx)
	if errors.Is(err, context.DeadlineExceeded) {
		return false
	}
	if err != nil {
		r.Fatal(err)
	}
	r.take(b)
	return true
}

// during consumes for a while in which nothing particular is expected.
func (r *reading) during(d time.Duration) {
	r.Helper()
	end := time.Now().Add(d)
	for time.Now().Before(end) {
		r.step(time.Until(end))
	}
}

func (r *reading) take(b Block) {
	r.Helper()
	if !slices.Contains(r.order, b.Segment) {
		r.order = append(r.order, b.Segment)
	}
	img := r.image[b.Segment]
	if b.Start > int64(len(img)) {
		r.Fatalf("%s: block [%d,%d) leaves a gap after %d", b.Segment, b.Start, b.End, len(img))
	}
	switch b.Kind {
	case Lines:
		if int64(len(b.Data)) != b.End-b.Start || len(b.Data) == 0 || b.Data[len(b.Data)-1] != '\n' {
			r.Fatalf("%s: block [%d,%d) of %d bytes is not a run of lines", b.Segment, b.Start, b.End, len(b.Data))
		}
		r.handed[b.Segment] += bytes.Count(b.Data, []byte{'\n'})
		r.image[b.Segment] = append(img[:b.Start], b.Data...)
	case Oversize:
		if b.Data != nil {
			r.Fatalf("%s: an oversize line has data", b.Segment)
		}
		r.oversize[b.Segment]++
		r.image[b.Segment] = append(img[:b.Start], make([]byte, b.End-b.Start)...)
	case Torn:
		r.torn[b.Segment] = string(b.Data)
		r.image[b.Segment] = append(append(img[:b.Start], b.Data...), make([]byte, b.End-b.Start-int64(len(b.Data)))...)
	case Closed:
		if b.Start != b.End || b.End != int64(len(img)) || b.Data != nil {
			r.Fatalf("%s: closed at [%d,%d) after %d bytes", b.Segment, b.Start, b.End, len(img))
		}
		r.closed[b.Segment]++
	}
	if r.release {
		b.Release()
	}
}

// has reports whether exactly this content was handed out of a segment.
func (r *reading) has(segment, content string) func() bool {
	return func() bool { return string(r.image[segment]) == content }
}

// once checks that no line was handed out twice.
func (r *reading) once() {
	r.Helper()
	for id, img := range r.image {
		if n := bytes.Count(img, []byte{'\n'}); n != r.handed[id] {
			r.Errorf("%s: %d lines, %d handed out", id, n, r.handed[id])
		}
	}
}

func (r *reading) segment(id string) Segment {
	r.Helper()
	for _, s := range r.Segments() {
		if s.ID == id {
			return s
		}
	}
	r.Fatalf("no segment %s", id)
	return Segment{}
}

// logged keeps what was logged.
type logged struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *logged) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *logged) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

func (l *logged) count(s string) int { return strings.Count(l.String(), s) }

// lines makes n lines of a segment, the first being number from.
func lines(segment string, from, n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "%s %d %s\n", segment, from+i, strings.Repeat("x", (from+i)%200))
	}
	return b.String()
}

func logPath(t *testing.T) string { return filepath.Join(t.TempDir(), "access.log") }

func create(t testing.TB, path string) *os.File {
	t.Helper()
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := f.Close(); err != nil && !errors.Is(err, os.ErrClosed) {
			t.Error(err)
		}
	})
	return f
}

func put(t testing.TB, w io.Writer, s string) {
	t.Helper()
	if _, err := io.WriteString(w, s); err != nil {
		t.Fatal(err)
	}
}

func write(t testing.TB, path, content string) {
	t.Helper()
	must(t, os.WriteFile(path, []byte(content), 0o644))
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
