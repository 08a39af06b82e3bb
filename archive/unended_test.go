package archive

import (
	"fmt"
	"strings"
	"testing"
)

// A last line that is whole but for its newline is archived, once: also when its
// newline, or more, comes later, however the segment is cut into chunks.
func TestLastLineWithoutItsNewline(t *testing.T) {
	lines := func(n int) string {
		var b strings.Builder
		for i := range n {
			b.WriteString(view{addr: fmt.Sprintf("203.0.113.%d", i), page: "/"}.line(i) + "\n")
		}
		return b.String()
	}
	first, whole := lines(2), lines(3)
	next := view{addr: "203.0.113.99", page: "/next"}.line(99) + "\n"
	last := strings.TrimSuffix(whole, "\n")
	for name, c := range map[string]struct {
		before, after string
		rows          [2]int // then and now
		torn          int64
	}{
		"not changed":         {last, last, [2]int{3, 3}, 0},
		"its newline":         {last, whole, [2]int{3, 3}, 0},
		"its newline, more":   {last, whole + next, [2]int{3, 4}, 0},
		"a rest":              {last, last + " rest\n" + next, [2]int{3, 4}, 0},
		"a rest, no newline":  {last, last + " rest", [2]int{3, 3}, 0},
		"torn":                {last[:len(last)-2], last[:len(last)-2], [2]int{2, 2}, 1},
		"torn, then complete": {last[:len(last)-2], whole + next, [2]int{2, 4}, 0},
		"torn, then whole":    {last[:len(last)-2], last, [2]int{2, 3}, 0},
		"one line":            {first[:strings.Index(first, "\n")], first, [2]int{1, 2}, 0},
	} {
		for _, chunk := range []int{1, 2, 3, 1000} {
			t.Run(fmt.Sprint(name, " chunks of ", chunk), func(t *testing.T) {
				a := open(t, sqlitePlace(t), func(o *Options) { o.ChunkRows = chunk })
				seg := &memory{id: "s"}
				for i, content := range []string{c.before, c.before, c.after, c.after} {
					seg.data = []byte(content)
					run(t, a, seg)
					want := fmt.Sprint(c.rows[i/2])
					if got := query(t, a, "SELECT COUNT(*) FROM access_logs"); got != want {
						t.Errorf("%d: %s rows, want %s", i, got, want)
					}
					if got := query(t, a, "SELECT human, torn, lines_read FROM segments"); got != fmt.Sprintf("%s|%d|%s", want, c.torn, want) && i > 1 {
						t.Errorf("%d: human, torn, lines %s", i, got)
					}
					if got := query(t, a, "SELECT SUM(pv) FROM daily_stats"); got != want {
						t.Errorf("%d: %s views, want %s", i, got, want)
					}
					s, err := a.ArchivedSegments(t.Context())
					check(t, err)
					if s["s"].Size != seg.Size() || s["s"].Sum == "" {
						t.Errorf("%d: archived %+v of %d bytes", i, s["s"], seg.Size())
					}
				}
			})
		}
	}
}

// What an earlier version left out as torn is archived now, if it is a line.
func TestLastLineThatAnEarlierVersionLeftOut(t *testing.T) {
	a := open(t, sqlitePlace(t))
	seg := segmentOf("s", view{addr: "203.0.113.1"}, view{addr: "203.0.113.2"})
	first := strings.IndexByte(string(seg.data), '\n') + 1
	seg.data = seg.data[:len(seg.data)-1]
	whole := seg.data
	seg.data = whole[:first]
	run(t, a, seg)
	_, err := a.db.Exec("UPDATE segments SET size = ?, torn = 1", len(whole))
	check(t, err)
	seg.data = whole
	for range 2 {
		run(t, a, seg)
		if got := query(t, a, "SELECT human, torn, read_to = size FROM segments"); got != "2|0|1" {
			t.Errorf("human, torn, whole: %s", got)
		}
	}
}
