package jobs

import (
	"testing"
	"time"

	"ddkk-stats/archive"
	"ddkk-stats/internal/config"
)

// A log of which a rule takes lines out is kept as long as raw rows are, whatever rules are in force:
// one that was undone a moment ago still needs it for the recount.
func TestLogIsKeptForUndo(t *testing.T) {
	for _, x := range []struct {
		days   int
		voided bool
		age    time.Duration
		want   bool
	}{
		{0, true, 1000 * time.Hour, true},
		{0, false, time.Hour, false},
		{2, true, 47 * time.Hour, true},
		{2, true, 49 * time.Hour, false},
	} {
		cfg := &config.Config{}
		cfg.RawRetentionDays = x.days
		if got := keptForUndo(cfg, archive.ArchivedSegment{Voided: x.voided}, x.age); got != x.want {
			t.Errorf("%+v: %v", x, got)
		}
	}
}
