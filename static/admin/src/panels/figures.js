// Key figures of the range, each with its change against the span before.
import { h, arrow, hidden } from '../dom.js';
import { t, number, decimal, percent, day, hour, hourNow } from '../i18n.js';
import { get, send } from '../api.js';
import * as state from '../state.js';
import { wide } from '../shape.js';
import { addDays } from '../dates.js';
import { makePanel } from '../panel.js';
import { share } from '../names.js';
import { filtered, filteredDays, onlyPage } from '../where.js';
import { part } from './part.js';

export const loadSummary = () => get('/api/admin/summary', { site: state.get().site, ...state.here() });

// Of today, only the hours that are over can be compared with yesterday's.
async function load() {
  if (filtered()) return loadFiltered();
  const { from, to } = state.here();
  if (from !== state.now() || to !== from) return loadSummary();
  const before = addDays(to, -1);
  const until = hourNow();
  const [data, { hours }] = await Promise.all([loadSummary(), get('/api/admin/hours', { site: state.get().site, from: before, to })]);
  const sum = (date) => hours.filter((p) => p.date === date && p.hour < until).reduce((all, p) => ({ pv: all.pv + p.pv, bot: all.bot + p.bot }), { pv: 0, bot: 0 });
  return { ...data, until, same: sum(to), previous: { from: before, to: before, ...sum(before) } };
}

// Of what is filtered the views are known, of a page also those of all time.
async function loadFiltered() {
  const page = onlyPage();
  const { site } = state.get();
  const [{ days, complete, stale }, all, ever] = await Promise.all([filteredDays(state.here()), loadSummary(), page === undefined ? null : send('POST', '/api/stats', { site, page, fields: ['page_pv', 'page_uv'] })]);
  return { pv: days.reduce((n, day) => n + day.pv, 0), all: all.current.pv, ever: ever && { pv: ever.page_pv, uv: ever.page_uv }, complete, stale: stale || all.stale };
}

// filteredFigures are [name, number, note] of it.
const filteredFigures = ({ pv, all, ever }) => [
  ['pv', number(pv), t('detail.range')], ['share', share(pv, all), t('detail.ofAll', { n: number(all) })],
  ...(ever ? [['pvEver', number(ever.pv), t('detail.ever')], ['uvEver', number(ever.uv), t('detail.ever')]] : []),
];

const perVisitor = (counts) => (counts.uv > 0 ? counts.pv / counts.uv : null);

// rise tells which way of a figure is good; bots and filtered views have none.
const figures = [
  { name: 'pv', of: (counts) => counts.pv, rise: true },
  { name: 'uv', of: (counts) => counts.uv, rise: true },
  { name: 'perVisitor', of: perVisitor, write: decimal, rise: true },
  { name: 'online', now: (data) => data.online },
  { name: 'bots', of: (counts) => counts.bot },
  { name: 'events', of: (counts) => counts.events, rise: true },
  { name: 'filtered', of: (counts) => counts.dedup },
];

export function figuresPanel() {
  return makePanel({
    name: 'figures', firm: wide(), shape: 'tiles', title: t('figures.title'), uses: ['site', 'range', 'from', 'to', 'where'], every: 10, load, table,
    show: (data) => (data.current ? [
      h('dl', { class: 'tiles' }, figures.map((figure) => tile(figure, data))),
      h('p', { class: 'note' }, compared(data)),
    ] : [
      h('dl', { class: 'tiles' }, filteredFigures(data).map(([name, value, note]) => h('div', { class: `tile tile-${name}` }, h('dt', null, t(`figures.${name}`)), h('dd', { class: 'value' }, value), h('dd', { class: 'change soft' }, note)))),
      part(data.complete) || h('p', { class: 'note' }, t('filters.note')),
    ]),
  });
}

// compared says what the changes are against.
function compared({ previous: { from, to }, until }) {
  if (until === 0) return t('figures.comparedLater');
  if (until) return t('figures.comparedHours', { from: day(from), hour: hour(until) });
  return from === to ? t('figures.comparedDay', { from: day(from) }) : t('figures.compared', { from: day(from), to: day(to) });
}

function tile(figure, data) {
  const write = figure.write || number;
  const now = figure.now ? figure.now(data) : figure.of(data.current);
  return h('div', { class: `tile tile-${figure.name}` }, h('dt', { title: t(`figures.${figure.name}.why`) }, t(`figures.${figure.name}`)),
    h('dd', { class: 'value' }, write(now)),
    h('dd', { class: 'change' }, figure.now ? h('span', { class: 'soft' }, t('figures.minutes5')) : change(figure, data, write)));
}

function change(figure, data, write) {
  const now = figure.of(data.same || data.current);
  const before = figure.of(data.previous);
  if (now == null || !before) return h('span', { class: 'soft' }, before === 0 && now > 0 ? t('figures.new') : '–');
  const by = now / before - 1;
  const way = Math.abs(by) < 0.0005 ? 'same' : by > 0 ? 'up' : 'down';
  const mood = !figure.rise || way === 'same' ? 'soft' : way === 'up' ? 'good' : 'bad';
  return h('span', { class: mood }, arrow(way), hidden(t(`figures.${way}`)), percent(Math.abs(by)), hidden(t('figures.before', { n: write(before) })));
}

function table(data) {
  if (!data.current) return { columns: ['figure', 'current'], rows: [['pv', data.pv], ['pv_all', data.all], ...(data.ever ? [['page_pv', data.ever.pv], ['page_uv', data.ever.uv]] : [])] };
  return {
    columns: ['figure', 'current', 'previous'],
    rows: figures.map((figure) => [figure.name, ...(figure.now ? [figure.now(data), null] : [figure.of(data.current), figure.of(data.previous)])]),
  };
}
