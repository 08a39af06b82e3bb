package archive

import (
	"slices"
	"testing"
	"time"
)

// TestLacking compares what Redis might have with what is archived.
func TestLacking(t *testing.T) {
	eachPlace(t, func(t *testing.T, at place) {
		a := open(t, at, func(o *Options) { o.ChunkRows = 2 })
		day := now.Add(-48 * time.Hour)
		one := segmentOf("one", view{at: day, site: "a.example"}, view{at: day, site: "b.example"}, view{at: day, site: "a.example", addr: "203.0.113.9"},
			view{at: day, site: "b.example", addr: "203.0.113.8"}, view{raw: "v1\tbroken"})
		two := segmentOf("two", view{at: day, site: "b.example", addr: "203.0.113.10"})
		run(t, a, one, two)
		lines := make([]int64, 0, 6) // ends
		for i, c := range one.data {
			if c == '\n' {
				lines = append(lines, int64(i)+1)
			}
		}
		stand := func(site string, one, two int64) Stand {
			return Stand{Site: site, PV: 100, Offsets: map[string]int64{"one": one, "two": two}}
		}
		whole := int64(len(two.data))
		for _, c := range []struct {
			name   string
			stands []Stand
			here   map[string]bool
			want   []string
		}{
			{"all is there", []Stand{stand("a.example", lines[2], 0), stand("b.example", lines[3], whole)}, nil, nil},
			{"more is there", []Stand{stand("a.example", lines[4], whole), stand("b.example", lines[4], whole)}, nil, nil},
			{"a line is gone", []Stand{stand("a.example", lines[0], 0), stand("b.example", lines[3], whole)}, nil, []string{"a.example"}},
			{"a segment is gone", []Stand{stand("a.example", lines[2], 0), stand("b.example", lines[3], 0)}, nil, []string{"b.example"}},
			{"it can be read again", []Stand{stand("a.example", lines[0], 0), stand("b.example", lines[3], 0)}, map[string]bool{"one": true, "two": true}, nil},
			{"some of it can", []Stand{stand("a.example", 0, 0), stand("b.example", 0, 0)}, map[string]bool{"one": true}, []string{"b.example"}},
			{"not asked for", []Stand{stand("a.example", lines[2], 0)}, nil, nil},
			{"never archived", []Stand{stand("c.example", 0, 0)}, nil, nil},
		} {
			got, err := a.Read().Lacking(t.Context(), c.stands, c.here)
			check(t, err)
			if !slices.Equal(got, c.want) {
				t.Errorf("%s: %v, want %v", c.name, got, c.want)
			}
		}

		// As it is of segments from before ends were noted.
		_, err := a.db.Exec("DELETE FROM segment_sites")
		check(t, err)
		_, err = a.db.Exec("UPDATE meta SET value = '2' WHERE name = 'ends_after'")
		check(t, err)
		less, more := stand("a.example", 0, 0), stand("b.example", 0, 0)
		less.PV, more.PV = 1, 3
		got, err := a.Read().Lacking(t.Context(), []Stand{less, more}, nil)
		check(t, err)
		if !slices.Equal(got, []string{"a.example"}) {
			t.Errorf("by views: %v", got)
		}
	})
}

// TestLackingManySites reads all ends at once.
func TestLackingManySites(t *testing.T) {
	a := open(t, sqlitePlace(t))
	var views []view
	var stands []Stand
	for i := range fewSites + 1 {
		site := string(rune('a'+i%26)) + string(rune('a'+i/26)) + ".example"
		views = append(views, view{site: site})
		stands = append(stands, Stand{Site: site})
	}
	run(t, a, segmentOf("one", views...))
	got, err := a.Read().Lacking(t.Context(), stands, nil)
	check(t, err)
	if len(got) != len(stands) {
		t.Errorf("%d of %d sites lack their line", len(got), len(stands))
	}
}

// TestRecountNotesEnds has rows of a segment that is gone move to another site:
// where that site ends is known after it.
func TestRecountNotesEnds(t *testing.T) {
	a := open(t, sqlitePlace(t))
	run(t, a, segmentOf("one", view{site: "a.example"}, view{site: "b.example", addr: "203.0.113.9"}))
	var end int64
	check(t, a.reads.QueryRow("SELECT last_end FROM segment_sites WHERE site = 'b.example'").Scan(&end))
	_, err := a.Recount(t.Context(), anyRules[1].recounting(t, allFrom, allTo))
	check(t, err)
	var moved int64
	check(t, a.reads.QueryRow("SELECT last_end FROM segment_sites WHERE site = 'a.example'").Scan(&moved))
	if moved != end {
		t.Errorf("a.example ends at %d, want %d", moved, end)
	}
}
