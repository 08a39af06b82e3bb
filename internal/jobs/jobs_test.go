package jobs

import (
	"context"
	"database/sql"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"ddkk-stats/counter"
	"ddkk-stats/internal/config"
	"ddkk-stats/internal/config/configtest"
	"ddkk-stats/internal/vault"
	"ddkk-stats/internal/verify"
)

// TestJobsOutliveARestart: how the last cycle and the last verification went is
// known to the next daemon, and what a person did by hand to the one that runs.
func TestJobsOutliveARestart(t *testing.T) {
	cfg := configtest.Load(t, map[string]string{"DATA_DIR": t.TempDir(), "SECRET": "secret"}, "")
	life := func() (*vault.Vault, *[]vault.VerifyNote) {
		v := vault.New(config.NewLive(cfg), nil, counter.NewKeys("ddkk", false), slog.New(slog.DiscardHandler))
		t.Cleanup(func() {
			if err := v.Close(); err != nil {
				t.Error(err)
			}
		})
		var told []vault.VerifyNote
		v.Verified = func(n vault.VerifyNote) { told = append(told, n) }
		if err := v.Learn(t.Context()); err != nil {
			t.Fatal(err)
		}
		return v, &told
	}
	first, told := life()
	j, known := first.Job(vault.JobArchive)
	if !known || j.Since.IsZero() || !j.Done.IsZero() || len(*told) != 0 {
		t.Fatalf("%+v, %v", j, *told)
	}
	if _, err := Archive(t.Context(), first, []byte("secret")); err != nil {
		t.Fatal(err)
	}
	if _, err := first.NoteVerified(t.Context(), &verify.Report{Differences: 3}, true); err != nil {
		t.Fatal(err)
	}

	second, told := life()
	if done, known := second.LastDone(vault.JobArchive); !known || time.Since(done) > time.Minute {
		t.Errorf("archived at %v", done)
	}
	if len(*told) != 1 || (*told)[0].Differences != 3 || (*told)[0].Success != 0 {
		t.Errorf("verified: %+v", *told)
	}
	// One site alone makes no number smaller; everything does.
	if n, err := second.NoteVerified(t.Context(), &verify.Report{}, false); err != nil || n.Differences != 3 {
		t.Errorf("%+v, %v", n, err)
	}
	if n, err := second.NoteVerified(t.Context(), &verify.Report{}, true); err != nil || n.Differences != 0 || n.Success == 0 {
		t.Errorf("%+v, %v", n, err)
	}
	if err := first.Learn(t.Context()); err != nil { // it still runs
		t.Fatal(err)
	}
	if n := len(*told); (*told)[n-1].Differences != 0 {
		t.Errorf("%+v", *told)
	}
}

// said is a log that tells when a text comes.
type said struct {
	slog.Handler
	text string
	once sync.Once
	came chan struct{}
}

func (s *said) Enabled(context.Context, slog.Level) bool { return true }

func (s *said) Handle(_ context.Context, r slog.Record) error {
	if strings.Contains(r.Message, s.text) {
		s.once.Do(func() { close(s.came) })
	}
	return nil
}

// TestArchiveWaitsForAnother: who finds another at work, as the other host of the
// same schedule, waits and archives its own.
func TestArchiveWaitsForAnother(t *testing.T) {
	dir := t.TempDir()
	cfg := configtest.Load(t, map[string]string{"DATA_DIR": dir, "SECRET": "secret"}, "")
	waits := &said{Handler: slog.DiscardHandler, text: "waiting for another archive run", came: make(chan struct{})}
	v := vault.New(config.NewLive(cfg), nil, counter.NewKeys("ddkk", false), slog.New(waits))
	t.Cleanup(func() {
		if err := v.Close(); err != nil {
			t.Error(err)
		}
	})
	if err := v.Learn(t.Context()); err != nil {
		t.Fatal(err)
	}
	lock, err := os.OpenFile(filepath.Join(dir, "archive.db.archive.lock"), os.O_CREATE|os.O_RDWR, 0o640)
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() {
		_, err := Archive(t.Context(), v, []byte("secret"))
		ended <- err
	}()
	<-waits.came
	if err := lock.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	if done, _ := v.LastDone(vault.JobArchive); done.IsZero() {
		t.Error("it did not archive")
	}
}

// TestArchiveIsReplaced puts a backup of archive.db in its place under the daemon,
// and takes it away.
func TestArchiveIsReplaced(t *testing.T) {
	dir := t.TempDir()
	cfg := configtest.Load(t, map[string]string{"DATA_DIR": dir, "SECRET": "secret"}, "")
	v := vault.New(config.NewLive(cfg), nil, counter.NewKeys("ddkk", false), slog.New(slog.DiscardHandler))
	t.Cleanup(func() {
		if err := v.Close(); err != nil {
			t.Error(err)
		}
	})
	archived := func(want int64) {
		t.Helper()
		if err := v.Learn(t.Context()); err != nil {
			t.Fatal(err)
		}
		if j, _ := v.Job(vault.JobRotate); j.Done.Unix() != want {
			t.Errorf("the note is of %v, want %d", j.Done, want)
		}
	}
	note := func(at int64) {
		t.Helper()
		if err := v.NoteDone(t.Context(), vault.JobRotate, time.Unix(at, 0), ""); err != nil {
			t.Fatal(err)
		}
	}
	note(1)
	path, backup := filepath.Join(dir, "archive.db"), filepath.Join(dir, "backup.db")
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.Exec("VACUUM INTO ?", backup); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	note(2)
	archived(2)
	if err := os.Rename(backup, path); err != nil {
		t.Fatal(err)
	}
	archived(1)
	note(3)
	archived(3)
	if err := os.Rename(path, backup); err != nil {
		t.Fatal(err)
	}
	if err := v.Learn(t.Context()); err == nil || !strings.Contains(err.Error(), "put it back") {
		t.Errorf("it is gone: %v", err)
	}
	if _, err := os.Stat(path); err == nil {
		t.Error("an empty one was made in its place")
	}
	if err := os.Rename(backup, path); err != nil {
		t.Fatal(err)
	}
	archived(3)
}
