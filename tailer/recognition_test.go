package tailer

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// Which segment a file holds, and which files hold what was counted already.
// Lines are "<seconds> <text>", identified by their hash.

// log lines: n of them, ten seconds apart.
func timed(from, n int, text string) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "%d %s %d\n", from+10*i, text, i)
	}
	return b.String()
}

func timeOf(line []byte) int64 {
	word, _, _ := strings.Cut(string(line), " ")
	n, err := strconv.ParseInt(word, 10, 64)
	if err != nil {
		return 0
	}
	return n * 1000
}

func timedOptions(path string) Options {
	opt := testOptions(path)
	opt.Identify, opt.Time = nil, timeOf
	opt.Memory = filepath.Join(filepath.Dir(path), "known.json")
	return opt
}

// total is how many lines were handed out, those twice counted twice, blank
// ones left out.
func (r *reading) total() (n int) {
	for id := range r.handed {
		n += r.handed[id] - bytes.Count(r.image[id], []byte("\n\n"))
		if bytes.HasPrefix(r.image[id], []byte("\n")) {
			n--
		}
	}
	return n
}

func (r *reading) wantTotal(want int) {
	r.Helper()
	r.until(fmt.Sprintf("%d lines are read", want), func() bool { return r.total() == want })
	r.during(150 * time.Millisecond)
	if n := r.total(); n != want {
		r.Errorf("%d lines, want %d", n, want)
	}
	r.once()
}

// alarms are those that name a file.
func (r *reading) alarms() (all []string) {
	for _, s := range r.Segments() {
		if s.Alarm != "" {
			all = append(all, s.Alarm)
		}
	}
	return all
}

func (r *reading) wantAlarm(words ...string) {
	r.Helper()
	r.until(fmt.Sprintf("an alarm says %q", words), func() bool {
	alarms:
		for _, a := range r.alarms() {
			for _, w := range words {
				if !strings.Contains(a, w) {
					continue alarms
				}
			}
			return true
		}
		return false
	})
}

func (r *reading) wantNoAlarm() {
	r.Helper()
	if all := r.alarms(); len(all) > 0 {
		r.Errorf("alarms: %q", all)
	}
}

// listed is how many lines the segments have that are listed, as for those who
// archive and count again.
func listed(t *testing.T, opt Options) (n int) {
	t.Helper()
	files, err := List(opt)
	must(t, err)
	ids := map[string]bool{}
	for _, f := range files {
		if ids[f.ID] {
			t.Errorf("%s is listed twice", f.ID)
		}
		ids[f.ID] = true
		r, err := f.Open(t.Context(), 0)
		must(t, err)
		var b bytes.Buffer
		_, err = b.ReadFrom(r)
		must(t, err)
		must(t, r.Close())
		for line := range bytes.Lines(b.Bytes()) {
			if len(bytes.TrimSpace(line)) > 0 {
				n++
			}
		}
	}
	return n
}

// A log that is cleared with echo begins with an empty line, each time.
func TestClearedWithEcho(t *testing.T) {
	path := logPath(t)
	opt := timedOptions(path)
	write(t, path, timed(1000, 5, "a"))
	r := read(t, opt)
	r.wantTotal(5)
	for i := 1; i <= 3; i++ {
		must(t, os.Rename(path, fmt.Sprintf("%s.%d", path, i)))
		write(t, path, "\n") // echo > event.log
		r.during(30 * time.Millisecond)
		put(t, create(t, path), timed(1000+1000*i, 5, "b"))
		r.wantTotal(5 + 5*i)
	}
	r.wantNoAlarm()
	if n := listed(t, opt); n != 20 {
		t.Errorf("%d lines are listed", n)
	}
	// And a start knows all of them again.
	again := opt
	offsets := map[string]int64{}
	for _, s := range r.Segments() {
		offsets[s.ID] = s.Offset
	}
	again.Resume = func(id string) int64 { return offsets[id] }
	r2 := read(t, again)
	r2.image = r.image
	r2.during(200 * time.Millisecond)
	if len(r2.handed) != 0 {
		t.Errorf("read again: %v", r2.handed)
	}
}

