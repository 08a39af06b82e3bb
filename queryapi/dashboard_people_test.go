package queryapi

import (
	"context"
	"testing"
)

// A link opens the dashboard of its site, asks for its password, and shows nothing of
// how the daemon is; what stands behind # is gone from the address.
func testDashboardLink(t *testing.T, b context.Context) {
	d := newDesk(t, b, func(c *Config) { c.People = newSomeone() })
	d.open(t, "/admin/?lang=en&site=ddkk.com#share=token-of-"+idShare)
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
	becomes(t, d.ctx, `[...document.querySelectorAll('nav.views a')].map(a => a.dataset.view).join() === 'sites,overview,events,calls,log'`)
	d.open(t, "/admin/?lang=en&view=system&site=ddkk.com")
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

// Who may change some sites sees their baselines and rules, and not how the daemon is.
func testDashboardAdmin(t *testing.T, b context.Context) {
	d := newDesk(t, b, func(c *Config) { c.People = newSomeone() })
	d.open(t, "/admin/?lang=en")
	becomes(t, d.ctx, `document.querySelector('#token') !== null`)
	eval(t, d.ctx, `fetch('/api/admin/login', {method: 'POST', body: JSON.stringify({token: 'token-of-`+idAdmin+`'})})`)
	d.open(t, "/admin/?lang=en&view=system")
	becomes(t, d.ctx, ready)
	becomes(t, d.ctx, `[...document.querySelectorAll('.panel h2')].map(h => h.textContent).join() === 'Baselines,Voided views'`)
	d.clean(t)
}

// Who has several sites begins with all of them: sums, a search, groups, and a way to each.
func testDashboardSites(t *testing.T, b context.Context) {
	d := newDesk(t, b, func(c *Config) {})
	d.mu.Lock()
	d.sites = []string{"ddkk.com", "blog.ddkk.com", "other.example"}
	d.mu.Unlock()
	d.enter(t, "/admin/?lang=en&view=sites")
	const names = `[...document.querySelectorAll('.panel-sites tbody th')].map(e => e.textContent).join()`
	becomes(t, d.ctx, names+` === 'All,ddkk.com,blog.ddkk.com,other.example'`, `document.querySelector('h1').textContent === 'All sites'`,
		has(".panel-sites tbody", "1,402"), has(".panel-sites tbody", "+25%"), `document.querySelectorAll('.panel-sites svg.line').length === 4`, access)
	eval(t, d.ctx, `document.querySelector('.panel-sites .filter').value = 'blog'; document.querySelector('.panel-sites .filter').dispatchEvent(new Event('input'))`)
	becomes(t, d.ctx, names+` === 'blog.ddkk.com'`)
	eval(t, d.ctx, `document.querySelector('.panel-sites .filter').value = ''; document.querySelector('.panel-sites .filter').dispatchEvent(new Event('input'))`)
	eval(t, d.ctx, `[...document.querySelectorAll('.panel-sites .panel-tools button')].find(b => b.textContent === 'By domain').click()`)
	becomes(t, d.ctx, `document.querySelector('.panel-sites tbody details summary').textContent === 'ddkk.com 2 sites'`, `document.querySelectorAll('.panel-sites tbody tr').length === 3`)
	eval(t, d.ctx, `[...document.querySelectorAll('.panel-sites button.link')].find(b => b.textContent === 'other.example').click()`)
	becomes(t, d.ctx, ready, `location.search.includes('site=other.example')`, `document.querySelector('.view-overview') !== null`)
	// The list is where one began, unless it was a site that was looked at last.
	eval(t, d.ctx, `document.querySelector('nav.views [data-view=sites]').click()`)
	becomes(t, d.ctx, `document.querySelector('.view-sites') !== null`)
	d.open(t, "/admin/?lang=en")
	becomes(t, d.ctx, ready, `document.querySelector('.view-sites') !== null`)
	d.clean(t)
}
