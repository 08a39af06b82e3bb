package counter

import (
	"context"
	"fmt"

	"github.com/redis/go-redis/v9"
)

// Offsets are how far each segment is counted for a site, by its checkpoint in
// Redis. A site that was never counted has none.
func Offsets(ctx context.Context, rdb redis.UniversalClient, keys Keys, site string) (offsets map[string]int64, err error) {
	fields, err := rdb.HGetAll(ctx, keys.Checkpoint(site)).Result()
	if err != nil {
		return nil, fmt.Errorf("read checkpoint of %s: %w", site, err)
	}
	c, err := parseCheckpoint(fields)
	return c.offsets, err
}