// Two segments whose first line is the same are told apart by the first line in
// which they differ.
func TestSharedFirstLine(t *testing.T) {
	for _, compressed := range []bool{false, true} {
		t.Run(fmt.Sprint("compressed ", compressed), func(t *testing.T) {
			path := logPath(t)
			opt := timedOptions(path)
			probe := "1000 probe\n"
			w := create(t, path)
			put(t, w, probe+timed(1010, 6, "a"))
			r := read(t, opt)
			r.wantTotal(7)
			must(t, os.Rename(path, path+".1"))
			write(t, path, probe) // agrees so far: it is held
			r.during(100 * time.Millisecond)
			r.wantNoAlarm()
			if r.total() != 7 {
				t.Errorf("%d lines", r.total())
			}
			put(t, create(t, path), timed(2010, 4, "b"))
			r.wantTotal(12)
			r.wantNoAlarm()
			if n := listed(t, opt); n != 12 {
				t.Errorf("%d lines are listed", n)
			}
			ids := map[string]int64{}
			for _, s := range r.Segments() {
				ids[s.ID] = s.Offset
			}
			if len(ids) != 2 {
				t.Fatalf("segments %v", ids)
			}
			// The older one is compressed, and then gone: the other keeps its name.
			r.until("the old one is closed", func() bool { return len(r.closed) == 1 })
			if compressed {
				write(t, path+".1.gz", zipped(t, probe+timed(1010, 6, "a")))
				must(t, os.Remove(path+".1"))
				r.during(60 * time.Millisecond)
				r.wantTotal(12)
				must(t, os.Remove(path+".1.gz"))
			} else {
				must(t, os.Remove(path+".1"))
			}
			r.during(60 * time.Millisecond)
			must(t, r.Close())
			again := opt
			again.Resume = func(id string) int64 { return ids[id] }
			r2 := read(t, again)
			r2.image = r.image
			put(t, create(t, path), timed(2050, 1, "b"))
			r2.until("the new line is read", func() bool { return r2.total() > 0 })
			r2.during(100 * time.Millisecond)
			r2.wantNoAlarm()
			for id, n := range r2.handed {
				if _, known := ids[id]; !known || n != 1 {
					t.Errorf("%d lines of %s; known are %v", n, id, ids)
				}
			}
		})
	}
}

// At a first start nothing is remembered, and segments that begin alike are told
// apart all the same.
func TestSharedFirstLineAtTheFirstStart(t *testing.T) {
	path := logPath(t)
	opt := timedOptions(path)
	for i := range 3 {
		name := fmt.Sprintf("%s.%d", path, 3-i)
		write(t, name, "#Fields: time text\n1000 probe\n"+timed(2000+1000*i, 5, "a"))
		at := time.Now().Add(time.Duration(i-5) * time.Hour)
		must(t, os.Chtimes(name, at, at))
	}
	write(t, path, "#Fields: time text\n1000 probe\n"+timed(9000, 5, "a"))
	if n := listed(t, opt); n != 4*7 {
		t.Errorf("%d lines are listed", n)
	}
	r := read(t, opt)
	r.wantTotal(4 * 7)
	r.wantNoAlarm()
}

