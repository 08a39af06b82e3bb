package main

import (
	"fmt"
	"sync/atomic"
)

// liveConfig is the configuration in force. A reload puts another one into its
// place; who needs several settings that fit together takes it once.
type liveConfig struct{ now atomic.Pointer[Config] }

func newLive(cfg *Config) *liveConfig {
	l := &liveConfig{}
	l.now.Store(cfg)
	return l
}

func (l *liveConfig) get() *Config { return l.now.Load() }

// Reloaded is c with the settings of other that can change without a restart.
// The others stay as they are; Diff names them.
func (c *Config) Reloaded(other *Config) (*Config, error) {
	merged := &Config{File: c.File, texts: make(map[string]string, len(settings))}
	var problems problemList
	for i := range settings {
		s := &settings[i]
		from := c
		if s.Reload {
			from = other
		}
		text := from.texts[s.Name]
		merged.texts[s.Name] = text
		if err := s.apply(merged, text); err != nil {
			problems.add(s.problem(text, "reload", err))
		}
	}
	merged.checkTogether(&problems)
	if err := problems.err(); err != nil {
		return nil, fmt.Errorf("together with the settings that need a restart: %w", err)
	}
	return merged, nil
}
