package counter

import (
	"encoding/binary"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"

	"ddkk-stats/parser"
)

// Lines of many quiet sites do not ask Redis one by one, and what there is of
// them is found: sites, days and what the duplicate rules remember.
func TestBlockIsLookedAtAhead(t *testing.T) {
	const sites, most = 60, 50
	m := miniredis.RunT(t)
	rdb := readClient(t, m.Addr())
	p, err := parser.New(parser.Config{Secret: []byte("0123456789abcdef"), Location: time.UTC})
	if err != nil {
		t.Fatal(err)
	}
	in, err := New(Options{Redis: rdb, Keys: NewKeys(DefaultPrefix, false), Location: time.UTC, Logger: slog.New(slog.DiscardHandler), MaxSites: most,
		DedupeWindow: func(string) time.Duration { return time.Hour }}, Input{Parser: p})
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now().UTC()
	var text strings.Builder
	for i := range sites {
		h := testHit{at: now, site: fmt.Sprintf("s%d.example", i), page: "/", agent: "Mozilla/5.0 (X11; Linux x86_64) Firefox/140.0", id: "0123456789abcdef"}
		text.WriteString(h.line() + "\n")
		if i%2 == 0 { // half of them were counted before: the same view, too
			p.Parse([]byte(h.line()), &in.hit)
			m.HSet(in.keys.Checkpoint(h.site), fieldEpoch, "e", fieldLayout, strconv.Itoa(layout), "before", "1")
			entry := binary.LittleEndian.AppendUint64(nil, parser.PairHash(in.hit.Visitor, in.hit.ViewID))
			entry = binary.LittleEndian.AppendUint32(entry, uint32(in.hit.Time%DefaultIDWindow.Milliseconds()))
			if err := m.Set(in.keys.Seen(h.site, RuleID, in.hit.Time/DefaultIDWindow.Milliseconds()), string(entry)); err != nil {
				t.Fatal(err)
			}
		}
	}
	trips := watchTrips(t, rdb)
	before := trips.count()
	seg := &segment{id: "a"}
	if err := in.lines(t.Context(), seg, []byte(text.String())); err != nil {
		t.Fatal(err)
	}
	// Sites that were there are not refused; half of those over the limit are new.
	const refused = (sites - most) / 2
	if b := in.open.books[0]; b.Human != sites/2-refused || b.Dedup != sites/2 || b.Skipped[parser.SkipSite] != refused || len(in.sites) != sites-refused {
		t.Errorf("%d sites, %+v", len(in.sites), b)
	}
	if n := trips.count() - before; n > 30 {
		t.Errorf("%d lines of as many sites took %d round trips", sites, n)
	}
	if !in.aheadFirst {
		t.Error("the next block is not looked at before it is counted")
	}
}
