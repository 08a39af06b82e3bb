// Views and visitors over the range, with the span before under them.
import { t, number, day, dayShort, dayLong, month, hour, hourNow } from '../i18n.js';
import { get } from '../api.js';
import * as state from '../state.js';
import { wide } from '../shape.js';
import { before, possible, intervals, weekStart } from '../dates.js';
import { makePanel, choice } from '../panel.js';
import { lineChart } from '../chart.js';
import { filtered, filteredDays } from '../where.js';
import { h } from '../dom.js';

// interval is the one that is asked for if the range can be shown in it.
export function interval(span) {
  if (filtered()) return 'day'; // what is filtered is looked up by days
  const { fit, best } = possible(span);
  return fit.includes(state.get().by) ? state.get().by : best;
}

// points are {label, name, pv, uv, bot, base} of a span; hours know no visitors, and base is
// what an earlier counter had counted, where it tells days.
async function points(site, span, by) {
  if (filtered()) {
    const { days, stale } = await filteredDays(span);
    return { stale, list: named(days, by).map((p, i) => ({ ...p, pv: days[i].pv, uv: days[i].uv })) };
  }
  if (by === 'hour') {
    const { hours, stale } = await get('/api/admin/hours', { site, ...span });
    const one = span.from === span.to;
    return { stale, list: hours.map((p) => ({ label: one ? hour(p.hour) : `${dayShort(p.date)} ${hour(p.hour)}`, name: `${dayLong(p.date)} ${hour(p.hour)}`, ...(p.date === state.now() && p.hour > hourNow() ? {} : { pv: p.pv, bot: p.bot }) })) };
  }
  const { history, stale } = await get('/api/history', { site, ...span, interval: by });
  return { stale, list: named(history, by).map((p, i) => ({ ...p, pv: history[i].pv, uv: history[i].uv, base: history[i].base_pv })) };
}

// named gives the points of a history their labels.
export function named(history, by) {
  return history.map(({ date }) => {
    if (by === 'week') return { label: dayShort(weekStart(date)), name: t('series.week', { week: date.slice(5), from: day(weekStart(date)) }) };
    if (by === 'month') return { label: month(`${date}-01`), name: month(`${date}-01`) };
    return { label: dayShort(date), name: dayLong(date) };
  });
}

export function seriesPanel() {
  let chart = null;
  const tools = choice(t('series.by'), intervals.map((by) => ({ value: by, text: t(`by.${by}`) })), '', (by) => state.set({ by }));
  const close = () => { if (chart) chart.close(); };
  function press() {
    const span = state.here();
    const { fit } = possible(span);
    tools.press(interval(span));
    for (const button of tools.children) button.disabled = filtered() ? button.getAttribute('data-value') !== 'day' : !fit.includes(button.getAttribute('data-value'));
  }
  return makePanel({
    name: 'series', firm: wide(), shape: 'chart', title: t('series.title'), tools, uses: ['site', 'range', 'from', 'to', 'by', 'where'], every: 60, close, table,
    async load() {
      press();
      const { site } = state.get();
      const span = state.here();
      const by = interval(span);
      const [now, old] = await Promise.all([points(site, span, by), points(site, before(span), by)]);
      return { by, now: now.list, old: now.list.map((p, i) => old.list[i] || null), stale: now.stale || old.stale };
    },
    show(data) {
      close();
      chart = lineChart(drawn(data));
      return [chart.nodes, later(data)];
    },
  });
}

// Of a page the visitors of a day come with the archive.
const later = ({ by, now: list }) => filtered() && by === 'day' && list.some((p) => p.uv == null) && h('p', { class: 'note' }, t('detail.later'));

function drawn({ by, now, old }) {
  const of = (list, name) => list.map((p) => (p ? p[name] ?? null : null));
  const visitors = by !== 'hour' && now.some((p) => p.uv != null);
  return {
    title: t('series.title'), unit: t(`by.${by}`), labels: now.map((p) => p.label), names: now.map((p) => p.name),
    series: [
      { label: t('series.pvOld'), values: of(old, 'pv'), color: '--old', dash: true },
      visitors && { label: t('series.uvOld'), values: of(old, 'uv'), color: '--old2', dash: true, off: true },
      { label: t('figures.pv'), values: of(now, 'pv'), color: '--accent', fill: '--accent-soft' },
      now.some((p) => p.base) && { label: t('series.base'), values: of(now, 'base'), color: '--bot' },
      visitors ? { label: t('figures.uv'), values: of(now, 'uv'), color: '--second' } : by === 'hour' && { label: t('figures.bots'), values: of(now, 'bot'), color: '--bot' },
    ].filter(Boolean),
  };
}

function table({ by, now, old }) {
  const last = by === 'hour' ? 'bot' : 'uv';
  const base = now.some((p) => p.base);
  return {
    columns: [by, 'pv', last, 'previous_pv', `previous_${last}`, ...(base ? ['base_pv'] : [])],
    rows: now.map((p, i) => [p.name, p.pv, p[last], old[i]?.pv, old[i]?.[last], ...(base ? [p.base] : [])]),
  };
}

export const total = (history, name) => number(history.reduce((sum, p) => sum + (p[name] || 0), 0));
