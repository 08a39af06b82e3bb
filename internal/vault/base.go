package vault

import (
	"context"
	"fmt"

	"ddkk-stats/archive"
	"ddkk-stats/counter"
)

// RestoreBase writes a site's base into Redis as the archive has it: the sum
// of all sources.
func (v *Vault) RestoreBase(ctx context.Context, site string) error {
	a, err := v.Open(ctx)
	if err != nil {
		return err
	}
	all, err := SumOfSources(ctx, a, site)
	if err != nil {
		return err
	}
	return v.SetBase(ctx, site, all)
}

// SetBase writes bases into Redis. Where there is a search index their pages are
// due to it: what it gets has the base in it.
func (v *Vault) SetBase(ctx context.Context, site string, all []counter.Base) error {
	if err := counter.SetBase(ctx, v.Rdb, v.Keys, site, all); err != nil {
		return err
	}
	var pages []string
	for _, b := range all {
		if b.Page != "" {
			pages = append(pages, b.Page)
		}
	}
	return v.Index(ctx, site, pages...)
}

// Index makes pages due to the search index, where there is one: it gets their totals of then,
// also where that is 0 and page_counts does not know a page any more.
func (v *Vault) Index(ctx context.Context, site string, pages ...string) error {
	if v.Cfg().Elastic.URL == "" {
		return nil
	}
	return counter.SinkPages(ctx, v.Rdb, v.Keys, site, pages)
}

// SumOfSources is what the archive keeps as the base of a site and its pages.
func SumOfSources(ctx context.Context, a *archive.Archive, site string) ([]counter.Base, error) {
	var all []counter.Base
	for b, err := range a.Baselines(ctx, site) {
		if err != nil {
			return nil, fmt.Errorf("read base of %s: %w", site, err)
		}
		if n := len(all); n > 0 && all[n-1].Page == b.Page {
			all[n-1].PV += b.PV
			all[n-1].UV += b.UV
			continue
		}
		all = append(all, counter.Base{Page: b.Page, PV: b.PV, UV: b.UV})
	}
	return all, nil
}
