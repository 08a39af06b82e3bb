package parser

import (
	"fmt"
	"strings"
	"testing"
)

// callLine is a v1 line of a site's own log.
func callLine(method, host, uri, user, took string, status int) []byte {
	return fmt.Appendf(nil, "v1\t1763769600.123\t%032x\t203.0.113.7\t%s\t%s\t%03d\t%s\t-\tcurl/8\t-\t-\t%s\t%s\t43\tend",
		7, host, method, status, uri, user, took)
}

func callParser(t testing.TB, c Config, rules CallRules) *Parser {
	t.Helper()
	c.Calls = &rules
	p, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestEndpoint(t *testing.T) {
	p := callParser(t, Config{}, CallRules{Routes: []string{
		"/users/:id", "/users/me", "/users/:id/posts/:post", "/api/*", "/api/v1/:thing", "/files/:a/raw/*", "/",
	}})
	for _, x := range []struct {
		method, uri, want string
		routed            bool
	}{
		{"GET", "/users/42", "GET /users/:id", true},
		{"GET", "/users/42/?x=1", "GET /users/:id", true},
		{"GET", "//users//42", "GET /users/:id", true},
		{"DELETE", "/users/bob#f", "DELETE /users/:id", true},
		{"GET", "/users/me", "GET /users/me", true},
		{"GET", "/users/me/posts/1", "GET /users/:id/posts/:post", true}, // goes back to :id
		{"GET", "/users", "GET /users", false},
		{"GET", "/users/1/posts", "GET /users/:id/posts", false}, // by the default rule
		{"POST", "/api/anything/else?q=/users/1", "POST /api/*", true},
		{"POST", "/api", "POST /api/*", true},
		{"POST", "/apix", "POST /apix", false},
		{"GET", "/api/v1/x", "GET /api/v1/:thing", true},
		{"GET", "/api/v1/x/y", "GET /api/*", true},
		{"GET", "/files/1/raw", "GET /files/:a/raw/*", true},
		{"GET", "/files/1/raw/b/c", "GET /files/:a/raw/*", true},
		{"GET", "/", "GET /", true},
		{"GET", "http://ddkk.com/users/9", "GET /users/:id", true},
		{"OPTIONS", "*", "OPTIONS *", false},
		{"PROPFIND", "/users/1", "OTHER /users/:id", true},
		{"get", "/x", "OTHER /x", false},
		{"GET", "/orders/1017", "GET /orders/:id", false},
		{"GET", "/orders/9b2f41c0/items", "GET /orders/:id/items", false},
		{"GET", "/orders/550e8400-e29b-41d4-a716-446655440000", "GET /orders/:id", false},
		{"GET", "/orders/{550E8400-E29B-41D4-A716-446655440000}", "GET /orders/:id", false},
		{"GET", "/facade/deadbeef/v2/a1b2", "GET /facade/deadbeef/v2/a1b2", false}, // words
		{"GET", "/-/----/5-5", "GET /-/----/5-5", false},
		{"GET", "/t/" + strings.Repeat("x", 49), "GET /t/:id", false},
		{"GET", "/a/b/c/d/e/f/g/h", "GET /a/b/c/d/e/f/*", false},
	} {
		var h Hit
		p.Parse(callLine(x.method, "ddkk.com", x.uri, "-", "0.012", 200), &h)
		if h.Kind != APICall || string(h.Endpoint) != x.want || h.Routed != x.routed {
			t.Errorf("%s %s: %v %v %q %v, want %q %v", x.method, x.uri, h.Kind, h.Reason, h.Endpoint, h.Routed, x.want, x.routed)
		}
	}
}

func TestCallHit(t *testing.T) {
	p := callParser(t, Config{Sites: []string{"ddkk.com"}, Aliases: map[string]string{"api.ddkk.com": "ddkk.com"}}, CallRules{UserArg: "key"})
	for _, x := range []struct {
		line   []byte
		kind   Kind
		reason Reason
		user   string
		failed bool
		ms     int64
	}{
		{callLine("GET", "www.ddkk.com", "/a", "bob", "0.012", 200), APICall, 0, "bob", false, 12},
		{callLine("GET", "api.ddkk.com", "/a?key=k%201%2B&key=2", "bob", "1.5", 500), APICall, 0, "k1+", true, 1500},
		{callLine("GET", "ddkk.com", "/a?key=&mykey=3", "-", "-", 499), APICall, 0, "", false, -1},
		{callLine("GET", "ddkk.com", "/event.png?page=%2F", "-", "0.000", 200), Skipped, SkipPath, "", false, 0},
		{callLine("GET", "other.com", "/a", "-", "0.000", 200), Skipped, SkipSite, "", false, 0},
		{callLine("-", "ddkk.com", "-", "-", "0.000", 400), Malformed, BadRequest, "", false, 0},
		{callLine("GET", "ddkk.com", "/a", "-", "0.000", 0), APICall, 0, "", true, 0},
		{[]byte("v1\tx"), Malformed, BadEnd, "", false, 0},
	} {
		var h Hit
		p.Parse(x.line, &h)
		if h.Kind != x.kind || h.Reason != x.reason {
			t.Errorf("%s: %v %v, want %v %v", x.line, h.Kind, h.Reason, x.kind, x.reason)
			continue
		}
		if h.Kind != APICall {
			if h.Site != "" || h.User != nil {
				t.Errorf("%s: a skipped line has %q %q", x.line, h.Site, h.User)
			}
			continue
		}
		ms, ok := h.Milliseconds()
		if h.Site != "ddkk.com" || string(h.User) != x.user || h.Failed != x.failed || ok != (x.ms >= 0) || ok && ms != x.ms {
			t.Errorf("%s: %q %q %v %d", x.line, h.Site, h.User, h.Failed, ms)
		}
	}
}

func TestCallsOfForeignFormats(t *testing.T) {
	rules := CallRules{Site: "https://API.example:443", FailedFrom: 400}
	p := callParser(t, Config{Format: FormatCombined}, rules)
	var h Hit
	p.Parse([]byte(`203.0.113.7 - bob [22/Nov/2025:00:00:00 +0000] "GET /v1/users/7?a=b HTTP/1.1" 404 5 "-" "curl/8"`), &h)
	if h.Kind != APICall || h.Site != "api.example" || string(h.Endpoint) != "GET /v1/users/:id" || !h.Failed || string(h.User) != "bob" {
		t.Errorf("%v %v %+v", h.Kind, h.Reason, h)
	}
	if _, ok := h.Milliseconds(); ok {
		t.Error("the combined format has a request time")
	}
	p.Parse([]byte(`203.0.113.7 - - [22/Nov/2025:00:00:00 +0000] "\x16\x03\x01" 400 5 "-" "-"`), &h)
	if h.Kind != Malformed || h.Reason != BadRequest {
		t.Errorf("TLS: %v %v", h.Kind, h.Reason)
	}
	p = callParser(t, Config{Format: FormatJSON}, rules)
	const line = `{"msec":"1763769600.123","remote_addr":"203.0.113.7","request":"GET /a HTTP/1.1","status":"200","request_time":"0.250"%s}`
	for extra, site := range map[string]string{"": "api.example", `,"host":"ddkk.com"`: "ddkk.com"} {
		p.Parse(fmt.Appendf(nil, line, extra), &h)
		if ms, _ := h.Milliseconds(); h.Kind != APICall || h.Site != site || ms != 250 {
			t.Errorf("%q: %v %v %q %d", extra, h.Kind, h.Reason, h.Site, ms)
		}
	}
}

func TestBadRoutes(t *testing.T) {
	for _, r := range []string{"", "users", "/a//b", "/a/:", "/a/b:c", "/*/a", "/a*", "/a b", "/a?b", "/" + strings.Repeat("x", MaxRoute)} {
		if err := CheckRoute(r); err == nil {
			t.Errorf("%q: no error", r)
		}
	}
	if _, err := New(Config{Calls: &CallRules{Routes: []string{"x"}, Site: "/"}}); err == nil ||
		!strings.Contains(err.Error(), "begin with /") || !strings.Contains(err.Error(), "no host name") {
		t.Errorf("%v", err)
	}
}

// TestLatencyBuckets: every latency has the bucket that its bounds say, and
// what stands for it is 5% off at most.
func TestLatencyBuckets(t *testing.T) {
	last := 0
	for ms := int64(0); ms <= latencyMost; ms++ {
		b := LatencyBucket(ms)
		if b != last && b != last+1 {
			t.Fatalf("%d ms: bucket %d after %d", ms, b, last)
		}
		last = b
		if b == LatencyBuckets()-1 {
			continue
		}
		if of := LatencyOf(b); abs(of-float64(ms)) > latencyError*float64(ms)+1e-9 {
			t.Fatalf("%d ms: bucket %d stands for %v", ms, b, of)
		}
		if ms <= latencyExact && LatencyOf(b) != float64(ms) {
			t.Fatalf("%d ms: %v", ms, LatencyOf(b))
		}
	}
	if last < 100 || LatencyBucket(1<<40) != LatencyBuckets()-1 || LatencyBucket(-5) != 0 || LatencyBuckets() > 140 {
		t.Errorf("%d buckets, last %d", LatencyBuckets(), last)
	}
}

func abs(x float64) float64 { return max(x, -x) }

// FuzzEndpoint: a name is bounded, begins with a method, and does not change
// when it is read again.
func FuzzEndpoint(f *testing.F) {
	for _, s := range []string{"/", "/users/42", "/a/b/c/d/e/f/g", "//x///y", "/%2e%2e/..", "*", "http://a/b", "/users/:id/*", "/\xff\x00"} {
		f.Add(s, "/users/:id", "/api/*")
	}
	f.Fuzz(func(t *testing.T, uri, one, two string) {
		patterns := []string{"/users/:id/posts"}
		for _, p := range []string{one, two} {
			if CheckRoute(p) == nil {
				patterns = append(patterns, p)
			}
		}
		r, err := newRoutes(patterns)
		if err != nil {
			t.Fatal(err)
		}
		path := []byte(uri)
		if len(path) > 0 {
			path, _ = splitURI(path)
		}
		if p := r.find(path); p != "" && !fits(p, path) {
			t.Errorf("%q does not fit %q", path, p)
		} else if p == "" {
			for _, x := range patterns {
				if fits(x, path) {
					t.Errorf("%q fits %q, and none was found", path, x)
				}
			}
		}
		folded := appendFolded(nil, path)
		if len(folded) == 0 || folded[0] != '/' || len(folded) > maxDepth*(maxElement+1)+2 {
			t.Errorf("%q: %q", path, folded)
		}
		if again := appendFolded(nil, folded); string(again) != string(folded) {
			t.Errorf("%q: %q, and then %q", path, folded, again)
		}
	})
}

// fits says the same as routes do in another way.
func fits(pattern string, path []byte) bool {
	split := func(s string) []string {
		return strings.FieldsFunc(s, func(r rune) bool { return r == '/' })
	}
	want, have := split(pattern), split(string(path))
	for i, w := range want {
		if w == "*" {
			return true
		}
		if i >= len(have) || w[0] != ':' && w != have[i] {
			return false
		}
	}
	return len(want) == len(have)
}

func callBench(t testing.TB) (*Parser, [][]byte) {
	p := callParser(t, Config{Sites: []string{"ddkk.com"}}, CallRules{UserArg: "key",
		Routes: []string{"/users/:id", "/users/:id/posts/:post", "/api/v1/*", "/orders/:id"}})
	var lines [][]byte
	for i := range 1000 {
		for _, uri := range []string{"/users/%d?key=k%d", "/users/%d/posts/%d", "/things/%d/%d", "/api/v1/x/%d/%d"} {
			lines = append(lines, callLine("GET", "ddkk.com", fmt.Sprintf(uri, i, i), "bob", "0.042", 200))
		}
	}
	return p, lines
}

func TestCallsDoNotAllocate(t *testing.T) {
	p, lines := callBench(t)
	var h Hit
	i := 0
	n := testing.AllocsPerRun(len(lines), func() {
		p.Parse(lines[i%len(lines)], &h)
		if i++; h.Kind != APICall {
			t.Fatal(h.Kind, h.Reason)
		}
	})
	if n != 0 {
		t.Errorf("%v allocations a line", n)
	}
}

func BenchmarkParseCalls(b *testing.B) {
	p, lines := callBench(b)
	b.ReportAllocs()
	var h Hit
	i := 0
	for b.Loop() {
		p.Parse(lines[i], &h)
		if i++; i == len(lines) {
			i = 0
		}
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "lines/s")
}
