package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestArchiveRestoreEmpty archives, deletes what is archived, and loses Redis:
// with the daemon stopped and a person who restores, and under a daemon that
// has to find out by itself.
func TestArchiveRestoreEmpty(t *testing.T) {
	eachArchive(t, rigOptions{}, func(r *rig) {
		r.daemon.Start()
		for range 3 {
			r.write(700)
			r.exact()
			r.archive()
		}
		r.deleteSegments()
		r.write(300)
		r.verified()

		r.daemon.Terminate()
		r.forget()
		out := r.command("restore-from-mysql")
		if !strings.Contains(out, "ddkk.com: site PV") || !strings.Contains(out, "still to come: 300 lines of the log") {
			r.t.Errorf("restore said:\n%s", out)
		}
		r.daemon.Start()
		r.verified()

		r.forget()
		r.write(300)
		r.verified()
	})
}

// TestArchiveRestoreLive restores sites while views come in.
func TestArchiveRestoreLive(t *testing.T) {
	eachArchive(t, rigOptions{}, func(r *rig) {
		r.daemon.Start()
		r.write(1000)
		r.exact()
		r.archive()
		stop := r.feed()
		r.more(300)
		r.command("restore-from-mysql", "--site", "ddkk.com")
		r.more(500)
		r.command("restore-from-mysql")
		r.more(300)
		stop()
		r.verified()
	})
}

// TestArchiveRestoreKilled kills restores at random points and repeats them.
func TestArchiveRestoreKilled(t *testing.T) {
	eachArchive(t, rigOptions{}, func(r *rig) {
		r.daemon.Start()
		r.write(3000)
		r.exact()
		r.archive()
		stop := r.feed()
		killed := 0
		for range 8 {
			if r.killed(150*time.Millisecond, "restore-from-mysql") {
				killed++
			}
			r.unlock()
		}
		r.t.Logf("%d of 8 restores were killed before they ended", killed)
		r.command("restore-from-mysql")
		r.more(300)
		stop()
		r.verified()
	})
}

// unlock removes the locks that a killed restore left, as their end of life
// would: nobody has to wait for that here.
func (r *rig) unlock() {
	r.t.Helper()
	for _, site := range r.ledger.Sites() {
		must(r.t, r.client.Del(r.t.Context(), prefix+"rebuild:"+site).Err())
	}
}

// killed runs a command and kills it at a random moment; false if it was
// faster.
func (r *rig) killed(within time.Duration, args ...string) bool {
	r.t.Helper()
	p := newProcess(r.t, "killed", Binary(r.t), args...)
	p.env, p.dir = environment(r.daemon.Env), TempDir(r.t)
	p.start()
	timer := time.NewTimer(time.Duration(r.rand.Int64N(int64(within))))
	defer timer.Stop()
	select {
	case <-timer.C:
		p.kill()
		return true
	case <-p.done:
		return false
	}
}

// TestArchiveDisaster is the drill: under load, with the older segments
// archived and deleted, Redis loses everything.
func TestArchiveDisaster(t *testing.T) {
	eachArchive(t, rigOptions{}, func(r *rig) {
		r.daemon.Start()
		for range 2 {
			r.write(1500)
			r.exact()
			r.archive()
			r.deleteSegments()
		}
		stop := r.feed()
		r.more(500)
		r.rotate()
		r.more(500)
		stop()
		r.exact()
		r.t.Log("before:", r.totals())
		stop = r.feed()
		r.more(200)
		r.forget()
		r.more(800)
		stop()
		r.verified()
		r.t.Log("after: ", r.totals(), "of", r.ledger.Count(), "beacons")
	})
}

// TestArchiveDatabaseDown kills MariaDB while views are counted and archived,
// restarts the daemon without it, and brings it back.
func TestArchiveDatabaseDown(t *testing.T) {
	m := StartMariaDB(t)
	r := newRig(t, rigOptions{})
	r.daemon.Env["MYSQL_DSN"] = createDatabase(t, m)
	r.daemon.Start()
	r.write(1000)
	r.exact()
	r.archive()
	stop := r.feed()
	m.Kill()
	r.more(500)
	r.rotate()
	r.quieten()
	if out, err := Run(t, r.daemon.Env, "archive"); err == nil {
		t.Errorf("archived without a database:\n%s", out)
	}
	r.daemon.Terminate()
	r.daemon.Start()
	r.more(500)
	r.exactly(stop)
	m.Start()
	stop = r.feed()
	for range 3 { // killed in the middle of archiving
		r.more(1500)
		r.rotate()
		r.quieten()
		p := newProcess(t, "archive", Binary(t), "archive")
		p.env, p.dir = environment(r.daemon.Env), TempDir(t)
		p.start()
		timer := time.NewTimer(time.Duration(r.rand.Int64N(int64(400 * time.Millisecond))))
		<-timer.C
		m.Kill()
		m.Start()
		<-p.done
	}
	stop()
	r.exact()
	r.archive()
	r.deleteSegments()
	r.forget()
	r.write(50) // is how the daemon notices before its next look at all sites
	r.verified()
}

