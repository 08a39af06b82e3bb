package keys

import "testing"

// A mark names one key, whatever letters share a period.
func TestMarks(t *testing.T) {
	seen, families := map[Name]bool{}, map[Family]bool{}
	for letter := range marks {
		for _, period := range []string{Forever, "20261130", "2026W48", "202611", "2026113012", "2975040"} {
			n, ok := Marked("ddkk.com", letter, period)
			if !ok {
				continue
			}
			if seen[n] {
				t.Errorf("two marks name %+v", n)
			}
			seen[n], families[n.Family] = true, true
			if l, p, ok := n.Mark(); !ok || l != letter || p != period {
				t.Errorf("%+v has the mark %s%s, was made of %s%s", n, l, p, letter, period)
			}
		}
	}
	if len(families) != 26 {
		t.Errorf("%d families have marks", len(families))
	}
	if _, ok := Marked("ddkk.com", MarkBooks, Forever); ok {
		t.Error("books of no day")
	}
	if _, _, ok := (Name{PagePV, "ddkk.com", "/a"}).Mark(); ok {
		t.Error("a page has a mark")
	}
}
