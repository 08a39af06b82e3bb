//go:build sites

package e2e

import (
	"context"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// Small sites, built by the generators themselves with the npm package and the recipes of
// docs/SITES.md, and opened in a browser: make test-sites. It needs npm and its registry.

var builtSites = []struct{ name, out string }{
	{"hexo", "public"}, {"hugo", "public"}, {"vitepress", ".vitepress/dist"},
	{"astro", "dist"}, {"docusaurus", "build"}, {"next", "out"},
}

func TestSites(t *testing.T) {
	root, err := repository()
	must(t, err)
	packed := TempDir(t)
	pack := strings.TrimSpace(runTool(t, nil, "", filepath.Join(root, ".ci/npm"), "v1.0.0", packed))
	var hosts []string
	for _, s := range builtSites {
		hosts = append(hosts, s.name+".test")
	}
	d := NewDaemon(t, map[string]string{"SITES": strings.Join(hosts, ","), "TIMEZONE": "UTC"})
	d.Start()
	_, port, err := net.SplitHostPort(d.Addr)
	must(t, err)
	counter := "http://count.test:" + port

	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(program(t, "chromium")), chromedp.NoSandbox, chromedp.DisableGPU,
		chromedp.UserDataDir(TempDir(t)), chromedp.Flag("disable-component-update", true), chromedp.Flag("host-resolver-rules", "MAP *.test 127.0.0.1"),
		// A headless browser is a bot by its name.
		chromedp.UserAgent("Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36"))
	browser, cancel := chromedp.NewExecAllocator(context.Background(), options...)
	t.Cleanup(cancel)
	for _, s := range builtSites {
		t.Run(s.name, func(t *testing.T) {
			dir := buildSite(t, filepath.Join(root, "e2e/sites", s.name), counter, "file:"+filepath.Join(packed, pack))
			visitSite(t, browser, d, s.name+".test", filepath.Join(dir, s.out))
		})
	}
}

// buildSite copies a site, names the counter and the package in it, and builds it.
func buildSite(t *testing.T, from, counter, pack string) string {
	t.Helper()
	dir := filepath.Join(TempDir(t), "site")
	must(t, filepath.WalkDir(from, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		to := filepath.Join(dir, strings.TrimPrefix(path, from))
		if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
			return err
		}
		return os.WriteFile(to, []byte(strings.NewReplacer("COUNTER", counter, "PACKAGE", pack).Replace(string(text))), 0o644)
	}))
	if _, err := os.Stat(filepath.Join(dir, "package.json")); err != nil {
		runTool(t, nil, "", program(t, "hugo"), "--source", dir, "--quiet")
		return dir
	}
	env := []string{"ASTRO_TELEMETRY_DISABLED=1", "NEXT_TELEMETRY_DISABLED=1", "DOCUSAURUS_SSR_CONCURRENCY=1", "CI=1"}
	runTool(t, env, "", "npm", "--prefix", dir, "install", "--no-audit", "--no-fund", "--loglevel=error")
	runTool(t, append(env, "PWD="+dir), "", "sh", "-c", "cd '"+dir+"' && npm run build")
	return dir
}

// visitSite opens the first page and goes on to the second by its link, as a reader
// does: each shows one view, and the site has two.
func visitSite(t *testing.T, browser context.Context, d *Daemon, host, dir string) {
	t.Helper()
	files := http.FileServer(http.Dir(dir))
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		// /second is second.html, as hosts of static sites have it.
		if _, err := os.Stat(filepath.Join(dir, req.URL.Path+".html")); err == nil {
			req.URL.Path += ".html"
		}
		files.ServeHTTP(w, req)
	}))
	defer server.Close()
	_, port, err := net.SplitHostPort(server.Listener.Addr().String())
	must(t, err)
	tab, cancel := chromedp.NewContext(browser)
	defer cancel()
	tab, stop := context.WithTimeout(tab, 3*time.Minute)
	defer stop()
	const shown = `[...document.querySelectorAll('.ddkk_value_page_pv, #ddkk_value_page_pv')].map(e => e.textContent).join()`
	look := func(path string) {
		t.Helper()
		Eventually(t, time.Minute, host+path+" shows one view", func() error {
			at, err := chromedp.Run(tab, chromedp.Evaluate[string]("location.pathname"))
			if err != nil {
				return err
			}
			text, err := chromedp.Run(tab, chromedp.Evaluate[string](shown))
			if err != nil {
				return err
			}
			if strings.TrimSuffix(at, "/") != strings.TrimSuffix(path, "/") || text != "1" {
				return fmt.Errorf("at %s it shows %q", at, text)
			}
			return nil
		})
	}
	_, err = chromedp.Run(tab, chromedp.Navigate("http://"+host+":"+port+"/"))
	must(t, err)
	look("/")
	_, err = chromedp.Run(tab, chromedp.Evaluate[chromedp.Void]("document.querySelector('#next').click()"))
	must(t, err)
	look("/second")
	Eventually(t, time.Minute, host+" has two views", func() error {
		body, err := d.Post("/api/stats", `{"site":"`+host+`"}`)
		if err == nil && !strings.Contains(string(body), `"site_pv":2,`) {
			err = fmt.Errorf("it has %s", body)
		}
		return err
	})
}
