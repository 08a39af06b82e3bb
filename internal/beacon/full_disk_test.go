package beacon

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"ddkk-stats/parser"
)

// smallDisk is a file on a disk with room for a number of bytes.
type smallDisk struct {
	*os.File
	room int
}

func (d *smallDisk) Write(b []byte) (int, error) {
	n, err := d.File.Write(b[:min(len(b), d.room)])
	d.room -= n
	if err == nil && n < len(b) {
		err = &fs.PathError{Op: "write", Path: d.Name(), Err: syscall.ENOSPC}
	}
	return n, err
}

// onSmallDisk puts the disk under the log.
func onSmallDisk(t *testing.T, l *Log, room int) *smallDisk {
	t.Helper()
	f, ok := l.seg.file.(*os.File)
	if !ok {
		t.Fatal("not a plain file")
	}
	d := &smallDisk{File: f, room: room}
	l.seg.file = d
	return d
}

// However many bytes of a line fit, the line fails, stays without effect, and
// the next line is whole. With no first line before, the identity must come
// out right as well.
func TestFullDiskAtEveryByte(t *testing.T) {
	length := len(appendLine(nil, &Record{RequestID: make([]byte, 32)}, nil)) // escaped ids: longer than any line below needs
	for room := range length {
		for _, before := range []int{0, 1} {
			path := filepath.Join(t.TempDir(), "event.log")
			l := openTest(t, path)
			for range before {
				mustAppend(t, l, "/before")
			}
			disk := onSmallDisk(t, l, room)
			rec := testRecord("/lost")
			_, err := l.Append(rec)
			if err == nil {
				continue // it fitted
			}
			if !errors.Is(err, syscall.ENOSPC) {
				t.Fatalf("room for %d bytes: %v", room, err)
			}
			disk.room = 1 << 20
			pos := mustAppend(t, l, "/after")
			checkBooks(t, read(t, path), pos, before+1)
		}
	}
}

// The disk stays full while the torn line is being closed.
func TestFullDiskAgainWhileClosingTheTornLine(t *testing.T) {
	path := filepath.Join(t.TempDir(), "event.log")
	l := openTest(t, path)
	disk := onSmallDisk(t, l, 20)
	for range 60 {
		if _, err := l.Append(testRecord("/lost")); !errors.Is(err, syscall.ENOSPC) {
			t.Fatalf("error %v", err)
		}
		disk.room = 1
	}
	disk.room = 1 << 20
	pos := mustAppend(t, l, "/after")
	checkBooks(t, read(t, path), pos, 1)
}

// In a group that was cut, the lines before the cut are certain and the others
// fail; no caller is told the wrong thing.
func TestFullDiskInsideAGroup(t *testing.T) {
	path := filepath.Join(t.TempDir(), "event.log")
	l := openTest(t, path)
	onSmallDisk(t, l, 1000)
	const callers = 20
	var wg sync.WaitGroup
	var mu sync.Mutex
	ok := 0
	l.write.Lock() // hold the first group back until all are in it
	joined := make(chan struct{}, callers)
	for range callers {
		wg.Go(func() {
			joined <- struct{}{}
			_, err := l.Append(testRecord("/after"))
			mu.Lock()
			defer mu.Unlock()
			if err == nil {
				ok++
			} else if !errors.Is(err, syscall.ENOSPC) {
				t.Error(err)
			}
		})
	}
	for range callers {
		<-joined
	}
	l.write.Unlock()
	wg.Wait()
	if whole := strings.Count(read(t, path), "\tend\n"); whole != ok || ok == 0 || ok == callers {
		t.Errorf("%d callers were told it went well, %d lines are whole", ok, whole)
	}
}

func checkBooks(t *testing.T, data string, pos Position, whole int) {
	t.Helper()
	if !strings.HasSuffix(data, "\n") || pos.End != int64(len(data)) {
		t.Fatalf("position %v in %q", pos, data)
	}
	lines := strings.Split(strings.TrimSuffix(data, "\n"), "\n")
	if pos.Segment != parser.SegmentID([]byte(lines[0])) {
		t.Fatalf("segment %s of %q", pos.Segment, data)
	}
	got := 0
	for _, line := range lines {
		if strings.HasPrefix(line, "v2\t") && strings.HasSuffix(line, "\tend") {
			if strings.Contains(line, "/lost") {
				t.Fatalf("a line that failed is whole: %q", line)
			}
			got++
		}
	}
	if got != whole || len(lines) > whole+1 {
		t.Fatalf("%d whole lines, want %d, and one torn at most: %q", got, whole, lines)
	}
}
