package counter

import (
	"context"
	"strings"

	"github.com/redis/go-redis/v9"
)

// servers are those that speak Redis's protocol, by the line of INFO that only they have.
var servers = []struct{ line, name string }{
	{"valkey_version", "Valkey"},
	{"dragonfly_version", "Dragonfly"},
	{"keydb_version", "KeyDB"},
	{"redict_version", "Redict"},
	{"garnet_version", "Garnet"},
	{"redis_version", "Redis"},
}

// ServerName is what INFO says that a server is, such as "Valkey 8.1.1"; others tell a
// version of Redis that they are like, which is not theirs. "": it does not say.
func ServerName(info map[string]string) string {
	for _, s := range servers {
		if v := strings.TrimPrefix(info[s.line], "df-v"); v != "" {
			return s.name + " " + v
		}
	}
	return ""
}

// Info asks a server about itself.
func Info(ctx context.Context, rdb redis.UniversalClient) (map[string]string, error) {
	text, err := rdb.Info(ctx).Result()
	if err != nil {
		return nil, err
	}
	info := map[string]string{}
	for line := range strings.Lines(text) {
		if name, value, ok := strings.Cut(strings.TrimSpace(line), ":"); ok {
			info[name] = value
		}
	}
	// KeyDB calls its own version Redis's; its folder of settings tells.
	if info["keydb_version"] == "" && (strings.Contains(info["executable"], "keydb") || strings.Contains(info["config_file"], "keydb")) {
		info["keydb_version"] = info["redis_version"]
	}
	return info, nil
}
