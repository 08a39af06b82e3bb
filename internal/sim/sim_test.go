package sim

import (
	"encoding/json"
	"log/slog"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"
)

func TestSmoke(t *testing.T) {
	n, seed := 50, uint64(1)
	if v := os.Getenv("SCHEDULES"); v != "" {
		n, _ = strconv.Atoi(v)
	}
	if v := os.Getenv("SEED"); v != "" {
		seed, _ = strconv.ParseUint(v, 10, 64)
	}
	without := map[string]bool{}
	for _, k := range strings.Split(os.Getenv("WITHOUT"), ",") {
		without[k] = k != ""
	}
	m, err := newMini()
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	log := slog.New(slog.DiscardHandler)
	if os.Getenv("VERBOSE") != "" {
		log = slog.New(slog.NewTextHandler(os.Stderr, nil))
	}
	strikes := map[string]int{}
	began, bad := time.Now(), 0
	for i := range n {
		s := newSchedule(seed+uint64(i), without)
		if os.Getenv("AGAIN") != "" {
			s.Again = true
		}
		if v := os.Getenv("PLAY"); v != "" {
			s = &schedule{}
			if err := json.Unmarshal([]byte(v), s); err != nil {
				t.Fatal(err)
			}
		}
		at := time.Now()
		out := play(t, m, s, log)
		if d := time.Since(at); d > 500*time.Millisecond {
			t.Logf("seed %d took %v, %d exchanges", s.Seed, d, out.asked)
		}
		for k, v := range out.strikes {
			strikes[k] += v
		}
		if out.failure != "" {
			if bad++; bad < 6 {
				last := out.failure
				s = shrink(s, func(c *schedule) bool {
					if os.Getenv("AGAIN") != "" {
						c.Again = true
					}
					o := play(t, m, c, slog.New(slog.DiscardHandler))
					if o.failure != "" {
						last = o.failure
					}
					return o.failure != ""
				})
				js, _ := json.Marshal(s)
				t.Errorf("seed %d: %s\n%s%s", s.Seed, last, s.tell(), js)
			} else {
				t.Logf("seed %d: %.200s", s.Seed, out.failure)
			}
		}
	}
	t.Logf("%d schedules, %d bad, %.1f ms each: %v", n, bad, float64(time.Since(began).Milliseconds())/float64(n), strikes)
}
