package nginx

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"
)

// DefaultReopenTimeout is how long Rotate waits for nginx to open the new log
// when the context has no deadline. nginx needs milliseconds; a worker in a
// long disk read needs more.
const DefaultReopenTimeout = 10 * time.Second

// pollInterval is how often Rotate looks for the new file.
const pollInterval = 5 * time.Millisecond

// maxSeq bounds the search for a free name; so many rotations in one second
// mean that something else is wrong.
const maxSeq = 10000

var (
	// ErrNoPID means that the pid file is missing, or does not name a running
	// nginx. Nothing was renamed.
	ErrNoPID = errors.New("nginx is not to be reached")
	// ErrNotReopened means that the log was renamed but nginx goes on writing
	// into the renamed file. Nothing is lost: both files are read.
	ErrNotReopened = errors.New("nginx still writes into the renamed log")
)

// Rotator renames the beacon log and has its writer open a new one. It is
// rename + reopen, never copy + truncate, so no line is lost whatever happens
// in between: until the writer has the new file it goes on in the old one, and
// the tailer reads both.
//
// The fields are set before the first use and not changed after.
type Rotator struct {
	// Log is the path of the live log.
	Log string
	// PIDFile holds nginx's process id (NGINX_PID). Not used with Reopen.
	PIDFile string
	// Reopen makes the writer open Log anew; nil signals nginx with USR1. The
	// built-in beacon's log is given here.
	Reopen func(context.Context) error

	// Now is the clock that names the renamed file; nil means time.Now.
	Now func() time.Time
	// Wait pauses between two looks at the new file; nil means a few
	// milliseconds. It returns the context's error when that ends first.
	Wait func(context.Context) error
}

// Rotated is what a rotation did. The zero value means that there was nothing
// to rotate: the log is empty.
type Rotated struct {
	Name string // path of the renamed file
	Size int64  // bytes in it when it was renamed; a writer may add to it still
}

// Rotate renames the log to LOG.<yyyymmddThhmmssZ>-<seq>, has it reopened, and
// returns when every writer was seen to have left the renamed file, as far as
// the operating system lets us look.
//
// An empty log is left alone. After ErrNotReopened the log stays renamed and
// Rotated tells its name; renaming it back would hide the file that nginx may
// just be opening.
func (r *Rotator) Rotate(ctx context.Context) (Rotated, error) {
	if _, ok := ctx.Deadline(); !ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, DefaultReopenTimeout)
		defer cancel()
	}
	info, err := os.Stat(r.Log)
	if err != nil {
		return Rotated{}, fmt.Errorf("rotate log: %w; is ACCESS_LOG the path that nginx writes to?", err)
	}
	if !info.Mode().IsRegular() {
		return Rotated{}, fmt.Errorf("rotate log: %s is not a regular file", r.Log)
	}
	if info.Size() == 0 {
		return Rotated{}, nil
	}
	// Ask first whether the writer can be reached: then a wrong pid file leaves
	// everything as it was.
	reopen, pid, err := r.reopener()
	if err != nil {
		return Rotated{}, fmt.Errorf("rotate log: %w", err)
	}
	name, err := r.rename()
	if err != nil {
		return Rotated{}, fmt.Errorf("rotate log: %w", err)
	}
	done := Rotated{Name: name, Size: info.Size()}
	if err := reopen(ctx); err != nil {
		return done, fmt.Errorf("%w (%s): %w", ErrNotReopened, name, err)
	}
	if err := r.verify(ctx, name, pid); err != nil {
		return done, fmt.Errorf("%w (%s): %w", ErrNotReopened, name, err)
	}
	return done, nil
}

// reopener returns how to reach the writer, and nginx's pid where it is nginx.
func (r *Rotator) reopener() (func(context.Context) error, int, error) {
	if r.Reopen != nil {
		return r.Reopen, 0, nil
	}
	pid, err := readPID(r.PIDFile)
	if err != nil {
		return nil, 0, err
	}
	if err := probe(pid, r.PIDFile); err != nil {
		return nil, 0, err
	}
	return func(context.Context) error { return signalReopen(pid) }, pid, nil
}

// rename gives the log the first free name of this second.
func (r *Rotator) rename() (string, error) {
	now := time.Now
	if r.Now != nil {
		now = r.Now
	}
	base := r.Log + "." + now().UTC().Format("20060102T150405Z") + "-"
	for seq := 1; seq <= maxSeq; seq++ {
		name := fmt.Sprintf("%s%d", base, seq)
		switch err := renameNoReplace(r.Log, name); {
		case err == nil:
			return name, nil
		case !errors.Is(err, fs.ErrExist):
			return "", fmt.Errorf("%w; the daemon needs write permission in the log's folder", err)
		}
	}
	return "", fmt.Errorf("no free name from %s1 to %s%d", base, base, maxSeq)
}

// verify waits until the new log exists and no process of nginx holds the
// renamed one.
func (r *Rotator) verify(ctx context.Context, renamed string, pid int) error {
	for {
		appeared, err := r.appeared(renamed)
		if err != nil {
			return err
		}
		var holders []int
		if appeared && pid != 0 {
			holders = holding(pid, renamed)
		}
		if appeared && len(holders) == 0 {
			return nil
		}
		if err := r.wait(ctx); err != nil {
			return notReopened(err, r.Log, holders)
		}
	}
}

func (r *Rotator) appeared(renamed string) (bool, error) {
	fresh, err := os.Stat(r.Log)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("look for the new log: %w", err)
	}
	old, err := os.Stat(renamed)
	if errors.Is(err, fs.ErrNotExist) {
		return true, nil // archived and removed already
	}
	if err != nil {
		return false, fmt.Errorf("look at the renamed log: %w", err)
	}
	return !os.SameFile(fresh, old), nil
}

func (r *Rotator) wait(ctx context.Context) error {
	if r.Wait != nil {
		return r.Wait(ctx)
	}
	t := time.NewTimer(pollInterval)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-t.C:
		return nil
	}
}

// notReopened says what to do about it.
func notReopened(cause error, log string, holders []int) error {
	if len(holders) > 0 {
		return fmt.Errorf("the nginx processes %v hold it open: their user may not enter the folder of %s or write that file, or they hang; nginx's error log says which. Lines are not lost, they are read from both files; mend it and send nginx USR1 (nginx -s reopen): %w", holders, log, cause)
	}
	return fmt.Errorf("%s was not created: see nginx's error log, and whether nginx writes its log to this very path. Lines are not lost, they are read from the renamed file; mend it and send nginx USR1 (nginx -s reopen): %w", log, cause)
}
