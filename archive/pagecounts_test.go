package archive

import (
	"errors"
	"fmt"
	"testing"
	"time"
)

// flushOf is a flush of the life "l".
func flushOf(seq int64, slot int, changes ...PageChange) *Flush {
	return &Flush{Site: "a.example", Life: "l", Seq: seq, Nonce: fmt.Sprint("n", seq), Slot: slot, Changes: changes}
}

func TestFlushOnce(t *testing.T) {
	eachPlace(t, func(t *testing.T, at place) {
		a := open(t, at)
		if _, err := a.ApplyFlush(t.Context(), flushOf(1, 0)); !errors.Is(err, ErrOtherLife) {
			t.Errorf("a flush without a life: %v", err)
		}
		check(t, a.BeginLife(t.Context(), "a.example", "l"))
		f := flushOf(1, 2, PageChange{"/b", true, 4}, PageChange{"/b", false, 2}, PageChange{"/A", false, 1}, PageChange{"/a", false, 7})
		for range 2 {
			_, err := a.ApplyFlush(t.Context(), f)
			check(t, err)
		}
		_, err := a.ApplyFlush(t.Context(), flushOf(2, 5, PageChange{"/a", false, -3}, PageChange{"/c", true, 1}))
		check(t, err)
		wants(t, a, "/A|0|2|1\n/a|0|2|7\n/a|0|5|-3\n/b|0|2|2\n/b|1|2|4\n/c|1|5|1",
			"SELECT page, potential_bot, slot_id, count FROM page_counts ORDER BY page, potential_bot, slot_id")
		other := flushOf(2, 5)
		other.Nonce = "another"
		if _, err := a.ApplyFlush(t.Context(), other); !errors.Is(err, ErrOtherFlush) {
			t.Errorf("a number was used twice: %v", err)
		}
		check(t, a.BeginLife(t.Context(), "a.example", "l2"))
		if _, err := a.ApplyFlush(t.Context(), flushOf(3, 2, PageChange{"/a", false, 1})); !errors.Is(err, ErrOtherLife) {
			t.Errorf("a flush of an ended life: %v", err)
		}
		ranked(t, a, RankQuery{Limit: 2}, "/a 4", "/b 2")
		ranked(t, a, RankQuery{Limit: 9, After: "/b", AfterPV: 2}, "/A 1")
		ranked(t, a, RankQuery{Limit: 3, Bots: true}, "/b 6", "/a 4", "/A 1")
		ranked(t, a, RankQuery{Limit: 9, Asc: true, Bots: true, After: "/A", AfterPV: 1}, "/c 1", "/a 4", "/b 6")
	})
}

func ranked(t *testing.T, a *Archive, q RankQuery, want ...string) {
	t.Helper()
	q.Site = "a.example"
	var have []string
	for p, err := range a.Read().Ranked(t.Context(), &q) {
		check(t, err)
		have = append(have, fmt.Sprintf("%s %d", p.Page, p.PV))
	}
	if fmt.Sprint(have) != fmt.Sprint(want) {
		t.Errorf("%+v: %q, want %q", q, have, want)
	}
}

// TestRankManyPages tells how long a list of 100,000 pages takes.
func TestRankManyPages(t *testing.T) {
	eachPlace(t, func(t *testing.T, at place) {
		a := open(t, at)
		check(t, a.BeginLife(t.Context(), "a.example", "l"))
		const pages, perFlush = 100_000, 10_000
		for seq := range int64(pages / perFlush) {
			f := flushOf(seq+1, 0)
			for i := range int64(perFlush) {
				n := seq*perFlush + i
				f.Changes = append(f.Changes, PageChange{fmt.Sprintf("/posts/%d/an-article/", n), false, 1 + n*7919%pages})
			}
			_, err := a.ApplyFlush(t.Context(), f)
			check(t, err)
		}
		start := time.Now()
		n := 0
		for _, err := range a.Read().Ranked(t.Context(), &RankQuery{Site: "a.example", Limit: 51}) {
			check(t, err)
			n++
		}
		t.Logf("%d of %d pages in %v", n, pages, time.Since(start))
		if n != 51 {
			t.Errorf("%d pages, want 51", n)
		}
	})
}
