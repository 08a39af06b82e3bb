package tailer

import (
	"os"
	"strings"
	"testing"
	"time"
)

// A closed log that is one line without its newline is known by that line, and is the
// same log when the newline comes.
func TestClosedLogOfOneUnendedLine(t *testing.T) {
	for _, content := range []string{"1000 one", "\n\n1000 one", "#Fields\n1000 one"} {
		for _, compressed := range []bool{false, true} {
			path := logPath(t)
			opt := timedOptions(path)
			old := path + ".1"
			if compressed {
				old += ".gz"
				write(t, old, zipped(t, content))
			} else {
				write(t, old, content)
			}
			write(t, path, timed(2000, 2, "x"))
			at := time.Now().Add(-time.Hour)
			must(t, os.Chtimes(old, at, at))
			files, err := List(opt)
			must(t, err)
			if len(files) != 2 || files[0].Name != old {
				t.Fatalf("%q: listed %v", content, files)
			}
			id := files[0].ID
			r := read(t, opt)
			r.until("it is closed", func() bool { return r.closed[id] == 1 })
			if r.torn[id] != "1000 one" {
				t.Errorf("%q: the last line is %q", content, r.torn[id])
			}
			must(t, r.Rewind(id, 0))
			r.until("it is read again", func() bool { return r.closed[id] == 2 })
			if !compressed {
				put(t, create(t, old), "\n")
				r.until("its newline comes", func() bool { return strings.HasSuffix(string(r.image[id]), "1000 one\n") })
			}
			r.wantNoAlarm()
			if n := len(r.Segments()); n != 2 {
				t.Errorf("%q: %d segments", content, n)
			}
		}
	}
}

// The live log's last line waits, however long, and so does one that is no line.
func TestUnendedLineThatIsNone(t *testing.T) {
	path := logPath(t)
	opt := timedOptions(path)
	write(t, path, "1000 one")
	write(t, path+".1", "no line")
	at := time.Now().Add(-time.Hour)
	for _, name := range []string{path, path + ".1"} {
		must(t, os.Chtimes(name, at, at))
	}
	r := read(t, opt)
	r.during(200 * time.Millisecond)
	if len(r.Segments()) != 0 || len(r.torn) != 0 {
		t.Errorf("segments %v, torn %v", r.Segments(), r.torn)
	}
	put(t, create(t, path), "\n")
	r.wantTotal(1)
}
