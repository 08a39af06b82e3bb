package cli

import (
	"fmt"
	"io"
	"time"

	"ddkk-stats/internal/config"
	"ddkk-stats/internal/jobs"
)

// printRemaining says of each segment what is to come of it, and when.
func printRemaining(w io.Writer, all []jobs.WaitingSegment, cfg *config.Config) error {
	for _, s := range all {
		var when string
		switch {
		case s.Live:
			when = "live; archived after its rotation"
		case s.From.IsZero():
			when = "closed; archived by the next run"
		default:
			when = "written to a moment ago; archived from " + s.From.In(cfg.Timezone).Format(time.TimeOnly) + " on"
		}
		if _, err := fmt.Fprintf(w, "  %s: %d lines (%d bytes), %s%s\n", s.Name, s.Lines, s.Bytes, when, nextArchive(s, cfg)); err != nil {
			return err
		}
	}
	return nil
}

// nextArchive says when the daemon archives a closed segment by itself.
func nextArchive(s jobs.WaitingSegment, cfg *config.Config) string {
	if s.Live || !cfg.ArchiveCron.On() {
		return ""
	}
	after := s.From
	if after.IsZero() {
		after = time.Now()
	}
	return ", by the daemon at " + cfg.ArchiveCron.Times.Next(after.In(cfg.Timezone)).Format(time.DateTime)
}
