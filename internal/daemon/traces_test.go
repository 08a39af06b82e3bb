package daemon

import (
	"encoding/json"
	"log/slog"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"

	"ddkk-stats/counter"
)

// TestTraceKeeper: what is known of segments is in Redis soon, again when Redis lost
// it, and no longer when nobody has noted it for long.
func TestTraceKeeper(t *testing.T) {
	m := miniredis.RunT(t)
	rdb := counter.Connect(counter.ConnectOptions{Addrs: []string{m.Addr()}})
	t.Cleanup(func() {
		if err := rdb.Close(); err != nil {
			t.Error(err)
		}
	})
	keys := counter.NewKeys("ddkk", false)
	now := time.Unix(1_700_000_000, 0)
	k := newTraceKeeper(rdb, keys, slog.New(slog.DiscardHandler))
	k.now = func() time.Time { return now }
	write := func() map[string]counter.Trace {
		t.Helper()
		if err := k.write(t.Context()); err != nil {
			t.Fatal(err)
		}
		traces, err := counter.ReadTraces(t.Context(), rdb, keys)
		if err != nil {
			t.Fatal(err)
		}
		return traces
	}
	a, b := json.RawMessage(`{"base":"a"}`), json.RawMessage(`{"base":"b"}`)
	k.note("one:/log", map[string]json.RawMessage{"a": a})
	k.note("one:/other", map[string]json.RawMessage{"b": b})
	got := write()
	if len(got) != 2 || got["a"].Log != "one:/log" || string(got["a"].Text) != string(a) || !got["b"].Noted.Equal(now) {
		t.Errorf("kept %v", got)
	}
	// Only what has changed is written.
	m.HDel(keys.Segments(), "b")
	now = now.Add(tracesEvery)
	k.note("one:/log", map[string]json.RawMessage{"a": json.RawMessage(`{"base":"a2"}`)})
	if got = write(); len(got) != 1 || string(got["a"].Text) != `{"base":"a2"}` {
		t.Errorf("kept %v", got)
	}
	// And all from time to time, since Redis may have lost some.
	now = now.Add(tracesAgain)
	if got = write(); len(got) != 2 {
		t.Errorf("kept %v", got)
	}
	m.HSet(keys.Segments(), "damaged", "x")
	k.note("one:/log", nil)
	k.note("one:/other", map[string]json.RawMessage{"c": b})
	now = now.Add(tracesKept + time.Hour)
	if got = write(); len(got) != 1 || got["c"].Log != "one:/other" {
		t.Errorf("kept %v", got)
	}
	// Redis away: tried again.
	m.SetError("LOADING")
	k.note("one:/log", map[string]json.RawMessage{"a": a})
	if err := k.write(t.Context()); err == nil {
		t.Error("no error")
	}
	m.SetError("")
	if got = write(); len(got) != 2 {
		t.Errorf("kept %v", got)
	}
	// A key of another type is as good as none, and no start fails by it.
	m.Del(keys.Segments())
	if err := m.Set(keys.Segments(), "x"); err != nil {
		t.Fatal(err)
	}
	if traces, err := counter.ReadTraces(t.Context(), rdb, keys); err != nil || len(traces) != 0 {
		t.Errorf("%v, %v", traces, err)
	}
}
