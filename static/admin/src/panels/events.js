// Events, a level at a time: category, action, label, value.
import { h } from '../dom.js';
import { t, count, dayShort, dayLong } from '../i18n.js';
import { get } from '../api.js';
import * as state from '../state.js';
import { addDays, daysBetween } from '../dates.js';
import { makePanel, empty } from '../panel.js';
import { nameList } from '../names.js';
import { lineChart } from '../chart.js';

const levels = ['category', 'action', 'label', 'value'];

// A dot inside of a level is percent-encoded in a key.
const split = (key) => (key ? key.split('.') : []);

function written(level) {
  try {
    return decodeURIComponent(level);
  } catch {
    return level;
  }
}

function load() {
  const { site, event } = state.get();
  const params = { site, ...state.here() };
  split(event).forEach((level, i) => { params[levels[i]] = written(level); });
  return get('/api/events', params).then((rows) => ({ rows, event, stale: rows.stale }));
}

// sums are of the keys just below another, the largest first.
function sums({ rows, event }) {
  const depth = split(event).length + 1;
  const found = new Map();
  for (const { eventKey, eventData } of rows) {
    if (split(eventKey).length !== depth || (event && !eventKey.startsWith(`${event}.`))) continue;
    const sum = found.get(eventKey) || { key: eventKey, pv: 0, uv: 0 };
    sum.pv += eventData.pv;
    sum.uv += eventData.uv;
    found.set(eventKey, sum);
  }
  return [...found.values()].sort((a, b) => b.pv - a.pv || (a.key < b.key ? -1 : 1));
}

function crumbs(event) {
  const parts = split(event);
  const link = (text, key, now) => h('li', null, now ? h('span', { 'aria-current': 'true' }, text)
    : h('button', { type: 'button', class: 'link', 'data-key': `to ${key}`, onclick: () => state.set({ event: key }) }, text));
  return h('nav', { class: 'crumbs', 'aria-label': t('events.path') }, h('ol', null, link(t('events.all'), '', !parts.length),
    parts.map((part, i) => link(written(part), parts.slice(0, i + 1).join('.'), i === parts.length - 1))));
}

export function eventsPanel() {
  const name = nameList({ label: t('events.title'), unit: t('unit.times') });
  return makePanel({
    name: 'events', shape: 'rows', title: t('events.title'), uses: ['site', 'range', 'from', 'to', 'event'], every: 15, load,
    show(data) {
      const list = sums(data);
      const depth = split(data.event).length;
      return [
        crumbs(data.event),
        list.length
          ? [h('h3', null, t(`events.level${Math.min(depth, 3)}`)), name(list.map((sum) => ({
            key: sum.key, text: written(split(sum.key)[depth]), title: sum.key, n: sum.pv, note: count('pages.visitors', sum.uv), click: () => state.set({ event: sum.key }),
          })))]
          : empty(t(depth ? 'events.leaf' : 'events.none')),
        !list.length && !depth && h('pre', { tabindex: '0' }, h('code', null, '<button data-ddkk-event="shop.buy.apples.3">Buy</button>\nddkk.event(\'shop\', \'buy\', \'apples\', 3)')),
      ];
    },
    table: ({ rows }) => ({ columns: ['date', 'event', 'pv', 'uv'], rows: rows.map((r) => [r.eventDate, r.eventKey, r.eventData.pv, r.eventData.uv]) }),
  });
}

// eventDaysPanel shows the chosen key, or all categories together, by day.
export function eventDaysPanel() {
  let chart = null;
  const close = () => { if (chart) chart.close(); };
  function days({ rows, event, from, to }) {
    const list = Array.from({ length: daysBetween(from, to) }, (x, i) => ({ date: addDays(from, i), pv: 0, uv: 0 }));
    for (const row of rows) {
      if (event ? row.eventKey !== event : row.eventKey.includes('.')) continue;
      const day = list[daysBetween(from, row.eventDate) - 1];
      if (!day) continue;
      day.pv += row.eventData.pv;
      day.uv += row.eventData.uv;
    }
    return list;
  }
  return makePanel({
    name: 'event-days', shape: 'chart', title: t('events.days'), uses: ['site', 'range', 'from', 'to', 'event'], every: 15, close,
    load: () => load().then((data) => ({ ...data, ...state.here() })),
    show(data) {
      close();
      const list = days(data);
      chart = lineChart({
        title: data.event || t('events.all'), unit: t('by.day'), labels: list.map((d) => dayShort(d.date)), names: list.map((d) => dayLong(d.date)),
        series: [
          { label: t('figures.events'), values: list.map((d) => d.pv), color: '--accent', fill: '--accent-soft' },
          // A visitor of two categories would be two: all together have no sum.
          data.event && { label: t('figures.uv'), values: list.map((d) => d.uv), color: '--second' },
        ].filter(Boolean),
      });
      return [h('p', { class: 'note path' }, data.event || t('events.all')), chart.nodes];
    },
    table: (data) => ({ columns: ['date', 'pv', 'uv'], rows: days(data).map((d) => [d.date, d.pv, data.event ? d.uv : null]) }),
  });
}
