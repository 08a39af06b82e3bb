package counter

import (
	"log/slog"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
)

func TestRecentFree(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	r := newRecent(RuleID, DefaultIDWindow)
	f := func(n int64, at time.Time, want bool) {
		t.Helper()
		if got := r.knownFree(n, at); got != want {
			t.Errorf("bucket %d is known to be free: %v, want %v", n, got, want)
		}
	}
	f(0, now, false)
	r.found(span{11, 26}, now)
	f(10, now, false)
	f(11, now, true)
	f(26, now, true)
	f(27, now, false)
	f(20, now.Add(freeFor), false)
	r.wrote(13)
	f(13, now, false)
	f(12, now, false)
	f(14, now, true)

	// What is in hand and not in Redis yet is not free.
	b := &bucket{number: 15}
	b.times.put(1, 2)
	r.buckets[15] = b
	r.found(span{11, 26}, now)
	f(14, now, true)
	f(15, now, false)
	f(16, now, false)
}

// A quiet site that moves through a day does not ask Redis for every bucket, and
// finds the ones that there are.
func TestBucketsAreLookedAtAhead(t *testing.T) {
	m := miniredis.RunT(t)
	rdb := readClient(t, m.Addr())
	trips := watchTrips(t, rdb)
	in, err := New(Options{Redis: rdb, Keys: NewKeys(DefaultPrefix, false), Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	s := in.newSite("ddkk.com", checkpoint{epoch: "e"})
	const first, full, last = 1000, 1040, 1060
	if err := m.Set(in.keys.Seen(s.name, RuleID, full), string(make([]byte, 3*seenEntry))); err != nil {
		t.Fatal(err)
	}
	for n := int64(first); n < last; n++ {
		b, err := in.loadBucket(t.Context(), s, s.ids, n)
		if err != nil {
			t.Fatal(err)
		}
		if want := int64(0); n == full && b.length != 3*seenEntry || n != full && b.length != want {
			t.Errorf("bucket %d has %d bytes", n, b.length)
		}
	}
	// 16 buckets around the one that is there are asked for one by one.
	if got := trips.count(); got > 30 {
		t.Errorf("%d buckets took %d round trips", last-first, got)
	}
	in.loop.live = true
	before := trips.count()
	if _, err := in.loadBucket(t.Context(), s, s.ids, last); err != nil || trips.count() != before+1 {
		t.Errorf("at the live edge: %d round trips, %v", trips.count()-before, err)
	}
}
