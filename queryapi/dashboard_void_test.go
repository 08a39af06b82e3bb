package queryapi

import (
	"context"
	"strings"
	"testing"
)

// A wave of spam is taken out from what the overview is filtered by, and put back from the list;
// in both languages.
func testDashboardVoid(t *testing.T, b context.Context) {
	for _, c := range []struct{ lang, button, ask, beside, rule, state, undone string }{
		{"en", "Void these views", "700 views would be taken out", "21 views of bots and 3 events, on 1 days", "Rule 3 is in force", "in force", "put back"},
		{"zh-CN", "作废这些浏览", "剔除 700 次浏览", "21 次爬虫浏览和 3 个事件", "规则 3 已生效", "生效", "已恢复"},
	} {
		d := newDesk(t, b, nil)
		d.enter(t, "/admin/?lang="+c.lang)
		becomes(t, d.ctx, `document.querySelector('[data-key=void]') === null`) // nothing is filtered
		eval(t, d.ctx, click(".panel-referrers .bars li:nth-child(2) button"))
		becomes(t, d.ctx, ready, has("[data-key=void]", c.button))
		eval(t, d.ctx, click("[data-key=void]"))
		becomes(t, d.ctx, has("dialog.void", c.ask), has("dialog.void", c.beside))
		if asked := strings.Join(d.log(), "\n"); strings.Contains(asked, "DELETE /api/admin/void") {
			t.Errorf("%s: asked too much:\n%s", c.lang, asked)
		}
		eval(t, d.ctx, click("dialog.void .buttons button:last-child"))
		becomes(t, d.ctx, has("dialog.void", c.rule))
		eval(t, d.ctx, click("dialog.void .buttons button:first-child"))
		becomes(t, d.ctx, `document.querySelector('dialog.void') === null`)
		d.open(t, "/admin/?view=system&site=ddkk.com&lang="+c.lang)
		becomes(t, d.ctx, ready, has(".panel-voids tbody", c.state), has(".panel-voids tbody", "<b>owner"), has(".panel-voids tbody", "referrer:news.example"))
		eval(t, d.ctx, click(".panel-voids tbody button"))
		becomes(t, d.ctx, has(".panel-voids tbody", c.undone), `document.querySelector('.panel-voids tbody button') === null`)
		d.clean(t)
	}
	// Who may only look has no such button.
	d := newDesk(t, b, func(c *Config) { c.People = newSomeone() })
	d.open(t, "/admin/")
	becomes(t, d.ctx, `document.querySelector('#token') !== null`)
	eval(t, d.ctx, `fetch('/api/admin/login', {method: 'POST', body: JSON.stringify({token: 'token-of-`+idView+`'})})`)
	d.open(t, "/admin/?site=ddkk.com&where=page:/hello&lang=en")
	becomes(t, d.ctx, ready, has(".filters .chip", "/hello"), `document.querySelector('[data-key=void]') === null`)
	d.clean(t)
}
