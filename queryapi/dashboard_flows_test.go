package queryapi

import (
	"context"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"ddkk-stats/queryapi/edge"
)

// click is a script that clicks what a selector finds.
func click(selector string) string {
	return fmt.Sprintf(`document.querySelector(%q).click()`, selector)
}

// has is true when the text of what a selector finds holds another.
func has(selector, text string) string {
	return fmt.Sprintf(`(e => e !== null && (e.textContent.includes(%q) || e.textContent))(document.querySelector(%q))`, text, selector)
}

func testDashboardLogin(t *testing.T, b context.Context) {
	d := newDesk(t, b, nil)
	d.open(t, "/admin/?lang=en")
	becomes(t, d.ctx, `document.activeElement.id === 'token'`)
	try := func(token string) {
		t.Helper()
		eval(t, d.ctx, fmt.Sprintf(`document.querySelector('#token').value = %q; document.querySelector('form').requestSubmit()`, token))
	}
	for range edge.MaxClientAttempts {
		try("wrong")
		becomes(t, d.ctx, has("#login-error", "not the admin token"), `document.querySelector('#token').value === ''`, `!document.querySelector('form button').disabled`)
		eval(t, d.ctx, `document.querySelector('#login-error').textContent = ''`)
	}
	try("wrong") // from now on answers take their time
	becomes(t, d.ctx, has("#login-error", "try again in 1 second"))
	if n := len(d.log()); n != 0 {
		t.Errorf("%d answers before the login: %q", n, d.log())
	}
	d.clean(t)

	d = newDesk(t, b, nil)
	d.open(t, "/admin/?lang=en")
	becomes(t, d.ctx, `document.querySelector('#token') !== null`)
	eval(t, d.ctx, `document.querySelector('#token').value = 'open sesame'; document.querySelector('form').requestSubmit()`)
	becomes(t, d.ctx, ready, has(".panel-sites tbody", "1,402"), `document.cookie === ''`)
	run(t, d.ctx, chromedp.Reload())
	becomes(t, d.ctx, ready)
	eval(t, d.ctx, `[...document.querySelectorAll('.end button')].pop().click()`)
	becomes(t, d.ctx, `document.querySelector('#token') !== null && document.querySelector('.panel-sites') === null`)
	d.clean(t)

	none := newDesk(t, b, func(c *Config) { c.AdminToken = "" })
	none.open(t, "/admin/?lang=en") // its host is no loopback name
	becomes(t, none.ctx, has(".login", "ADMIN_TOKEN"), `document.querySelector('#token') === null`)
}

func testDashboardState(t *testing.T, b context.Context) {
	d := newDesk(t, b, nil)
	d.enter(t, "/admin/?lang=en")
	becomes(t, d.ctx, `new URLSearchParams(location.search).get('site') === 'ddkk.com'`, has(".ranges .span", "Nov 16, 2026"), has(".ranges .span", "Nov 22, 2026"))
	becomes(t, d.ctx, `document.querySelectorAll('.panel-series canvas').length === 1 && document.querySelectorAll('.panel-series tbody tr').length === 7`)
	key := func(key string) string {
		return fmt.Sprintf(`document.body.dispatchEvent(new KeyboardEvent('keydown', {key: %q, bubbles: true}))`, key)
	}
	for _, step := range []struct{ do, url, span string }{
		{click(`.ranges [data-value="30d"]`), "range=30d", "Oct 24, 2026"},
		{key("d"), "range=today", "Nov 22, 2026"}, {key("m"), "range=month", "Nov 1, 2026"},
		{key("y"), "range=year", "Jan 1, 2026"}, {key("w"), "", "Nov 16, 2026"},
		{click(`.ranges [data-value="yesterday"]`), "range=yesterday", "Nov 21, 2026"},
	} {
		eval(t, d.ctx, step.do)
		becomes(t, d.ctx, fmt.Sprintf(`location.search.includes(%q) || location.search`, step.url), has(".ranges .span", step.span))
	}
	becomes(t, d.ctx, ready, `document.querySelectorAll('.panel-series tbody tr').length === 24`)
	eval(t, d.ctx, `history.back()`)
	becomes(t, d.ctx, has(".ranges .span", "Nov 16, 2026"), `!location.search.includes('range=')`)
	eval(t, d.ctx, click(`.ranges [data-value="custom"]`)+`; (e => { e.value = '2026-11-01'; e.dispatchEvent(new Event('change')) })(document.querySelector('.dates input'))`)
	becomes(t, d.ctx, `location.search.includes('from=2026-11-01&to=2026-11-22') || location.search`, `document.querySelectorAll('.panel-series tbody tr').length === 22`)
	eval(t, d.ctx, click(`.panel-series [data-value="week"]`))
	becomes(t, d.ctx, `location.search.includes('by=week') && document.querySelectorAll('.panel-series tbody tr').length === 4`)
	eval(t, d.ctx, `(e => { e.value = 'blog.ddkk.com'; e.dispatchEvent(new Event('change')) })(document.querySelector('.top select'))`)
	becomes(t, d.ctx, `document.querySelector('h1').textContent === 'blog.ddkk.com' && location.search.includes('site=blog.ddkk.com')`)
	becomes(t, d.ctx, ready)
	found := false
	for _, asked := range d.log() {
		found = found || strings.Contains(asked, "/api/admin/summary?site=blog.ddkk.com&from=2026-11-01&to=2026-11-22")
	}
	if !found {
		t.Errorf("the other site was not asked for: %q", d.log())
	}
	// A reload shows the same.
	run(t, d.ctx, chromedp.Reload())
	becomes(t, d.ctx, ready, `document.querySelector('h1').textContent === 'blog.ddkk.com' && document.querySelectorAll('.panel-series tbody tr').length === 4`)
	// Nothing moves when numbers come anew, and what is typed is no key.
	eval(t, d.ctx, `document.querySelector('.filter').dispatchEvent(new KeyboardEvent('keydown', {key: 'd', bubbles: true}))`)
	becomes(t, d.ctx, `!location.search.includes('range=today')`)
	d.clean(t)
}

