package vault

import (
	"fmt"

	"ddkk-stats/counter"
	"ddkk-stats/internal/health"
)

// Counting begins when everything answers that it needs to know something from:
// Redis, also one that is full, loading or refuses us, and in some cases the archive.
// All of it is waited for; meanwhile requests are served, views go into the log, and
// /readyz says by name what is missing.

// Where a start waits.
const (
	WhereRedis   = "Redis"
	WhereArchive = "the archive"
)

// WaitError says what cannot be done yet; it is tried again.
type WaitError struct {
	Where string
	Err   error
}

func (e *WaitError) Error() string { return fmt.Sprintf("%s: %v", e.Where, e.Err) }

func (e *WaitError) Unwrap() error { return e.Err }

// Trouble is the name of what is waited for.
func (e *WaitError) Trouble() counter.Trouble {
	if e.Where == WhereArchive {
		return health.ArchiveAway
	}
	return counter.TroubleOf(e.Err)
}
