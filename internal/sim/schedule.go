package sim

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"ddkk-stats/parser"
)

// schedule is all that happens in one run, made of one seed. It is plain data: a
// step of it can be left out, and what is left is still a schedule.
type schedule struct {
	Seed    uint64
	Zone    string         `json:",omitempty"` // of the days; empty: UTC
	Clock   int            // the second of the day at which it begins
	Day     int            `json:",omitempty"` // of how many days after the epoch
	Batch   int            // writes of a script at most
	Sync    bool           `json:",omitempty"` // lines are made durable first
	Archive bool           `json:",omitempty"` // closed segments are archived, and deleted
	Mirror  bool           `json:",omitempty"` // page totals go into SQL and a search index; there is an archive
	Window  int            `json:",omitempty"` // DEDUPE_WINDOW, in minutes: more than a schedule takes
	Views   int            `json:",omitempty"` // LOG_VIEWS of a site, from so many milliseconds on; 0: none
	Again   bool           `json:",omitempty"` // everything is asked for once more at the end
	KeepRaw int            `json:",omitempty"` // RAW_RETENTION_DAYS; 0: for ever
	Every   int            `json:",omitempty"` // days from one archive cycle to the next; 0: one
	Uniques parser.Uniques `json:",omitempty"` // UNIQUES
	Caps    int            `json:",omitempty"` // names that a day keeps of each kind; 0: more than come
	Steps   []step
}

// step is one thing that happens, and the time after it.
type step struct {
	Do     action
	Daemon int    `json:",omitempty"`
	Log    int    `json:",omitempty"`
	Kind   string `json:",omitempty"`
	N      int    `json:",omitempty"`
	Skip   int    `json:",omitempty"` // exchanges that go well first
	Script bool   `json:",omitempty"` // only exchanges with a script
	Seed   uint64 `json:",omitempty"`
	Wait   int    // milliseconds
}

type action string

const (
	doLines    action = "lines"
	doPages    action = "pages" // lines of many pages: they are put off and folded later
	doHalf     action = "half"
	doGlue     action = "glue"
	doLate     action = "late"
	doRotate   action = "rotate"
	doCompress action = "compress"
	doExchange action = "exchange"
	doOutage   action = "outage"
	doSnapshot action = "snapshot"
	doGoBack   action = "goback"
	doPromote  action = "promote"
	doLoseAll  action = "loseall"
	doLoseKey  action = "losekey"
	doRetype   action = "retype"
	doRepair   action = "repair"
	doReplay   action = "replay"
	doKill     action = "kill"
	doStop     action = "stop"
	doStart    action = "start"
	doArchive  action = "archive"
	doAway     action = "away"  // the archive is
	doClock    action = "clock" // of a host is N hours ahead
	doRule     action = "rule"  // an operator has what was seen of a page taken out
	doUndo     action = "undo"  // and put back
	doConfirm  action = "confirm"
	doIndex    action = "index" // something befalls a request to the search index
	doFlush    action = "flush" // and a transaction of the mirror
)

// Kinds of a start: what became of the progress file.
const (
	progressOld  = "old"
	progressTorn = "torn"
	progressGone = "gone"
)

// Kinds of an archive cycle: what ends it half way.
const (
	archiveCut  = "archive away half way through a cycle"
	archiveKill = "daemon killed half way through a cycle"
)

// exchangeKinds are what befalls one exchange, outageKinds all of them for a while.
var (
	exchangeKinds = []string{slow, hang, hangAfter, cutBefore, cutAfter, cutHalf, busy, loading, full, readOnly, misconf, noScript, part, killFirst, killAfter}
	outageKinds   = []string{down, hang, loading, full, readOnly, misconf, busy}
)

// weights say how often a step happens.
var weights = []struct {
	do action
	n  int
}{
	{doLines, 30}, {doPages, 6}, {doHalf, 4}, {doGlue, 2}, {doLate, 4}, {doRotate, 7}, {doCompress, 3},
	{doExchange, 30}, {doOutage, 5}, {doSnapshot, 5}, {doGoBack, 4}, {doPromote, 2}, {doLoseAll, 1}, {doLoseKey, 4},
	{doRetype, 3}, {doReplay, 2}, {doKill, 4}, {doStop, 2}, {doStart, 8}, {doArchive, 12}, {doAway, 2},
}