func testDashboardFilters(t *testing.T, b context.Context) {
	d := newDesk(t, b, nil)
	d.enter(t, "/admin/?lang=en")
	eval(t, d.ctx, `(e => { e.value = 'hel'; e.dispatchEvent(new Event('input')) })(document.querySelector('.filter'))`)
	becomes(t, d.ctx, `document.querySelectorAll('.panel-pages .bars li').length === 1`)
	// A page that told its title is named by it, and its path stands beside.
	becomes(t, d.ctx, shows(".panel-pages .bars button", "Hello, world /hello"))
	becomes(t, d.ctx, `(a => a.href === 'http://ddkk.com/hello' && a.rel === 'noopener noreferrer' && a.target === '_blank' || a.outerHTML)(document.querySelector('.panel-pages .open'))`)
	// A click filters by it: figures, series, referrers and lines of this page.
	eval(t, d.ctx, click(".panel-pages .bars button"))
	becomes(t, d.ctx, ready, `new URLSearchParams(location.search).get('where') === 'page:/hello'`, has(".filters .chip", "/hello"), `document.activeElement.className === 'filters'`,
		has(".tile-pvEver", "5,120"), `document.querySelectorAll('.panel-series tbody tr').length === 7`, has(".panel-series", "known once that day is archived"),
		`document.querySelector('.panel-heat, .panel-minutes') === null`, shows(".panel-referrers .bars li:first-child > :first-child", "news.example"),
		`[...document.querySelectorAll('.panel-tail td .link')].length > 0 && [...document.querySelectorAll('.panel-tail td:nth-child(2) .link')].every(e => e.textContent === '/hello')`)
	run(t, d.ctx, chromedp.Reload())
	becomes(t, d.ctx, ready, has(".filters .chip", "/hello"), `document.querySelector('.panel-pages .bars [aria-pressed=true]').textContent.includes('/hello')`)
	// A second name narrows it, and what could not be looked at is said.
	eval(t, d.ctx, `[...document.querySelectorAll('.panel-tail td:nth-child(3) .link')].find(e => e.textContent === 'github.com').click()`)
	becomes(t, d.ctx, ready, `new URLSearchParams(location.search).get('where') === 'page:/hello referrer:github.com' || location.search`, has(".tile-pv .value", "700"), has(".panel-figures .note", "Not every day"))
	eval(t, d.ctx, click(`[data-key="without referrer"]`))
	becomes(t, d.ctx, ready, `document.querySelectorAll('.chip').length === 1`)
	eval(t, d.ctx, `history.back(); history.back()`)
	becomes(t, d.ctx, ready, `document.querySelector('.filters').hidden === false`)
	eval(t, d.ctx, `document.body.dispatchEvent(new KeyboardEvent('keydown', {key: 'x', bubbles: true}))`)
	becomes(t, d.ctx, ready, `document.querySelector('.filters').hidden && document.querySelector('.panel-minutes') !== null && !location.search.includes('where')`)
	// Facets are there as far as the server counts by them, and a click on a name filters.
	becomes(t, d.ctx, `[...document.querySelectorAll('.panel-facet:not([hidden]) h2')].map(e => e.textContent).join() === 'Countries,Browsers'`, shows(".panel-country li:first-child > :first-child", "Germany"), has(".panel-country li:first-child", "402 visitors"))
	eval(t, d.ctx, click(".panel-referrers .bars li:nth-child(2) button"))
	becomes(t, d.ctx, ready, `location.search.includes('where=referrer%3Anews.example')`)
	eval(t, d.ctx, `[...document.querySelectorAll('.panel-pages .bars button')].find(e => e.textContent === '/a b%*').click()`)
	becomes(t, d.ctx, ready, `new URLSearchParams(location.search).get('where') === 'referrer:news.example page:/a%20b%25%2A' || location.search`, has(".filters", "/a b%*"))
	eval(t, d.ctx, click(`.filters > button`))
	becomes(t, d.ctx, ready, `document.querySelector('.filters').hidden`)
	for _, step := range []struct{ selector, where string }{{".panel-devices .bars button", "device:pc"}, {".panel-country .bars button", "country:DE"}, {".panel-country .bars li:nth-child(3) button", "country:"}, {".panel-tail td:nth-child(2) .link", "page:" + d.page}} {
		d.open(t, "/admin/?lang=en")
		becomes(t, d.ctx, ready, `document.querySelector('.panel-country button') !== null`)
		eval(t, d.ctx, click(step.selector))
		becomes(t, d.ctx, fmt.Sprintf(`new URLSearchParams(location.search).get('where') === %q || location.search`, step.where))
	}
	// Addresses of before there were filters named a page.
	d.open(t, "/admin/?lang=en&page=/hello")
	becomes(t, d.ctx, ready, has(".filters .chip", "/hello"))
	d.open(t, "/admin/?lang=en&hot=all")
	becomes(t, d.ctx, ready, `document.querySelectorAll('.panel-pages .bars li').length === 10`)
	d.clean(t)
}

