package e2e

import (
	"crypto/md5"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/redis/go-redis/v9"
)

// wantStats reads the totals of a site and a page through the API.
func (r *rig) wantStats(site, page string, sitePV, siteUV, pagePV, pageUV int64) {
	r.t.Helper()
	Eventually(r.t, settleLimit, "the API has the base", func() error {
		body, err := r.daemon.Post("/api/stats", fmt.Sprintf(`{"site":%q,"page":%q,"fields":["site_pv","site_uv","page_pv","page_uv"]}`, site, page))
		if err != nil {
			return err
		}
		var got struct {
			SitePV int64 `json:"site_pv"`
			SiteUV int64 `json:"site_uv"`
			PagePV int64 `json:"page_pv"`
			PageUV int64 `json:"page_uv"`
		}
		if err := json.Unmarshal(body, &got); err != nil {
			return err
		}
		if got.SitePV != sitePV || got.SiteUV != siteUV || got.PagePV != pagePV || got.PageUV != pageUV {
			return fmt.Errorf("%s, want %d %d %d %d", body, sitePV, siteUV, pagePV, pageUV)
		}
		return nil
	})
}

// TestCountsCSV: counts from CSV are added to what is counted, set and not
// added when set again, kept through the loss of Redis, and no business of
// verify's.
func TestCountsCSV(t *testing.T) {
	eachArchive(t, rigOptions{}, func(r *rig) {
		r.daemon.Start()
		r.write(400)
		r.exact()
		pv, uv := r.ledger.PV("ddkk.com"), r.ledger.UV("ddkk.com")
		csv := filepath.Join(TempDir(r.t), "old.csv")
		writeFile(r.t, csv, "site,page,pv,uv\nhttps://www.ddkk.com,,1000,300\nddkk.com,/only%20old,70,20\nddkk.com,/only old/../x,5,\nnew.example,,9,4\n")
		r.command("import-counts", "csv", "--dry-run", csv)
		r.wantStats("ddkk.com", "/only old", pv, uv, 0, 0)
		for range 2 {
			r.command("import-counts", "csv", csv)
			r.wantStats("ddkk.com", "/only old", pv+1000, uv+300, 70, 20)
		}
		r.verified()
		writeFile(r.t, csv, "pv,site,page\n1001,ddkk.com,\n0,ddkk.com,/only old\n")
		out := r.command("import-counts", "csv", csv)
		if !strings.Contains(out, "pv 1000 -> 1001, uv 300 -> 0") {
			r.t.Errorf("it said:\n%s", out)
		}
		writeFile(r.t, csv, "ddkk.com,,10,1\n")
		r.command("import-counts", "csv", "--source", "another", csv)
		r.wantStats("ddkk.com", "/only old", pv+1011, uv+1, 0, 0)
		r.forget()
		r.write(1)
		r.verified()
		pv, uv = r.ledger.PV("ddkk.com"), r.ledger.UV("ddkk.com")
		r.wantStats("ddkk.com", "/only old", pv+1011, uv+1, 0, 0)

		r.daemon.Terminate() // lost while nobody looks; a site with a base alone, too
		r.forget()
		r.daemon.Start()
		r.verified()
		r.wantStats("ddkk.com", "/only old", pv+1011, uv+1, 0, 0)
		r.wantStats("new.example", "/", 9, 4, 0, 0)

		out, err := Run(r.t, r.daemon.Env, "import-counts", "csv", writeFile(r.t, csv, "site,page,pv,uv\nddkk.com,/a,x,1\nddkk.com,/b,1,-1\nno host,,1,1\nddkk.com,/c,1,1\nddkk.com,/c,2,2\n"))
		for _, want := range []string{`line 2: pv: "x"`, `line 3: uv: "-1"`, `line 4: "no host"`, "line 6: ddkk.com /c stands in line 5"} {
			if err == nil || !strings.Contains(out, want) {
				r.t.Errorf("a bad file: %v\n%s\nwant %q", err, out, want)
			}
		}
	})
}

// fakeBusuanzi counts as the service does, and can fail.
type fakeBusuanzi struct {
	mu     sync.Mutex
	site   int64
	pages  map[string]int64
	asked  int
	failAt int // number of the request that fails; later ones, too
}

// seen is how often it was asked, and its total.
func (f *fakeBusuanzi) seen() (asked int, site int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.asked, f.site
}

func (f *fakeBusuanzi) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if req.URL.Path == "/sitemap.xml" {
		fmt.Fprint(w, `<?xml version="1.0"?><sitemapindex><sitemap><loc>http://`+req.Host+`/pages.xml</loc></sitemap></sitemapindex>`)
		return
	}
	if req.URL.Path == "/pages.xml" {
		fmt.Fprint(w, `<?xml version="1.0"?><urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">`)
		for p := range f.pages {
			fmt.Fprintf(w, "<url><loc>%s</loc></url>", p)
		}
		fmt.Fprint(w, `<url><loc>https://other.example/</loc></url></urlset>`)
		return
	}
	if f.asked++; f.failAt > 0 && f.asked >= f.failAt {
		http.Error(w, "too many", http.StatusTooManyRequests)
		return
	}
	f.site++
	f.pages[req.Referer()]++
	fmt.Fprintf(w, `try{%s({"site_uv":%d,"page_pv":%d,"version":2.4,"site_pv":%d});}catch(e){}`,
		req.URL.Query().Get("jsonpCallback"), 50, f.pages[req.Referer()], f.site)
}

