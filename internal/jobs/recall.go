package jobs

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"ddkk-stats/counter"
	"ddkk-stats/internal/logs"
	"ddkk-stats/internal/vault"
	"ddkk-stats/tailer"
)

// recallLimit bounds what Redis and the archive are asked about segments.
const recallLimit = 30 * time.Second

// Recall is what Redis and the archive know of a log's segments: what DATA_DIR had of
// them may be lost, or old. An archive that is not open yet is left out.
func Recall(ctx context.Context, v *vault.Vault, in logs.Input) (r tailer.Recollection, err error) {
	ctx, cancel := context.WithTimeout(ctx, recallLimit)
	defer cancel()
	r = tailer.Recollection{Ours: map[string]json.RawMessage{}, Others: map[string]json.RawMessage{}, Sums: map[string]tailer.Sum{}}
	if v.Rdb != nil && len(v.Cfg().Redis.Addrs) > 0 {
		ours, err := LogName(in)
		if err != nil {
			return r, err
		}
		traces, err := counter.ReadTraces(ctx, v.Rdb, v.Keys)
		if err != nil {
			return r, &vault.WaitError{Where: vault.WhereRedis, Err: err}
		}
		for id, t := range traces {
			if t.Log == ours {
				r.Ours[id] = t.Text
			} else {
				r.Others[id] = t.Text
			}
		}
	}
	a, err := v.Opened()
	if errors.Is(err, vault.ErrArchiveClosed) {
		return r, nil
	}
	if err != nil {
		return r, err
	}
	archived, err := a.ArchivedSegments(ctx)
	if err != nil {
		return r, &vault.WaitError{Where: vault.WhereArchive, Err: fmt.Errorf("read archived segments: %w", err)}
	}
	for id, s := range archived {
		r.Sums[id] = tailer.Sum{Size: s.Size, SHA256: s.Sum}
	}
	return r, nil
}

// LogName is a log's name among those of all hosts.
func LogName(in logs.Input) (string, error) {
	host, err := os.Hostname()
	if err != nil {
		return "", fmt.Errorf("name this host: %w", err)
	}
	path, err := filepath.Abs(in.Path)
	if err != nil {
		return "", fmt.Errorf("name log: %w", err)
	}
	if in.Views {
		path += " (views)"
	}
	return host + ":" + path, nil
}
