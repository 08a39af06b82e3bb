package e2e

import "testing"

func TestFaultTotalDeleted(t *testing.T) {
	for _, what := range []string{"hot all", "hot day", "site uv", "site pv day", "site uv day", "events", "books of day"} {
		t.Run(what, func(t *testing.T) { damage(t, []string{what}, deleteKey) })
	}
}
