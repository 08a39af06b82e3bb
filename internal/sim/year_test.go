package sim

import (
	"math/rand/v2"
	"testing"
	"time"

	"ddkk-stats/parser"
)

// A year of a small site in zones whose clocks change at other times. The machine runs for some
// seconds of a day, as far as anybody sees, and is started anew each time; logs are rotated
// and archived, in the second zone on two hosts, raw rows deleted after two months. Once the clock jumps a month ahead for
// some days, and once back, Redis fails over to a replica that lags, comes back with the state of months
// ago, is lost, and the daemon is killed and loses its progress. At the end every number
// must be the ledger's.
func TestYear(t *testing.T) {
	if testing.Short() {
		t.Skip("a year takes some seconds")
	}
	zones, every := []string{"America/New_York", "Australia/Lord_Howe"}, uint64(5)
	if raceEnabled {
		zones, every = zones[:1], 15
	}
	every = envInt(t, envEvery, every)
	for i, zone := range zones {
		t.Run(zone, func(t *testing.T) {
			out := play(t, startRig(t), year(zone, i+1, int(every), envInt(t, envSeed, 23)), logger())
			if out.failure != "" {
				t.Fatal(out.failure)
			}
			for _, struck := range []string{"daemon stopped", "daemon killed", "rotated", "clock wrong", "clock in doubt", "Redis went back", "lagging replica promoted", "all keys lost"} {
				if out.strikes[struck] == 0 {
					t.Errorf("in the whole year there was no %q", struck)
				}
			}
		})
	}
}

const month = 30 * 24 // hours

// year is 365 days of one host or two, of which every so many something happens.
func year(zone string, hosts, every int, seed uint64) *schedule {
	s := &schedule{Seed: seed, Zone: zone, Clock: 4 * 3600, Batch: 100, Archive: true, Again: true, KeepRaw: 60, Every: every, Uniques: parser.UniquesMonth}
	rng := rand.New(rand.NewPCG(seed, 23))
	do := func(wait time.Duration, steps ...step) {
		for _, x := range steps {
			x.Seed, x.Wait = rng.Uint64(), int(wait/time.Millisecond)
			s.Steps = append(s.Steps, x)
		}
	}
	for day := 0; day < 365; day += every {
		on := func(of int) bool { return day/every == of/every }
		spent := len(s.Steps)
		if on(100) { // before it reads what was written by the right one
			do(time.Second, step{Do: doLines, N: 4}, step{Do: doClock, N: month})
		}
		if on(160) {
			do(time.Second, step{Do: doLines, N: 4}, step{Do: doClock, N: -month})
		}
		if on(100+4*every) || on(160+4*every) {
			do(time.Second, step{Do: doClock})
		}
		do(time.Second, step{Do: doStart}, step{Do: doLines, N: 3 + rng.IntN(5)}, step{Do: doLines, N: 2, Log: 1})
		if hosts > 1 {
			do(time.Second, step{Do: doStart, Daemon: 1}, step{Do: doLines, N: 3, Daemon: 1})
		}
		switch {
		case on(40): // a backup, that comes back after its segments were archived and deleted
			do(time.Second, step{Do: doSnapshot})
		case on(200):
			do(time.Second, step{Do: doGoBack})
		case on(250):
			do(time.Second, step{Do: doSnapshot}, step{Do: doLines, N: 4}, step{Do: doPromote})
		case on(300):
			do(time.Second, step{Do: doLoseAll})
		case on(320):
			do(time.Second, step{Do: doKill}, step{Do: doStart, Kind: progressGone})
		}
		do(time.Second, step{Do: doLines, N: 2}, step{Do: doRotate}, step{Do: doRotate, Log: 1})
		wait := 4 * time.Second
		if day%30 == 0 { // rounds of the scrub
			wait = 70 * time.Second
		}
		do(wait, step{Do: doLines, N: 1})
		if on(160 + 4*every) {
			do(time.Second, step{Do: doConfirm})
		}
		do(5*time.Second, step{Do: doArchive})
		if hosts > 1 { // it archives what it counted yesterday: today's is nobody's but its own
			do(5*time.Second, step{Do: doArchive, Daemon: 1}, step{Do: doRotate, Daemon: 1}, step{Do: doStop, Daemon: 1})
		}
		do(0, step{Do: doStop})
		var passed time.Duration
		for _, x := range s.Steps[spent:] {
			passed += time.Duration(x.Wait) * time.Millisecond
		}
		s.Steps[len(s.Steps)-1].Wait = int((time.Duration(every)*24*time.Hour - passed) / time.Millisecond)
	}
	do(time.Second, step{Do: doStart})
	return s
}
