package tailer

import (
	"os"
	"sync/atomic"
	"testing"
	"time"
)

// Quiet is measured with the clock that was given, from the last change on.
func TestQuietByTheGivenClock(t *testing.T) {
	path := logPath(t)
	w := create(t, path)
	put(t, w, lines("a", 0, 10))
	var ahead atomic.Int64
	opt := testOptions(path)
	opt.Quiet = time.Minute
	opt.Now = func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) }
	r := read(t, opt)
	r.until("read", r.has("a", lines("a", 0, 10)))
	must(t, os.Rename(path, path+".1"))
	write(t, path, lines("b", 0, 1))
	r.until("the new one is read", r.has("b", lines("b", 0, 1)))

	ahead.Store(int64(50 * time.Second))
	put(t, w, lines("a", 10, 1)) // begins the minute anew
	r.until("the late line is read", r.has("a", lines("a", 0, 11)))
	ahead.Store(int64(100 * time.Second))
	r.during(60 * time.Millisecond)
	if r.closed["a"] != 0 {
		t.Fatal("closed before it was quiet for a minute")
	}
	ahead.Store(int64(111 * time.Second))
	r.until("closed", func() bool { return r.closed["a"] == 1 })
	r.once()
}

// What was quiet long before the start is closed at once.
func TestQuietBeforeTheStart(t *testing.T) {
	path := logPath(t)
	write(t, path+".1", lines("a", 0, 10))
	hourAgo := time.Now().Add(-time.Hour)
	must(t, os.Chtimes(path+".1", hourAgo, hourAgo))
	write(t, path, lines("b", 0, 1))
	opt := testOptions(path)
	opt.Quiet = time.Minute
	r := read(t, opt)
	r.until("closed", func() bool { return r.closed["a"] == 1 })
	if s := r.segment("a"); !s.LastWrite.Equal(hourAgo) && s.LastWrite.Sub(hourAgo).Abs() > time.Second {
		t.Errorf("last write %v", s.LastWrite)
	}
}
