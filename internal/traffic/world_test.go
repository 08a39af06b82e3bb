package traffic

import (
	"context"
	"math"
	"math/rand/v2"
	"sort"
	"sync"
	"testing"
	"time"
)

// world is made-up traffic of sites, minute by minute.
type world struct {
	zone  *time.Location
	begin time.Time
	now   time.Time
	sites map[string][]uint16 // by minute since begin
	hours map[string]map[int64]int64
}

// rate of a site's views an hour, before chance.
type rate func(t time.Time) float64

// people are awake at other hours at the weekend, and fewer.
func people(base float64) rate {
	return func(t time.Time) float64 {
		h := float64(t.Hour()) + float64(t.Minute())/60
		r := base * (0.15 + 0.85*math.Pow(math.Sin(math.Pi*math.Mod(h+21, 24)/24), 2))
		if d := t.Weekday(); d == time.Saturday || d == time.Sunday {
			r *= 0.6
		}
		return r * (1 + float64(t.YearDay())/365/2) // it grows
	}
}

// holidays are days with a quarter of the views, and one with nearly twice as many.
func holidays(t time.Time) float64 {
	switch t.Format("01-02") {
	case "01-01", "01-18", "02-15", "05-31", "06-18", "07-05", "09-06", "10-11", "11-25", "12-24", "12-25", "12-31":
		return 0.25
	case "11-26":
		return 1.8
	}
	return 1
}

func newWorld(t *testing.T, zone string, from, to time.Time, seed uint64, sites map[string]rate) *world {
	t.Helper()
	loc, err := time.LoadLocation(zone)
	if err != nil {
		t.Fatal(err)
	}
	w := &world{zone: loc, begin: from, sites: map[string][]uint16{}, hours: map[string]map[int64]int64{}}
	names := []string{}
	for name := range sites {
		names = append(names, name)
	}
	sort.Strings(names)
	for i, name := range names {
		chance := rand.New(rand.NewPCG(seed, uint64(i)))
		all, hours := make([]uint16, 0, int(to.Sub(from)/time.Minute)), map[int64]int64{}
		day, hour, lastDay, lastHour := 1.0, 1.0, -1, -1
		for at := from; at.Before(to); at = at.Add(time.Minute) {
			local := at.In(loc)
			if d := local.YearDay(); d != lastDay {
				day, lastDay = math.Exp(0.15*chance.NormFloat64()), d
			}
			if h := local.Hour(); h != lastHour {
				hour, lastHour = math.Exp(0.2*chance.NormFloat64()), h
			}
			n := poisson(chance, sites[name](local)*holidays(local)*day*hour/60)
			all = append(all, uint16(n))
			hours[clockOf(local)] += int64(n)
		}
		w.sites[name], w.hours[name] = all, hours
	}
	return w
}

func poisson(chance *rand.Rand, mean float64) int {
	if mean > 50 {
		return max(0, int(mean+math.Sqrt(mean)*chance.NormFloat64()+.5))
	}
	limit, n := math.Exp(-mean), 0
	for p := chance.Float64(); p > limit; p *= chance.Float64() {
		n++
	}
	return n
}

// change multiplies a site's views for a while.
func (w *world) change(name string, from time.Time, d time.Duration, by float64) {
	for at := from; at.Before(from.Add(d)); at = at.Add(time.Minute) {
		i := int(at.Sub(w.begin) / time.Minute)
		was := w.sites[name][i]
		w.sites[name][i] = uint16(float64(was) * by)
		w.hours[name][clockOf(at.In(w.zone))] += int64(w.sites[name][i]) - int64(was)
	}
}

// Sites implements Source.
func (w *world) Sites(context.Context) ([]string, error) {
	var names []string
	for name := range w.sites {
		names = append(names, name)
	}
	sort.Strings(names)
	return names, nil
}

// Minutes implements Source: the running minute is half over.
func (w *world) Minutes(_ context.Context, name string, n int) ([]int64, error) {
	i := int(w.now.Sub(w.begin) / time.Minute)
	all := make([]int64, n)
	for j := range n {
		all[j] = int64(w.sites[name][i-n+1+j])
	}
	all[n-1] /= 2
	return all, nil
}

// Hours implements Source: of today those that were.
func (w *world) Hours(_ context.Context, name string, from, to time.Time) ([]Hour, error) {
	var all []Hour
	now := clockOf(w.now.In(w.zone))
	for d := from; !d.After(to); d = d.AddDate(0, 0, 1) {
		for h := range 24 {
			x := Hour{Date: d, Hour: h}
			c := x.clock()
			if x.PV = w.hours[name][c]; c > now || x.PV == 0 {
				continue
			}
			if c == now {
				x.PV = 0
				for m := w.now.Truncate(time.Minute); clockOf(m.In(w.zone)) == now; m = m.Add(-time.Minute) {
					if i := int(m.Sub(w.begin) / time.Minute); i >= 0 {
						x.PV += int64(w.sites[name][i])
					}
				}
			}
			all = append(all, x)
		}
	}
	return all, nil
}

// ledger is SQL as far as alarms know it.
type ledger struct {
	mu    sync.Mutex
	notes map[string]string
}

func (l *ledger) SharedNote(_ context.Context, name string) (string, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.notes[name], nil
}

func (l *ledger) SwapSharedNote(_ context.Context, name, was, is string) (bool, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.notes[name] != was {
		return false, nil
	}
	l.notes[name] = is
	return true, nil
}
