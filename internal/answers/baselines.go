package answers

import (
	"context"
	"fmt"
	"sync"

	"ddkk-stats/archive"
	"ddkk-stats/counter"
	"ddkk-stats/internal/vault"
	"ddkk-stats/queryapi"
)

// dashboardSource is the source of bases that were set by the API.
const dashboardSource = "dashboard"

// Baselines sets what earlier counters had counted, as the API asks for it.
type Baselines struct {
	vault *vault.Vault
	mu    sync.Mutex // one at a time, so that Redis shows what the archive keeps
}

// NewBaselines answers about the counts of other counters that the archive keeps.
func NewBaselines(v *vault.Vault) *Baselines { return &Baselines{vault: v} }

// Baselines implements queryapi.Baselines.
func (b *Baselines) Baselines(ctx context.Context, site string) ([]queryapi.Baseline, error) {
	a, err := b.vault.Opened()
	if err != nil {
		return nil, fmt.Errorf("%w: %w", queryapi.ErrArchiveAway, err)
	}
	sums, err := vault.SumOfSources(ctx, a, site)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", queryapi.ErrArchiveAway, err)
	}
	all := make([]queryapi.Baseline, len(sums))
	for i, s := range sums {
		all[i] = queryapi.Baseline{Page: s.Page, PV: s.PV, UV: s.UV}
	}
	return all, nil
}

// SetBaseline implements queryapi.Baselines: the values of all sources are
// replaced, so that what is shown is what was asked for.
func (b *Baselines) SetBaseline(ctx context.Context, site string, to queryapi.Baseline) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	a, err := b.vault.Opened()
	if err != nil {
		return fmt.Errorf("%w: %w", queryapi.ErrArchiveAway, err)
	}
	var all []archive.Baseline
	for x, err := range a.Baselines(ctx, site) {
		if err != nil {
			return fmt.Errorf("%w: %w", queryapi.ErrArchiveAway, err)
		}
		if x.Page == to.Page && x.Source != dashboardSource {
			x.PV, x.UV = 0, 0
			all = append(all, x)
		}
	}
	all = append(all, archive.Baseline{Source: dashboardSource, Site: site, Page: to.Page, PV: to.PV, UV: to.UV})
	if err := a.SetBaselines(ctx, all); err != nil {
		return fmt.Errorf("%w: %w", queryapi.ErrArchiveAway, err)
	}
	err = b.vault.SetBase(ctx, site, []counter.Base{{Page: to.Page, PV: to.PV, UV: to.UV}})
	if err == nil {
		err = b.vault.Rdb.SAdd(ctx, b.vault.Keys.Sites(), site).Err()
	}
	if err != nil {
		return fmt.Errorf("%w: %w", queryapi.ErrStoreAway, err)
	}
	return nil
}
