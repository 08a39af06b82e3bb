package counter

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

// answering stands for a Redis that gives each part the answer that is kept for its segment.
type answering struct {
	answers map[string]any // verdicts, or errors
	trips   []string       // the segments of each pipeline
}

func (a *answering) DialHook(next redis.DialHook) redis.DialHook          { return next }
func (a *answering) ProcessHook(next redis.ProcessHook) redis.ProcessHook { return next }

func (a *answering) ProcessPipelineHook(redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(_ context.Context, cmds []redis.Cmder) error {
		trip := ""
		for _, cmd := range cmds {
			args := cmd.Args()
			at := slices.IndexFunc(args, func(x any) bool { _, known := a.answers[toText(x)]; return known })
			segment := toText(args[at])
			trip += segment
			switch x := a.answers[segment].(type) {
			case error:
				cmd.SetErr(x)
			default:
				cmd.(*redis.Cmd).SetVal([]any{x, int64(0)})
			}
		}
		a.trips = append(a.trips, trip)
		return nil
	}
}

func toText(x any) string { s, _ := x.(string); return s }

// A part builds on those of its site before it: it is sent once they are applied, and not at
// all where one was refused. Sent along it was applied on top of as many visitors as the
// refused part had, of somebody else.
func TestPartWaitsForThoseBeforeIt(t *testing.T) {
	for what, x := range map[string]struct {
		answers map[string]any
		trips   []string
		verdict map[string]verdict
		again   []int
	}{
		"all are applied": {map[string]any{"s1": "ok", "s2": "ok", "s3": "ok", "s4": "ok"},
			[]string{"s1s3", "s2s4"}, map[string]verdict{"s1": applied, "s2": applied, "s3": applied, "s4": applied}, nil},
		"one is refused": {map[string]any{"s1": "moved", "s2": "ok", "s3": "ok", "s4": "ok"},
			[]string{"s1s3", "s4"}, map[string]verdict{"s1": moved, "s2": moved, "s3": applied, "s4": applied}, nil},
		"somebody else applied one": {map[string]any{"s1": "ok", "s2": "ok", "s3": "dup", "s4": "ok"},
			[]string{"s1s3", "s2"}, map[string]verdict{"s1": applied, "s2": applied, "s3": duplicate, "s4": duplicate}, nil},
		"an answer is lost": {map[string]any{"s1": errReplyLost, "s2": "ok", "s3": "ok", "s4": "ok"},
			[]string{"s1s3", "s4"}, map[string]verdict{"s3": applied, "s4": applied}, []int{0, 1}},
	} {
		t.Run(what, func(t *testing.T) {
			rdb := redis.NewClient(&redis.Options{Addr: "127.0.0.1:1"})
			t.Cleanup(func() { _ = rdb.Close() })
			hook := &answering{answers: x.answers}
			rdb.AddHook(hook)
			b := newBatch(1, 1)
			for i, name := range []string{"a.example", "a.example", "b.example", "b.example"} {
				s := &site{name: name, epoch: "m", offsets: map[string]*offsets{}}
				if i%2 == 1 {
					s = b.parts[i-1].site
				}
				b.part(s, []string{"s1", "s2", "s3", "s4"}[i])
			}
			keys := NewKeys(DefaultPrefix, false)
			c := &committer{enc: &encoder{keys: keys, loc: time.UTC, now: time.Now, redisNow: time.Now}, rdb: rdb,
				script: redis.NewScript("return 1"), budget: newBudget(1000, nil, true), now: time.Now}
			answers, todo := make([]answer, len(b.parts)), []int{0, 1, 2, 3}
			if err := c.commitParts(t.Context(), b, answers, &todo); (err != nil) != (x.again != nil) {
				t.Fatal(err)
			}
			got := map[string]verdict{}
			for i, a := range answers {
				if a.verdict != "" {
					got[b.parts[i].segment] = a.verdict
				}
			}
			if !slices.Equal(hook.trips, x.trips) || !slices.Equal(todo, x.again) || len(got) != len(x.verdict) {
				t.Errorf("sent %q, want %q; answers %v; again %v, want %v", hook.trips, x.trips, got, todo, x.again)
			}
			for segment, want := range x.verdict {
				if got[segment] != want {
					t.Errorf("%s: %q, want %q", segment, got[segment], want)
				}
			}
		})
	}
}
