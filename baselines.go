package main

import (
	"context"
	"fmt"
	"sync"

	"ddkk-stats/archive"
	"ddkk-stats/counter"
	"ddkk-stats/queryapi"
)

// dashboardSource is the source of bases that were set by the API.
const dashboardSource = "dashboard"

// baselines sets what earlier counters had counted, as the API asks for it.
type baselines struct {
	v  *vault
	mu sync.Mutex // one at a time, so that Redis shows what the archive keeps
}

// Baselines implements queryapi.Baselines.
func (b *baselines) Baselines(ctx context.Context, site string) ([]queryapi.Baseline, error) {
	a, err := b.v.opened()
	if err != nil {
		return nil, fmt.Errorf("%w: %w", queryapi.ErrArchiveAway, err)
	}
	sums, err := sumOfSources(ctx, a, site)
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
func (b *baselines) SetBaseline(ctx context.Context, site string, to queryapi.Baseline) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	a, err := b.v.opened()
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
	err = b.v.setBase(ctx, site, []counter.Base{{Page: to.Page, PV: to.PV, UV: to.UV}})
	if err == nil {
		err = b.v.rdb.SAdd(ctx, b.v.keys.Sites(), site).Err()
	}
	if err != nil {
		return fmt.Errorf("%w: %w", queryapi.ErrStoreAway, err)
	}
	return nil
}
