package queryapi

import (
	"context"
	"fmt"
	"math"
	"strings"
	"testing"
)

// What figures and charts must not say.
func testDashboardNumbers(t *testing.T, b context.Context) {
	d := newDesk(t, b, nil)
	d.size(t, 390, 844)
	d.enter(t, "/admin/?lang=en&range=today")
	// It is half past two: hours to come are unknown, and the change is that of
	// the hours that are over.
	row := func(i, cell string) string {
		return `document.querySelectorAll('.panel-series tbody tr')[` + i + `].cells[` + cell + `].textContent`
	}
	becomes(t, d.ctx, row("14", "2")+` !== '–' && `+row("15", "2")+` === '–' && `+row("15", "1")+` !== '–' || `+row("15", "2"))
	becomes(t, d.ctx, has(".panel-figures .note", "until 14:00 against those of Nov 21, 2026"), `document.querySelector('.tile-uv .change').textContent === '–'`)
	sum := func(day int) (n int64) {
		for h := range 14 {
			n += fakeHour(fakeNow.AddDate(0, 0, day).Truncate(24*3600e9), h)
		}
		return n
	}
	now, before := sum(0), sum(-1)
	becomes(t, d.ctx, `document.querySelector('.tile-pv .change').textContent.includes(`+fmt.Sprintf("%q", fmt.Sprint(math.Abs(math.Round(float64(1000*(now-before))/float64(before))/10))+"%")+`) || document.querySelector('.tile-pv .change').textContent`)
	// A number and its visitors stand apart, also on a phone.
	becomes(t, d.ctx, `[...document.querySelectorAll('.panel-pages .n')].every(e => { const text = document.createRange(); text.selectNode(e.firstChild); return text.getBoundingClientRect().right + 6 <= e.querySelector('small').getBoundingClientRect().left })`)
	// The last label is inside of the picture.
	d.open(t, "/admin/?lang=en&range=7d")
	becomes(t, d.ctx, ready, `(c => { const p = c.getContext('2d').getImageData(c.width - 2, 0, 2, c.height).data; return p.every((v, i) => i % 4 !== 3 || v === 0) })(document.querySelector('.panel-series canvas'))`)
	d.open(t, "/admin/?lang=en&range=yesterday")
	becomes(t, d.ctx, ready, `document.querySelector('.panel-figures .note').textContent === 'Changes against Nov 20, 2026' || document.querySelector('.panel-figures .note').textContent`)
	// All events together have no visitors; one of them has.
	d.open(t, "/admin/?lang=en&view=events")
	becomes(t, d.ctx, ready, `document.querySelectorAll('.panel-event-days .legend-item').length === 1`)
	d.open(t, "/admin/?lang=en&view=events&event=shop")
	becomes(t, d.ctx, ready, `document.querySelectorAll('.panel-event-days .legend-item').length === 2`)
	// One visitor is one.
	d.open(t, "/admin/?lang=en&view=events&event=shop.buy.apples&range=today")
	becomes(t, d.ctx, ready, `!/\b1 visitors/.test(document.body.textContent)`)
	// The menu opens, closes by Escape, and saves.
	d.open(t, "/admin/?lang=en")
	becomes(t, d.ctx, ready)
	eval(t, d.ctx, click(".panel-figures summary"))
	becomes(t, d.ctx, `document.querySelector('.panel-figures .export').checkVisibility()`)
	eval(t, d.ctx, `document.querySelector('.panel-figures .export').focus(); document.activeElement.dispatchEvent(new KeyboardEvent('keydown', { key: 'Escape', bubbles: true }))`)
	becomes(t, d.ctx, `!document.querySelector('.panel-figures .menu').open && document.activeElement.tagName === 'SUMMARY'`)
	becomes(t, d.ctx, `document.querySelector('[data-key=theme]').textContent === 'Colours: Auto'`)
	d.clean(t)
}

// Before the first view the system can be looked at, and what an earlier counter
// had can be set; the lines that did not count are told, with the rule.
func testDashboardBefore(t *testing.T, b context.Context) {
	d := newDesk(t, b, nil)
	d.set(func() { d.sites = nil })
	d.open(t, "/admin/?lang=en")
	becomes(t, d.ctx, `document.querySelector('#token') !== null`)
	eval(t, d.ctx, `fetch('/api/admin/login', {method: 'POST', body: JSON.stringify({token: 'open sesame'})})`)
	d.open(t, "/admin/?lang=en")
	becomes(t, d.ctx, has(".first-run .skipped", "name it in SITE_ALIASES"), has(".first-run .skipped", "/event.png?site=docs.two.example"), has(".skipped", "from http://docs.two.example/<b>"), has(".skipped", "no line"))
	eval(t, d.ctx, click(`[data-view="system"]`))
	becomes(t, d.ctx, ready, has(".panel-health", "The books close"), `document.querySelector('.panel-verify') === null`)
	eval(t, d.ctx, `(f => { f.elements.site.value = 'new.example'; f.elements.page.value = '/new'; f.elements.pv.value = '12'; f.elements.uv.value = '3'; f.requestSubmit() })(document.querySelector('.row-form'))`)
	becomes(t, d.ctx, has(".panel-baselines tbody", "/new"))
	if log := strings.Join(d.log(), "\n"); !strings.Contains(log, `PUT /api/admin/baselines {"site":"new.example","page":"/new","pv":12,"uv":3}`) {
		t.Errorf("asked %s", log)
	}
	becomes(t, d.ctx, access)
	eval(t, d.ctx, click(`[data-view="overview"]`))
	becomes(t, d.ctx, has(".waiting", "Waiting"))
	d.set(func() { d.sites = []string{"new.example"} })
	becomes(t, d.ctx, ready, `document.querySelector('h1').textContent === 'new.example'`)
	d.clean(t)
}
