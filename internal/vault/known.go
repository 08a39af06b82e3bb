package vault

import (
	"context"
	"fmt"
	"maps"
	"math"
	"slices"
	"sync"

	"ddkk-stats/archive"
	"ddkk-stats/counter"
	"ddkk-stats/parser"
)

// Known is what the archive has, as it was when it was looked at last: the part of
// counter.Archive that must not wait. Any goroutine.
type Known struct {
	mu       sync.Mutex
	sites    map[string]int64 // with their visitors
	segments map[string]bool
	bases    map[string]parser.Day // the last days of earlier counters
}

// Look asks an archive what it has.
func (k *Known) Look(ctx context.Context, a *archive.Archive) error {
	r := a.Read()
	names, err := r.Sites(ctx)
	if err != nil {
		return fmt.Errorf("read archived sites: %w", err)
	}
	based, err := a.BaselineSites(ctx)
	if err != nil {
		return err
	}
	bases, err := r.BaseSites(ctx)
	if err != nil {
		return err
	}
	all, err := r.ArchivedSegments(ctx)
	if err != nil {
		return fmt.Errorf("read archived segments: %w", err)
	}
	visitors, err := r.SiteVisitors(ctx)
	if err != nil {
		return fmt.Errorf("read visitors of archived sites: %w", err)
	}
	sites, segments := map[string]int64{}, map[string]bool{}
	for _, n := range names {
		sites[n] = visitors[n]
	}
	for _, n := range based {
		sites[n] += math.MaxInt32 // an earlier counter's, which nobody has counted
	}
	for id := range all {
		segments[id] = true
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.sites, k.segments, k.bases = sites, segments, bases
	return nil
}

// BasesUntil is the last day of which an earlier counter tells of a site; 0: none does.
func (k *Known) BasesUntil(site string) parser.Day {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.bases[site]
}

// Sites implements counter.Archive, as do the others.
func (k *Known) Sites() []string {
	k.mu.Lock()
	defer k.mu.Unlock()
	return slices.Collect(maps.Keys(k.sites))
}

func (k *Known) Knows(site string) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	_, ok := k.sites[site]
	return ok
}

func (k *Known) Visitors(site string) int64 {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.sites[site]
}

func (k *Known) Covers(segment string) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.segments[segment]
}

// Lacking asks an archive which sites' checkpoints lack lines that it has: see
// counter.Archive.
func Lacking(ctx context.Context, a *archive.Archive, stands []counter.Stand, here map[string]bool) ([]string, error) {
	all := make([]archive.Stand, len(stands))
	for i, s := range stands {
		all[i] = archive.Stand(s)
	}
	return a.Read().Lacking(ctx, all, here)
}
