package logs

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"ddkk-stats/internal/config"
)

// budgetShare is how much of LOG_BUDGET may be used before somebody is told.
const budgetShare = 0.8

// Usage is how much of the disk the logs take.
type Usage struct {
	Bytes, Budget int64
}

// Over tells that the budget is nearly used up.
func (u Usage) Over() bool {
	return u.Budget > 0 && float64(u.Bytes) > budgetShare*float64(u.Budget)
}

func (u Usage) String() string {
	return fmt.Sprintf("the logs take %d MB of LOG_BUDGET's %d MB", u.Bytes>>20, u.Budget>>20)
}

// UsageOf adds up the files of all logs: whatever has a log's name, or that and a
// suffix.
func UsageOf(c *config.Config) (Usage, error) {
	u := Usage{Budget: c.LogBudget}
	seen := map[string]bool{}
	var errs []error
	for _, in := range Inputs(c) {
		dir, base := filepath.Split(in.Path)
		entries, err := os.ReadDir(filepath.Clean(dir))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, fmt.Errorf("list the files of %s: %w", in.Path, err))
			continue
		}
		for _, e := range entries {
			name := filepath.Join(dir, e.Name())
			if seen[name] || !strings.HasPrefix(e.Name(), base) || !e.Type().IsRegular() {
				continue
			}
			seen[name] = true
			info, err := e.Info()
			if err == nil {
				u.Bytes += info.Size()
			} else if !errors.Is(err, fs.ErrNotExist) { // one that was deleted meanwhile takes nothing
				errs = append(errs, err)
			}
		}
	}
	return u, errors.Join(errs...)
}
