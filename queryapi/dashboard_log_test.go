package queryapi

import (
	"context"
	"fmt"
	"testing"
)

func testDashboardLog(t *testing.T, b context.Context) {
	d := newDesk(t, b, nil)
	d.enter(t, "/admin/?lang=en&view=log&range=custom&from=2026-11-21&to=2026-11-22")
	rows := func(panel string) string {
		return fmt.Sprintf(`[...document.querySelectorAll('.panel-%s .panel-body > .scroll tbody tr')].map(e => [...e.children].map(c => c.textContent).join('|')).join(';')`, panel)
	}
	is := func(panel, want string) string {
		return fmt.Sprintf(`%s.startsWith(%q) || %s`, rows(panel), want, rows(panel))
	}
	becomes(t, d.ctx, ready, access,
		is("requests", "Pages|2,700|600|8 MB;Parts of pages|1,350|300|8 MB;API and programs|900|200|8 MB"),
		is("crawlers", "Googlebot Google|Search|1,200|600|1.2 MB|1,197|1|2|0|asked;GPTBot OpenAI|AI training|400|200|400 KB|397|1|2|0|not asked"),
		has(".panel-blocked", "25%"), has(".panel-blocked", "100 of 400"), has(".panel-blocked .note", "CDN"),
		has(".panel-blockedpages li:nth-child(1)", "/docs/"), has(".panel-blockedpages li:nth-child(1)", "30%"), has(".panel-blockedpages .note", "50,000"),
		has(".panel-notfound li:nth-child(1)", "own link on /post"), has(".panel-notfound li:nth-child(3)", "linked by news.example"),
		has(".panel-feeds", "400 by aggregators"), has(".panel-downloads", "40 MB"),
		`document.querySelectorAll('.panel-requests canvas, .panel-blocked canvas').length === 2`, `document.title !== 'owned'`)
	eval(t, d.ctx, click(`[data-key="language"]`))
	becomes(t, d.ctx, ready, has(".panel-blocked .note", "缓存"), is("crawlers", "Googlebot Google|搜索|"))
	d.clean(t)
}
