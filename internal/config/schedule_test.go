package config

import (
	"testing"
	"time"
)

// runsOf are the times of a schedule between two days, by clocks of a zone.
func runsOf(t *testing.T, zone, text, from, to string) (all []string) {
	t.Helper()
	s, err := ParseSchedule(text)
	if err != nil {
		t.Fatal(err)
	}
	loc, err := time.LoadLocation(zone)
	if err != nil {
		t.Fatal(err)
	}
	at, err := time.ParseInLocation(time.DateOnly, from, loc)
	if err != nil {
		t.Fatal(err)
	}
	end, err := time.ParseInLocation(time.DateOnly, to, loc)
	if err != nil {
		t.Fatal(err)
	}
	for at = s.Next(at.Add(-time.Second)); at.Before(end); at = s.Next(at) {
		all = append(all, at.Format("02 15:04 -07"))
	}
	return all
}

// TestScheduleOverClockChanges: a daily job runs once on each day, also where
// clocks pass over its time or show it twice.
func TestScheduleOverClockChanges(t *testing.T) {
	for _, c := range []struct {
		name, zone, text, from, to string
		want                       []string
	}{
		{"forward over it", "Europe/Berlin", "30 2 * * *", "2026-03-28", "2026-03-31", []string{"28 02:30 +01", "29 03:00 +02", "30 02:30 +02"}},
		{"forward to it", "Europe/Berlin", "0 3 * * *", "2026-03-28", "2026-03-31", []string{"28 03:00 +01", "29 03:00 +02", "30 03:00 +02"}},
		{"forward at three", "Asia/Amman", "30 0 * * *", "2022-02-24", "2022-02-27", []string{"24 00:30 +02", "25 01:00 +03", "26 00:30 +03"}},
		{"forward at midnight", "Africa/Cairo", "0 0 * * *", "2026-04-23", "2026-04-26", []string{"23 00:00 +02", "24 01:00 +03", "25 00:00 +03"}},
		{"forward by half an hour", "Australia/Lord_Howe", "15 2 * * *", "2026-10-03", "2026-10-06", []string{"03 02:15 +10", "04 02:30 +11", "05 02:15 +11"}},
		{"several in the gap are one", "Europe/Berlin", "0,20,40 2 * * *", "2026-03-29", "2026-03-30", []string{"29 03:00 +02"}},
		{"back", "Europe/Berlin", "30 2 * * *", "2026-10-24", "2026-10-27", []string{"24 02:30 +02", "25 02:30 +02", "26 02:30 +01"}},
		{"back in New York", "America/New_York", "30 1 * * *", "2026-10-31", "2026-11-03", []string{"31 01:30 -04", "01 01:30 -04", "02 01:30 -05"}},
		{"a day that is not there", "Pacific/Apia", "0 3 * * *", "2011-12-29", "2012-01-01", []string{"29 03:00 -10", "31 00:00 +14", "31 03:00 +14"}},
		{"each hour is each hour", "America/New_York", "0 * * * *", "2026-11-01", "2026-11-02", nil},
	} {
		got := runsOf(t, c.zone, c.text, c.from, c.to)
		if c.want == nil {
			if len(got) != 25 {
				t.Errorf("%s: %d times: %v", c.name, len(got), got)
			}
			continue
		}
		if len(got) != len(c.want) {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
			continue
		}
		for i := range got {
			if got[i] != c.want[i] {
				t.Errorf("%s: %v, want %v", c.name, got, c.want)
				break
			}
		}
	}
}

// TestScheduleOnceADay goes over ten years of some zones: never two days without
// a run, never two runs on one day.
func TestScheduleOnceADay(t *testing.T) {
	for _, zone := range []string{"Europe/Berlin", "America/Sao_Paulo", "Africa/Cairo", "Asia/Beirut", "America/Santiago", "Australia/Lord_Howe", "Africa/Casablanca", "UTC"} {
		for _, text := range []string{"0 0 * * *", "30 0 * * *", "15 2 * * *", "0 3 * * *"} {
			s, err := ParseSchedule(text)
			if err != nil {
				t.Fatal(err)
			}
			loc, err := time.LoadLocation(zone)
			if err != nil {
				t.Fatal(err)
			}
			at := s.Next(time.Date(2016, 1, 1, 12, 0, 0, 0, loc))
			for at.Year() < 2026 {
				next := s.Next(at)
				y, m, d := time.Date(at.Year(), at.Month(), at.Day()+1, 12, 0, 0, 0, loc).Date()
				if ny, nm, nd := next.Date(); ny != y || nm != m || nd != d {
					t.Fatalf("%s %q: after %v comes %v", zone, text, at, next)
				}
				at = next
			}
		}
	}
}

func TestScheduleDays(t *testing.T) {
	for text, want := range map[string]int{"off": 1, "0 3 * * *": 1, "@every 1h": 1, "0 3 * * 0": 7, "0 3 * * 1-5": 3, "0 3 1 * *": 31, "0 3 */2 * *": 2} {
		s, err := ParseSchedule(text)
		if err != nil {
			t.Fatal(err)
		}
		if got := s.Days(time.Date(2026, 10, 20, 0, 0, 0, 0, time.UTC)); got != want {
			t.Errorf("%s: %d days, want %d", text, got, want)
		}
	}
}
