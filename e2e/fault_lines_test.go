package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Faults of the log itself: what is in it, whether it can be read, and what
// the disk does.

// TestFaultBadLines mixes in what a log may hold after crashes and attacks.
// Each bad line is one malformed line in the books and no view.
func TestFaultBadLines(t *testing.T) {
	r := startRig(t, rigOptions{})
	good := func() string {
		req := r.traffic.Next()
		req.Time = time.Now()
		return Line(req)
	}
	half := func() string { l := good(); return l[:len(l)/2] }
	bad := []string{
		"", " ", "\r", "{}", "null", "v1", "v2" + good()[2:], // foreign
		half(), half() + good(), half() + half() + good(), // torn and glued
		good() + good(), good() + "\tmore", "\ufeff" + good(),
		strings.Repeat("\x00", 4096), strings.Repeat("\x00", 4096) + good(), // lost pages
		"\x7fELF\x02\x01\x01\xff\xfe" + strings.Repeat("\x80\x81", 500), // binary
		strings.Repeat("\x1b[2J", 10), strings.ReplaceAll(good(), "v1\t", "v1\t\x00"),
		strings.Repeat("x", 70_000), strings.Repeat("y", 1_000_000), good() + strings.Repeat("z", 65_536), // long
	}
	r.write(100)
	for range 3 {
		for _, line := range bad {
			r.writer.Raw(0, line+"\n")
			r.write(7)
		}
	}
	b := r.exact()
	malformed := float64(3 * len(bad))
	if got := b.result("malformed"); got != malformed {
		t.Errorf("%v lines are malformed, want %v:\n%s", got, malformed, b.lines())
	}
	b.want(t, malformed+float64(r.ledger.Count()), "ddkk_log_lines_read_total")

	// A last line that is never ended, in a segment that is closed.
	r.writer.Torn(0, r.traffic.Next())
	r.rotate()
	r.write(100)
	r.exact()
	r.daemon.Kill()
	r.daemon.Start()
	r.write(10)
	r.exact()
}

// peakMemory is the most memory that a process ever had resident, in KiB.
func peakMemory(t testing.TB, pid int) int {
	t.Helper()
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	must(t, err)
	for line := range strings.Lines(string(data)) {
		if rest, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			n, err := strconv.Atoi(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(rest), "kB")))
			must(t, err)
			return n
		}
	}
	t.Fatalf("no VmHWM in %s", data)
	return 0
}

// TestFaultPartialLine has lines that are completed late: while the daemon
// waits at their half, after it was killed, and after the log was rotated.
func TestFaultPartialLine(t *testing.T) {
	r := startRig(t, rigOptions{writer: WriterOptions{Late: 24 * time.Hour}})
	partial := func(between func()) {
		t.Helper()
		req := r.traffic.Next()
		req.Time = time.Now()
		line := Line(req) + "\n"
		r.writer.Raw(0, line[:len(line)/3])
		r.exact()
		between()
		r.writer.Raw(0, line[len(line)/3:])
		r.ledger.Record(req.Beacon)
		r.exact()
	}
	r.write(200)
	partial(func() {})
	partial(func() {
		r.daemon.Kill()
		r.daemon.Start()
		r.exact()
	})
	partial(func() {
		r.daemon.Terminate()
		r.daemon.Start()
	})
	partial(func() {
		r.rotate() // the writer keeps the old descriptor
		other := NewWriter(t, r.log, r.ledger, WriterOptions{})
		for range 50 {
			other.Write(0, r.traffic.Next())
		}
		r.exact()
		r.daemon.Kill()
		r.daemon.Start()
	})
	if got := r.exact().result("torn"); got != 0 {
		t.Errorf("%v lines are torn, want none: all were completed", got)
	}
}

// nobody is a user without rights, for whom modes of files count.
const nobody = 65534

// asNobody makes the daemon run as a user who owns its DATA_DIR and nothing
// else; where the tests are not run by root, that is the case already.
func (r *rig) asNobody() {
	r.t.Helper()
	must(r.t, os.MkdirAll(r.daemon.Dir, 0o755))
	if os.Geteuid() != 0 {
		return
	}
	must(r.t, os.Chown(r.daemon.Dir, nobody, nobody))
	r.daemon.user = &syscall.Credential{Uid: nobody, Gid: nobody}
	// The folder of the build may be closed to others.
	own := filepath.Join(TempDir(r.t), "ddkk-stats")
	copyFile(r.t, Binary(r.t), own)
	must(r.t, os.Chmod(own, 0o755))
	r.daemon.path = own
}

// TestFaultNotReadable has logs that the daemon may not read for a while, and
// a DATA_DIR that it may not write.
func TestFaultNotReadable(t *testing.T) {
	r := newRig(t, rigOptions{writer: WriterOptions{Workers: 2}})
	must(t, os.Chmod(r.log, 0o000))
	r.asNobody()
	r.write(300)
	r.daemon.Launch()
	r.wantNotReady("log-denied")
	r.wantLogged("permission denied")
	must(t, os.Chmod(r.log, 0o644))
	r.write(100)
	r.exact()

	// After a rotation the new log is closed, as with 0640 root:adm.
	r.rotate()
	must(t, os.Chmod(r.log, 0o600))
	r.write(500)
	r.exactBefore(500)
	must(t, os.Chmod(r.log, 0o644))
	r.exact()

	// A rotated one cannot be read at the start.
	r.write(100)
	r.daemon.Kill()
	r.write(500)
	renamed := r.rotate()
	r.writer.Settle()
	must(t, os.Chmod(renamed, 0o000))
	r.daemon.Start()
	r.write(100)
	must(t, os.Chmod(renamed, 0o644))
	r.exact()

	// The folder of the daemon itself is closed: counting goes on.
	must(t, os.Chmod(r.daemon.Dir, 0o555))
	r.write(500)
	r.exact()
	if os.Geteuid() == 0 { // the owner may not write either
		r.wantLogged("progress is not saved")
	}
	must(t, os.Chmod(r.daemon.Dir, 0o755))
	r.daemon.Terminate()
	r.daemon.Start()
	r.write(10)
	r.exact()
}

