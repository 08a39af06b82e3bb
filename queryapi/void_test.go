package queryapi

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
)

// voider plays Voider.
type voider struct {
	asked   VoidAsked
	undone  string
	num     int64
	all     []VoidRule
	running int64
	err     error
}

func (v *voider) Void(_ context.Context, a *VoidAsked) (int64, error) {
	v.asked = *a
	return v.num, v.err
}
func (v *voider) Unvoid(_ context.Context, site string, num int64, by string) error {
	v.undone = fmt.Sprint(site, num, by)
	return v.err
}
func (v *voider) Voids(context.Context, string) ([]VoidRule, int64, error) {
	return v.all, v.running, v.err
}

// byKind plays Explorer: as many views as the kind that is asked for says.
type byKind struct{ asked []string }

func (e *byKind) Explore(_ context.Context, q *ExploreQuery) (Explored, error) {
	e.asked = append(e.asked, fmt.Sprint(q.Where))
	n := int64(10)
	for _, t := range q.Where {
		switch {
		case t.Name == "bot" && t.Value == "yes":
			n += 100
		case t.Name == "event":
			n += 1000
		}
	}
	return Explored{Rows: []ExploredRow{{Name: "2026-11-20", PV: n}}, Complete: n < 1000}, nil
}

func TestVoid(t *testing.T) {
	v, e, people := &voider{num: 7}, &byKind{}, newSomeone()
	f := &figures{}
	s := newTestServer(t, newBackend(), func(c *Config) {
		c.Facts, c.Views, c.Explorer, c.Voider, c.AdminToken, c.People = f, f, e, v, "t", people
	})
	const path, span = "/api/admin/void", `"site":"ddkk.com","from":"2026-11-20","to":"2026-11-21"`
	ctx := asAdmin(t, s, "POST", path, `{`+span+`,"where":"referrer:spam.example","dry_run":true}`)
	if want := `{"dry_run":true,"pv":10,"pv_bot":110,"events":2120,"days":[{"date":"2026-11-20","pv":10,"pv_bot":110,"events":2120}],"complete":false}`; body(ctx) != want {
		t.Errorf("dry run: %s, want %s", body(ctx), want)
	}
	if len(people.notes) != 0 || v.asked.Site != "" {
		t.Errorf("a dry run is noted, or done: %v %+v", people.notes, v.asked)
	}
	e.asked = nil
	asAdmin(t, s, "POST", path, `{`+span+`,"where":"bot:yes event:buy","dry_run":true}`)
	if len(e.asked) != 1 {
		t.Errorf("asked %q", e.asked)
	}
	ctx = asAdmin(t, s, "POST", path, `{`+span+`,"where":"referrer:spam.example !page:/a*"}`)
	if body(ctx) != `{"num":7}` || fmt.Sprint(v.asked.Where, " ", v.asked.By) != "[{referrer spam.example false false} {page /a true true}] owner" || v.asked.To.Day() != 21 {
		t.Errorf("%s, asked for %+v", body(ctx), v.asked)
	}
	ctx = asAdmin(t, s, "DELETE", path, `{"site":"ddkk.com","num":7}`)
	if ctx.Response.StatusCode() != 204 || v.undone != "ddkk.com7owner" && v.undone != "ddkk.com 7 owner" {
		t.Errorf("%d, undone %q", ctx.Response.StatusCode(), v.undone)
	}
	if got := strings.Join(people.notes, "\n"); !strings.Contains(got, "owner views taken out ddkk.com 2026-11-20 to 2026-11-21: referrer:spam.example") || !strings.Contains(got, "owner views put back ddkk.com rule 7") {
		t.Errorf("notes:\n%s", got)
	}
	at := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	v.all, v.running = []VoidRule{{Num: 9, MadeAt: at}, {Num: 8, MadeAt: at, MadeBy: "<b>", About: "page:/x", From: at, Until: at, Done: true, UndoneAt: at}, {Num: 7, MadeAt: at}, {Num: 6, MadeAt: at, Done: true}}, 9
	got := body(asAdmin(t, s, "GET", path+"?site=ddkk.com", ""))
	for _, want := range []string{`"num":9`, `"state":"running"`, `"from":"2026-11-22T12:00:00Z"`, `"until":null`, `"state":"undone","undone_at"`, `"state":"unfinished"`, `"state":"in force"`} {
		if !strings.Contains(got, want) {
			t.Errorf("%s lacks %s", got, want)
		}
	}
	for _, b := range []string{`{` + span + `}`, `{` + span + `,"where":"ip:1"}`, `{"site":"ddkk.com","to":"2026-11-21","where":"page:/a"}`, `{"site":"ddkk.com","from":"2026-11-22","to":"2026-11-21","where":"page:/a"}`,
		`{"site":"ddkk.com","from":"x","to":"2026-11-21","where":"page:/a"}`, `{` + span + `,"where":"page:/a","num":1}`, `{"site":"ddkk.com","from":"1990-01-01","to":"2026-11-21","where":"page:/a"}`} {
		if ctx := asAdmin(t, s, "POST", path, b); ctx.Response.StatusCode() != 400 {
			t.Errorf("%s: %d %s", b, ctx.Response.StatusCode(), body(ctx))
		}
	}
	if ctx := asAdmin(t, s, "DELETE", path, `{"site":"ddkk.com"}`); ctx.Response.StatusCode() != 400 {
		t.Errorf("undo without a number: %s", body(ctx))
	}
	v.num = 0
	for err, want := range map[error]int{ErrVoiding: 409, ErrEnding: 503, fmt.Errorf("%w: gone", ErrArchiveAway): 503, errors.New("other"): 503} {
		v.err = err
		if ctx := asAdmin(t, s, "POST", path, `{`+span+`,"where":"page:/a"}`); ctx.Response.StatusCode() != want {
			t.Errorf("%v: %d %s", err, ctx.Response.StatusCode(), body(ctx))
		}
	}
	v.err = ErrNoRule
	if ctx := asAdmin(t, s, "DELETE", path, `{"site":"ddkk.com","num":70}`); ctx.Response.StatusCode() != 404 {
		t.Errorf("no such rule: %d %s", ctx.Response.StatusCode(), body(ctx))
	}
	v.err, v.num = errors.New("redis"), 12
	if ctx := asAdmin(t, s, "POST", path, `{`+span+`,"where":"page:/a"}`); !strings.Contains(body(ctx), "rule 12 is kept") {
		t.Errorf("half way: %s", body(ctx))
	}
	people.away = true
	if ctx := asAdmin(t, s, "POST", path, `{`+span+`,"where":"page:/a"}`); ctx.Response.StatusCode() != 503 || v.asked.By == "" {
		t.Errorf("what cannot be noted: %d", ctx.Response.StatusCode())
	}
}
