package e2e

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// identityRig is a daemon on a combined log, whose lines have no request ids: a segment
// is told by what is in it.
type identityRig struct {
	*testing.T
	r     *rig
	at    time.Time
	lines int
	want  int // views
}

// line is another view, with its newline.
func (x *identityRig) line() string {
	x.lines++
	x.at = x.at.Add(time.Second)
	return fmt.Sprintf("203.0.113.7 - - [%s] \"GET /event.png?site=ddkk.com&page=/%d HTTP/1.1\" 200 43 \"https://ddkk.com/\" \"Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0\"\n",
		x.at.UTC().Format("02/Jan/2006:15:04:05 -0700"), x.lines)
}

func (x *identityRig) some(n int) (text string) {
	for range n {
		text += x.line()
	}
	return text
}

// name is a segment of the log.
func (x *identityRig) name(ending string) string { return x.r.log + ending }

func (x *identityRig) append(ending, text string) {
	x.Helper()
	f, err := os.OpenFile(x.name(ending), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	must(x, err)
	_, err = f.WriteString(text)
	must(x, errors.Join(err, f.Close()))
}

func (x *identityRig) read(ending string) string {
	x.Helper()
	b, err := os.ReadFile(x.name(ending))
	must(x, err)
	return string(b)
}

// replace puts another file in a segment's place, as an editor does.
func (x *identityRig) replace(ending, text string) {
	x.Helper()
	must(x, os.WriteFile(x.name(".tmp"), []byte(text), 0o644))
	must(x, os.Rename(x.name(".tmp"), x.name(ending)))
}

// overwrite writes over the live log in one go.
func (x *identityRig) overwrite(text string) {
	x.Helper()
	f, err := os.OpenFile(x.r.log, os.O_WRONLY, 0)
	must(x, err)
	_, err = f.WriteAt([]byte(text), 0)
	must(x, errors.Join(err, f.Close()))
}

func (x *identityRig) rotate(ending string) { must(x, os.Rename(x.r.log, x.name(ending))) }

// counts waits for so many views more, and looks that there are no more than those.
func (x *identityRig) counts(what string, more int) {
	x.Helper()
	x.want += more
	views := func() error {
		if n, err := x.r.client.Get(x.Context(), prefix+"site:pv:ddkk.com").Int(); err != nil || n != x.want {
			return fmt.Errorf("%d views, want %d (%v)", n, x.want, err)
		}
		return nil
	}
	Eventually(x, 30*time.Second, what, views)
	scans := x.scanned()
	Eventually(x, 30*time.Second, what+": the folder is looked at again", func() error {
		if x.scanned() < scans+2 {
			return errors.New("not yet")
		}
		return nil
	})
	must(x, views())
}

// scanned counts markers that the daemon has found: each look at the folder tells of a
// file that is no segment.
func (x *identityRig) scanned() int {
	x.Helper()
	n := strings.Count(x.r.daemon.Log(), "it is neither read nor deleted")
	must(x, os.WriteFile(x.name(fmt.Sprintf(".%d", 200+n)), []byte("no line of a log\n"), 0o644))
	return n
}

// tells waits for an alarm, in the daemon's log and as a metric.
func (x *identityRig) tells(words ...string) {
	x.Helper()
	Eventually(x, 30*time.Second, fmt.Sprint("an alarm says ", words), func() error {
		for line := range strings.Lines(x.r.daemon.Log()) {
			all := strings.Contains(line, "level=ERROR")
			for _, w := range words {
				all = all && strings.Contains(line, w)
			}
			if all {
				return nil
			}
		}
		return errors.New("its log does not have it")
	})
	x.r.wantMetric(1, "ddkk_segments_alarm")
}

func (x *identityRig) wellAgain() {
	x.Helper()
	Eventually(x, 30*time.Second, "the alarm ends", func() error {
		b, err := readBooks(x.r.daemon)
		if n := b.sum("ddkk_segments_alarm"); err == nil && n > 0 {
			err = fmt.Errorf("%v segments have one", n)
		}
		return err
	})
}

// agree looks whether verify finds nothing.
func (x *identityRig) agree(when string) {
	x.Helper()
	if out, err := Run(x, x.r.daemon.Env, "verify"); err != nil || !strings.Contains(out, " 0 differences, 0 problems") || strings.Contains(out, "DOES NOT CLOSE") {
		x.Errorf("%s verify says %v:\n%s", when, err, out)
	}
}

// age makes all segments but the live log old enough to be archived.
func (x *identityRig) age() {
	x.Helper()
	all, err := filepath.Glob(x.name(".*"))
	must(x, err)
	for i, name := range all {
		at := time.Now().Add(time.Duration(i-len(all)-100) * time.Minute)
		must(x, os.Chtimes(name, at, at))
	}
}

// forget loses what DATA_DIR knows of segments.
func (x *identityRig) forget() {
	x.Helper()
	all, err := filepath.Glob(filepath.Join(x.r.daemon.Dir, "segments.*.json"))
	must(x, err)
	if len(all) == 0 {
		x.Error("DATA_DIR has no segments.*.json")
	}
	for _, name := range all {
		must(x, os.Remove(name))
	}
}

// TestFaultWhatASegmentIs: shared first lines, copies, edits, overwriting, a last line
// without its newline, and the loss of what is known of segments.
func TestFaultWhatASegmentIs(t *testing.T) {
	r := newRig(t, rigOptions{env: map[string]string{"LOG_FORMAT": "combined", "ARCHIVE_CRON": "off"}})
	x := &identityRig{T: t, r: r, at: time.Now().Add(-2 * time.Hour)}

	// An exported log ends without its newline; nobody writes it any more.
	x.append(".60", strings.TrimSuffix(x.some(3), "\n"))
	x.age()
	r.daemon.Start()
	x.counts("a closed log of 3 lines, the last without its newline", 3)
	x.agree("after the last line without a newline")

	// echo > log, three times.
	x.append("", x.some(5))
	x.counts("5 beacons", 5)
	for i := range 3 {
		x.rotate(fmt.Sprintf(".%d", 59-i))
		x.append("", "\n")
		x.append("", x.some(5))
		x.counts("a log cleared with echo", 5)
	}

	// Two segments with one first line.
	x.rotate(".50")
	probe := x.line()
	x.append("", probe+x.some(6))
	x.counts("a log that begins with a probe", 7)
	x.rotate(".49")
	x.append("", probe)
	x.append("", x.some(4))
	x.counts("another that begins with that probe", 5)

	// Logs joined.
	x.append(".90", x.read(".59")+x.read(".50"))
	x.tells(x.name(".90"), "joined")
	x.counts("logs joined", 0)
	x.agree("with logs that were joined")
	must(t, os.Remove(x.name(".90")))
	x.wellAgain()

	// Edited after it was counted.
	x.rotate(".48")
	x.append("", x.some(2))
	x.counts("the next log", 2)
	original := x.read(".48")
	x.replace(".48", strings.ReplaceAll(original, "203.0.113.7", "203.0.113.0"))
	x.tells(x.name(".48"), "edited")
	x.counts("a log that was edited", 0)
	x.replace(".48", original)
	x.wellAgain()
	x.agree("with the original back")

	// The last line gets its newline, and more comes.
	x.append(".60", "\n"+x.line())
	x.counts("a line behind the last one", 1)
	x.age()
	r.command("archive")
	x.agree("when all is archived")
	r.command("recount", "--days", "2")
	x.counts("all counted again", 0)
	x.agree("when all was counted again")

	// One of the two with one first line is gone, with what was known of them.
	must(t, os.Remove(x.name(".49")))
	for _, how := range []string{"the memory is deleted", "with it all of DATA_DIR but the archive"} {
		r.daemon.Terminate()
		x.forget()
		if strings.HasPrefix(how, "with") {
			must(t, os.Remove(filepath.Join(r.daemon.Dir, "progress.json")))
		}
		x.agree("when " + how)
		x.forget()
		r.daemon.Start()
		x.append("", x.line())
		x.counts("a line when "+how, 1)
		x.agree("after it, when " + how)
	}
	// A third one begins with the probe.
	x.rotate(".40")
	x.append("", probe)
	x.append("", x.some(3))
	x.counts("a third that begins with the probe", 4)
	r.daemon.Terminate()

	// Verify agrees with no double count.
	for _, key := range []string{"site:pv:ddkk.com", "page:pv:ddkk.com:/1"} {
		must(t, r.client.IncrBy(t.Context(), prefix+key, 1).Err())
	}
	out, err := Run(t, r.daemon.Env, "verify")
	if err == nil || !strings.Contains(out, prefix+"site:pv:ddkk.com is") || !strings.Contains(out, prefix+"page:pv:ddkk.com:/1 is 2, want 1") {
		t.Errorf("verify says of a double count: %v\n%s", err, out)
	}
	for _, key := range []string{"site:pv:ddkk.com", "page:pv:ddkk.com:/1"} {
		must(t, r.client.DecrBy(t.Context(), prefix+key, 1).Err())
	}
	r.daemon.Start()

	// Written over in one go, by a longer log.
	more := x.some(3)
	x.overwrite(x.read("") + more)
	x.counts("written over by the same and more", 3)
	x.overwrite(strings.ReplaceAll(x.read(""), "203.0.113.7", "203.0.113.0") + x.some(3))
	x.tells(r.log, "over")
	x.counts("written over by an edited log and more", 0)
	x.rotate(".30")
	x.append("", x.some(2))
	x.counts("the log after it", 2)
	must(t, os.WriteFile(r.log, []byte(x.some(30)), 0o644)) // which cuts it first, as cp does
	x.counts("written over by another log", 30)
	x.r.wantMetric(1, "ddkk_segments_alarm")
	x.rotate(".29")
	x.append("", x.some(2))
	x.counts("the log after it", 2)
	if _, err := os.Stat(filepath.Join(r.daemon.Dir, "segments.access.json")); errors.Is(err, fs.ErrNotExist) {
		t.Error("what is known of segments is not kept")
	}
	checkBooks(t, r.daemon)
}
