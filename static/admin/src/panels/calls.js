// API calls of the site's own access log: now, over time, and as a report.
import { h } from '../dom.js';
import { t, number, percent, millis, minute, hour, dayShort, dayLong, clock } from '../i18n.js';
import { get } from '../api.js';
import * as state from '../state.js';
import { makePanel, choice, empty } from '../panel.js';
import { grid } from '../lists.js';
import { nameList } from '../names.js';
import { lineChart } from '../chart.js';

// absent stands for panels of a server without SITE_LOG.
const absent = (error) => (error.status === 404 ? h('div', { class: 'absent' }, h('h3', null, t('calls.absent')), h('p', null, t('calls.absentWhy')), h('pre', { tabindex: '0' }, h('code', null, 'SITE_LOG=/var/log/nginx/access.log'))) : null);

// The panels beside it say nothing.
const silent = (error) => (error.status === 404 ? 'nothing' : null);

const columns = () => [{ title: t('calls.endpoint'), wrap: true }, { title: t('calls.calls'), n: true }, { title: t('calls.failed'), n: true }, { title: 'p50', n: true }, { title: 'p95', n: true }, { title: 'p99', n: true }];
const row = (name, sums) => [name, number(sums.calls), sums.failed ? h('span', { class: 'bad' }, number(sums.failed)) : number(sums.failed), millis(sums.p50_ms), millis(sums.p95_ms), millis(sums.p99_ms)];
const names = ['calls', 'failed', 'p50_ms', 'p95_ms', 'p99_ms'];
const plain = (sums) => names.map((name) => sums[name]);

export function overviewPanel() {
  return makePanel({
    name: 'calls', shape: 'table', title: t('calls.title'), uses: ['site'], every: 10, absent,
    load: () => get('/api/admin/stats/overview', { site: state.get().site }),
    show: (data) => [
      grid(t('calls.title'), columns(), [row(t('calls.hour'), data.hour), row(t('calls.today'), data.today)]),
      h('h3', null, t('calls.endpoints')),
      data.endpoints.length ? grid(t('calls.endpoints'), columns(), data.endpoints.map((e) => row(h('code', null, e.endpoint), e))) : empty(t('calls.none')),
    ],
    table: (data) => ({ columns: ['endpoint', ...names], rows: data.endpoints.map((e) => [e.endpoint, ...plain(e)]) }),
  });
}

export function trendPanel() {
  let chart = null;
  const close = () => { if (chart) chart.close(); };
  const tools = choice(t('calls.range'), ['minute', 'hour', 'day'].map((value) => ({ value, text: t(`calls.by.${value}`) })), state.get().trend, (trend) => state.set({ trend }));
  const label = { minute, hour: minute, day: (time) => dayShort(time.slice(0, 10)) };
  const name = { minute: clock, hour: clock, day: (time) => dayLong(time.slice(0, 10)) };
  return makePanel({
    name: 'trend', shape: 'chart', title: t('calls.trend'), tools, uses: ['site', 'trend'], every: 15, close, absent: silent,
    load() {
      const { site, trend } = state.get();
      tools.press(trend);
      return get('/api/admin/stats/trend', { site, range: trend });
    },
    show({ range, points }) {
      close();
      chart = lineChart({
        title: t('calls.trend'), unit: t(`calls.by.${range}`), labels: points.map((p) => label[range](p.time)), names: points.map((p) => name[range](p.time)),
        series: [
          { label: t('calls.calls'), values: points.map((p) => p.calls), color: '--accent', fill: '--accent-soft' },
          { label: t('calls.failed'), values: points.map((p) => p.failed), color: '--bad' },
        ],
      }, 220);
      return chart.nodes;
    },
    table: ({ points }) => ({ columns: ['time', 'calls', 'failed'], rows: points.map((p) => [p.time, p.calls, p.failed]) }),
  });
}

export function reportPanel() {
  const statuses = nameList({ label: t('calls.statuses'), unit: t('calls.calls') });
  const users = nameList({ label: t('calls.users'), unit: t('calls.calls') });
  const box = h('input', { type: 'date', 'aria-label': t('calls.date'), onchange: () => state.set({ date: box.value }) });
  return makePanel({
    name: 'report', shape: 'table', title: t('calls.report'), tools: box, uses: ['site', 'date'], absent: silent,
    load() {
      const date = state.get().date || state.now();
      box.value = date;
      box.max = state.now();
      return get('/api/admin/reports/daily', { site: state.get().site, date });
    },
    show: (data) => [
      grid(t('calls.report'), [...columns().map((c, i) => (i ? c : { title: t('calls.date') })), { title: t('calls.success'), n: true }], [[...row(dayLong(data.date), data.total), percent(data.success_rate)]]),
      h('div', { class: 'halves' },
        h('div', null, h('h3', null, t('calls.statuses')), statuses(data.statuses.map((s) => ({ key: s.status, text: s.status, n: s.calls, color: /^5/.test(s.status) ? '--bad' : /^4/.test(s.status) ? '--bot' : '--second' })))),
        h('div', null, h('h3', null, t('calls.users')), data.users.length ? users(data.users.map((u) => ({ key: u.user, text: u.user || t('calls.nobody'), n: u.calls }))) : empty(t('calls.noUsers')))),
      h('h3', null, t('calls.endpoints')),
      grid(t('calls.endpoints'), columns(), data.endpoints.map((e) => row(h('code', null, e.endpoint), e))),
    ],
    table: (data) => ({ columns: ['kind', 'name', ...names], rows: [['total', data.date, ...plain(data.total)], ...data.endpoints.map((e) => ['endpoint', e.endpoint, ...plain(e)]), ...data.statuses.map((s) => ['status', s.status, s.calls]), ...data.users.map((u) => ['user', u.user, u.calls])] }),
  });
}