// Old logs joined under a name that a rotation may give: what they hold is
// counted once, before it was read as after it.
func TestJoinedLogs(t *testing.T) {
	for _, when := range []string{"running", "before the start", "compressed"} {
		for _, order := range []string{"21", "12"} {
			t.Run(when+" "+order, func(t *testing.T) {
				path := logPath(t)
				opt := timedOptions(path)
				parts := map[byte]string{'1': timed(2000, 10, "b"), '2': timed(1000, 10, "a")}
				write(t, path+".2", parts['2'])
				write(t, path+".1", parts['1'])
				write(t, path, timed(3000, 10, "c"))
				joined := parts[order[0]] + parts[order[1]]
				if when == "compressed" {
					joined = zipped(t, joined)
				}
				if when == "before the start" {
					write(t, path+".9", joined)
				}
				r := read(t, opt)
				r.wantTotal(30)
				write(t, path+".9", joined)
				r.wantTotal(30)
				r.wantAlarm(path+".9", "joined", path+".1", path+".2")
				if n := listed(t, opt); n != 30 {
					t.Errorf("%d lines are listed", n)
				}
				l, err := Look(opt)
				must(t, err)
				if len(l.Passed) != 1 || !l.Passed[0].Counted {
					t.Errorf("passed over: %+v", l.Passed)
				}
				must(t, os.Remove(path+".9"))
				r.until("the alarm ends", func() bool { return len(r.alarms()) == 0 })
				r.wantTotal(30)
			})
		}
	}
}

// A log is edited after it was counted, by an editor that replaces the file.
func TestEditedAfterItWasCounted(t *testing.T) {
	all := timed(1000, 10, "203.0.113.7")
	for name, edit := range map[string]func(string) string{
		"each line":     func(s string) string { return strings.ReplaceAll(s, "203.0.113.7", "203.0.113.0") },
		"longer":        func(s string) string { return strings.ReplaceAll(s, "203.0.113.7", "anonymous-reader") },
		"shorter":       func(s string) string { return strings.ReplaceAll(s, "203.0.113.7", "-") },
		"no first line": func(s string) string { return s[strings.Index(s, "\n")+1:] },
		"a header":      func(s string) string { return "#edited\n" + s },
	} {
		for _, compressed := range []bool{false, true} {
			for _, down := range []bool{false, true} {
				t.Run(fmt.Sprint(name, " compressed ", compressed, " down ", down), func(t *testing.T) {
					path := logPath(t)
					opt := timedOptions(path)
					opt.Quiet = 20 * time.Millisecond
					write(t, path+".1", all)
					write(t, path, timed(2000, 5, "x"))
					r := read(t, opt)
					r.wantTotal(15)
					r.until("closed", func() bool { return len(r.closed) == 1 })
					r.during(60 * time.Millisecond)
					offsets := map[string]int64{}
					for _, s := range r.Segments() {
						offsets[s.ID] = s.Offset
					}
					if down {
						must(t, r.Close())
					}
					edited, file := edit(all), path+".1"
					if compressed {
						file += ".gz"
						write(t, file, zipped(t, edited))
						must(t, os.Remove(path+".1"))
					} else {
						write(t, path+".1.tmp", edited)
						must(t, os.Rename(path+".1.tmp", file))
					}
					if down {
						opt.Resume = func(id string) int64 { return offsets[id] }
						r2 := read(t, opt)
						r2.during(200 * time.Millisecond)
						if r2.total() != 0 {
							t.Errorf("%d lines again", r2.total())
						}
						r2.wantAlarm(file)
						return
					}
					r.during(200 * time.Millisecond)
					r.wantTotal(15)
					r.wantAlarm(file)
					if n := listed(t, opt); n != 5 {
						t.Errorf("%d lines are listed for the archive", n)
					}
				})
			}
		}
	}
}

