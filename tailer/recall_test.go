package tailer

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"strings"
	"testing"
	"time"
)

// The memory file is lost, old, or torn: what keeps the offsets knows of which
// content they are.

// keeper stands for those who keep offsets and traces.
type keeper struct {
	offsets map[string]int64
	traces  map[string]json.RawMessage
	sums    map[string]Sum
	others  bool // the traces are those of another log's
	down    error
}

func newKeeper() *keeper {
	return &keeper{offsets: map[string]int64{}, traces: map[string]json.RawMessage{}, sums: map[string]Sum{}}
}

// keep has a tailer's offsets and traces kept.
func (k *keeper) options(opt Options) Options {
	opt.Resume = func(id string) int64 { return k.offsets[id] }
	opt.Note = func(all map[string]json.RawMessage) { maps.Copy(k.traces, all) }
	opt.Recall = func() (Recollection, error) {
		r := Recollection{Ours: k.traces, Sums: k.sums}
		if k.others {
			r.Ours, r.Others = nil, r.Ours
		}
		return r, k.down
	}
	return opt
}

// note takes over how far a reading is.
func (k *keeper) note(r *reading) {
	for _, s := range r.Segments() {
		if !s.Refused {
			k.offsets[s.ID] = s.Offset
		}
	}
}

// archived has what the segments hold known by its sum alone.
func (k *keeper) archived(r *reading) {
	clear(k.traces)
	for id, img := range r.image {
		sum := sha256.Sum256(img)
		k.sums[id] = Sum{Size: int64(len(img)), SHA256: hex.EncodeToString(sum[:])}
	}
}

const probeLine = "1000 probe\n"

var losses = map[string]func(t *testing.T, path string, old []byte){
	"deleted": func(t *testing.T, path string, _ []byte) { must(t, os.Remove(path)) },
	"empty":   func(t *testing.T, path string, _ []byte) { write(t, path, "") },
	"null":    func(t *testing.T, path string, _ []byte) { write(t, path, `{"x":null}`) },
	"torn": func(t *testing.T, path string, _ []byte) {
		b, err := os.ReadFile(path)
		must(t, err)
		write(t, path, string(b[:len(b)/2]))
	},
	"old":    func(t *testing.T, path string, old []byte) { write(t, path, string(old)) },
	"intact": func(*testing.T, string, []byte) {},
}

// Of two segments that begin alike one goes with the memory: the other is what it
// was, and a third one that begins like them is one of its own.
func TestMemoryLost(t *testing.T) {
	n := 0
	for how, lose := range losses {
		for _, by := range []string{"traces", "another host's traces", "sums"} {
			for _, gone := range []string{"A", "B", "both", "none"} {
				whole := how == "deleted" || how == "old" || how == "intact"
				if gone != "A" && (!whole || by != "traces") || by != "traces" && how != "deleted" && how != "old" {
					continue // it makes no difference there
				}
				n++
				compressed := n%2 == 0
				t.Run(fmt.Sprint(how, " ", by, " gone ", gone, " compressed ", compressed), func(t *testing.T) {
					testMemoryLost(t, lose, by, gone, compressed)
				})
			}
		}
	}
}

func testMemoryLost(t *testing.T, lose func(*testing.T, string, []byte), by, gone string, compressed bool) {
	path := logPath(t)
	k := newKeeper()
	opt := k.options(timedOptions(path))
	a, b := probeLine+timed(1010, 6, "a"), probeLine+timed(2010, 20, "b")
	write(t, path, a)
	r := read(t, opt)
	r.wantTotal(7)
	old, err := os.ReadFile(opt.Memory)
	must(t, err)
	must(t, os.Rename(path, path+".2"))
	write(t, path, b)
	r.wantTotal(28)
	must(t, os.Rename(path, path+".1"))
	write(t, path, timed(5000, 2, "x"))
	r.wantTotal(30)
	k.note(r)
	must(t, r.Close())
	switch by {
	case "sums":
		k.archived(r)
	case "another host's traces":
		k.others = true
	}
	lose(t, opt.Memory, old)
	for name, content := range map[string]string{"A": a, "B": b} {
		file := map[string]string{"A": path + ".2", "B": path + ".1"}[name]
		if gone == name || gone == "both" {
			must(t, os.Remove(file))
		} else if compressed {
			write(t, file+".gz", zipped(t, content))
			must(t, os.Remove(file))
		}
	}
	r2 := read(t, opt)
	r2.image = r.image
	put(t, create(t, path), timed(5020, 1, "x"))
	r2.until("the live log is read", func() bool { return r2.total() > 0 })
	// C begins like A and B, one line first.
	must(t, os.Rename(path, path+".0"))
	c := create(t, path)
	put(t, c, probeLine)
	r2.during(60 * time.Millisecond)
	put(t, c, timed(7010, 3, "c"))
	want := 1 + 4
	r2.until(fmt.Sprintf("%d lines are read", want), func() bool { return r2.handedOut() == want })
	r2.during(100 * time.Millisecond)
	if n := r2.handedOut(); n != want {
		t.Errorf("%d lines after the loss, want %d", n, want)
	}
	r2.wantNoAlarm()
	if err := k.know(opt); err != nil {
		t.Error(err)
	}
}

