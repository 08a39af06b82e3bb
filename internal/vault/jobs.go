package vault

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"ddkk-stats/archive"
	"ddkk-stats/internal/durable"
	"ddkk-stats/internal/verify"
)

// Jobs that SQL remembers.
const (
	JobArchive = "archive"
	JobVerify  = "verify"
	JobRotate  = "rotate"
	JobReport  = "report"
)

// hostID names this DATA_DIR among the hosts that share an archive: a name that a
// container does not change when it is made anew.
func hostID(dir string) (string, error) {
	path := filepath.Join(dir, "host")
	b, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("read the host's name: %w", err)
	}
	if id := strings.TrimSpace(string(b)); id != "" {
		return id, nil
	}
	id := rand.Text()
	if err := durable.Replace(path, []byte(id+"\n"), 0o600); err != nil {
		return "", fmt.Errorf("keep the host's name: %w", err)
	}
	return id, nil
}

// learnJobs reads how this host's jobs went last, in earlier lives and by hand.
func (v *Vault) learnJobs(ctx context.Context, a *archive.Archive) error {
	host, err := hostID(v.Cfg().DataDir)
	if err != nil {
		return err
	}
	jobs, err := a.Jobs(ctx, host)
	if err != nil {
		return err
	}
	for name, on := range map[string]bool{JobArchive: true, JobReport: v.Cfg().ReportCron.On()} {
		if _, ok := jobs[name]; ok || !on {
			continue
		}
		// From now on it is missed if it does not come.
		if err := a.NoteJob(ctx, host, name, time.Time{}, ""); err != nil {
			return err
		}
		if jobs, err = a.Jobs(ctx, host); err != nil {
			return err
		}
	}
	v.mu.Lock()
	v.jobs = jobs
	v.mu.Unlock()
	if v.Verified != nil {
		if note, ok := readVerifyNote(jobs[JobVerify].Note); ok {
			v.Verified(note)
		}
	}
	return nil
}

// NoteDone notes that a job went well.
func (v *Vault) NoteDone(ctx context.Context, job string, at time.Time, note string) error {
	a, err := v.Open(ctx)
	if err != nil {
		return err
	}
	host, err := hostID(v.Cfg().DataDir)
	if err != nil {
		return err
	}
	if err := a.NoteJob(ctx, host, job, at, note); err != nil {
		return err
	}
	return v.learnJobs(ctx, a)
}

// Job is how one of this host's went last, as it was learnt last; false: nothing
// was learnt yet.
func (v *Vault) Job(name string) (archive.Job, bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.jobs[name], v.jobs != nil
}

// HostID names this DATA_DIR among the hosts that share an archive.
func (v *Vault) HostID() (string, error) { return hostID(v.Cfg().DataDir) }

func (v *Vault) LastDone(name string) (time.Time, bool) {
	j, known := v.Job(name)
	return j.Done, known
}

// VerifyNote is what is remembered of the last verification.
type VerifyNote struct {
	At          int64 `json:"at"` // Unix milliseconds
	Differences int64 `json:"differences"`
	Problems    int64 `json:"problems"`
	Success     int64 `json:"success"` // when all was last right, Unix seconds
}

func readVerifyNote(text string) (n VerifyNote, ok bool) {
	return n, text != "" && json.Unmarshal([]byte(text), &n) == nil
}

// With adds a report. One that is not of everything says nothing of what it did
// not look at, so it never makes a number smaller.
func (n VerifyNote) With(r *verify.Report, whole bool, now time.Time) VerifyNote {
	was := n
	n = VerifyNote{At: now.UnixMilli(), Differences: int64(r.Differences), Problems: int64(r.Problems), Success: was.Success}
	if !whole {
		n.Differences, n.Problems = max(n.Differences, was.Differences), max(n.Problems, was.Problems)
	} else if r.OK() {
		n.Success = now.Unix()
	}
	return n
}

// NoteVerified remembers a verification.
func (v *Vault) NoteVerified(ctx context.Context, r *verify.Report, whole bool) (VerifyNote, error) {
	now := time.Now()
	last, _ := v.Job(JobVerify)
	was, _ := readVerifyNote(last.Note)
	note := was.With(r, whole, now)
	if !whole && !last.Done.IsZero() {
		now = last.Done // the scheduled one is still due
	}
	text, err := json.Marshal(note)
	if err != nil {
		return note, fmt.Errorf("remember the verification: %w", err)
	}
	return note, v.NoteDone(ctx, JobVerify, now, string(text))
}