// What is not counted by is not asked for.
func testDashboardAsks(t *testing.T, b context.Context) {
	d := newDesk(t, b, func(c *Config) { c.Facts = &figures{periods: []string{"month"}} })
	d.enter(t, "/admin/?lang=en")
	asked := map[string]bool{}
	for _, text := range d.log() {
		if _, query, ok := strings.Cut(text, "/api/admin/uniques?"); ok {
			args, err := url.ParseQuery(strings.Fields(query)[0])
			if err != nil {
				t.Fatal(err)
			}
			asked[args.Get("period")] = true
		}
		if strings.Contains(text, "/api/admin/facets?") {
			t.Errorf("asked %s", text)
		}
	}
	if len(asked) != 1 || !asked["month"] {
		t.Errorf("visitors of %v were asked for, and months are counted", asked)
	}
	d.clean(t)
}

func testDashboardKeys(t *testing.T, b context.Context) {
	d := newDesk(t, b, nil)
	d.enter(t, "/admin/?lang=en")
	run(t, d.ctx, chromedp.KeyEvent("?"))
	becomes(t, d.ctx, `document.querySelector('dialog.keys').open`, has("dialog.keys", "Range: 7 days"), `document.activeElement.textContent === 'Close'`, access)
	run(t, d.ctx, chromedp.KeyEvent("\x1b"))
	becomes(t, d.ctx, `!document.querySelector('dialog.keys').open`)
	run(t, d.ctx, chromedp.KeyEvent("/"))
	becomes(t, d.ctx, `document.activeElement.className === 'filter'`)
	run(t, d.ctx, chromedp.KeyEvent("4")) // typed, not a key
	becomes(t, d.ctx, `document.querySelector('.filter').value.endsWith('4')`)
	eval(t, d.ctx, `document.activeElement.blur()`)
	run(t, d.ctx, chromedp.KeyEvent("5"))
	becomes(t, d.ctx, ready, `location.search.includes('view=system')`)
	run(t, d.ctx, chromedp.KeyEvent("1"))
	becomes(t, d.ctx, ready, `!location.search.includes('view=')`)
	// A chart tells its points by the arrow keys.
	eval(t, d.ctx, `document.querySelector('.panel-series .chart').focus()`)
	run(t, d.ctx, chromedp.KeyEvent(kb.ArrowLeft))
	becomes(t, d.ctx, `(e => /^Sun, Nov 22: Views before [\d,]+, Views [\d,]+, Visitors [\d,]+$/.test(e.textContent) || e.textContent)(document.querySelector('.panel-series [role=status].visually-hidden'))`, `document.querySelector('.panel-series .tip').classList.contains('seen')`)
	run(t, d.ctx, chromedp.KeyEvent(kb.ArrowLeft))
	becomes(t, d.ctx, has(".panel-series [role=status].visually-hidden", "Sat, Nov 21"))
	// Keys can be switched off, for good.
	eval(t, d.ctx, click(".help")+"; "+click("dialog.keys input"))
	d.open(t, "/admin/?lang=en")
	becomes(t, d.ctx, ready)
	run(t, d.ctx, chromedp.KeyEvent("4"))
	eval(t, d.ctx, settle)
	becomes(t, d.ctx, `!location.search.includes('view=')`)
	eval(t, d.ctx, click(".help")+"; "+click("dialog.keys input"))
	d.clean(t)
}

