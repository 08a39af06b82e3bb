package queryapi

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync"

	"ddkk-stats/internal/durable"
)

// maxEnded bounds the sessions that are remembered as logged out.
const maxEnded = 1024

// ended are the sessions that were logged out before their time. They are kept in
// a file, if there is one, so that a cookie that somebody has copied stays dead
// over a restart. A new token ends all sessions for good.
type ended struct {
	file string // empty: memory only

	mu  sync.Mutex
	ids map[sessionID]int64 // until when, Unix seconds
	// floor stands for those that there was no room for: sessions that end then
	// or earlier are over.
	floor int64
}

// endedFile is the file's content.
type endedFile struct {
	Ended map[string]int64 `json:"ended"`
	Floor int64            `json:"floor,omitempty"`
}

// openEnded reads what was kept.
func openEnded(file string) (*ended, error) {
	e := &ended{file: file, ids: map[sessionID]int64{}}
	if file == "" {
		return e, nil
	}
	text, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return e, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read sessions that were logged out: %w", err)
	}
	var kept endedFile
	if err := json.Unmarshal(text, &kept); err != nil {
		return nil, fmt.Errorf("cannot read %s, the sessions that were logged out: %w; their cookies would come to life again. Remove the file and change ADMIN_TOKEN", file, err)
	}
	e.floor = kept.Floor
	for text, until := range kept.Ended {
		var id sessionID
		if n, err := hex.Decode(id[:], []byte(text[:min(len(text), 2*len(id))])); err == nil && n == len(id) {
			e.ids[id] = until
		}
	}
	return e, nil
}

// add ends a session. An error says that it may come to life with a restart.
func (e *ended) add(id sessionID, until, now int64) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	for other, until := range e.ids {
		if until <= now {
			delete(e.ids, other)
		}
	}
	e.ids[id] = until
	for len(e.ids) > maxEnded {
		first, at := id, until
		for other, until := range e.ids {
			if until < at {
				first, at = other, until
			}
		}
		e.floor = max(e.floor, at)
		delete(e.ids, first)
	}
	return e.save()
}

// save needs mu.
func (e *ended) save() error {
	if e.file == "" {
		return nil
	}
	kept := endedFile{Ended: make(map[string]int64, len(e.ids)), Floor: e.floor}
	for id, until := range e.ids {
		kept.Ended[hex.EncodeToString(id[:])] = until
	}
	text, err := json.Marshal(kept)
	if err != nil {
		return fmt.Errorf("keep the logout: %w", err)
	}
	if err := durable.Replace(e.file, text, 0o600); err != nil {
		return fmt.Errorf("keep the logout: %w", err)
	}
	return nil
}

func (e *ended) has(id sessionID, until int64) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	_, ok := e.ids[id]
	return ok || until <= e.floor
}