// cp new.log event.log: the file is written over in one go by a longer one.
func TestOverwrittenByALongerFile(t *testing.T) {
	old := timed(1000, 151, "a")
	for name, c := range map[string]struct {
		content string
		most    int
	}{
		"the same and more":    {old + timed(3000, 80, "b"), 231},
		"the same, a header":   {"#new\n" + old + timed(3000, 80, "b"), 151},
		"another first line":   {"990 first\n" + old + timed(3000, 79, "b"), 151},
		"edited in the middle": {strings.Replace(old, "a 20\n", "a twenty\n", 1) + timed(3000, 80, "b"), 151},
		"all edited":           {timed(1000, 151, "edited") + timed(3000, 80, "b"), 151},
		"other lines":          {timed(1005, 300, "other"), 151},
	} {
		for _, down := range []bool{false, true} {
			t.Run(fmt.Sprint(name, " down ", down), func(t *testing.T) {
				path := logPath(t)
				opt := timedOptions(path)
				write(t, path, old)
				r := read(t, opt)
				r.wantTotal(151)
				r.during(60 * time.Millisecond)
				offsets := map[string]int64{}
				for _, s := range r.Segments() {
					offsets[s.ID] = s.Offset
				}
				counted := 0
				if down {
					must(t, r.Close())
					counted = r.total()
					opt.Resume = func(id string) int64 { return offsets[id] }
				}
				write(t, path, c.content)
				if down {
					image := r.image
					r = read(t, opt)
					r.image = image
				}
				r.during(200 * time.Millisecond)
				n := counted
				for _, h := range r.handed {
					n += h
				}
				if n != c.most {
					t.Errorf("%d lines, want %d", n, c.most)
				}
				if c.most < 231 {
					r.wantAlarm("over")
				} else {
					r.wantNoAlarm()
				}
				// A rotation ends it: the next log is read.
				must(t, os.Rename(path, path+".1"))
				write(t, path, timed(9000, 4, "new"))
				r.until("the new log is read", func() bool {
					m := counted
					for _, h := range r.handed {
						m += h
					}
					return m == c.most+4
				})
			})
		}
	}
}

// An append is no overwriting, whatever the time of the file says.
func TestAppendsAreNotTakenForOverwriting(t *testing.T) {
	path := logPath(t)
	opt := timedOptions(path)
	w := create(t, path)
	r := read(t, opt)
	for i := range 100 {
		put(t, w, fmt.Sprintf("%d x\n", 1000+i))
		if i%7 == 0 {
			must(t, os.Chtimes(path, time.Unix(1, 0), time.Unix(1, 0)))
		}
		r.until("it is read", func() bool { return r.total() == i+1 })
	}
	r.once()
	r.wantNoAlarm()
}

// What is remembered survives a start.
func TestMemoryOfSegments(t *testing.T) {
	path := logPath(t)
	opt := timedOptions(path)
	write(t, path, timed(1000, 3, "a"))
	r := read(t, opt)
	r.wantTotal(3)
	r.until("it is saved", func() bool { _, err := os.Stat(opt.Memory); return err == nil })
	k, damage, err := loadKnowledge(opt.Memory)
	must(t, err)
	must(t, damage)
	if len(k.traces) != 1 {
		t.Errorf("%d traces", len(k.traces))
	}
	for i := range keepTraces + 20 {
		k.traces[fmt.Sprint(i)] = &trace{Seen: int64(i)}
	}
	k.trim(map[string]bool{"0": true})
	if len(k.traces) != keepTraces+1 || k.traces["0"] == nil || k.traces["1"] != nil {
		t.Errorf("%d traces are kept", len(k.traces))
	}
}

// Lines that all end alike, as those of one browser do, are told from each other when a
// log is written over.
func TestOverwrittenByLinesThatEndAlike(t *testing.T) {
	path := logPath(t)
	opt := timedOptions(path)
	lines := func(n, from int) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, "%d %04d %s\n", 1000+i, from+i, strings.Repeat("agent", 40))
		}
		return b.String()
	}
	old := lines(20, 0)
	write(t, path, old)
	r := read(t, opt)
	r.wantTotal(20)
	first := strings.Index(old, "\n") + 1
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	must(t, err)
	_, err = f.WriteAt([]byte(old[:first]+lines(30, 500)), 0)
	must(t, errors.Join(err, f.Close()))
	r.wantAlarm("over")
	r.during(100 * time.Millisecond)
	if n := r.handedOut(); n != 20 {
		t.Errorf("%d lines were handed out, want 20", n)
	}
}