// corpus are texts that strangers make up.
var corpus = []string{
	`/<img src=x onerror="document.title='owned'">`, `/"><script>document.title='owned'</script>`, `/{{constructor.constructor('document.title=1')()}}`,
	`javascript:document.title='owned'`, `/</title><svg onload=document.title='owned'>`, "/\u202egnp.exe", "/__proto__", "/${document.title='owned'}", "/" + strings.Repeat("w", 480),
}

func testDashboardTexts(t *testing.T, b context.Context) {
	d := newDesk(t, b, nil)
	d.size(t, 390, 900)
	d.enter(t, "/admin/?lang=en")
	for _, text := range corpus {
		d.set(func() {
			d.page, d.referrer, d.title, d.event = text, text, text, strings.ReplaceAll(text, ".", "%2E")
			d.sites = []string{"ddkk.com", text}
			d.baselines = map[string][2]int64{text: {1, 1}}
		})
		for _, view := range []string{"overview", "events", "system"} {
			d.open(t, "/admin/?lang=en&view="+view)
			becomes(t, d.ctx, ready)
			becomes(t, d.ctx, `document.querySelectorAll('main img, main script, main svg:not(.arrow), main iframe, main b > *').length === 0`, `!document.title.includes('owned')`,
				`document.documentElement.scrollWidth <= 390 || document.documentElement.scrollWidth`)
		}
		d.open(t, "/admin/?lang=en")
		becomes(t, d.ctx, ready, fmt.Sprintf(`[...document.querySelectorAll('.panel-pages .bars button')].some(e => e.textContent === %q)`, text),
			fmt.Sprintf(`[...document.querySelectorAll('.panel-referrers .bars li > :first-child')].some(e => e.textContent === %q)`, text),
			fmt.Sprintf(`[...document.querySelectorAll('.panel-tail td .link')].some(e => e.textContent === %q)`, text))
		becomes(t, d.ctx, fmt.Sprintf(`[...document.querySelectorAll('.panel-pages .bars button')].some(e => e.textContent === %q)`, text+" /hello"))
		becomes(t, d.ctx, `[...document.querySelectorAll('main a[href]')].every(a => /^http:\/\/[a-z.]+(:\d+)?(\/|$)/.test(a.href) && !a.href.includes('<') || a.href)`)
		eval(t, d.ctx, click(".panel-pages .bars button"))
		becomes(t, d.ctx, ready, shows(".chip .path", text), `!document.title.includes('owned')`, `document.querySelectorAll('.filters img, .filters script').length === 0`, `document.documentElement.scrollWidth <= 390 || document.documentElement.scrollWidth`)
		d.clean(t)
	}
}

func testDashboardExport(t *testing.T, b context.Context) {
	d := newDesk(t, b, nil)
	before(t, d.ctx, `URL.createObjectURL = blob => { blob.text().then(text => { window.saved = text; window.kind = blob.type }); return 'about:blank#' }; HTMLAnchorElement.prototype.click = function () { window.named = this.download };`)
	d.set(func() { d.page, d.referrer = "=HYPERLINK(\"http://evil.example\",\"x\")", "@SUM(1)" })
	d.enter(t, "/admin/?lang=en&range=30d")
	eval(t, d.ctx, click(`.panel-pages [data-export="CSV"]`))
	becomes(t, d.ctx, `window.saved?.startsWith('\uFEFF'.slice(1) + 'page,pv,uv,title\r\n"\'=HYPERLINK(""http://evil.example"",""x"")",1800,700,\r\n') || window.saved`)
	becomes(t, d.ctx, `named === 'ddkk.com_pages_2026-10-24_2026-11-22.csv' || named`, `kind.startsWith('text/csv')`)
	eval(t, d.ctx, click(`.panel-referrers [data-export="CSV"]`))
	becomes(t, d.ctx, `saved.includes("\r\n'@SUM(1),903\r\n") || saved`)
	eval(t, d.ctx, click(`.panel-pages [data-export="JSON"]`))
	becomes(t, d.ctx, `saved.startsWith('[') && (list => list[0].page === '=HYPERLINK("http://evil.example","x")' && list[0].pv === 1800 && list.length === 10)(JSON.parse(saved))`)
	// Each panel that can be exported says so and does it.
	for _, name := range []string{"figures", "series", "minutes", "heat", "devices", "tail"} {
		eval(t, d.ctx, `window.saved = ''; `+click(`.panel-`+name+` [data-export="CSV"]`))
		becomes(t, d.ctx, `saved.split('\r\n').length > 3 || saved`)
	}
	d.clean(t)
}

