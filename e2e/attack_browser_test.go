package e2e

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
)

// hostile texts run a script where they become markup, an attribute, an address or
// a script's text. Each calls hit, which a page must never do.
var hostile = []string{
	`<script>hit(1)</script>`, `<img src=x onerror=hit(2)>`, `"><svg onload=hit(3)>`, `' autofocus onfocus=hit(4) x='`, `javascript:hit(5)`,
	`</title></style></textarea><script>hit(6)</script>`, `{{constructor.constructor('hit(7)')()}}`, `${hit(8)}`, `</script><script>hit(9)</script>`,
	`<iframe srcdoc="<script>parent.hit(10)</script>">`, `<a href="javascript:hit(11)">x</a>`, "\u2028hit(12)\u2029", `__proto__`, `constructor`, `=hit(13)`,
}

// watchHits notes what must not happen in a page.
const watchHits = `
	window.hits = [];
	window.hit = n => hits.push('hit ' + n);
	addEventListener('securitypolicyviolation', e => hits.push(e.violatedDirective + ' ' + e.blockedURI), true);
	addEventListener('error', e => e.message && hits.push(e.message));
	window.alert = window.confirm = window.prompt = x => hits.push('dialog ' + x);`

// TestAttackBrowser has strangers choose the names of pages, events, referrers and
// sites, and looks at all that shows them in a real browser: nothing runs, and the
// policy has nothing to refuse.
func TestAttackBrowser(t *testing.T) {
	t.Parallel()
	siteLog := filepath.Join(TempDir(t), "site.log")
	must(t, os.WriteFile(siteLog, hostileRequests(), 0o600))
	r := startAttack(t, map[string]string{"PUBLIC_SITES": "ddkk.com", "SITE_LOG": siteLog, "API_SITE": "ddkk.com"}, "--admin")
	s, lines := r.stranger(1), 2*len(hostile)
	for _, text := range hostile {
		for _, more := range []string{"", "&category=" + url.QueryEscape(text) + "&action=" + url.QueryEscape(text), "&ref=" + url.QueryEscape("https://"+text+".example/"+text)} {
			s.beacon("ddkk.com", "/"+text, more)
			lines++
		}
		s.beacon(text, "/"+text, "")
		lines++
	}
	const seen = 3 // the first of the list, which has ten
	for range seen {
		s.beacon("ddkk.com", "/seen", "")
	}
	r.counted(lines + seen)
	r.number("ddkk:page:pv:ddkk.com:/seen", seen)

	ctx := startBrowser(t)
	if _, err := chromedp.Call(ctx, page.AddScriptToEvaluateOnNewDocument, page.AddScriptToEvaluateOnNewDocumentParams{Source: watchHits}); err != nil {
		t.Fatal(err)
	}
	_, port, _ := strings.Cut(r.nginx.Addr, ":")
	origin := "http://count.test:" + port
	becomes := func(what string) {
		t.Helper()
		Eventually(t, 30*time.Second, what, func() error {
			said, err := chromedp.Run(ctx, chromedp.Evaluate[string](`String(`+what+`)`))
			if err == nil && said != "true" {
				err = fmt.Errorf("it is %.300s", said)
			}
			return err
		})
	}
	open := func(path, ready string) {
		t.Helper()
		must(t, chromedp.Do(ctx, chromedp.Navigate(origin+path)))
		becomes(ready)
		becomes(`hits.length === 0 || hits.join('; ')`)
	}
	const shown = `document.querySelector('.panel') !== null && document.querySelector('.skeleton') === null && document.querySelector('#token') === null`
	open("/admin/?lang=en", `document.querySelector('#token') !== null`)
	must(t, chromedp.Do(ctx, chromedp.Evaluate[chromedp.Void](fmt.Sprintf(`document.querySelector('#token').value = %q; document.querySelector('form').requestSubmit()`, adminToken))))
	becomes(shown)
	for _, path := range []string{
		"?range=today", "?range=today&hot=today", "?view=events&range=today", "?view=system", "?view=calls", "?view=log&range=today", "?view=sites&range=today",
		"?range=today&page=" + url.QueryEscape("/"+hostile[1]), "?view=events&event=" + url.QueryEscape(hostile[2]), "?site=" + url.QueryEscape(hostile[1]), "?from=" + url.QueryEscape(hostile[2]),
	} {
		open("/admin/"+path+"&lang=en&site=ddkk.com", shown)
	}
	open("/admin/?range=today&site=ddkk.com&lang=en", shown+` && document.body.innerText.includes('onerror=hit(2)')`)
	open("/admin/?view=log&range=today&site=ddkk.com&lang=en", shown+` && document.body.innerText.includes('img')`)
	open("/public/ddkk.com", `document.body.innerText.includes('/seen') && document.body.innerText.includes('onerror=hit(2)')`)
}

// hostileRequests are lines of a site's own log: the texts as paths that are not found, as
// referrers, and as names of crawlers.
func hostileRequests() []byte {
	var b strings.Builder
	for i, text := range hostile {
		for j, agent := range []string{"Mozilla/5.0 Firefox/140.0", "Mozilla/5.0 (compatible; " + text + "bot/1.0; +https://x.example)"} {
			fmt.Fprintf(&b, "v2\t%d.000\t%032x\t203.0.113.7\tddkk.com\tGET\t404\t%s\thttps://%s.example/\t%s\t-\t-\t%s\t0.010\t43\t-\tend\n",
				time.Now().Unix(), 2*i+j, field("/"+text), field(text), field(agent), field(text))
		}
	}
	return []byte(b.String())
}

// startBrowser starts a headless Chromium, for which every name under .test is this
// machine; it ends with the test.
func startBrowser(t *testing.T) context.Context {
	t.Helper()
	path, err := exec.LookPath("chromium")
	if err != nil {
		t.Fatal("chromium is missing: run `make deps`")
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.DisableGPU, chromedp.UserDataDir(TempDir(t)),
		chromedp.Flag("disable-component-update", true), chromedp.Flag("host-resolver-rules", "MAP *.test 127.0.0.1"))
	ctx, cancelAll := context.WithTimeout(context.Background(), 5*time.Minute)
	t.Cleanup(cancelAll)
	ctx, cancelAllocator := chromedp.NewExecAllocator(ctx, options...)
	t.Cleanup(cancelAllocator)
	ctx, cancelBrowser := chromedp.NewContext(ctx)
	t.Cleanup(cancelBrowser)
	must(t, chromedp.Do(ctx, chromedp.Navigate("about:blank")))
	return ctx
}
