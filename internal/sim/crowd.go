package sim

import (
	"strings"

	"ddkk-stats/parser"
)

// In some schedules a day keeps very few names (schedule.Caps). Which ones, the order of
// reading has a say in until a day is over, so the names of each table are compared in sum;
// and no name may have more than was asked for it.

// caps are how many names a table keeps; 0: as many as come.
func (s *schedule) caps() int {
	if s.Caps == 0 {
		return 1000
	}
	return s.Caps
}

// together has one number for all names of a table. Visitors of names do not add up: they go.
func (s *schedule) together(n numbers) numbers {
	if s.Caps == 0 {
		return n
	}
	all := numbers{}
	for k, v := range n {
		table, counts := tableOfName(k)
		switch {
		case table == "":
			all[k] = v
		case counts:
			all[table] += v
		}
	}
	return all
}

// tableOfName is the table that a number of a name is of; counts: its numbers add up.
func tableOfName(k string) (table string, counts bool) {
	head, name, named := strings.Cut(k, " ")
	switch {
	case strings.HasPrefix(k, "page:pv:"):
		return "page:pv:" + strings.SplitN(k, ":", 4)[2], true
	case strings.HasPrefix(k, "page:uv:"), strings.HasPrefix(k, "page:pairs:"), strings.HasPrefix(k, "page of a day:"), strings.HasPrefix(k, "uniques:pairs:"),
		strings.HasPrefix(k, "uniques:uv:") && strings.HasPrefix(name, "p"),
		strings.HasPrefix(k, "uniques of ") && !strings.HasSuffix(k, " "),
		strings.HasPrefix(k, "event:") && strings.HasSuffix(k, "|uv"),
		strings.HasPrefix(k, "visitors:") && strings.HasPrefix(name, "r"):
		return "gone", false
	case named && (strings.HasPrefix(k, "hot:") || strings.HasPrefix(k, "event:") || strings.HasPrefix(k, "page:bot:")):
		return head, true
	case strings.HasPrefix(k, "facet:") && strings.HasPrefix(name, "r"):
		return head + " r", true
	}
	return "", false
}

// beyond are names that have more than was asked for.
func (s *schedule) beyond(want, got numbers) numbers {
	wrong := numbers{}
	if s.Caps == 0 {
		return wrong
	}
	for k, v := range got {
		if table, _ := tableOfName(k); table != "" && v > want[k] && !strings.Contains(k, parser.OtherPage) &&
			!strings.HasPrefix(k, "page:pairs:") && !strings.HasPrefix(k, "uniques:pairs:") {
			wrong[k] = v
		}
	}
	return wrong
}

// unlike lists where numbers are not as they must be.
func (s *schedule) unlike(want, got numbers) []string {
	if beyond := s.beyond(want, got); len(beyond) > 0 {
		return differences(numbers{}, beyond, 12)
	}
	return differences(s.together(want), s.together(got), 12)
}