func testDashboardLanguages(t *testing.T, b context.Context) {
	d := newDesk(t, b, nil)
	d.enter(t, "/admin/?lang=en")
	for _, view := range []string{"overview", "events", "calls", "log", "system"} {
		d.open(t, "/admin/?lang=en&view="+view)
		becomes(t, d.ctx, ready, `document.documentElement.lang === 'en'`)
		count := `[...document.querySelectorAll('h1, h2, h3, button, dt, th, label')].length`
		n, err := chromedp.Run(d.ctx, chromedp.Evaluate[int](count))
		if err != nil {
			t.Fatal(err)
		}
		eval(t, d.ctx, click(`[data-key="language"]`))
		becomes(t, d.ctx, ready, `document.documentElement.lang === 'zh-CN' && location.search.includes('lang=zh-CN') && document.activeElement.getAttribute('data-key') === 'language'`,
			fmt.Sprintf(`%s === %d || %s`, count, n, count),
			// What is left in Latin letters are names and numbers, not sentences.
			`(l => l.length === 0 || l.join())([...document.querySelectorAll('h2, h3:not(.card h3), button:not(.export):not(.link):not([data-key]), label, .note')].map(e => e.textContent).filter(s => /[a-z]{4,} [a-z]{2,} /i.test(s)))`)
		run(t, d.ctx, chromedp.Reload())
		becomes(t, d.ctx, ready, `document.documentElement.lang === 'zh-CN'`)
	}
	d.clean(t)
}

func testDashboardPhone(t *testing.T, b context.Context) {
	d := newDesk(t, b, nil)
	d.size(t, 390, 844)
	d.enter(t, "/admin/?lang=en")
	background := `getComputedStyle(document.body).backgroundColor`
	eval(t, d.ctx, `window.light = `+background+`; `+click(`[data-key="theme"]`)+`; `+click(`[data-key="theme"]`))
	becomes(t, d.ctx, `document.documentElement.getAttribute('data-theme') === 'dark' && window.light !== `+background, `document.querySelectorAll('.panel-series canvas').length === 1`)
	for _, language := range []string{"en", "zh-CN"} {
		for _, view := range []string{"overview&range=custom&from=2026-10-01&to=2026-11-22", "events&event=shop", "calls", "log", "system"} {
			d.open(t, "/admin/?lang="+language+"&view="+view)
			becomes(t, d.ctx, ready, `document.documentElement.scrollWidth <= 390 || document.documentElement.scrollWidth + ' ' + [...document.querySelectorAll('main *')].filter(e => e.getBoundingClientRect().right > 391 && !e.closest('.scroll, .chart, .choice, .chart-table, .visually-hidden, pre')).map(e => e.className || e.tagName).join()`,
				`document.documentElement.getAttribute('data-theme') === 'dark'`)
		}
	}
	d.clean(t)
}