// long tells that days go by in it.
func (s *schedule) long() bool { return s.KeepRaw > 0 }

// goesBack tells whether a daemon is started with a progress file of before.
func (s *schedule) goesBack() bool {
	return slices.ContainsFunc(s.Steps, func(st step) bool { return st.Kind == progressOld })
}

// newSchedule makes the schedule of a seed.
func newSchedule(seed uint64, without map[string]bool) *schedule {
	rng := rand.New(rand.NewPCG(seed, 0x5eed))
	s := &schedule{Seed: seed, Clock: rng.IntN(86400), Batch: []int{60, 100, 3000}[rng.IntN(3)], Sync: rng.IntN(4) == 0,
		Zone: []string{"", "", "Asia/Shanghai", "America/New_York"}[rng.IntN(4)]}
	if rng.IntN(4) == 0 {
		s.Clock = 86400 - rng.IntN(20) // over midnight
	}
	s.Again, s.Archive = rng.IntN(3) == 0, rng.IntN(4) == 0
	// Each schedule has some kinds of steps often and others not at all: where all
	// are as likely, those that must come together seldom do.
	often, total := make([]int, len(weights)), 0
	for i, w := range weights {
		often[i] = w.n
		if w.do != doLines && w.do != doStart {
			often[i] *= []int{0, 1, 1, 3}[rng.IntN(4)]
		}
		total += often[i]
	}
	mirrored := rand.New(rand.NewPCG(seed, 0x3122)) // of its own: schedules without are as they were
	s.Mirror = s.Archive && mirrored.IntN(2) == 0
	if mirrored.IntN(6) == 0 {
		s.Window = 20
	}
	rule := rand.New(rand.NewPCG(seed, 0x4121)) // of its own as well
	if few := rand.New(rand.NewPCG(seed, 0xca95)); !s.Mirror && few.IntN(5) == 0 {
		s.Caps = 1 + few.IntN(4)
	}
	hosts := 1 + rng.IntN(3)/2
	calls := rng.IntN(3) == 0
	if calls && s.Window == 0 && mirrored.IntN(3) == 0 {
		s.Views = 1 + mirrored.IntN(8000)
	}
	second := rng.IntN(5) == 0 // daemon on the first host's log
	wrong := false             // the last step gave a key another type
	add := func(st step) {
		if without[string(st.Do)] || without[st.Kind] || !s.Archive && (st.Do == doArchive || st.Do == doAway) {
			return
		}
		if st.Wait == 0 {
			st.Wait = []int{1, 20, 60, 150, 400, 1200, 3000}[rng.IntN(7)]
		}
		s.Steps = append(s.Steps, st)
	}
	add(step{Do: doStart, Wait: 1 + rng.IntN(400)})
	if second {
		add(step{Do: doStart, Daemon: 2, Wait: 1 + rng.IntN(400)})
	}
	if hosts == 2 {
		add(step{Do: doStart, Daemon: 1, Wait: 1 + rng.IntN(400)})
	}
	for range 4 + rng.IntN(14) {
		n := rng.IntN(total)
		var do action
		for i, w := range weights {
			if n -= often[i]; n < 0 {
				do = w.do
				break
			}
		}
		st := step{Do: do, Seed: rng.Uint64N(1 << 32), N: rng.IntN(40), Daemon: rng.IntN(hosts)}
		if calls {
			st.Log = rng.IntN(3) / 2
		}
		switch do {
		case doLines, doGlue, doLate:
			st.N = 1 + rng.IntN(9)
		case doPages:
			st.N, st.Log = 16+rng.IntN(20), 0
		case doExchange:
			st.Kind = exchangeKinds[rng.IntN(len(exchangeKinds))]
			st.Skip, st.Script = rng.IntN(5), rng.IntN(3) > 0
			if st.Script && rng.IntN(2) == 0 { // it meets these lines
				st.Skip, st.Wait = rng.IntN(2), 1
				add(st)
				st = step{Do: doLines, Seed: rng.Uint64N(1 << 32), N: 1 + rng.IntN(9), Daemon: st.Daemon, Log: st.Log}
			}
		case doOutage:
			st.Kind = outageKinds[rng.IntN(len(outageKinds))]
			st.N = 50 << rng.IntN(8)
		case doStart:
			st.Kind = []string{"", "", progressOld, progressTorn, progressGone}[rng.IntN(5)]
			if second && rng.IntN(2) == 0 {
				st.Daemon = 2
			}
		case doArchive:
			st.Kind = []string{"", "", archiveCut, archiveKill}[rng.IntN(4)]
			if rng.IntN(2) == 0 { // mostly there is nothing to archive else
				add(step{Do: doRotate, Daemon: st.Daemon, Seed: rng.Uint64N(1 << 32), Wait: 2000 + rng.IntN(2500)})
			}
		case doAway:
			st.N = 50 << rng.IntN(8)
		case doKill, doStop:
			if second && rng.IntN(2) == 0 {
				st.Daemon = 2
			}
		}
		add(st)
		if wrong && mirrored.IntN(2) == 0 {
			add(step{Do: doStop, Daemon: st.Daemon, Wait: 20})
			add(step{Do: doRepair, Wait: 1})
			add(step{Do: doStart, Daemon: st.Daemon, Wait: 20})
		}
		wrong = do == doRetype
		if rule.IntN(12) == 0 && s.Archive {
			add(step{Do: doRule, Seed: rule.Uint64N(1 << 32), Wait: []int{1, 60, 1200, 3000}[rule.IntN(4)]})
		}
		if s.Mirror && mirrored.IntN(3) == 0 {
			add(mirrorStep(mirrored))
		}
	}
	s.ruleKinds(rand.New(rand.NewPCG(seed, 0x4122)))
	// At the end of the first day a week ends, at that of the second a month.
	if rng.IntN(3) == 0 {
		s.Uniques, s.Day = parser.UniquesMonth, rng.IntN(2)
	}
	return s
}

