package jobs

import (
	"context"
	"fmt"

	"ddkk-stats/archive"
	"ddkk-stats/counter"
	"ddkk-stats/internal/vault"
	"ddkk-stats/tailer"
)

// Complete makes sure that a restore of a site would lose nothing: every
// segment that was counted is archived, in the folder of a log here, or with a daemon that
// is alive.
func Complete(ctx context.Context, v *vault.Vault, site string) error {
	counted, err := counter.Segments(ctx, v.Rdb, v.Keys, site)
	if err != nil {
		return err
	}
	a, err := v.Open(ctx)
	if err != nil {
		return err
	}
	there, err := a.ArchivedSegments(ctx)
	if err != nil {
		return err
	}
	err = eachFile(ctx, v, func(f tailer.File) error {
		there[f.ID] = archive.ArchivedSegment{}
		return nil
	})
	if err != nil {
		return err
	}
	var elsewhere []string
	for _, id := range counted {
		if _, ok := there[id]; !ok {
			elsewhere = append(elsewhere, id)
		}
	}
	if len(elsewhere) == 0 {
		return nil
	}
	held, err := counter.HeldSegments(ctx, v.Rdb, v.Keys, elsewhere)
	if err != nil {
		return fmt.Errorf("ask who has segments: %w", err)
	}
	lacking := 0
	for _, id := range elsewhere {
		if !held[id] {
			lacking++
		}
	}
	if lacking > 0 {
		return fmt.Errorf("%d counted segments are neither archived nor here, so their views would be lost; archive them on their host first, or use --force if that host's daemon still has them. Nothing was changed", lacking)
	}
	return nil
}
