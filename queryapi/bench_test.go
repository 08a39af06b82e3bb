package queryapi

import (
	"context"
	"testing"

	"github.com/valyala/fasthttp"

	"ddkk-stats/counter"
)

// constReader answers at once, so that benchmarks measure the handler.
type constReader struct{}

func (constReader) Read(_ context.Context, q *counter.Query, a *counter.Answer) error {
	a.SitePV, a.PagePV, a.Pages = 123456, 789, a.Pages[:0]
	for range q.Pages {
		a.Pages = append(a.Pages, 7)
	}
	return nil
}

type nullBeacon struct{}

func (nullBeacon) Append(context.Context, *Record) (string, int64, error) { return "seg", 1, nil }

func BenchmarkStats(b *testing.B) {
	s := newTestServer(b, newBackend(), func(c *Config) { c.Reader = constReader{} })
	benchRequest(b, s, "POST", "/api/stats", `{"site":"ddkk.com","page":"/a","fields":["site_pv","site_uv","page_pv","page_uv"]}`)
}

func BenchmarkBatch(b *testing.B) {
	s := newTestServer(b, newBackend(), func(c *Config) { c.Reader = constReader{} })
	benchRequest(b, s, "POST", "/api/batch", manyPages(20))
}

func BenchmarkPixel(b *testing.B) {
	s := newTestServer(b, newBackend(), func(c *Config) { c.Beacon = nullBeacon{} })
	benchRequest(b, s, "GET", "/event.png?site=ddkk.com&page=%2Fa", "")
}

func benchRequest(b *testing.B, s *testServer, method, target, body string) {
	var req fasthttp.Request
	req.Header.SetMethod(method)
	req.SetRequestURI(target)
	req.Header.SetHost("stat.ddkk.com")
	req.SetBodyString(body)
	ctx := &fasthttp.RequestCtx{}
	ctx.Init(&req, testPeer, nil)
	b.ReportAllocs()
	for b.Loop() {
		ctx.Response.Reset()
		s.handle(ctx)
	}
	if ctx.Response.StatusCode() != 200 {
		b.Fatalf("%d %s", ctx.Response.StatusCode(), ctx.Response.Body())
	}
}
