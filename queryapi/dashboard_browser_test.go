package queryapi

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
)

// One browser serves all tests of the dashboard; each has its own server and
// profile of cookies, since each has its own port and clears them.
func TestDashboardInBrowser(t *testing.T) {
	b := browser(t)
	for _, c := range []struct {
		name string
		test func(*testing.T, context.Context)
	}{
		{"pictures", testPictures},
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
	d.open(t, path)
	becomes(t, d.ctx, ready)
}

// ready is true when no panel is loading.
const ready = `document.querySelector('.panel') !== null && document.querySelector('.skeleton') === null && document.querySelector('#token') === null`

func (d *desk) size(t *testing.T, width, height int64) {
	t.Helper()
	if _, err := chromedp.Call(d.ctx, emulation.SetDeviceMetricsOverride, emulation.SetDeviceMetricsOverrideParams{Width: width, Height: height, DeviceScaleFactor: 1}); err != nil {
		t.Fatal(err)
	}
}

// testPictures writes pictures of the views where DASHBOARD_PICTURES says so.
func testPictures(t *testing.T, b context.Context) {
	dir := os.Getenv("DASHBOARD_PICTURES")
	d := newDesk(t, b, nil)
	shoot := func(name string) {
		t.Helper()
		eval(t, d.ctx, `new Promise(done => setTimeout(done, 400))`)
		if dir == "" {
			return
		}
		png, err := chromedp.Run(d.ctx, chromedp.FullScreenshot(100))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(fmt.Sprintf("%s/%s.png", dir, name), png, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	d.size(t, 1280, 900)
	d.open(t, "/admin/")
	becomes(t, d.ctx, `document.querySelector('#token') !== null`)
	shoot("login")
	d.enter(t, "/admin/?range=30d&lang=en")
	for _, view := range strings.Fields("overview events calls system") {
		d.open(t, "/admin/?range=30d&lang=en&view="+view)
		becomes(t, d.ctx, ready)
		shoot(view)
	}
	becomes(t, d.ctx, `seen.bad.length === 0 || seen.bad.join()`)
}