// TestCountsBusuanzi asks a service that fails on the way: what it counted of
// the asking is subtracted, once, and a second run goes on.
func TestCountsBusuanzi(t *testing.T) {
	r := startRig(t, rigOptions{})
	fake := &fakeBusuanzi{site: 500, failAt: 5, pages: map[string]int64{}}
	for i := range 8 {
		fake.pages[fmt.Sprintf("https://www.blog.example/post/%d/", i)] = int64(10 * i)
	}
	server := httptest.NewServer(fake)
	t.Cleanup(server.Close)
	args := []string{"import-counts", "busuanzi", "--site", "blog.example", "--sitemap", server.URL + "/sitemap.xml",
		"--service", server.URL + "/busuanzi", "--rate", "500"}
	r.command(append(args, "--dry-run")...)
	if asked, _ := fake.seen(); asked != 0 {
		t.Errorf("a dry run asked %d times", asked)
	}
	out, err := Run(t, r.daemon.Env, args...)
	if err == nil || !strings.Contains(out, "4 of 8 pages have answered") {
		t.Errorf("a failing service: %v\n%s", err, out)
	}
	r.wantStats("blog.example", "/post/7/", 0, 0, 0, 0)
	fake.mu.Lock()
	fake.failAt = 0
	fake.mu.Unlock()
	for range 2 { // the second time nothing is asked
		r.command(args...)
		r.wantStats("blog.example", "/post/7/", 500, 49, 70, 0)
	}
	if _, site := fake.seen(); site != 508 {
		t.Errorf("the service has counted %d views of ours", site-500)
	}
	r.command(append(args, "--again")...)
	r.wantStats("blog.example", "/post/7/", 500, 49, 70, 0)
	r.wantStats("blog.example", "/post/3/", 500, 49, 30, 0)
}

// TestCountsSoxft reads the Redis of soxft/busuanzi in the shapes that its
// versions write.
func TestCountsSoxft(t *testing.T) {
	r := startRig(t, rigOptions{})
	c, ctx := r.redis.Client(t), t.Context()
	old := redis.NewClient(&redis.Options{Addr: r.redis.Addr, DB: 3})
	t.Cleanup(func() { must(t, old.Close()) })
	must(t, c.Ping(ctx).Err())
	hash := func(s string) string {
		sum := md5.Sum([]byte(s))
		return hex.EncodeToString(sum[:])
	}
	blog, bare := hash("www.blog.example"), hash("blog.example")
	must(t, old.Set(ctx, "bsz:site_pv:"+blog, 700, 0).Err())
	must(t, old.PFAdd(ctx, "bsz:site_uv:"+blog, "a", "b", "c").Err())
	must(t, old.ZAdd(ctx, "bsz:page_pv:"+blog, redis.Z{Score: 41, Member: hash("www.blog.example&/文/")},
		redis.Z{Score: 7, Member: hash("/path-style")}, redis.Z{Score: 9, Member: hash("www.blog.example&/unlisted")}).Err())
	must(t, old.PFAdd(ctx, "bsz:page_uv:"+blog+":"+hash("www.blog.example&/文/"), "a", "b").Err())
	must(t, old.Set(ctx, "bsz:site_pv:"+bare, 30, 0).Err())
	must(t, old.SAdd(ctx, "bsz:site_uv:"+bare, "x").Err())
	must(t, old.ZAdd(ctx, "bsz:page_pv:"+bare, redis.Z{Score: 3, Member: hash("blog.example&/文/")}).Err())
	must(t, old.SAdd(ctx, "bsz:page_uv:"+hash("blog.example&/文/"), "x").Err())
	list := writeFile(t, filepath.Join(TempDir(t), "pages.txt"),
		"# pages\nhttps://www.blog.example/%E6%96%87/\nhttps://blog.example/%E6%96%87/?a=1\nhttps://blog.example/%E6%96%87/?a=2\nhttps://www.blog.example/path-style\nhttps://www.blog.example\n")
	args := []string{"import-counts", "soxft", "--site", "blog.example", "--sitemap", list, "--redis", r.redis.Addr, "--redis-db", "3"}
	for range 2 {
		out := r.command(args...)
		if !strings.Contains(out, "3 of 5 listed pages have views there; 1 of its pages are not in the list") {
			t.Errorf("it said:\n%s", out)
		}
		r.wantStats("blog.example", "/文/", 730, 4, 44, 3)
		r.wantStats("blog.example", "/path-style", 730, 4, 7, 0)
	}
	out, err := Run(t, r.daemon.Env, append(args, "--prefix", "none")...)
	if err == nil || !strings.Contains(out, "no counts of these hosts") {
		t.Errorf("a wrong prefix: %v\n%s", err, out)
	}
	r.verified()
}
