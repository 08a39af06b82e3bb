// Views by weekday and hour.
import { h, hidden } from '../dom.js';
import { t, count, number, weekday, hour, day } from '../i18n.js';
import { get } from '../api.js';
import * as state from '../state.js';
import { addDays, daysBetween, weekdayOf } from '../dates.js';
import { makePanel } from '../panel.js';

const levels = 8;
const monday = '2024-01-01';

// within widens a span to four weeks, so that every weekday has its hours, and
// cuts it at the year that the API answers.
function within({ from, to }) {
  const n = daysBetween(from, to);
  return { from: n < 7 ? addDays(to, -27) : n > 366 ? addDays(to, -365) : from, to };
}

export function heatPanel() {
  return makePanel({
    name: 'heat', shape: 'chart', title: t('heat.title'), uses: ['site', 'range', 'from', 'to'], every: 300,
    async load() {
      const span = within(state.here());
      const { hours, stale } = await get('/api/admin/hours', { site: state.get().site, ...span });
      const sums = Array.from({ length: 7 }, () => new Array(24).fill(0));
      for (const p of hours) sums[weekdayOf(p.date)][p.hour] += p.pv;
      return { span, sums, stale };
    },
    show({ span, sums }) {
      const most = Math.max(1, ...sums.flat());
      // By the root, so that one busy hour does not make all others pale.
      const level = (n) => Math.ceil(levels * Math.sqrt(n / most));
      return [
        h('div', { class: 'scroll', tabindex: '0', role: 'region', 'aria-label': t('heat.title') }, h('table', { class: 'heat' },
          h('caption', { class: 'visually-hidden' }, t('heat.title')),
          h('thead', null, h('tr', null, h('td'), sums[0].map((n, i) => h('th', { scope: 'col' }, i % 3 ? hidden(hour(i)) : [h('span', { 'aria-hidden': 'true' }, String(i)), hidden(hour(i))])))),
          h('tbody', null, sums.map((row, i) => {
            const name = weekday(addDays(monday, i));
            return h('tr', null, h('th', { scope: 'row' }, name), row.map((n, at) => h('td', { class: `heat-${level(n)}`, title: count('heat.cell', n, { day: name, hour: hour(at) }) }, hidden(number(n)))));
          })))),
        h('div', { class: 'scale' }, h('span', { class: 'note' }, t('heat.span', { from: day(span.from), to: day(span.to) })),
          h('span', { class: 'steps', 'aria-hidden': 'true' }, '0', Array.from({ length: levels + 1 }, (x, i) => h('i', { class: `heat-${i}` })), number(most))),
      ];
    },
    table: ({ sums }) => ({ columns: ['weekday', ...sums[0].map((n, i) => hour(i))], rows: sums.map((row, i) => [weekday(addDays(monday, i)), ...row]) }),
  });
}
