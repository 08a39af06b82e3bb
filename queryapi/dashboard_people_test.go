package queryapi

import (
	"context"
	"testing"
)

// A link opens the dashboard of its site, asks for its password, and shows nothing of
// how the daemon is; what stands behind # is gone from the address.
func testDashboardLink(t *testing.T, b context.Context) {
	d := newDesk(t, b, func(c *Config) { c.People = newSomeone() })
	d.open(t, "/admin/?lang=en#share=token-of-"+idShare)
	becomes(t, d.ctx, `document.querySelector('#password') !== null`)
	becomes(t, d.ctx, `location.hash === ''`)
	enterPassword := func(word string) {
		t.Helper()
		eval(t, d.ctx, `document.querySelector('#password').value = '`+word+`'; document.querySelector('form').requestSubmit()`)
	}
	enterPassword("wrong")
	becomes(t, d.ctx, `document.querySelector('#login-error').textContent === 'This is another password.'`)
	enterPassword("open sesame")
	becomes(t, d.ctx, ready)
	becomes(t, d.ctx, `[...document.querySelectorAll('nav.views a')].map(a => a.dataset.view).join() === 'overview,events,calls'`)
	d.open(t, "/admin/?lang=en&view=system")
	becomes(t, d.ctx, ready)
	becomes(t, d.ctx, `document.querySelector('.view-overview') !== null && document.querySelector('[data-view=system]') === null`)
	d.clean(t)
}

// A link that is not in force says so.
func testDashboardDeadLink(t *testing.T, b context.Context) {
	d := newDesk(t, b, func(c *Config) { c.People = newSomeone() })
	d.open(t, "/admin/?lang=en#share=ddkk_nobody")
	becomes(t, d.ctx, `document.querySelector('[role=alert] p')?.textContent.startsWith('This link is not in force')`)
	d.clean(t)
}

// Who may change some sites sees their baselines, and not how the daemon is.
func testDashboardAdmin(t *testing.T, b context.Context) {
	d := newDesk(t, b, func(c *Config) { c.People = newSomeone() })
	d.open(t, "/admin/?lang=en")
	becomes(t, d.ctx, `document.querySelector('#token') !== null`)
	eval(t, d.ctx, `fetch('/api/admin/login', {method: 'POST', body: JSON.stringify({token: 'token-of-`+idAdmin+`'})})`)
	d.open(t, "/admin/?lang=en&view=system")
	becomes(t, d.ctx, ready)
	becomes(t, d.ctx, `[...document.querySelectorAll('.panel h2')].map(h => h.textContent).join() === 'Baselines'`)
	d.clean(t)
}
