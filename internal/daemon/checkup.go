package daemon

import (
	"context"
	"time"

	"ddkk-stats/internal/doctor"
)

// checkup makes the cheap looks of `check` once, beside everything else, and warns of what
// it finds, each once: what nobody looks for is seen in the log of a start. It keeps
// nobody waiting, and ends where ctx does.
func (s *server) checkup(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, checkupLimit)
	defer cancel()
	cfg := s.cfg()
	told := map[string]bool{}
	for _, w := range cfg.Warnings() {
		told[w] = true // when the settings were read
	}
	c := &doctor.Checkup{Cfg: cfg, Now: time.Now, Logrotate: s.logrotate}
	for _, f := range c.RunCheap(ctx) {
		if f.Level == doctor.LevelOK || told[f.Text] {
			continue
		}
		told[f.Text] = true
		s.log.Warn("check: "+f.Text, "what", f.What, "severity", f.Level.String())
	}
}

// checkupLimit is for a file system that does not answer.
const checkupLimit = time.Minute
