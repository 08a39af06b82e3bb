package queryapi

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
)

// clocks notes when the first figure stands on the page, in milliseconds from the
// begin of its loading.
const clocks = `
	window.first = 0;
	new MutationObserver(() => { if (!first && /\d/.test(document.querySelector('.tile-pv .value')?.textContent || '')) first = performance.now(); }).observe(document, { subtree: true, childList: true });`

// Nothing moves while the dashboard loads, at whatever width, the first time and
// the next; the first figures need few requests one after the other.
func testDashboardCalm(t *testing.T, b context.Context) {
	d := newDesk(t, b, nil)
	before(t, d.ctx, clocks)
	d.size(t, 1280, 900)
	d.enter(t, "/admin/?lang=en")
	for _, width := range []int64{1280, 390, 320} {
		d.size(t, width, 900)
		eval(t, d.ctx, `localStorage.clear()`)
		for _, visit := range []string{"first", "next"} {
			for _, path := range []string{"?lang=en&site=ddkk.com", "?lang=en&view=sites", "?lang=en&where=page:/hello", "?lang=en&view=events", "?lang=en&view=calls", "?lang=en&view=system"} {
				d.open(t, "/admin/"+path)
				becomes(t, d.ctx, ready)
				eval(t, d.ctx, settle)
				becomes(t, d.ctx, fmt.Sprintf(`seen.shift === 0 || '%d px, %s visit of %s: ' + seen.shift + ' by ' + seen.moved.join('; ')`, width, visit, path))
				if path == "?lang=en&site=ddkk.com" {
					// A test's machine has other work: the time is told, the requests before it are counted.
					told, err := chromedp.Run(d.ctx, chromedp.Evaluate[string](`((list) => 'first figures after ' + Math.round(first) + ' ms; ' + list.reduce((n, e) => n + e.transferSize, performance.getEntriesByType('navigation')[0].transferSize) + ' bytes in ' + (list.length + 1) + ' answers')(performance.getEntriesByType('resource'))`))
					if err != nil {
						t.Fatal(err)
					}
					t.Logf("%d px, %s visit: %s", width, visit, told)
				}
			}
		}
	}
	// Page, script, session, figures: with the site of last time the list of sites
	// is not waited for.
	becomes(t, d.ctx, `document.querySelector('.panel-health') !== null`)
	d.open(t, "/admin/?lang=en")
	becomes(t, d.ctx, ready, `first > 0`, `((of) => of('/summary').startTime <= of('/sites').responseEnd || 'the figures waited for the sites')((path) => performance.getEntriesByType('resource').find(e => e.name.includes('/api/admin' + path)))`)
	// Refreshing moves nothing either.
	eval(t, d.ctx, `seen.shift = 0; document.dispatchEvent(new Event('visibilitychange')); new Promise(done => setTimeout(done, 3500))`)
	becomes(t, d.ctx, `seen.shift === 0 || seen.moved.join('; ')`)
	d.clean(t)
}

// On paper there are numbers on white, and nothing to press.
func testDashboardPrint(t *testing.T, b context.Context) {
	d := newDesk(t, b, nil)
	d.size(t, 794, 1123) // A4 at 96 dots
	d.enter(t, "/admin/?lang=en")
	eval(t, d.ctx, `localStorage.setItem('ddkk-admin-theme', 'dark')`)
	d.open(t, "/admin/?lang=en&where=page:/hello")
	becomes(t, d.ctx, ready, `getComputedStyle(document.body).backgroundColor !== 'rgb(255, 255, 255)'`)
	if _, err := chromedp.Call(d.ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Media: "print"}); err != nil {
		t.Fatal(err)
	}
	eval(t, d.ctx, `dispatchEvent(new Event('beforeprint'))`)
	becomes(t, d.ctx, `getComputedStyle(document.body).backgroundColor === 'rgb(255, 255, 255)'`, `[...document.querySelectorAll('main :is(button, input, select, summary, .open)')].every(e => e.classList.contains('legend-item') || e.classList.contains('link') || !e.checkVisibility()) || [...document.querySelectorAll('main :is(button, input, select, summary)')].filter(e => e.checkVisibility()).map(e => e.outerHTML).join()`,
		`document.querySelector('.tile-pv .value').checkVisibility() && document.querySelector('.panel-series canvas').checkVisibility() && document.querySelector('.chip').checkVisibility()`,
		`document.documentElement.scrollWidth <= 794 || document.documentElement.scrollWidth`, access)
	if dir := os.Getenv(pictures); dir != "" {
		png, err := chromedp.Run(d.ctx, chromedp.FullScreenshot(100))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "print.png"), png, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := chromedp.Call(d.ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{}); err != nil {
		t.Fatal(err)
	}
	eval(t, d.ctx, `dispatchEvent(new Event('afterprint'))`)
	becomes(t, d.ctx, `document.documentElement.getAttribute('data-theme') === 'dark'`)
	d.clean(t)
}