// ruleKinds has some rules delete, and some be undone later.
func (s *schedule) ruleKinds(rng *rand.Rand) {
	at := slices.IndexFunc(s.Steps, func(st step) bool { return st.Do == doRule })
	if at < 0 {
		return
	}
	switch rng.IntN(3) {
	case 0:
		s.Steps[at].Kind = ruleDelete
	case 1:
		to := at + 1 + rng.IntN(len(s.Steps)-at)
		s.Steps = slices.Insert(s.Steps, to, step{Do: doUndo, Wait: []int{1, 60, 1200}[rng.IntN(3)]})
	}
}

// mirrorStep is something that befalls the mirror.
func mirrorStep(rng *rand.Rand) step {
	st := step{Seed: rng.Uint64N(1 << 32), Wait: []int{1, 400, 2500}[rng.IntN(3)]}
	switch rng.IntN(8) {
	case 0, 1, 2:
		st.Do, st.Kind = doIndex, indexKinds[rng.IntN(len(indexKinds))]
	case 3, 4:
		st.Do, st.Kind = doFlush, flushKinds[rng.IntN(len(flushKinds))]
	case 5, 6:
		st.Do, st.Kind = doLoseKey, "mirror:"
	default:
		st.Do, st.Kind = doRetype, "mirror:"
	}
	return st
}

