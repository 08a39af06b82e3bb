package counter

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

// Trace is what a log's reader knows of a segment by its content. It lies beside the
// checkpoints: where those are, it can be proven which content they are of.
type Trace struct {
	Log   string    // host and path
	Noted time.Time // to the second
	Text  []byte    // the reader's own
}

// tracesPerTrip bounds what one command writes.
const tracesPerTrip = 100

// WriteTraces keeps traces of segments.
func WriteTraces(ctx context.Context, rdb redis.UniversalClient, k Keys, traces map[string]Trace) error {
	fields := make([]any, 0, 2*len(traces))
	for id, t := range traces {
		fields = append(fields, id, fmt.Sprintf("%d %s\n%s", t.Noted.Unix(), t.Log, t.Text))
	}
	for some := range slices.Chunk(fields, 2*tracesPerTrip) {
		if err := rdb.HSet(ctx, k.Segments(), some...).Err(); err != nil {
			return fmt.Errorf("write traces of segments: %w", err)
		}
	}
	return nil
}

// ReadTraces returns those that can be read.
func ReadTraces(ctx context.Context, rdb redis.UniversalClient, k Keys) (map[string]Trace, error) {
	all, err := rdb.HGetAll(ctx, k.Segments()).Result()
	if redis.HasErrorPrefix(err, "WRONGTYPE") {
		return nil, nil // somebody wrote into it: as if it were gone
	}
	if err != nil {
		return nil, fmt.Errorf("read traces of segments: %w", err)
	}
	traces := make(map[string]Trace, len(all))
	for id, text := range all {
		head, body, _ := strings.Cut(text, "\n")
		at, log, _ := strings.Cut(head, " ")
		if n, err := strconv.ParseInt(at, 10, 64); err == nil {
			traces[id] = Trace{Log: log, Noted: time.Unix(n, 0), Text: []byte(body)}
		}
	}
	return traces, nil
}

// DropTraces forgets traces of segments that nobody has noted since a time.
func DropTraces(ctx context.Context, rdb redis.UniversalClient, k Keys, before time.Time) error {
	traces, err := ReadTraces(ctx, rdb, k)
	if err != nil {
		return err
	}
	var old []string
	for id, t := range traces {
		if t.Noted.Before(before) {
			old = append(old, id)
		}
	}
	for some := range slices.Chunk(old, tracesPerTrip) {
		if err := rdb.HDel(ctx, k.Segments(), some...).Err(); err != nil {
			return fmt.Errorf("drop old traces of segments: %w", err)
		}
	}
	return nil
}
