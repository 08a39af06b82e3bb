package jobs

import (
	"context"
	"errors"
	"time"

	"ddkk-stats/archive"
	"ddkk-stats/internal/vault"
	"ddkk-stats/parser"
)

// showNames makes sites anew of which days are over that had more names than keep their own:
// names were given out as they came, and the archive, which knows all rows, chose among them
// (docs/design/caps.md). A site that a rebuild would take something from waits for a later cycle.
func showNames(ctx context.Context, v *vault.Vault, a *archive.Archive, now time.Time) error {
	if v.Rdb == nil {
		return nil // an embedded store has its daemon do it
	}
	due, err := a.NamesDue(ctx, parser.DayOf(now.In(v.Cfg().Timezone)))
	if err != nil {
		return err
	}
	var errs []error
	for _, d := range due {
		if err := Complete(ctx, v, d.Site); err != nil {
			v.Log.Warn("cannot give names of a full day to those that many asked for; will retry at the next archive run", "site", d.Site, "err", err)
			continue
		}
		v.Log.Info("a day that is over had more names than keep their own: the site is made anew with those that the archive chose", "site", d.Site)
		if _, err := v.Rebuild(ctx, d.Site, func(int64) {}); err != nil {
			errs = append(errs, err)
			continue
		}
		errs = append(errs, a.NamesShown(ctx, d))
	}
	return errors.Join(errs...)
}
