package sim

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Kinds of faults that steps bring about by themselves; those of exchanges and
// outages are in conn.go.
var stepKinds = []string{
	"line cut", "lines glued", "line late on an old descriptor", "rotated", "compressed",
	"Redis went back", "lagging replica promoted", "all keys lost", "one key lost", "key of another type", "key repaired by an operator",
	"beginning of a transaction applied again", "daemon killed", "daemon stopped", "second daemon on a log",
	"progress file old", "progress file torn", "progress file missing",
	"page_counts written", "key of the mirror lost", "key of the mirror of another type",
	"archive away", "segments archived", "archived segment deleted", "site restored from the archive", archiveCut, archiveKill,
	"rule made", "page deleted", "rule undone", "archived lines recounted by a rule",
}

// Kinds are all that may happen. A run that is long enough and in which one of them
// never happened shows less than it seems to.
func Kinds() []string {
	all := map[string]bool{}
	for _, k := range slices.Concat(exchangeKinds, outageKinds, indexKinds, flushKinds, stepKinds) {
		all[k] = true
	}
	return sorted(all)
}

// Report sums up what schedules came to.
type Report struct {
	Schedules int
	Asked     int // exchanges with Redis
	Strikes   map[string]int
	Failures  []Failure
}

// Failure is a schedule that went wrong.
type Failure struct {
	Seed  uint64
	What  string
	Words string // the shortest schedule that does, in words
	Plan  string // the same for the corpus
}

func (r *Report) add(o *Report) {
	r.Schedules += o.Schedules
	r.Asked += o.Asked
	r.Failures = append(r.Failures, o.Failures...)
	if r.Strikes == nil {
		r.Strikes = map[string]int{}
	}
	for k, n := range o.Strikes {
		r.Strikes[k] += n
	}
}

// never lists the kinds that did not strike.
func (r *Report) never() []string {
	var all []string
	for _, k := range Kinds() {
		if r.Strikes[k] == 0 {
			all = append(all, k)
		}
	}
	return all
}

func (r *Report) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d schedules, %d exchanges with Redis, %d went wrong; struck:", r.Schedules, r.Asked, len(r.Failures))
	for _, k := range slices.Sorted(maps.Keys(r.Strikes)) {
		fmt.Fprintf(&b, "\n  %7d  %s", r.Strikes[k], k)
	}
	return b.String()
}

// String tells a failure as whoever has to mend it wants to read it.
func (f Failure) String() string {
	return fmt.Sprintf("%s\n\n%s\nAgain: make sim SCHEDULES=1 SEED=%d\nFor testdata/corpus: %s", f.What, f.Words, f.Seed, f.Plan)
}
