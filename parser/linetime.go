package parser

import (
	"fmt"
	"sync"
)

// LineTime makes a function that reads the time of a log's lines, in milliseconds since
// the epoch; 0: it is no line of the format, or one of the log's own head. Any goroutine
// may call it.
func LineTime(c Config) (func(line []byte) int64, error) {
	p, err := New(c)
	if err != nil {
		return nil, fmt.Errorf("make parser: %w", err)
	}
	var mu sync.Mutex
	var h Hit
	return func(line []byte) int64 {
		mu.Lock()
		defer mu.Unlock()
		if p.Parse(line, &h); h.Kind == Malformed || h.Reason == SkipComment {
			return 0
		}
		return max(h.Time, 1)
	}, nil
}
