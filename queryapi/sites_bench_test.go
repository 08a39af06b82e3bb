package queryapi

import (
	"context"
	"fmt"
	"testing"

	"github.com/valyala/fasthttp"
)

// manySites are ten thousand sites whose past is known.
type manySites struct {
	Facts
	all  []SiteFacts
	past [][]int64
}

func (m *manySites) Sites(context.Context) ([]SiteFacts, bool, error) {
	return append([]SiteFacts{}, m.all...), false, nil
}

func (m *manySites) SitesPast(context.Context, []string, int) ([][]int64, bool, error) {
	return m.past, false, nil
}

// BenchmarkSites is what the page of ten thousand sites costs beside reading their numbers.
func BenchmarkSites(b *testing.B) {
	m := &manySites{}
	for i := range 10_000 {
		m.all = append(m.all, SiteFacts{Site: fmt.Sprintf("site%05d.example", i), PV: int64(1000 + i), UV: 30, PVToday: int64(i % 77), UVToday: 7, Online: 1})
		m.past = append(m.past, []int64{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29})
	}
	s := newTestServer(b, newBackend(), func(c *Config) { c.Facts = m; c.Access.AdminToken = "secret" })
	var req fasthttp.Request
	req.SetRequestURI("/api/admin/sites?sparkline=30")
	req.Header.SetHost("stat.ddkk.com")
	req.Header.Set("Authorization", "Bearer secret")
	ctx := &fasthttp.RequestCtx{}
	ctx.Init(&req, testPeer, nil)
	b.ReportAllocs()
	for b.Loop() {
		ctx.Response.Reset()
		if s.handle(ctx); ctx.Response.StatusCode() != 200 {
			b.Fatal(ctx.Response.StatusCode(), string(ctx.Response.Body()))
		}
	}
}
