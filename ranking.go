package main

import (
	"context"
	"fmt"

	"ddkk-stats/archive"
	"ddkk-stats/queryapi"
)

// ranking lists pages from the archive's page_counts.
type ranking struct{ vault *vault }

// Ranked implements queryapi.Ranking.
func (r ranking) Ranked(ctx context.Context, q *queryapi.RankQuery) ([]queryapi.RankedPage, error) {
	a, err := r.vault.opened()
	if err != nil {
		return nil, fmt.Errorf("%w: %w", queryapi.ErrArchiveAway, err)
	}
	want := archive.RankQuery{Site: q.Site, Bots: q.Bots, Asc: q.Asc, Limit: q.Limit}
	if q.After != nil {
		want.After, want.AfterPV = q.After.Page, q.After.PV
	}
	var all []queryapi.RankedPage
	for p, err := range a.Read().Ranked(ctx, &want) {
		if err != nil {
			return nil, fmt.Errorf("%w: %w", queryapi.ErrArchiveAway, err)
		}
		all = append(all, queryapi.RankedPage{Page: p.Page, PV: p.PV})
	}
	return all, nil
}
