package health

import (
	"slices"
	"testing"
	"time"

	"ddkk-stats/counter"
	"ddkk-stats/internal/alert"
	"ddkk-stats/parser"
)

// well are the figures of a daemon that has nothing wrong.
func well() *Vitals { return &Vitals{At: time.Unix(1_700_000_000, 0), Begun: true, HandedOut: 1} }

// One row at a time: the figures that make it so make this state and, where they mean more
// than one thing, those beside it.
func TestTable(t *testing.T) {
	waits := func(name Name) func(*Vitals) { return func(v *Vitals) { v.Waits = name } }
	rows := []struct {
		name   Name
		wrong  func(*Vitals)
		beside []Name
	}{
		{counter.RedisDown, waits(counter.RedisDown), nil},
		{counter.RedisLoading, waits(counter.RedisLoading), nil},
		{counter.RedisFull, waits(counter.RedisFull), nil},
		{counter.RedisReadOnly, waits(counter.RedisReadOnly), nil},
		{counter.RedisCannotSave, waits(counter.RedisCannotSave), nil},
		{counter.RedisBusy, waits(counter.RedisBusy), nil},
		{counter.RedisRefuses, waits(counter.RedisRefuses), nil},
		{counter.ScriptsUnsupported, waits(counter.ScriptsUnsupported), nil},
		{LogDenied, func(v *Vitals) { v.Denied = "/var/log/x" }, nil},
		{Starting, func(v *Vitals) { v.Begun = false }, nil},
		{ArchiveAway, func(v *Vitals) { v.ArchiveAway = true }, nil},
		{counter.Rebuilding, func(v *Vitals) { v.Stats.Remaking = 1 }, nil},
		{counter.CatchingUp, func(v *Vitals) { v.Behind, v.Lag = 1, 3*time.Second }, nil},
		{Standby, func(v *Vitals) { v.Stats.Standby = true }, nil},
		{Clock, func(v *Vitals) { v.Clock = "2033" }, nil},
		{Behind, func(v *Vitals) { v.Lag = 61 * time.Second }, nil},
		{LogBehind, func(v *Vitals) { v.Behind, v.HandedOut = 256<<20+1, 2 }, nil},
		{Stalled, func(v *Vitals) { v.Behind, v.Lag = 1, 61*time.Second }, []Name{counter.CatchingUp, Behind}},
		{SitesParked, func(v *Vitals) { v.Stats.Parked = 1 }, nil},
		{SitesLack, func(v *Vitals) { v.Stats.Incomplete = 1 }, nil},
		{RestoreFailed, func(v *Vitals) { v.RestoreFailures = 1 }, nil},
		{SitesRebuilt, func(v *Vitals) { v.Stats.Rebuilds = 1 }, nil},
		{RedisMemory, func(v *Vitals) { v.RedisUsed, v.RedisMax = 81, 100 }, nil},
		{RedisEvicts, func(v *Vitals) { v.RedisEvicted = 1 }, nil},
		{RedisRetries, func(v *Vitals) { v.Stats.Commits, v.Stats.Retries = 1000, 2 }, nil},
		{BeaconFails, func(v *Vitals) { v.Beacons, v.BeaconsFailed = 999, 1 }, nil},
		{AnswersFail, func(v *Vitals) { v.Answers, v.AnswersFailed = 100, 2 }, nil},
		{LinesMalformed, func(v *Vitals) {
			b := &v.Stats.Books
			b.Read, b.Human, b.Malformed[parser.BadLength] = 100, 98, 2
		}, nil},
		{Books, func(v *Vitals) { v.Stats.Books.Read = 1 }, nil},
		{LogGap, func(v *Vitals) { v.Stats.Missing = 1 }, nil},
		{LogDamaged, func(v *Vitals) { v.Alarms = 1 }, nil},
		{ArchiveLate, func(v *Vitals) { v.SinceArchive, v.ArchiveLimit = 27*time.Hour, ArchiveGrace }, nil},
		{WritesLate, func(v *Vitals) { v.WriteLag, v.WriteLimit = 11*time.Second, WriteLimit }, nil},
		{Differences, func(v *Vitals) { v.Differences = 1 }, nil},
		{Unverified, func(v *Vitals) { v.Problems = 1 }, nil},
		{NamesFull, func(v *Vitals) { v.Stats.Full = 1 }, nil},
		{LogBudget, func(v *Vitals) { v.LogsOver = "81 of 100 bytes" }, nil},
		{Settings, func(v *Vitals) { v.SettingsRefused = true }, nil},
	}
	seen := map[Name]bool{counter.RedisOld: true} // told of a site, when it is read
	for _, x := range rows {
		seen[x.name] = true
		m := NewMonitor()
		if all := m.Note(well()); len(all) != 0 {
			t.Fatalf("a daemon that is well is %q", all[0].Name)
		}
		v := well()
		v.At = v.At.Add(time.Minute)
		x.wrong(v)
		var got []Name
		for _, f := range m.Note(v) {
			got = append(got, f.Name)
			if f.Text == "" || f.Means == "" || f.Do == "" || !f.Since.Equal(v.At) {
				t.Errorf("%s: %+v", f.Name, f)
			}
			if f.Halts != (f.Effect == Waits) {
				t.Errorf("%s halts: %v", f.Name, f.Halts)
			}
		}
		slices.Sort(got)
		want := append([]Name{x.name}, x.beside...)
		slices.Sort(want)
		if !slices.Equal(got, want) {
			t.Errorf("%s: got %q, want %q", x.name, got, want)
		}
		r := Of(x.name)
		if halts := Halt(m.Judge(v)) != nil; halts != (r.Effect == Waits) {
			t.Errorf("%s: /readyz fails: %v, and its effect is %s", x.name, halts, r.Effect)
		}
		if r.Alert != "" && (r.Severity != alert.Critical && r.Severity != alert.Warning || r.Threshold == "") {
			t.Errorf("%s: its alert has severity %q and threshold %q", x.name, r.Severity, r.Threshold)
		}
		v = well()
		v.At = v.At.Add(time.Hour)
		m.Note(well()) // what grew before the window is no news
		if all := m.Note(v); len(all) != 0 {
			t.Errorf("%s is over, and the daemon is %q", x.name, all[0].Name)
		}
	}
	for i := range Table {
		if !seen[Table[i].Name] {
			t.Errorf("%s has no row in this test", Table[i].Name)
		}
		if Of(Table[i].Name) != &Table[i] {
			t.Errorf("%s is there twice", Table[i].Name)
		}
	}
}

