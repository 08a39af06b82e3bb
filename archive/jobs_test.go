package archive

import (
	"fmt"
	"sync"
	"sync/atomic"
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

// TestSharedNotes: a note is replaced by one host of many, and only if it still is what
// that one read.
func TestSharedNotes(t *testing.T) {
	eachPlace(t, func(t *testing.T, at place) {
		a := open(t, at)
		f := func(was, is string, want bool, after string) {
			t.Helper()
			done, err := a.SwapSharedNote(t.Context(), "report:x", was, is)
			check(t, err)
			note, err := a.SharedNote(t.Context(), "report:x")
			check(t, err)
			if done != want || note != after {
				t.Errorf("%q -> %q: %v, note %q; want %v, %q", was, is, done, note, want, after)
			}
		}
		f("none", "x", false, "")
		f("", "one", true, "one")
		f("", "two", false, "one")
		f("", "one", true, "one") // the answer to the commit was lost
		f("one", "two", true, "two")
		f("one", "three", false, "two")
		if other, err := a.SharedNote(t.Context(), "report:y"); err != nil || other != "" {
			t.Errorf("another's note: %q %v", other, err)
		}
		var all sync.WaitGroup
		var won atomic.Int64
		for i := range 8 {
			all.Go(func() {
				done, err := a.SwapSharedNote(t.Context(), "report:z", "", fmt.Sprint("host ", i))
				if err != nil {
					t.Error(err)
				}
				if done {
					won.Add(1)
				}
			})
		}
		all.Wait()
		if won.Load() != 1 {
			t.Errorf("%d hosts replaced one note", won.Load())
		}
	})
}
