package main

import (
	"context"
	"fmt"
	"time"
)

// runGrowth changes one dimension at a time and keeps the number of lines, so
// that a difference comes from that dimension.
func runGrowth(ctx context.Context, b *bench) error {
	lines := pick(b.quick, 200_000, 1_000_000)
	base := traffic{lines: lines, pages: 10_000, visitors: 10_000, sites: 1, even: true}
	all := []traffic{base,
		with(base, func(t *traffic) { t.pages = 100_000 }),
		with(base, func(t *traffic) { t.visitors = 100_000 }),
		with(base, func(t *traffic) { t.sites = 100 }),
	}
	if !b.quick {
		all = append(all,
			with(base, func(t *traffic) { t.pages = 1_000_000 }),
			with(base, func(t *traffic) { t.visitors = 1_000_000 }),
			with(base, func(t *traffic) { t.sites = 10_000 }))
	}
	var first ingested
	for i, t := range all {
		g, err := b.grow(ctx, t)
		if err != nil {
			return fmt.Errorf("%d pages, %d visitors, %d sites: %w", t.pages, t.visitors, t.sites, err)
		}
		if i == 0 {
			first = g
		}
		b.add(result{part: "growth", what: fmt.Sprintf("%d pages, %d visitors, %d sites%s", t.pages, t.visitors, t.sites, pick(i == 0, " (the unit)", "")),
			figure: fmt.Sprintf("%s; daemon %d MB, Redis %d MB%s", rate(g.perSecond(), "lines"), g.memory>>20, g.redis>>20, slope(base, t, first, g)) + spreading(g),
			cpu:    g.cpuText(), ratio: fmt.Sprintf("%.2f (by processor time %.2f)", g.perSecond()/first.perSecond(), first.cpuSeconds()/g.cpuSeconds())})
		if g.listed.later > 0 {
			b.add(result{part: "growth", what: fmt.Sprintf("— GET /api/admin/sites?sparkline=30 of %d sites, warm", t.sites),
				figure: fmt.Sprintf("%d ms (median of %d; the first %d ms), %d KB", g.listed.later.Milliseconds(), listedAgain, g.listed.first.Milliseconds(), g.listed.bytes>>10),
				target: "<= 200 ms", ok: g.listed.later <= 200*time.Millisecond})
		}
	}
	return nil
}

// spreading is what a row says beside: how long pages' own keys took, or that
// time was over.
func spreading(g ingested) string {
	if g.partly {
		return fmt.Sprintf("; stopped after %v", ingestLimit)
	}
	return fmt.Sprintf("; pages' keys written %.1f s later", (g.spread - g.took).Seconds())
}

func with(t traffic, change func(*traffic)) traffic {
	change(&t)
	return t
}

// slope is what each further page or visitor takes, in Redis and in the daemon.
func slope(base, t traffic, first, g ingested) string {
	n, what := t.pages-base.pages, "page"
	if t.visitors > base.visitors {
		n, what = t.visitors-base.visitors, "visitor"
	}
	if n == 0 {
		return ""
	}
	return fmt.Sprintf(" (each further %s: %d B in the daemon, %d B in Redis)", what, (g.memory-first.memory)/int64(n), (g.redis-first.redis)/int64(n))
}

func (b *bench) grow(ctx context.Context, t traffic) (ingested, error) {
	l, err := b.log(t)
	if err != nil {
		return ingested{}, err
	}
	g, err := b.ingest(ctx, l, nil, "MAX_PAGES_PER_SITE=2000000", "MAX_PAGES_EVER=10000000", "MAX_SITES=20000")
	if err != nil {
		return g, err
	}
	return g, l.remove()
}
