// Package configtest reads settings and writes files for the tests of other rooms.
package configtest

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"ddkk-stats/internal/config"
)

// Lookup is an environment that has env alone.
func Lookup(env map[string]string) func(string) (string, bool) {
	return func(name string) (string, bool) {
		v, ok := env[name]
		return v, ok
	}
}

// Read reads a configuration from an environment and, when yaml is not empty, from
// a file.
func Read(t *testing.T, env map[string]string, yaml string) (*config.Config, error) {
	t.Helper()
	path := ""
	if yaml != "" {
		path = filepath.Join(t.TempDir(), "ddkk-stats.yaml")
		WriteFile(t, path, yaml, 0o600)
	}
	return config.Load(path, Lookup(env))
}

// Load is Read of a configuration that must be right.
func Load(t *testing.T, env map[string]string, yaml string) *config.Config {
	t.Helper()
	c, err := Read(t, env, yaml)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// WriteFile writes a file and its folders; mode is what it has, whatever the umask is.
func WriteFile(t *testing.T, path, text string, mode os.FileMode) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), mode); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
}

// BrokenWriter fails as a full disk does.
type BrokenWriter struct{}

func (BrokenWriter) Write([]byte) (int, error) { return 0, errors.New("disk full") }
