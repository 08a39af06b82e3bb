package queryapi

import (
	"bytes"
	"context"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	cdpnetwork "github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"
)

// One browser serves all tests of the dashboard; each has its own server.
func TestDashboardInBrowser(t *testing.T) {
	t.Parallel()
	b := browser(t)
	for _, c := range []struct {
		name string
		test func(*testing.T, context.Context)
	}{
		{"login", testDashboardLogin}, {"state", testDashboardState}, {"filters", testDashboardFilters}, {"void", testDashboardVoid}, {"keys", testDashboardKeys}, {"calm", testDashboardCalm}, {"print", testDashboardPrint},
		{"strangers' texts", testDashboardTexts}, {"export", testDashboardExport}, {"languages", testDashboardLanguages},
		{"phone", testDashboardPhone}, {"access", testDashboardAccess}, {"trouble", testDashboardTrouble},
		{"events", testDashboardEvents}, {"log", testDashboardLog}, {"system", testDashboardSystem}, {"first run", testDashboardFirstRun},
		{"numbers", testDashboardNumbers}, {"before the first view", testDashboardBefore}, {"public", testPublicPage}, {"pictures", testPictures}, {"asks", testDashboardAsks},
		{"link", testDashboardLink}, {"dead link", testDashboardDeadLink}, {"an admin of some sites", testDashboardAdmin}, {"all sites", testDashboardSites},
	} {
		t.Run(c.name, func(t *testing.T) { c.test(t, b) })
	}
}

// desk is a dashboard and a tab that looks at it.
type desk struct {
	*front
	ctx    context.Context
	origin string
}

func newDesk(t *testing.T, browser context.Context, change func(*Config)) *desk {
	t.Helper()
	d := &desk{front: newFront(t, change)}
	d.origin = d.listen()
	r := rig{}
	d.ctx = r.tab(t, browser)
	// Cookies know no ports: the last test's session would be this one's.
	if _, err := chromedp.Call(d.ctx, cdpnetwork.ClearBrowserCookies, cdp.Empty{}); err != nil {
		t.Fatal(err)
	}
	return d
}

func (d *desk) open(t *testing.T, path string) {
	t.Helper()
	run(t, d.ctx, chromedp.Navigate(d.origin+path))
}

// enter logs in and goes to a path.
func (d *desk) enter(t *testing.T, path string) {
	t.Helper()
	d.open(t, "/admin/")
	becomes(t, d.ctx, `document.querySelector('#token') !== null`)
	eval(t, d.ctx, `fetch('/api/admin/login', {method: 'POST', body: JSON.stringify({token: 'open sesame'})})`)
	eval(t, d.ctx, `localStorage.setItem('ddkk-admin-site', 'ddkk.com')`) // looked at last
	d.open(t, path)
	becomes(t, d.ctx, ready)
}

// clean checks that the policy refused nothing and no script failed.
func (d *desk) clean(t *testing.T) {
	t.Helper()
	becomes(t, d.ctx, `seen.bad.length === 0 || seen.bad.join()`)
}

// ready is true when no panel is loading.
const ready = `document.querySelector('.panel') !== null && document.querySelector('.skeleton') === null && document.querySelector('#token') === null`

func (d *desk) size(t *testing.T, width, height int64) {
	t.Helper()
	if _, err := chromedp.Call(d.ctx, emulation.SetDeviceMetricsOverride, emulation.SetDeviceMetricsOverrideParams{Width: width, Height: height, DeviceScaleFactor: 1}); err != nil {
		t.Fatal(err)
	}
}

// pictures go into this folder, if it is set: DASHBOARD_PICTURES=../docs/img
// makes those of the README.
const pictures = "DASHBOARD_PICTURES"

