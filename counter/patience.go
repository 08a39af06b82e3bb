package counter

import (
	"context"
	"fmt"
	"log/slog"
	"time"
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
