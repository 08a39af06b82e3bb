package archive

import (
	"context"
	"database/sql/driver"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"
)

// Every statement is told, by what it is for; what a transaction is made of as well.
func TestStatements(t *testing.T) {
	eachPlace(t, func(t *testing.T, at place) {
		var mu sync.Mutex
		told := map[string]int{}
		a := open(t, at, func(o *Options) {
			o.Statements = func(s Statement) {
				mu.Lock()
				defer mu.Unlock()
				if told[s.Kind]++; s.Took < 0 {
					t.Errorf("%s took %v", s.Kind, s.Took)
				}
			}
		})
		check(t, a.BeginLife(t.Context(), "a.example", "life"))
		if _, err := a.RollUp(t.Context()); err != nil {
			t.Fatal(err)
		}
		if _, err := a.Read().Sites(t.Context()); err != nil {
			t.Fatal(err)
		}
		check(t, a.NoteJob(t.Context(), "h", "archive", now, ""))
		mu.Lock()
		defer mu.Unlock()
		for _, kind := range []string{KindFlush, KindRollUp, KindRead, KindWrite} {
			if told[kind] == 0 {
				t.Errorf("no statement of kind %s among %v", kind, told)
			}
		}
		if p := a.Pool(); p.Open == 0 || p.Idle+p.InUse != p.Open || p.Most < 2 {
			t.Errorf("%+v", p)
		}
	})
}

// One that takes long is slow, and the log has its beginning and no value; of the next
// ones within a minute it has none.
func TestSlowStatement(t *testing.T) {
	var said strings.Builder
	var got []Statement
	clock := time.Unix(1_700_000_000, 0)
	w := &watcher{tell: func(s Statement) { got = append(got, s) }, log: slog.New(slog.NewTextHandler(&said, nil)), now: func() time.Time { return clock }, said: map[string]time.Time{}}
	f := func(took time.Duration, err error) {
		began := clock
		clock = clock.Add(took)
		w.ended(of(context.Background(), KindLoad), KindWrite, "INSERT INTO x\n\tVALUES (?, ?)"+strings.Repeat(", (?, ?)", 100), began, err)
	}
	f(SlowStatement-1, nil)
	f(SlowStatement, nil)
	f(SlowStatement, errors.New("gone"))
	f(0, driver.ErrSkip) // it is asked in another way, and told then
	if len(got) != 3 || got[0].Slow || !got[1].Slow || got[1].Kind != KindLoad || got[2].Err == nil {
		t.Errorf("%+v", got)
	}
	if text := said.String(); strings.Count(text, "slow statement") != 1 || !strings.Contains(text, `kind=load took=2s statement="INSERT INTO x VALUES (?, ?), `) || len(text) > 400 {
		t.Error(text)
	}
	clock = clock.Add(slowSaid)
	f(SlowStatement, nil)
	if n := strings.Count(said.String(), "slow statement"); n != 2 {
		t.Errorf("said %d times", n)
	}
}
