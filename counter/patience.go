package counter

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/redis/go-redis/v9"
)

// Back-off between two tries while Redis is away or refuses writes.
const (
	minBackoff = 20 * time.Millisecond
	maxBackoff = time.Second
)

// patience repeats what fails for a passing reason: nothing is lost while we
// wait, as the log keeps what is not counted.
type patience struct {
	log  *slog.Logger
	tell func(try int, err error) // is told how each try went; try counts the failures before it
}

// retry repeats f until it succeeds, fails for good, or ctx ends, and says
// once that it waits.
func (p *patience) retry(ctx context.Context, what string, f func() error) error {
	wait := minBackoff
	for n := 0; ; n++ {
		err := f()
		if err == nil || !passing(err) {
			if n > 3 {
				p.log.Info("recovered", "what", what, "tries", n)
			}
			p.tell(n, nil)
			return err
		}
		if ctx.Err() != nil {
			return fmt.Errorf("%s: %w", what, err)
		}
		if n == 3 {
			p.log.Warn("cannot reach Redis, retrying; uncounted lines stay in the log", "for", what, "trouble", TroubleOf(err), "err", err)
		}
		p.tell(n, err)
		select {
		case <-ctx.Done():
		case <-time.After(wait):
		}
		wait = min(2*wait, maxBackoff)
	}
}

// wire is how the loop asks Redis: again, until it answers.
type wire struct {
	rdb redis.UniversalClient
	patience
}

// ask runs a pipeline until no command of it fails for a reason that
// passes. Other errors are the commands' own.
func (w *wire) ask(ctx context.Context, what string, queue func(redis.Pipeliner)) error {
	return w.retry(ctx, what, func() error {
		pipe := w.rdb.Pipeline()
		queue(pipe)
		cmds, err := pipe.Exec(ctx)
		if passing(err) {
			return err
		}
		for _, cmd := range cmds {
			if err := cmd.Err(); passing(err) {
				return err
			}
		}
		return nil
	})
}