// The archive keeps counting from beginning only where Redis has no site yet.
func TestArchiveAwayAtTheStart(t *testing.T) {
	m := NewMonitor()
	v := well()
	v.Begun, v.Waits, v.ArchiveAway = false, ArchiveAway, true
	all := m.Note(v)
	if len(all) != 1 || all[0].Name != ArchiveAway || Halt(all) == nil {
		t.Errorf("%+v", all)
	}
	v = well()
	v.ArchiveAway = true
	if all := m.Note(v); Halt(all) != nil || !all[0].Since.Equal(v.At) {
		t.Errorf("while counting goes on: %+v", all)
	}
}

// A state keeps the time at which it began, and so does one that came again.
func TestSince(t *testing.T) {
	m, at := NewMonitor(), time.Unix(1_700_000_000, 0)
	look := func(after time.Duration, parked int64) time.Time {
		v := well()
		v.At, v.Stats.Parked = at.Add(after), parked
		if all := m.Note(v); len(all) > 0 {
			return all[0].Since
		}
		return time.Time{}
	}
	look(0, 1)
	if got := look(time.Minute, 2); !got.Equal(at) {
		t.Errorf("since %v", got)
	}
	look(2*time.Minute, 0)
	if got := look(3*time.Minute, 1); !got.Equal(at.Add(3 * time.Minute)) {
		t.Errorf("came again: since %v", got)
	}
}
