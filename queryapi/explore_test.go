package queryapi

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
)

// explorer plays Explorer.
type explorer struct {
	asked ExploreQuery
	out   Explored
	err   error
}

func (e *explorer) Explore(_ context.Context, q *ExploreQuery) (Explored, error) {
	e.asked = *q
	return e.out, e.err
}

func TestExplore(t *testing.T) {
	e := &explorer{}
	f := &figures{}
	s := newTestServer(t, newBackend(), func(c *Config) { c.Facts, c.Views, c.Explorer, c.AdminToken = f, f, e, "t" })
	two := int64(2)
	e.out = Explored{Rows: []ExploredRow{{Name: "news.example", PV: 7, UV: &two}, {Name: "", PV: 3}, {Name: "<b>\xff", PV: 1}}, Scanned: 90, Complete: true}
	span := "site=ddkk.com&from=2026-11-20&to=2026-11-21"
	wantAnswer(t, s, "/api/admin/explore?"+span+"&by=referrer&limit=2&where=page:/hello", `{"site":"ddkk.com","by":"referrer","from":"2026-11-20","to":"2026-11-21","total":3,`+
		`"rows":[{"name":"news.example","pv":7,"uv":2},{"name":"","pv":3,"uv":null}],"scanned":90,"took_ms":0,"complete":true}`)
	for _, c := range []struct{ where, want string }{
		{"", "[]"}, {"page:/hello", "[{page /hello false false}]"}, {"  page:/a:b*   !referrer: ", "[{page /a:b false true} {referrer  true false}]"},
		{"page:/a%20b%25%2A", "[{page /a b%* false false}]"}, {"!bot:yes device:mobile event:shop.*", "[{bot yes true false} {device mobile false false} {event shop. false true}]"},
	} {
		target := "/api/admin/explore?" + span + "&by=page&where=" + strings.NewReplacer("%", "%25", " ", "%20").Replace(c.where)
		if ctx := asAdmin(t, s, "GET", target, ""); ctx.Response.StatusCode() != 200 || fmt.Sprint(e.asked.Where) != c.want {
			t.Errorf("%q: %d, asked for %v, want %s", c.where, ctx.Response.StatusCode(), e.asked.Where, c.want)
		}
	}
	for _, query := range []string{"by=ip", "by=", "by=page&where=ip:1", "by=page&where=day:2026-11-20", "by=page&where=page", "by=page&where=page:%25zz", "by=page&limit=0",
		"by=page&where=" + strings.Repeat("page:/a%20", 17), "by=page&where=page:/" + strings.Repeat("a", maxWhere), "by=page&x=1"} {
		if ctx := asAdmin(t, s, "GET", "/api/admin/explore?"+span+"&"+query, ""); ctx.Response.StatusCode() != 400 {
			t.Errorf("%.60s: %d %s", query, ctx.Response.StatusCode(), ctx.Response.Body())
		}
	}
	if ctx := ask(s, testPeer, "GET", "/api/admin/explore?"+span+"&by=page", ""); ctx.Response.StatusCode() != 401 {
		t.Errorf("without a token: %d", ctx.Response.StatusCode())
	}
	e.err = fmt.Errorf("%w: gone", ErrArchiveAway)
	if ctx := asAdmin(t, s, "GET", "/api/admin/explore?"+span+"&by=page", ""); ctx.Response.StatusCode() != 503 {
		t.Errorf("without the archive: %d", ctx.Response.StatusCode())
	}
	e.err = errors.New("other")
	if ctx := asAdmin(t, s, "GET", "/api/admin/explore?"+span+"&by=page", ""); ctx.Response.StatusCode() != 500 {
		t.Errorf("a fault: %d", ctx.Response.StatusCode())
	}
}
