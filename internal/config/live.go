package config

import (
	"fmt"
	"sync/atomic"
)

// Live is the configuration in force. A reload puts another one into its
// place; who needs several settings that fit together takes it once.
type Live struct{ Now atomic.Pointer[Config] }

func NewLive(cfg *Config) *Live {
	l := &Live{}
	l.Now.Store(cfg)
	return l
}

func (l *Live) Get() *Config { return l.Now.Load() }

// Reloaded is c with the settings of other that can change without a restart.
// The others stay as they are; Diff names them.
func (c *Config) Reloaded(other *Config) (*Config, error) {
	merged := &Config{File: c.File, texts: make(map[string]string, len(Settings)), Rules: c.Rules}
	var problems problemList
	for i := range Settings {
		s := &Settings[i]
		from := c
		if s.reloadable(c, other) {
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

// reloadable tells whether a reload can change the setting of one configuration into that
// of another.
func (s *Setting) reloadable(from, to *Config) bool {
	return s.Reload && (s.reloads == nil || s.reloads(from, to))
}
