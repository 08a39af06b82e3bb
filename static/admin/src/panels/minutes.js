// The last 30 minutes, a bar each.
import { h } from '../dom.js';
import { t, count, number, minute } from '../i18n.js';
import { get } from '../api.js';
import * as state from '../state.js';
import { wide } from '../shape.js';
import { makePanel } from '../panel.js';
import { seriesTable } from '../chart.js';

export function minutesPanel() {
  return makePanel({
    name: 'minutes', firm: wide(), shape: 'chart', title: t('minutes.title'), uses: ['site'], every: 5,
    load: () => get('/api/admin/minutes', { site: state.get().site }),
    show({ minutes }) {
      const most = Math.max(1, ...minutes.map((m) => m.pv));
      const sum = minutes.reduce((n, m) => n + m.pv, 0);
      const data = {
        title: t('minutes.title'), unit: t('minutes.minute'), names: minutes.map((m) => minute(m.time)),
        series: [{ label: t('figures.pv'), values: minutes.map((m) => m.pv) }, { label: t('figures.bots'), values: minutes.map((m) => m.bot) }],
      };
      return [
        h('p', { class: 'big' }, h('b', null, number(sum)), ' ', t(sum === 1 ? 'minutes.view' : 'minutes.views')),
        h('div', { class: 'columns', role: 'img', 'aria-label': t('minutes.said', { n: number(sum), max: number(Math.max(0, ...minutes.map((m) => m.pv))) }) },
          minutes.map((m) => h('i', { title: count('minutes.bar', m.pv, { time: minute(m.time), bots: number(m.bot) }), vars: { '--share': `${(100 * m.pv) / most}%` }, 'data-none': m.pv === 0 }))),
        h('p', { class: 'ends', 'aria-hidden': 'true' }, h('span', null, minutes.length ? minute(minutes[0].time) : ''), h('span', null, t('minutes.now'))),
        h('div', { class: 'visually-hidden' }, seriesTable(data)),
      ];
    },
    table: ({ minutes }) => ({ columns: ['time', 'pv', 'bot'], rows: minutes.map((m) => [m.time, m.pv, m.bot]) }),
  });
}
