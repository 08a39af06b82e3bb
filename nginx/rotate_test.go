package nginx

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

func tempLog(t *testing.T, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "event.log")
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func fixedClock() time.Time { return time.Date(2026, 11, 22, 0, 0, 1, 0, time.FixedZone("", 8*3600)) }

// testRotator reopens by creating the file, as a writer would.
func testRotator(path string) *Rotator {
	return &Rotator{Log: path, Now: fixedClock, Reopen: func(context.Context) error {
		f, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
		if err != nil {
			return err
		}
		return f.Close()
	}}
}

func TestRotateNamesByUTCTime(t *testing.T) {
	path := tempLog(t, "line\n")
	got, err := testRotator(path).Rotate(t.Context())
	if want := (Rotated{path + ".20261121T160001Z-1", 5}); err != nil || got != want {
		t.Errorf("%v, %v; want %v", got, err, want)
	}
}

func TestRotateNeverOverwrites(t *testing.T) {
	path := tempLog(t, "line\n")
	for seq := 1; seq <= 3; seq++ {
		if err := os.WriteFile(fmt.Sprintf("%s.20261121T160001Z-%d", path, seq), []byte("kept\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	got, err := testRotator(path).Rotate(t.Context())
	if err != nil || got.Name != path+".20261121T160001Z-4" {
		t.Errorf("%v, %v", got, err)
	}
	for seq := 1; seq <= 3; seq++ {
		if b, err := os.ReadFile(fmt.Sprintf("%s.20261121T160001Z-%d", path, seq)); err != nil || string(b) != "kept\n" {
			t.Errorf("file %d: %q, %v", seq, b, err)
		}
	}
}

func TestRenameChecked(t *testing.T) {
	path := tempLog(t, "line\n")
	if err := renameChecked(path, path); !errors.Is(err, os.ErrExist) {
		t.Errorf("onto a file: %v", err)
	}
	if err := renameChecked(path, path+".1"); err != nil {
		t.Error(err)
	}
}

func TestEmptyLogIsLeftAlone(t *testing.T) {
	path := tempLog(t, "")
	r := &Rotator{Log: path, Reopen: func(context.Context) error { return errors.New("must not be called") }}
	if got, err := r.Rotate(t.Context()); err != nil || got != (Rotated{}) {
		t.Errorf("%v, %v", got, err)
	}
}

func TestMissingLog(t *testing.T) {
	r := testRotator(filepath.Join(t.TempDir(), "event.log"))
	if _, err := r.Rotate(t.Context()); !errors.Is(err, os.ErrNotExist) || !strings.Contains(err.Error(), "ACCESS_LOG") {
		t.Errorf("error %v", err)
	}
	if _, err := (&Rotator{Log: t.TempDir()}).Rotate(t.Context()); err == nil {
		t.Error("a folder was rotated")
	}
}

func TestReopenFails(t *testing.T) {
	path := tempLog(t, "line\n")
	cause := errors.New("no such luck")
	r := &Rotator{Log: path, Reopen: func(context.Context) error { return cause }}
	got, err := r.Rotate(t.Context())
	if !errors.Is(err, ErrNotReopened) || !errors.Is(err, cause) {
		t.Errorf("error %v", err)
	}
	if b, err := os.ReadFile(got.Name); err != nil || string(b) != "line\n" {
		t.Errorf("the renamed log: %q, %v", b, err)
	}
}

// The new file comes late; Rotate looks until it is there.
func TestWaitsForTheNewFile(t *testing.T) {
	path := tempLog(t, "line\n")
	looks := 0
	r := &Rotator{Log: path, Reopen: func(context.Context) error { return nil }, Wait: func(context.Context) error {
		if looks++; looks == 3 {
			return os.WriteFile(path, nil, 0o600)
		}
		return nil
	}}
	if _, err := r.Rotate(t.Context()); err != nil || looks != 3 {
		t.Errorf("%v after %d looks", err, looks)
	}
}

func TestNewFileNeverComes(t *testing.T) {
	r := &Rotator{
		Log:    tempLog(t, "line\n"),
		Reopen: func(context.Context) error { return nil },
		Wait:   func(context.Context) error { return context.DeadlineExceeded },
	}
	_, err := r.Rotate(t.Context())
	if !errors.Is(err, ErrNotReopened) || !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "error log") {
		t.Errorf("error %v", err)
	}
}

func TestCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	r := &Rotator{Log: tempLog(t, "line\n"), Reopen: func(context.Context) error { return nil }}
	if _, err := r.Rotate(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
}

// A pid file that leads nowhere leaves the log as it was.
func TestPIDFile(t *testing.T) {
	f := func(content *string, want string) {
		t.Helper()
		path := tempLog(t, "line\n")
		r := &Rotator{Log: path, PIDFile: filepath.Join(t.TempDir(), "nginx.pid")}
		if content == nil {
			r.PIDFile = filepath.Join(t.TempDir(), "missing.pid")
		} else if err := os.WriteFile(r.PIDFile, []byte(*content), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := r.Rotate(t.Context()); !errors.Is(err, ErrNoPID) || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v", err)
		}
		if _, err := os.Stat(path); err != nil {
			t.Errorf("the log was renamed: %v", err)
		}
	}
	content := func(s string) *string { return &s }
	f(nil, "is missing")
	f(content(""), "not a process id")
	f(content("nginx\n"), "not a process id")
	f(content("1\n"), "not a process id")
	f(content("-5\n"), "not a process id")
	f(content("2147483646\n"), "stale")
	f(content(strconv.Itoa(os.Getpid())+"\n"), "not nginx") // the test itself is not nginx, and USR1 would end it
	if _, err := (&Rotator{Log: tempLog(t, "line\n")}).Rotate(t.Context()); !errors.Is(err, ErrNoPID) || !strings.Contains(err.Error(), "NGINX_PID") {
		t.Errorf("without a pid file: %v", err)
	}
}

func TestNotAllowedToSignal(t *testing.T) {
	err := unreachable(syscall.EPERM, 42, "/run/nginx.pid")
	for _, want := range []string{"user that started nginx", "deploy/logrotate"} {
		if !errors.Is(err, ErrNoPID) || !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not in %v", want, err)
		}
	}
}