// access checks what a screen reader and a keyboard need: names, roles, one of
// each landmark, headings in order, ids that are alone, colours that differ.
const access = `(() => {
	const bad = [];
	const seen = e => e.getClientRects().length > 0;
	const name = e => (e.getAttribute('aria-label') || (e.getAttribute('aria-labelledby') || '').split(' ').map(id => document.getElementById(id)?.textContent || '').join('') || (e.labels && [...e.labels].map(l => l.textContent).join('')) || e.textContent || e.getAttribute('alt') || e.title || '').trim();
	for (const e of document.querySelectorAll('button, a, input, select, [role=img], [role=group], [role=region], nav, section, dialog[open], progress')) if (seen(e) && !name(e)) bad.push('no name: ' + e.outerHTML.slice(0, 120));
	for (const e of document.querySelectorAll('img')) if (!e.hasAttribute('alt')) bad.push('no alt');
	for (const [what, n] of [['main', 1], ['h1', 1], ['header.top', document.querySelector('main.login') ? 0 : 1]]) if (document.querySelectorAll(what).length !== n) bad.push(document.querySelectorAll(what).length + ' of ' + what);
	let level = 0;
	for (const e of document.querySelectorAll('h1, h2, h3, h4')) if (seen(e)) { const now = +e.tagName[1]; if (now > level + 1) bad.push('heading ' + e.textContent); level = now; }
	const ids = [...document.querySelectorAll('[id]')].map(e => e.id);
	for (const id of ids) if (ids.indexOf(id) !== ids.lastIndexOf(id)) bad.push('twice ' + id);
	for (const e of document.querySelectorAll('[aria-labelledby], [aria-describedby]')) for (const id of ((e.getAttribute('aria-labelledby') || '') + ' ' + (e.getAttribute('aria-describedby') || '')).trim().split(' ')) if (!document.getElementById(id)) bad.push('nothing is ' + id);
	for (const e of document.querySelectorAll('table')) if (!e.caption || !e.querySelector('th[scope]')) bad.push('table without caption or heads');
	for (const e of document.querySelectorAll('[style]')) if (e.hasAttribute('onclick')) bad.push('inline script');
	if (!document.documentElement.lang || !document.title) bad.push('no language or title');
	// What is not in a landmark is not found by it.
	for (const e of document.body.querySelectorAll('h1, h2, p, dl, table, form')) if (seen(e) && !e.closest('main, header, nav, footer, dialog, [role=status], noscript')) bad.push('in no landmark: ' + e.outerHTML.slice(0, 80));
	// A placeholder is no label.
	for (const e of document.querySelectorAll('input, select, textarea')) if (seen(e) && !e.getAttribute('aria-label') && !e.labels.length) bad.push('no label: ' + e.outerHTML.slice(0, 80));
	for (const e of document.querySelectorAll('[aria-hidden=true] :is(a, button, input, [tabindex]), a button, button a, button button')) bad.push('within another: ' + e.outerHTML.slice(0, 80));
	for (const e of document.querySelectorAll('ol, ul')) if ([...e.children].some(c => c.tagName !== 'LI')) bad.push('list of others than items');
	for (const e of document.querySelectorAll('[aria-pressed], [aria-expanded], [aria-current]')) for (const a of ['aria-pressed', 'aria-expanded']) if (e.hasAttribute(a) && !/^(true|false)$/.test(e.getAttribute(a))) bad.push(a + ' is ' + e.getAttribute(a));
	// Every control shows that it has the focus, once somebody uses keys.
	const had = document.activeElement;
	if (window.byKeys) for (const e of document.querySelectorAll('a[href], button:not(:disabled), input, select, summary, [tabindex="0"]')) {
		if (!seen(e) || e.closest('dialog:not([open])') || document.querySelector('dialog[open]') && !e.closest('dialog')) continue;
		e.focus({ preventScroll: true });
		const s = getComputedStyle(e);
		if (document.activeElement === e && (s.outlineStyle === 'none' || parseFloat(s.outlineWidth) < 1) && s.opacity !== '0') bad.push('no visible focus: ' + e.outerHTML.slice(0, 80));
	}
	had?.focus({ preventScroll: true });
	const rgb = text => text.match(/[\d.]+/g).map(Number);
	const light = c => c.slice(0, 3).map(v => (v /= 255) <= .03928 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4).reduce((n, v, i) => n + v * [.2126, .7152, .0722][i], 0);
	const ground = e => { for (; e; e = e.parentElement) { const c = rgb(getComputedStyle(e).backgroundColor); if (c.length < 4 || c[3] === 1) return c; } return [255, 255, 255]; };
	for (const e of document.querySelectorAll('h1, h2, h3, p, dt, dd, th, td, li, b, span, code, summary, kbd, button:not(:disabled), a, label, small, .note, .tag')) {
		if (!seen(e) || !e.textContent.trim() || e.closest('.visually-hidden, .later') || getComputedStyle(e).visibility === 'hidden' || ![...e.childNodes].some(n => n.nodeType === 3 && n.data.trim()) || [...e.childNodes].every(n => n.className === 'visually-hidden')) continue;
		const a = light(rgb(getComputedStyle(e).color)), b = light(ground(e));
		const ratio = (Math.max(a, b) + .05) / (Math.min(a, b) + .05);
		if (ratio < 4.5) bad.push('contrast ' + ratio.toFixed(1) + ' ' + e.className + ' ' + e.textContent.slice(0, 30));
	}
	return bad.length === 0 || bad.join('\n');
})()`

func testDashboardAccess(t *testing.T, b context.Context) {
	d := newDesk(t, b, nil)
	// tried looks at a screen when it is there, by somebody who uses keys.
	tried := func(path, there string) {
		t.Helper()
		d.open(t, path)
		becomes(t, d.ctx, there)
		run(t, d.ctx, chromedp.KeyEvent("\t"))
		becomes(t, d.ctx, `(window.byKeys = true)`, access)
	}
	tried("/admin/?lang=en", `document.querySelector('#token') !== null`)
	d.enter(t, "/admin/?lang=en")
	for _, theme := range []string{"light", "dark"} {
		eval(t, d.ctx, fmt.Sprintf(`localStorage.setItem('ddkk-admin-theme', %q)`, theme))
		for _, view := range []string{"overview", "events", "calls", "log", "system", "overview&where=page:/hello"} {
			tried("/admin/?lang=en&view="+view, ready)
		}
		tried("/public/ddkk.com?lang=en", `document.querySelectorAll('.tile').length === 5 && document.querySelector('.skeleton') === null`)
	}
	d.open(t, "/admin/?lang=en&view=events")
	becomes(t, d.ctx, ready)
	run(t, d.ctx, chromedp.KeyEvent("?"))
	becomes(t, d.ctx, `document.querySelector('dialog.keys').open && (window.byKeys = true)`, access)
	// Tab reaches the skip link first, then all the rest with a visible focus.
	d.open(t, "/admin/?lang=en")
	becomes(t, d.ctx, ready)
	run(t, d.ctx, chromedp.KeyEvent("\t"))
	becomes(t, d.ctx, `document.activeElement.className === 'skip' && document.activeElement.getBoundingClientRect().top >= 0 || document.activeElement.outerHTML`)
	for range 12 {
		run(t, d.ctx, chromedp.KeyEvent("\t"))
		becomes(t, d.ctx, `getComputedStyle(document.activeElement).outlineStyle !== 'none' || document.activeElement.outerHTML`)
	}
	// The chart's numbers are there as a table, and can be seen.
	becomes(t, d.ctx, `document.querySelector('.panel-series .chart').getAttribute('role') === 'img' && /\d/.test(document.querySelector('.panel-series .chart').getAttribute('aria-label'))`)
	eval(t, d.ctx, click(".panel-series .table-toggle"))
	becomes(t, d.ctx, `document.querySelector('.panel-series .chart-table').offsetHeight > 100 && document.querySelector('.panel-series .table-toggle').getAttribute('aria-expanded') === 'true'`)
	d.clean(t)
}

