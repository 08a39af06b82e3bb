package counter

import "testing"

func TestServerName(t *testing.T) {
	for want, info := range map[string]map[string]string{
		"":                 {"os": "Linux"},
		"Redis 7.0.15":     {"redis_version": "7.0.15"},
		"Valkey 8.1.1":     {"redis_version": "7.2.4", "valkey_version": "8.1.1"},
		"Dragonfly 1.23.0": {"redis_version": "7.4.0", "dragonfly_version": "df-v1.23.0"},
		"KeyDB 6.3.4":      {"redis_version": "6.3.4", "keydb_version": "6.3.4"},
	} {
		if got := ServerName(info); got != want {
			t.Errorf("%v is %q, want %q", info, got, want)
		}
	}
}
