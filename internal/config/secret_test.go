package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestNoSecretIsPrinted puts a canary into every setting, in the notations in
// which people write passwords, by the environment and by a file, right and wrong:
// nothing that is printed about it has it.
func TestNoSecretIsPrinted(t *testing.T) {
	const canary = "c4n4ry-8317"
	notations := []string{"redis://:" + canary + "@host:6379", "rediss://user:" + canary + "@host", "redis://:" + canary, ":" + canary + "@host:6379", canary + "@host:6379", "user:" + canary + "@host:9200",
		"http://user:" + canary + "@host:9200", "http://host:9200/?token=" + canary, "mysql://user:" + canary + "@host/db", "user:" + canary + "@tcp(host:3306/db",
		"user:" + canary + "@tcp(host:3306)/db", "host:6379?password=" + canary, "ftp://" + canary + "@host", "a,b@" + canary + "@c"}
	look := func(name, notation, how, said string) {
		t.Helper()
		if strings.Contains(said, canary) {
			t.Errorf("%s=%s, %s, is printed: %s", name, notation, how, said)
		}
	}
	dir := t.TempDir()
	for i := range Settings {
		name := Settings[i].Name
		values := notations
		if Settings[i].Secret {
			values = append([]string{canary, canary + "\n", "[" + canary + "]"}, notations...)
		}
		for _, v := range values {
			env := map[string]string{name: v}
			cfg, err := Load(filepath.Join(dir, "none.yaml"), func(n string) (string, bool) { s, ok := env[n]; return s, ok })
			if err != nil {
				look(name, v, "environment", err.Error())
			}
			if err == nil && (Settings[i].Secret || name == "REDIS_ADDR" || name == "ES_URL") { // these are logged
				look(name, v, "dump", cfg.String()+cfg.GoString()+cfg.LogValue().String())
			}
			for _, text := range []string{v, "'" + v + "'", "[" + v + "]", "{a: " + v + "}", "{" + v + ": a}", "*" + v, "!!int " + v, "|\n  " + v} {
				file := filepath.Join(dir, "c.yaml")
				if err := os.WriteFile(file, []byte(strings.ToLower(name)+": "+text+"\n"), 0o600); err != nil {
					t.Fatal(err)
				}
				cfg, err := Load(file, func(string) (string, bool) { return "", false })
				if err != nil {
					look(name, text, "file", err.Error())
				}
				if err == nil && Settings[i].Secret {
					look(name, text, "dump of file", cfg.String())
				}
			}
		}
	}
}