// words tell what a step does.
func (s *step) words() string {
	logName := []string{"the log", "the site log"}[s.Log%2] + fmt.Sprintf(" of host %d", s.Daemon%2)
	who := []string{"daemon 0", "daemon 1", "the second daemon on the log of host 0"}[s.Daemon%3]
	var b strings.Builder
	switch s.Do {
	case doLines:
		fmt.Fprintf(&b, "%d requests come into %s", s.N, logName)
	case doPages:
		fmt.Fprintf(&b, "requests for %d different pages come into %s", s.N, logName)
	case doHalf:
		fmt.Fprintf(&b, "half a line comes into %s", logName)
	case doGlue:
		fmt.Fprintf(&b, "%d requests come into %s, the first right behind what was begun", s.N, logName)
	case doLate:
		fmt.Fprintf(&b, "%d requests come late into a rotated file of %s", s.N, logName)
	case doRotate:
		fmt.Fprintf(&b, "%s is rotated", logName)
	case doCompress:
		fmt.Fprintf(&b, "a rotated file of %s is compressed", logName)
	case doExchange:
		what := "exchange"
		if s.Script {
			what = "script"
		}
		fmt.Fprintf(&b, "after %d more of them, an %s with Redis: %s", s.Skip, what, s.Kind)
		if s.Kind == part || s.Kind == cutHalf {
			fmt.Fprintf(&b, " (%d)", s.N)
		}
	case doOutage:
		fmt.Fprintf(&b, "for %s all exchanges with Redis: %s", time.Duration(s.N)*time.Millisecond, s.Kind)
	case doSnapshot:
		b.WriteString("Redis writes its file; a replica stops following")
	case doGoBack:
		b.WriteString("Redis starts again with the file that it wrote")
	case doPromote:
		b.WriteString("the replica that lags is promoted")
	case doLoseAll:
		b.WriteString("Redis loses all keys")
	case doLoseKey:
		fmt.Fprintf(&b, "Redis loses a key (%q, number %d)", prefix+s.Kind, s.Seed)
	case doRetype:
		fmt.Fprintf(&b, "a key gets another type (%q, number %d)", prefix+s.Kind, s.Seed)
	case doRepair:
		b.WriteString("the key that got another type last is repaired, if its site was not counted since")
	case doReplay:
		b.WriteString("Redis starts again and applies the beginning of the last transaction once more")
	case doArchive:
		fmt.Fprintf(&b, "%s archives what is rotated and quiet", who)
		if s.Kind != "" {
			fmt.Fprintf(&b, "; %s (%d)", s.Kind, s.N)
		}
	case doAway:
		fmt.Fprintf(&b, "the archive does not answer for %s", time.Duration(s.N)*time.Millisecond)
	case doClock:
		fmt.Fprintf(&b, "the clock of host %d is %d hours ahead", s.Daemon%2, s.N)
	case doIndex:
		fmt.Fprintf(&b, "a request comes to grief (%s)", s.Kind)
	case doFlush:
		fmt.Fprintf(&b, "a transaction comes to grief (%s)", s.Kind)
	case doRule:
		b.WriteString("an operator has all that was seen of a page until now " + map[string]string{ruleVoid: "taken out of the numbers", ruleDelete: "deleted"}[s.Kind])
	case doUndo:
		b.WriteString("an operator has what was taken out put back")
	case doConfirm:
		b.WriteString("an operator confirms the clock")
	case doKill:
		fmt.Fprintf(&b, "%s is killed", who)
	case doStop:
		fmt.Fprintf(&b, "%s is stopped", who)
	case doStart:
		fmt.Fprintf(&b, "%s is started", who)
		if s.Kind != "" {
			fmt.Fprintf(&b, ", its progress file is %s", s.Kind)
		}
	}
	fmt.Fprintf(&b, "; %d ms go by", s.Wait)
	return b.String()
}

// tell prints a schedule in words.
func (s *schedule) tell() string {
	var b strings.Builder
	zone := s.Zone
	if zone == "" {
		zone = "UTC"
	}
	fmt.Fprintf(&b, "on day %d at second %d, days in %s, scripts of %d writes at most, log made durable first: %v, all asked for again at the end: %v, archive: %v, mirror: %v, DEDUPE_WINDOW: %d min, UNIQUES=%v, names of a day at most: %d\n", s.Day, s.Clock, zone, s.Batch, s.Sync, s.Again, s.Archive, s.Mirror, s.Window, s.Uniques, s.caps())
	for i := range s.Steps {
		fmt.Fprintf(&b, "%3d. %s\n", i+1, s.Steps[i].words())
	}
	return b.String()
}
