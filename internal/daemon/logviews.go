package daemon

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"ddkk-stats/internal/config"
	"ddkk-stats/internal/logs"
	"ddkk-stats/internal/vault"
)

// startLogViews refuses to count the whole log of a site whose beacons were counted
// before: LOG_VIEWS must say from when on its views are those of the log. That nobody sees
// a site twice is told by times alone, so there is nothing to remember.
func (s *server) startLogViews(ctx context.Context) error {
	cfg := s.cfg()
	for _, v := range cfg.LogViews {
		if v.From > 0 || v.To > 0 {
			continue
		}
		site, _ := cfg.SiteOf(v.Site)
		views, err := s.ingestDB.Get(ctx, s.keys.SitePV(site)).Int64()
		if errors.Is(err, redis.Nil) || err == nil && views == 0 {
			continue
		}
		var segments []string
		if err == nil {
			segments, err = s.ingestDB.HKeys(ctx, s.keys.Checkpoint(site)).Result()
		}
		if err != nil {
			return &vault.WaitError{Where: vault.WhereRedis, Err: fmt.Errorf("look how %s was counted: %w", site, err)}
		}
		if counted, err := s.countedFromLog(ctx, segments); counted || err != nil {
			return err
		}
		return fmt.Errorf("cannot count the views of %s from its log: those of its beacons were counted before, and without a time its whole log would count on top; "+
			"the daemon ends; set LOG_VIEWS=%s@%s, or the time from which on the beacons shall not count", site, v.Site, time.Now().In(cfg.Timezone).Format("2006-01-02T15:04:05"))
	}
	return nil
}

// onlyLaterViews refuses to tell views of times that are over from another place: some are
// counted already, by the setting before, and a replay would count them by the new one.
func onlyLaterViews(old, cfg *config.Config, now time.Time) error {
	site, at, differ := old.LogViewsDiffer(cfg)
	if !differ || at > now.UnixMilli() {
		return nil
	}
	return fmt.Errorf("cannot change LOG_VIEWS of %s for times that are over: their views are counted; write a time to come, such as %s@%s, and keep the times before",
		site, site, now.In(cfg.Timezone).Add(time.Minute).Format("2006-01-02T15:04:05"))
}

// countedFromLog tells whether views of a site's own log were counted, by the site's
// segments or by those that are archived.
func (s *server) countedFromLog(ctx context.Context, segments []string) (bool, error) {
	a, err := s.vault.Opened()
	switch {
	case err == nil:
		archived, err := a.ArchivedSegments(ctx)
		if err != nil {
			return false, &vault.WaitError{Where: vault.WhereArchive, Err: fmt.Errorf("read archived segments: %w", err)}
		}
		for id := range archived {
			segments = append(segments, id)
		}
	case !errors.Is(err, vault.ErrArchiveClosed):
		return false, err
	}
	for _, id := range segments {
		if strings.HasPrefix(id, logs.ViewsPrefix) {
			return true, nil
		}
	}
	return false, nil
}

// quietHosts are those on which the widget sends no beacons.
func quietHosts(cfg func() *config.Config) func() []string {
	return func() []string { return cfg().LogViewHosts(time.Now()) }
}
