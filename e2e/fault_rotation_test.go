package e2e

import (
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// Faults of rotation: who renames, deletes or compresses what and when.

// TestFaultLateWorkers keeps the old descriptors after the rename, as nginx's
// workers do until they notice.
func TestFaultLateWorkers(t *testing.T) {
	for _, late := range []time.Duration{0, 5 * time.Millisecond, 100 * time.Millisecond, 5 * time.Second} {
		t.Run(late.String(), func(t *testing.T) {
			r := startRig(t, rigOptions{writer: WriterOptions{Workers: 4, Late: late}})
			stop := r.feed()
			for range 3 {
				r.more(800)
				r.rotate()
			}
			r.more(int(feedRate*late/time.Second) + 1500) // until all have changed
			stop()
			b := r.exact()
			b.want(t, float64(r.ledger.Count()), "ddkk_log_lines_read_total")
			b.want(t, 0, "ddkk_log_gaps_total")
			b.want(t, 0, "ddkk_segments_alarm")
		})
	}
}

func TestFaultRotationsWhileDown(t *testing.T) {
	r := startRig(t, rigOptions{writer: WriterOptions{Workers: 2}})
	r.write(1000)
	r.exact()
	for range 2 {
		r.write(200) // some of it read, some not
		r.daemon.Kill()
		for range 5 {
			r.write(300)
			r.rotate()
		}
		r.write(300)
		r.daemon.Start()
		r.exact().want(t, 0, "ddkk_log_gaps_total")
	}
}

// TestFaultRotationWhileCatchingUp rotates while the daemon reads a backlog.
func TestFaultRotationWhileCatchingUp(t *testing.T) { rotateWhileCatchingUp(t, 120_000) }

func rotateWhileCatchingUp(t *testing.T, backlog int) {
	r := newRig(t, rigOptions{writer: WriterOptions{Workers: 2, Late: 100 * time.Millisecond}})
	r.write(backlog / 2)
	r.rotate()
	r.write(backlog / 2)
	r.daemon.Launch()
	stop := r.feed()
	r.daemon.WaitReady(time.Minute)
	behind := 0.0
	for range 4 {
		r.rotate()
		behind = max(behind, checkBooks(t, r.daemon).sum("ddkk_tail_lag_bytes"))
		r.more(200)
	}
	if behind == 0 {
		t.Error("the backlog was read before the first rotation: make it larger")
	}
	stop()
	b := r.exact()
	b.want(t, float64(r.ledger.Count()), "ddkk_log_lines_read_total")
	b.want(t, 0, "ddkk_log_gaps_total")
}

// unrecorded writes lines that will never be counted.
func (r *rig) unrecorded(n int) (size int64) {
	r.t.Helper()
	for range n {
		req := r.traffic.Next()
		req.Time = time.Now()
		line := Line(req) + "\n"
		r.writer.Raw(0, line)
		size += int64(len(line))
	}
	return size
}

// TestFaultDeletedUnread deletes a segment that the daemon knows of but could
// not count while it is down: the loss is told with its size, and all else is
// exact.
func TestFaultDeletedUnread(t *testing.T) {
	r := startRig(t, rigOptions{})
	r.write(1000)
	r.exact()
	r.proxy.Refuse(true)
	unread := r.unrecorded(3000)
	size := fileSize(t, r.log)
	// A slow disk has it saved more rarely: a save takes a twentieth of the time at most.
	Eventually(t, 2*time.Minute, "the daemon remembers the size", func() error { return rememberedSize(r.daemon, size) })
	r.daemon.Kill()
	gone := r.rotate()
	must(t, os.Remove(gone))
	r.write(1000)
	r.rotate()
	r.write(1000)
	r.proxy.Refuse(false)
	r.daemon.Start()
	r.ledger.WaitEqual(t, r.client, settleLimit)
	r.wantMetric(1, "ddkk_log_gaps_total")
	b := r.exact()
	b.want(t, 1, "ddkk_log_gaps_total")
	b.want(t, float64(unread), "ddkk_log_gap_bytes_total")
	r.wantLogged(fmt.Sprintf("bytes_missing_at_least=%d", unread))

	// It is told once: after a restart nothing is missing any more.
	r.daemon.Terminate()
	r.daemon.Start()
	r.write(1000)
	r.exact().want(t, 0, "ddkk_log_gaps_total")
}

// rememberedSize is nil when the daemon has written down that its log has
// this size.
func rememberedSize(d *Daemon, size int64) error {
	data, err := os.ReadFile(filepath.Join(d.Dir, "progress.json"))
	if err != nil {
		return err
	}
	var progress struct {
		Segments map[string]struct {
			Size int64 `json:"size"`
		} `json:"segments"`
	}
	if err := json.Unmarshal(data, &progress); err != nil {
		return err
	}
	for _, s := range progress.Segments {
		if s.Size == size {
			return nil
		}
	}
	return fmt.Errorf("no segment of %d bytes in %s", size, data)
}

func fileSize(t testing.TB, path string) int64 {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	return info.Size()
}

// TestFaultDeletedWhileOpen deletes a segment that the daemon has open and
// has not read yet.
func TestFaultDeletedWhileOpen(t *testing.T) {
	r := startRig(t, rigOptions{})
	r.write(500)
	r.exact()
	r.proxy.BlackHole(true)
	r.write(30_000)
	gone := r.rotate()
	r.writer.Settle()
	r.write(500)
	// The daemon must have seen the new log before the old one goes: deleting
	// what nobody has open is the case above.
	Eventually(t, 30*time.Second, "both segments are open", func() error {
		b, err := readBooks(r.daemon)
		if err != nil {
			return err
		}
		if n := b.series("ddkk_segment_size_bytes", r.log); n < 2 {
			return fmt.Errorf("%d are", n)
		}
		return nil
	})
	must(t, os.Remove(gone))
	r.proxy.BlackHole(false)
	r.exact().want(t, 0, "ddkk_log_gaps_total")
}

// series counts a metric's series of one log.
func (b books) series(name, log string) (n int) {
	for series := range b {
		if strings.HasPrefix(series, name+"{") && strings.Contains(series, fmt.Sprintf("log=%q", log)) {
			n++
		}
	}
	return n
}

// TestFaultCopytruncate rotates in the way that we do not support: it is told,
// and nothing is counted twice. What is written after the log was emptied
// begins with another line and is a segment of its own.
func TestFaultCopytruncate(t *testing.T) {
	r := startRig(t, rigOptions{})
	for n := range 3 {
		r.write(1000)
		r.exact()
		copyFile(t, r.log, fmt.Sprintf("%s.%d", r.log, n))
		must(t, os.Truncate(r.log, 0))
		r.write(400)
		r.wantMetric(float64(n+1), "ddkk_segments_alarm")
	}
	r.exact()
	r.wantLogged("copytruncate")
	r.daemon.Kill()
	r.daemon.Start()
	r.write(100)
	r.exact()
}

func copyFile(t testing.TB, from, to string) {
	t.Helper()
	in, err := os.Open(from)
	must(t, err)
	out, err := os.Create(to)
	must(t, err)
	_, err = io.Copy(out, in)
	must(t, errors.Join(err, in.Close(), out.Close()))
}

// TestFaultWorkerNeverReopens has a worker that writes to the renamed file for
// ever, through further rotations, beside one that changes.
func TestFaultWorkerNeverReopens(t *testing.T) {
	r := startRig(t, rigOptions{writer: WriterOptions{Late: 24 * time.Hour}})
	r.write(500)
	r.rotate()
	other := NewWriter(t, r.log, r.ledger, WriterOptions{})
	for n := range 3 {
		for range 300 {
			other.Write(0, r.traffic.Next())
			r.writer.Write(0, r.traffic.Next())
		}
		other.Rotate(fmt.Sprintf("%s.20260102T000000Z-%d", r.log, n))
		other.Settle()
		r.exact()
	}
	r.write(100)
	r.daemon.Kill()
	r.write(100)
	r.daemon.Start()
	r.write(100)
	r.exact().want(t, 0, "ddkk_log_gaps_total")
}

// TestFaultGzipBeforeRead compresses rotated segments that nobody has read.
func TestFaultGzipBeforeRead(t *testing.T) {
	r := startRig(t, rigOptions{})
	r.write(1000)
	r.exact()
	r.write(500)
	r.daemon.Kill()
	for range 2 {
		r.write(1000)
		name := r.rotate()
		r.writer.Settle()
		compress(t, name)
	}
	r.write(500)
	r.daemon.Start()
	r.exact().want(t, 0, "ddkk_log_gaps_total")

	// And one that is compressed while the daemon is far behind.
	r.proxy.BlackHole(true)
	r.write(20_000)
	name := r.rotate()
	r.writer.Settle()
	compress(t, name)
	r.write(500)
	r.proxy.BlackHole(false)
	r.exact().want(t, 0, "ddkk_log_gaps_total")
}

// compress is gzip: the compressed file grows beside the plain one, which is
// deleted at the end.
func compress(t testing.TB, name string) {
	t.Helper()
	in, err := os.Open(name)
	must(t, err)
	out, err := os.Create(name + ".gz")
	must(t, err)
	zip := gzip.NewWriter(out)
	_, err = io.Copy(zip, in)
	must(t, errors.Join(err, zip.Close(), out.Close(), in.Close(), os.Remove(name)))
}
