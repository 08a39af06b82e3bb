package doctor

import (
	"context"

	"ddkk-stats/internal/logs"
)

// logBudget holds the logs to LOG_BUDGET: a stranger can have lines written, as many as
// the rate limits let him.
func (c *Checkup) logBudget(context.Context) []Finding {
	u, err := logs.UsageOf(c.Cfg)
	switch {
	case u.Budget == 0:
		return []Finding{Poor("LOG_BUDGET", "is 0: nobody is told before strangers have filled the disk with lines; set it to what the disk has room for")}
	case err != nil:
		return []Finding{Poor("LOG_BUDGET", "it is not known how much the logs take: %v", err)}
	case u.Over():
		return []Finding{Poor("LOG_BUDGET", "%s; find out what wrote so much, archive and let LOG_RETENTION delete, or raise it", u)}
	}
	return []Finding{Fine("LOG_BUDGET", "%s", u)}
}
