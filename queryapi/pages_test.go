package queryapi

import (
	"context"
	"fmt"
	"strings"
	"testing"
)

// fakeRanking answers the same pages, and remembers what it was asked.
type fakeRanking struct {
	pages []RankedPage
	asked RankQuery
	err   error
}

func (f *fakeRanking) Ranked(_ context.Context, q *RankQuery) ([]RankedPage, error) {
	f.asked = *q
	return f.pages[:min(len(f.pages), q.Limit)], f.err
}

func TestCursor(t *testing.T) {
	q := &RankQuery{Bots: true}
	last := &RankedPage{Page: "/\xff文", PV: 1 << 40}
	text := cursorOf(q, last)
	if got, ok := readCursor(q, text); !ok || *got != *last {
		t.Errorf("%q is %+v, %v", text, got, ok)
	}
	for _, bad := range []string{"", "x", text[:3], "%%%", text + "="} {
		if got, ok := readCursor(q, bad); ok && got.Page == last.Page {
			t.Errorf("%q is taken for %+v", bad, got)
		}
	}
	if _, ok := readCursor(&RankQuery{Asc: true}, text); ok {
		t.Error("a cursor is taken for another order")
	}
}

func FuzzCursor(f *testing.F) {
	f.Add(cursorOf(&RankQuery{}, &RankedPage{Page: "/a", PV: 3}))
	f.Fuzz(func(t *testing.T, text string) {
		q := &RankQuery{}
		page, ok := readCursor(q, text)
		if !ok {
			return
		}
		if again, ok := readCursor(q, cursorOf(q, page)); !ok || *again != *page {
			t.Fatal(fmt.Sprint(page, again))
		}
	})
}

func TestPages(t *testing.T) {
	r := &fakeRanking{pages: []RankedPage{{"/a", 9}, {"/\xff", 5}, {"/c", 5}}}
	s := newTestServer(t, newBackend(), func(c *Config) { c.Ranking = r })
	f := func(query string, status int, want string) {
		t.Helper()
		ctx := ask(s, testPeer, "GET", "/api/pages?"+query, "")
		if got := string(ctx.Response.Body()); !strings.HasPrefix(got, want) || ctx.Response.StatusCode() != status {
			t.Errorf("%s\n got %d %s\nwant %d %s", query, ctx.Response.StatusCode(), got, status, want)
		}
	}
	cursor := cursorOf(&RankQuery{}, &r.pages[1])
	f("site=www.ddkk.com&limit=2", 200, `{"site":"ddkk.com","pages":[{"page":"/a","pv":9},{"page":"/`)
	if r.asked.Limit != 3 || r.asked.Bots || r.asked.Asc || r.asked.After != nil {
		t.Errorf("asked for %+v", r.asked)
	}
	f("site=ddkk.com&limit=3&sort=pv&order=desc&bots=exclude&cursor="+cursor, 200, `{"site":"ddkk.com","pages":[{"page":"/a","pv":9},`)
	if r.asked.After == nil || *r.asked.After != r.pages[1] {
		t.Errorf("asked for %+v", r.asked)
	}
	f("limit=3", 400, `{"error":{"code":"missing_field"`)
	f("site=ddkk.com&order=asc&cursor="+cursor, 400, `{"error":{"code":"bad_value","message":"cursor`)
	for _, bad := range []string{"limit=0", "limit=1001", "order=up", "sort=uv", "bots=yes"} {
		f("site=ddkk.com&"+bad, 400, `{"error":{"code":"bad_value"`)
	}
	r.err = ErrArchiveAway
	f("site=ddkk.com", 503, `{"error":{"code":"archive_unavailable"`)
}