// inFewColours is a picture by the 256 colours that most of it has, which a page of text
// looks the same in and takes half of the bytes.
func inFewColours(t *testing.T, shot []byte) []byte {
	t.Helper()
	img, err := png.Decode(bytes.NewReader(shot))
	if err != nil {
		t.Fatal(err)
	}
	count := map[color.Color]int{}
	size := img.Bounds()
	for y := range size.Dy() {
		for x := range size.Dx() {
			count[img.At(x, y)]++
		}
	}
	most := slices.SortedFunc(maps.Keys(count), func(a, b color.Color) int { return count[b] - count[a] })
	few := image.NewPaletted(size, most[:min(len(most), 256)])
	draw.Draw(few, size, img, size.Min, draw.Src)
	var out bytes.Buffer
	if err := (&png.Encoder{CompressionLevel: png.BestCompression}).Encode(&out, few); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func testPictures(t *testing.T, b context.Context) {
	dir := os.Getenv(pictures)
	d := newDesk(t, b, nil)
	shoot := func(name string) {
		t.Helper()
		if dir == "" {
			return
		}
		// The language's name needs fonts that not every machine has.
		eval(t, d.ctx, `document.querySelector('[data-key=language]').hidden = true; new Promise(done => setTimeout(done, 400))`)
		shot, err := chromedp.Run(d.ctx, chromedp.CaptureScreenshot())
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name+".png"), inFewColours(t, shot), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	d.size(t, 1280, 1180)
	d.enter(t, "/admin/?range=30d&lang=en")
	shoot("dashboard")
	d.size(t, 390, 1180)
	eval(t, d.ctx, `localStorage.setItem('ddkk-admin-theme', 'dark')`)
	d.open(t, "/admin/?range=30d&lang=en")
	becomes(t, d.ctx, ready)
	shoot("dashboard-dark-phone")
	eval(t, d.ctx, `localStorage.setItem('ddkk-admin-theme', 'light')`)
	d.set(func() {
		d.facets = map[string][]string{"os": {"Windows", "Android", "iOS", "macOS", "Linux"}, "language": {"en", "de", "zh", "fr", "ja"}, "channel": {"direct", "search", "referral", "social", "ai"},
			"country": {"DE", "US", "CN", "FR", "JP"}, "browser": {"Chrome", "Safari", "Firefox", "Edge", "WeChat"}, "device": {"desktop", "phone", "tablet"}}
	})
	d.size(t, 1100, 720)
	for _, page := range []struct{ name, path, show string }{
		{"dashboard-facets", "?range=7d&lang=en", ".panel-facet:not([hidden])"},
		{"dashboard-explore", "?range=7d&lang=en&where=country:DE+page:/hello", ".filters"},
		{"dashboard-log", "?range=7d&lang=en&view=log", ".panel-requests"},
	} {
		d.open(t, "/admin/"+page.path)
		becomes(t, d.ctx, ready, fmt.Sprintf(`document.querySelector(%q) !== null`, page.show))
		eval(t, d.ctx, fmt.Sprintf(`document.querySelector(%q).scrollIntoView({block: 'start'}); scrollBy(0, -70)`, page.show))
		shoot(page.name)
	}
	if dir == "" || os.Getenv("DASHBOARD_PICTURES_ALL") == "" {
		d.clean(t)
		return
	}
	for _, width := range []int64{1280, 390, 320} {
		for i, path := range []string{"?range=7d&lang=en", "?range=today&lang=zh-CN", "?view=events&lang=en", "?view=calls&lang=en", "?view=system&lang=en", "?view=system&lang=zh-CN", "?lang=en&where=page:/hello+referrer:github.com", "?lang=en&range=30d"} {
			eval(t, d.ctx, fmt.Sprintf(`localStorage.setItem('ddkk-admin-theme', %q)`, []string{"light", "dark"}[i%2]))
			d.size(t, width, 1900)
			d.open(t, "/admin/"+path)
			becomes(t, d.ctx, ready)
			shoot(fmt.Sprintf("%d-%d", width, i))
		}
	}
	d.clean(t)
}
