package tailer

import (
	"context"
	"log/slog"
	"maps"
	"path/filepath"
	"slices"
)

// complaints logs what is wrong with a thing once, until it changes or passes.
type complaints struct {
	log  *slog.Logger
	said map[string]string // by what they are about: a path, mostly
}

func newComplaints(log *slog.Logger) *complaints {
	return &complaints{log: log, said: make(map[string]string)}
}

// complain warns of a trouble.
func (c *complaints) complain(about, what string, args ...any) {
	c.once(slog.LevelWarn, about, what, args...)
}

// once logs what is to be said of a thing, unless it was said last.
func (c *complaints) once(level slog.Level, about, what string, args ...any) {
	if c.said[about] != what {
		c.said[about] = what
		c.log.Log(context.Background(), level, what, args...)
	}
}

// silent reports whether nothing is wrong with a thing, as far as was said.
func (c *complaints) silent(about string) bool { return c.said[about] == "" }

// passed notes that a complaint is over, and says so.
func (c *complaints) passed(about string, args ...any) {
	if _, was := c.said[about]; was {
		delete(c.said, about)
		c.log.Info("resolved: the log can be read again", args...)
	}
}

// forget drops what was said of paths that are neither in names, which are sorted,
// nor kept.
func (c *complaints) forget(names []string, kept ...string) {
	maps.DeleteFunc(c.said, func(about, _ string) bool {
		return filepath.IsAbs(about) && !slices.Contains(kept, about) && !among(names, about)
	})
}