func testDashboardTrouble(t *testing.T, b context.Context) {
	d := newDesk(t, b, nil)
	d.set(func() { d.stale = true })
	d.enter(t, "/admin/?lang=en")
	becomes(t, d.ctx, has(".panel-figures .mark", "last known values"))
	d.set(func() { d.stale, d.broken = false, true })
	eval(t, d.ctx, click(`.ranges [data-value="month"]`))
	becomes(t, d.ctx, has(".panel-referrers .mark", "not current"), has(".tile-pv .value", ","))
	run(t, d.ctx, chromedp.Reload())
	becomes(t, d.ctx, has(".banner", "the archive does not answer"))
	d.set(func() { d.broken = false; d.missing["/api/admin/referrers"] = true })
	becomes(t, d.ctx, ready, has(".panel-referrers .trouble", "no such path"), `document.querySelector('.banner').textContent === ''`)
	d.set(func() { d.missing = map[string]bool{} })
	eval(t, d.ctx, click(".panel-referrers .trouble button"))
	becomes(t, d.ctx, `document.querySelectorAll('.panel-referrers .bars li').length === 6`)
	for _, path := range []string{"stats/overview", "stats/trend", "reports/daily"} {
		d.set(func() { d.missing["/api/admin/"+path] = true })
	}
	eval(t, d.ctx, click(`[data-view="calls"]`))
	becomes(t, d.ctx, `document.querySelectorAll('.absent').length === 1 && document.querySelectorAll('.panel:not([hidden])').length === 1`, has(".absent", "SITE_LOG"))
	for _, path := range logPaths {
		d.set(func() { d.missing["/api/admin/"+path] = true })
	}
	eval(t, d.ctx, click(`[data-view="log"]`))
	becomes(t, d.ctx, `document.querySelectorAll('.absent').length === 1 && document.querySelectorAll('.panel:not([hidden])').length === 1`, has(".absent", "SITE_LOG"))
	// The session ends: the login is shown, and nothing else.
	eval(t, d.ctx, `fetch('/api/admin/logout', {method: 'POST'})`)
	eval(t, d.ctx, click(`[data-view="overview"]`))
	becomes(t, d.ctx, `document.querySelector('#token') !== null && document.querySelector('.panel .tile') === null`)
	d.clean(t)
}

func testDashboardEvents(t *testing.T, b context.Context) {
	d := newDesk(t, b, nil)
	d.enter(t, "/admin/?lang=en&view=events")
	becomes(t, d.ctx, `[...document.querySelectorAll('.panel-events .bars button')].map(e => e.textContent).join() === 'shop,video,=cmd().x'`)
	for _, step := range []string{"shop", "buy", "apples", "3"} {
		becomes(t, d.ctx, fmt.Sprintf(`[...document.querySelectorAll('.panel-events .bars button')].some(e => e.textContent === %q)`, step))
		eval(t, d.ctx, fmt.Sprintf(`[...document.querySelectorAll('.panel-events .bars button')].find(e => e.textContent === %q).click()`, step))
	}
	becomes(t, d.ctx, `location.search.includes('event=shop.buy.apples.3')`, has(".panel-events .empty", "no level below"), has(".crumbs", "apples"))
	eval(t, d.ctx, click(".crumbs li:nth-child(2) button"))
	becomes(t, d.ctx, `[...document.querySelectorAll('.panel-events .bars button')].map(e => e.textContent).join() === 'buy,look'`, has(".panel-event-days .path", "shop"))
	d.clean(t)
}