// handedOut is how many lines were handed out, those twice counted twice.
func (r *reading) handedOut() (n int) {
	for _, h := range r.handed {
		n += h
	}
	return n
}

// know tells whether the memory file is whole again.
func (k *keeper) know(opt Options) error {
	m, damage, err := loadKnowledge(opt.Memory)
	if err = errors.Join(damage, err); err == nil && len(m.traces) == 0 {
		err = errors.New("nothing is remembered")
	}
	return err
}

// A copy of the proof is of use only if it is looked at: content that is not what
// was counted is refused, also when the memory is lost.
func TestMemoryLostAndTheFileEdited(t *testing.T) {
	path := logPath(t)
	k := newKeeper()
	opt := k.options(timedOptions(path))
	all := timed(1000, 40, "203.0.113.7")
	write(t, path+".1", all)
	write(t, path, timed(2000, 5, "x"))
	r := read(t, opt)
	r.wantTotal(45)
	k.note(r)
	must(t, r.Close())
	must(t, os.Remove(opt.Memory))
	i := strings.LastIndex(all, "203.0.113.7")
	write(t, path+".1", all[:i]+"203.0.113.0"+all[i+len("203.0.113.7"):]+timed(1900, 3, "more"))
	r2 := read(t, opt)
	r2.wantAlarm(path + ".1")
	if n := r2.handedOut(); n != 0 {
		t.Errorf("%d lines are handed out", n)
	}
}

// Without the memory nothing is told apart before those were asked who keep the
// offsets; with it the log is read without them.
func TestMemoryLostAndNobodyToAsk(t *testing.T) {
	path := logPath(t)
	k := newKeeper()
	opt := k.options(timedOptions(path))
	write(t, path, timed(1000, 3, "a"))
	k.down = errors.New("nobody there")
	if _, err := List(opt); err == nil || !strings.Contains(err.Error(), "nobody there") {
		t.Errorf("List: %v", err)
	}
	r := read(t, opt)
	r.during(60 * time.Millisecond)
	if r.handedOut() != 0 {
		t.Error("lines were read")
	}
	k.down = nil
	r.wantTotal(3)
	k.note(r)
	must(t, r.Close())
	k.down = errors.New("nobody there")
	if n := listed(t, opt); n != 3 {
		t.Errorf("%d lines are listed", n)
	}
	put(t, create(t, path), timed(1030, 1, "a"))
	r2 := read(t, opt)
	r2.image = r.image
	r2.until("the new line is read", func() bool { return r2.handedOut() == 1 })
}

// A memory file that is deleted while the log is read is written again.
func TestMemoryDeletedWhileReading(t *testing.T) {
	path := logPath(t)
	opt := timedOptions(path)
	at := time.Unix(1_700_000_000, 0)
	opt.Now = func() time.Time { return at }
	write(t, path, timed(1000, 3, "a"))
	r := read(t, opt)
	r.wantTotal(3)
	before, err := os.ReadFile(opt.Memory)
	must(t, err)
	must(t, os.Remove(opt.Memory))
	at = at.Add(saveEvery)
	var after []byte
	r.until("it is written again", func() bool { after, err = os.ReadFile(opt.Memory); return err == nil })
	if len(before) == 0 || len(after) == 0 || bytes.Equal(after, []byte("{}")) {
		t.Errorf("it was %s and is %s", before, after)
	}
}
