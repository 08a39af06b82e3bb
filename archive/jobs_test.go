package archive

import (
	"testing"
	"time"
)

func TestJobs(t *testing.T) {
	eachPlace(t, func(t *testing.T, at place) {
		a := open(t, at)
		check(t, a.NoteJob(t.Context(), "a", "archive", time.Time{}, ""))
		jobs, err := a.Jobs(t.Context(), "a")
		check(t, err)
		if j := jobs["archive"]; !j.Since.Equal(now) || !j.Done.IsZero() {
			t.Errorf("%+v", j)
		}
		done := now.Add(time.Hour)
		for range 2 {
			check(t, a.NoteJob(t.Context(), "a", "archive", done, "note"))
			check(t, a.NoteJob(t.Context(), "a", "archive", time.Time{}, "")) // says nothing new
			check(t, a.NoteJob(t.Context(), "b", "archive", done.Add(time.Hour), ""))
		}
		if jobs, err = a.Jobs(t.Context(), "a"); err != nil || len(jobs) != 1 {
			t.Fatal(jobs, err)
		}
		if j := jobs["archive"]; !j.Since.Equal(now) || !j.Done.Equal(done) || j.Note != "note" {
			t.Errorf("%+v", j)
		}
	})
}

// TestJobsAtOnce: the daemon and a command of the same host note the same job.
func TestJobsAtOnce(t *testing.T) {
	eachPlace(t, func(t *testing.T, at place) {
		a := open(t, at)
		const askers = 8
		errs := make(chan error, askers)
		for range askers {
			go func() { errs <- a.NoteJob(t.Context(), "a", "archive", time.Time{}, "") }()
		}
		for range askers {
			check(t, <-errs)
		}
		if jobs, err := a.Jobs(t.Context(), "a"); err != nil || len(jobs) != 1 {
			t.Error(jobs, err)
		}
	})
}
