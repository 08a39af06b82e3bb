// Key figures of the range, each with its change against the span before.
import { h, arrow, hidden } from '../dom.js';
import { t, number, decimal, percent, day } from '../i18n.js';
import { get } from '../api.js';
import * as state from '../state.js';
import { makePanel } from '../panel.js';

export const loadSummary = () => get('/api/admin/summary', { site: state.get().site, ...state.here() });

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
    name: 'figures', title: t('figures.title'), uses: ['site', 'range', 'from', 'to'], every: 10, load: loadSummary, table,
    show: (data) => [
      h('dl', { class: 'tiles' }, figures.map((figure) => tile(figure, data))),
      h('p', { class: 'note' }, t('figures.compared', span(data.previous))),
    ],
  });
}

const span = ({ from, to }) => ({ from: day(from), to: day(to) });

function tile(figure, data) {
  const write = figure.write || number;
  const now = figure.now ? figure.now(data) : figure.of(data.current);
  return h('div', { class: `tile tile-${figure.name}` }, h('dt', { title: t(`figures.${figure.name}.why`) }, t(`figures.${figure.name}`)),
    h('dd', { class: 'value' }, write(now)),
    h('dd', { class: 'change' }, figure.now ? h('span', { class: 'soft' }, t('figures.minutes5')) : change(figure, now, figure.of(data.previous), write)));
}

function change(figure, now, before, write) {
  if (now == null || !before) return h('span', { class: 'soft' }, before === 0 && now > 0 ? t('figures.new') : '–');
  const by = now / before - 1;
  const way = Math.abs(by) < 0.0005 ? 'same' : by > 0 ? 'up' : 'down';
  const mood = !figure.rise || way === 'same' ? 'soft' : way === 'up' ? 'good' : 'bad';
  return h('span', { class: mood }, arrow(way), hidden(t(`figures.${way}`)), percent(Math.abs(by)), hidden(t('figures.before', { n: write(before) })));
}

function table(data) {
  return {
    columns: ['figure', 'current', 'previous'],
    rows: figures.map((figure) => [figure.name, ...(figure.now ? [figure.now(data), null] : [figure.of(data.current), figure.of(data.previous)])]),
  };
}