// exactBefore checks that the last n lines are not counted yet and all others
// are; it only looks at the sum of views and bots in the books.
func (r *rig) exactBefore(n int) {
	r.t.Helper()
	Eventually(r.t, 30*time.Second, "the rest is read", func() error {
		b, err := readBooks(r.daemon)
		if err != nil {
			return err
		}
		if got, want := b.sum("ddkk_log_lines_read_total"), float64(r.ledger.Count()-n); got != want {
			return fmt.Errorf("%v lines are read, want %v", got, want)
		}
		return nil
	})
}

// TestFaultCutBelowCheckpoint cuts the log to less than was counted, as a
// restored backup or a lost page cache does. It is told; what is counted is
// not counted again; after a rotation counting goes on.
func TestFaultCutBelowCheckpoint(t *testing.T) {
	for _, running := range []bool{true, false} {
		t.Run(fmt.Sprintf("running=%t", running), func(t *testing.T) {
			r := startRig(t, rigOptions{})
			r.write(500)
			kept := fileSize(t, r.log)
			r.write(500)
			r.exact()
			if !running {
				r.daemon.Terminate()
			}
			must(t, os.Truncate(r.log, kept))
			if !running {
				r.daemon.Start()
			}
			r.wantMetric(1, "ddkk_segments_alarm")
			r.wantLogged("rotate")
			r.unrecorded(20) // these cannot be told from what was counted
			r.rotate()
			r.writer.Settle()
			r.write(500)
			r.exact()
			r.daemon.Kill()
			r.daemon.Start()
			r.write(100)
			r.exact()
		})
	}
}

func TestFaultWrongLogPath(t *testing.T) {
	r := newRig(t, rigOptions{})
	fifo := filepath.Join(TempDir(t), "event.log")
	must(t, syscall.Mkfifo(fifo, 0o644))
	for path, kind := range map[string]string{TempDir(t): "a folder", fifo: "a FIFO"} {
		env := map[string]string{"PORT": strconv.Itoa(FreePort(t)), "DATA_DIR": r.daemon.Dir, "ACCESS_LOG": path}
		out, err := Run(t, env, "server")
		if err == nil || !strings.Contains(out, path) || !strings.Contains(out, kind) {
			t.Errorf("with %s as ACCESS_LOG the daemon ended with %v and said:\n%s", kind, err, out)
		}
	}

	// A log, and even its folder, may come later than the daemon.
	later := filepath.Join(TempDir(t), "nginx", "event.log")
	r.daemon.Env["ACCESS_LOG"], r.log = later, later
	r.daemon.Start()
	r.wantLogged("there is no log yet")
	must(t, os.Mkdir(filepath.Dir(later), 0o755))
	r.writer = NewWriter(t, later, r.ledger, WriterOptions{})
	r.write(500)
	r.exact().want(t, 500, "ddkk_log_lines_read_total")
}

// TestFaultFullDisk has a disk that is full for a while: the kernel cuts a
// line in its middle and takes no more, and then goes on after it. A limit of
// the file's size does the same to a writer as a full disk and needs no mount.
func TestFaultFullDisk(t *testing.T) {
	r := startRig(t, rigOptions{})
	for range 4 {
		r.write(200)
		cut := r.cutWrite()
		r.exact()
		spoiled := r.traffic.Next() // is glued to the half line
		spoiled.Time = time.Now()
		r.writer.Raw(0, Line(spoiled)+"\n")
		r.write(100)
		r.exact()
		t.Logf("a line was cut after %d bytes", cut)
	}
	if got := r.exact().result("malformed"); got != 4 {
		t.Errorf("%v lines are malformed, want 4", got)
	}
	r.cutWrite()
	r.rotate()
	r.write(100)
	r.exact()
}

// cutWrite lets another process write a line that the limit cuts off. Limits
// are in blocks of 512 bytes, so what is before is filled up to the middle of
// a line with views.
func (r *rig) cutWrite() (written int64) {
	r.t.Helper()
	const block = 512
	for {
		req := r.traffic.Next()
		req.Time = time.Now()
		line := Line(req) + "\n"
		size := fileSize(r.t, r.log)
		limit := (size/block + 1) * block
		if size+int64(len(line)) <= limit+1 { // it would fit, or lose only its newline
			r.writer.Raw(0, line)
			r.ledger.Record(req.Beacon)
			continue
		}
		cmd := exec.Command("sh", "-c", fmt.Sprintf(`trap "" XFSZ; ulimit -f %d; cat >> "$0"`, limit/block), r.log)
		cmd.Stdin = strings.NewReader(line)
		out, err := cmd.CombinedOutput()
		written = fileSize(r.t, r.log) - size
		if err == nil || written <= 0 || written >= int64(len(line)) {
			r.t.Fatalf("the limit did not cut: %d of %d bytes, %v: %s", written, len(line), err, out)
		}
		return written
	}
}