func testDashboardSystem(t *testing.T, b context.Context) {
	d := newDesk(t, b, nil)
	d.enter(t, "/admin/?lang=en&view=system")
	becomes(t, d.ctx, has(".equation", "1,000,120"), has(".equation", "method 20,000, site 10,000"), has(".panel-health", "The books close"), has(".panel-health", "Nothing to worry about"))
	becomes(t, d.ctx, has(".panel-health", "3, 2 idle"), has(".panel-health", "1,234, 2.5 ms on average"), has(".panel-health", "Slow ones"), has(".panel-health", "Keys evicted"), has(".panel-health", "Our errors"))
	d.set(func() {
		d.alerts = []object{{"name": "redis-full", "effect": "waits", "message": "Redis is <b>full</b>", "do": "give it more memory", "alert": "DdkkRedisFull", "since": fakeNow.Add(-time.Hour).Format(time.RFC3339)}}
	})
	d.open(t, "/admin/?lang=en&view=system")
	becomes(t, d.ctx, has(".alerts b", "Redis is <b>full</b>"), has(".alerts", "Counting waits: all numbers are old · since"), has(".alerts .do", "give it more memory"), has(".alerts code", "redis-full"), has(".alerts", "alert DdkkRedisFull"))
	becomes(t, d.ctx, has(".panel-install", "/badge/ddkk.com.svg"), has(".panel-install code", "/ddkk-stats.js"))
	eval(t, d.ctx, click(".panel-verify button"))
	becomes(t, d.ctx, `document.querySelector('.panel-verify progress') !== null`, has(".panel-verify", "20,117"))
	eval(t, d.ctx, click(".panel-restore button"))
	becomes(t, d.ctx, has("dialog.ask:not(.keys)", "ddkk.com"), `document.activeElement.textContent === 'Cancel'`)
	eval(t, d.ctx, click("dialog.ask:not(.keys) .quiet"))
	becomes(t, d.ctx, `document.querySelector('dialog.ask:not(.keys)') === null`)
	eval(t, d.ctx, click(".panel-restore button")+"; "+click("dialog.ask:not(.keys) .buttons button:last-child"))
	becomes(t, d.ctx, has(".panel-restore", "what the archive has is back"))
	eval(t, d.ctx, `(f => { f.elements.page.value = '/new'; f.elements.pv.value = '12'; f.elements.uv.value = '3'; f.requestSubmit() })(document.querySelector('.row-form'))`)
	becomes(t, d.ctx, has(".panel-baselines tbody", "/new"))
	eval(t, d.ctx, click(`[data-key="delete /old"]`))
	becomes(t, d.ctx, `!document.querySelector('.panel-baselines tbody').textContent.includes('/old')`)
	log := strings.Join(d.log(), "\n")
	for _, want := range []string{`POST /api/admin/verify {"site":"ddkk.com","days":7}`, `POST /api/restore {"source":"mysql","site":"ddkk.com"}`,
		`PUT /api/admin/baselines {"site":"ddkk.com","page":"/new","pv":12,"uv":3}`, `DELETE /api/admin/baselines?site=ddkk.com&page=%2Fold`} {
		if n := strings.Count(log, want); n != 1 {
			t.Errorf("%s was asked %d times", want, n)
		}
	}
	d.clean(t)
}

func testDashboardFirstRun(t *testing.T, b context.Context) {
	d := newDesk(t, b, nil)
	d.set(func() { d.sites = nil })
	d.open(t, "/admin/?lang=en")
	becomes(t, d.ctx, `document.querySelector('#token') !== null`)
	eval(t, d.ctx, `fetch('/api/admin/login', {method: 'POST', body: JSON.stringify({token: 'open sesame'})})`)
	d.open(t, "/admin/?lang=en")
	becomes(t, d.ctx, has(".first-run", "<script defer src=\""+d.origin+"/ddkk-stats.js\"></script>"), has(".first-run .hint", "Ad-blockers"), has(".waiting", "Waiting"))
	d.set(func() { d.sites = []string{"new.example"} })
	becomes(t, d.ctx, has(".waiting", "The first view is here: new.example"))
	becomes(t, d.ctx, ready, `document.querySelector('h1').textContent === 'new.example' && document.querySelector('.first-run') === null`)
	d.clean(t)
}

func testPublicPage(t *testing.T, b context.Context) {
	d := newDesk(t, b, nil)
	d.size(t, 390, 844)
	d.open(t, "/public/ddkk.com?lang=en")
	becomes(t, d.ctx, `document.querySelectorAll('.tile').length === 5 && document.querySelectorAll('canvas').length === 1`, has(".tiles", "5,197"), has(".bars", "onerror"),
		`document.querySelectorAll('main img').length === 0 && document.title === 'ddkk.com · ddkk-stats'`, `document.documentElement.scrollWidth <= 390`)
	if n := len(d.log()); n != 0 {
		t.Errorf("a public page asked the admin's API: %q", d.log())
	}
	d.clean(t)
}