// exactly stops a feed and checks the counters.
func (r *rig) exactly(stop func()) {
	r.t.Helper()
	stop()
	r.exact()
}

// TestArchiveLateSegment archives a day, then another segment of the same day
// that is older than the one archived, then one that grew after it was.
func TestArchiveLateSegment(t *testing.T) {
	eachArchive(t, rigOptions{}, func(r *rig) {
		yesterday := time.Now().In(r.ledger.loc).AddDate(0, 0, -1)
		noon := time.Date(yesterday.Year(), yesterday.Month(), yesterday.Day(), 12, 0, 0, 0, r.ledger.loc)
		at := func(from time.Time, n int) {
			for i := range n {
				x := r.traffic.Next()
				x.Time = from.Add(time.Duration(i) * time.Millisecond)
				r.writer.Write(0, x)
			}
		}
		r.daemon.Start()
		at(noon, 800)
		r.exact()
		r.archive()
		r.deleteSegments()
		at(noon.Add(-2*time.Hour), 800)
		r.verified()
		late := r.rotate()
		r.quieten()
		r.command("archive")
		r.verified()
		grown, err := openLog(late)
		must(r.t, err)
		x := r.traffic.Next()
		x.Time = noon
		_, err = grown.WriteString(Line(x) + "\n")
		must(r.t, err)
		must(r.t, grown.Close())
		r.ledger.Record(x.Beacon)
		r.verified()
		r.quieten()
		r.command("archive")
		r.deleteSegments()
		r.forget()
		r.write(100)
		r.verified()
	})
}

// TestArchiveKilled kills archivings at random, runs two at once, and repeats.
func TestArchiveKilled(t *testing.T) {
	eachArchive(t, rigOptions{}, func(r *rig) {
		r.daemon.Start()
		for range 4 {
			r.write(2500)
			r.rotate()
		}
		r.exact()
		r.quieten()
		killed := 0
		for range 6 {
			if r.killed(500*time.Millisecond, "archive") {
				killed++
			}
			r.write(100)
			r.rotate()
			r.quieten()
		}
		r.t.Logf("%d of 6 archivings were killed before they ended", killed)
		outs := make(chan string, 3)
		for range cap(outs) {
			go func() {
				out, err := Run(r.t, r.daemon.Env, "archive")
				outs <- fmt.Sprintf("%v: %s", err, out)
			}()
		}
		for range cap(outs) {
			if out := <-outs; !strings.HasPrefix(out, "<nil>") && !strings.Contains(out, "another process is archiving") {
				r.t.Errorf("one of two archivings said %s", out)
			}
		}
		if out := r.command("archive"); !strings.HasPrefix(out, "0 segments, 0 lines") {
			r.t.Errorf("archived again: %s", out)
		}
		r.verified()
		r.deleteSegments()
		r.forget()
		r.write(50)
		r.verified()
	})
}

// TestArchiveEmbedded has neither Redis nor MySQL: after an archiving the old
// segments are not needed, and a restart ends with the same numbers.
func TestArchiveEmbedded(t *testing.T) {
	t.Parallel()
	daemon := StartDaemon(t, map[string]string{"ROTATE_CRON": "@every 1s"})
	ledger := NewLedger(time.Local)
	send := func(seed uint64) {
		load := StartLoad(t, LoadOptions{Addr: daemon.Addr, Ledger: ledger, Total: 400, Clients: 4, Seed: seed})
		load.Wait()
		waitTotals(t, daemon, ledger)
	}
	send(1)
	rotated := func() []string {
		names, err := filepath.Glob(filepath.Join(daemon.Dir, "log", "*.log.*"))
		must(t, err)
		return names
	}
	Eventually(t, 20*time.Second, "the log is rotated", func() error {
		if names := rotated(); len(names) == 0 {
			return fmt.Errorf("no rotated log in %s", daemon.Dir)
		}
		return nil
	})
	send(100)
	daemon.Terminate()
	delete(daemon.Env, "ROTATE_CRON")
	for _, name := range rotated() {
		old := time.Now().Add(-time.Hour)
		must(t, os.Chtimes(name, old, old))
	}
	out, err := Run(t, daemon.Env, "archive")
	if err != nil {
		t.Fatalf("archive: %v\n%s", err, out)
	}
	t.Log(out)
	for _, name := range rotated() {
		must(t, os.Remove(name))
	}
	daemon.Start()
	waitTotals(t, daemon, ledger)
	send(200)
	daemon.Kill()
	daemon.Start()
	waitTotals(t, daemon, ledger)
	if out, err := Run(t, daemon.Env, "verify"); err != nil {
		t.Errorf("verify: %v\n%s", err, out)
	}
	daemon.Terminate()
}
