// Line charts by uPlot on a canvas, which a screen reader cannot read: the same
// numbers are always there as a table, too, and the arrow keys tell them one by one.
import uPlot from '../vendor/uplot/uPlot.esm.js';
import { h, fill } from './dom.js';
import { t, number, short } from './i18n.js';
import { color, onTheme } from './theme.js';

// lineChart draws {title, unit, labels, names, series}. labels are of the
// axis, names of the tooltip and the table; a series is {label, values, color,
// fill, dash, off}. The result is {nodes, close}.
export function lineChart(data, height = 260) {
  const box = h('div', { class: 'chart', role: 'img', tabindex: '0', 'aria-label': summary(data), vars: { '--height': `${height}px` }, onkeydown: step, onblur: () => move(-1) });
  const tip = h('div', { class: 'tip', 'aria-hidden': 'true' });
  const voice = h('p', { class: 'visually-hidden', role: 'status' });
  const table = h('div', { class: 'chart-table visually-hidden', tabindex: '-1' }, seriesTable(data));
  const on = data.series.map((series) => !series.off);
  let plot = null;
  let width = 0;

  const legend = h('div', { class: 'legend' }, data.series.map((series, i) => h('button', {
    type: 'button', class: 'legend-item', 'aria-pressed': String(on[i]), vars: { '--color': `var(${series.color})` },
    'data-dash': Boolean(series.dash),
    onclick: (event) => {
      on[i] = !on[i];
      event.currentTarget.setAttribute('aria-pressed', String(on[i]));
      if (plot) plot.setSeries(i + 1, { show: on[i] });
    },
  }, h('i', { 'aria-hidden': 'true' }), series.label)));
  const toggle = h('button', {
    type: 'button', class: 'quiet table-toggle', 'aria-expanded': 'false',
    onclick: () => {
      const open = toggle.getAttribute('aria-expanded') !== 'true';
      toggle.setAttribute('aria-expanded', String(open));
      toggle.textContent = t(open ? 'chart.hideTable' : 'chart.showTable');
      table.classList.toggle('visually-hidden', !open);
      table.tabIndex = open ? 0 : -1;
    },
  }, t('chart.showTable'));

  // step moves the pointer by a key, and says what is there.
  let at = -1;
  function step(event) {
    const last = data.names.length - 1;
    const to = { ArrowLeft: at < 0 ? last : Math.max(0, at - 1), ArrowRight: Math.min(last, at + 1), Home: 0, End: last, Escape: -1 }[event.key];
    if (to === undefined || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    move(to);
  }
  function move(to) {
    at = to;
    fill(voice, to < 0 ? null : `${data.names[to]}: ${data.series.filter((series, i) => on[i]).map((series) => `${series.label} ${number(series.values[to])}`).join(', ')}`);
    if (plot) plot.setCursor(to < 0 ? { left: -10, top: -10 } : { left: plot.valToPos(to, 'x'), top: 10 });
  }

  function build() {
    if (plot) plot.destroy();
    plot = null;
    if (!width) return;
    plot = new uPlot(settings(data, width, height, on, (i, left) => point(tip, data, on, i, left, width)), columns(data), box);
    box.append(tip);
  }

  const watcher = new ResizeObserver(([entry]) => {
    const now = Math.floor(entry.contentRect.width);
    if (!now || now === width) return;
    width = now;
    if (plot) plot.setSize({ width, height });
    else build();
  });
  watcher.observe(box);
  const off = onTheme(build);
  return {
    nodes: [h('div', { class: 'chart-head' }, legend, toggle), box, voice, table],
    close() {
      watcher.disconnect();
      off();
      if (plot) plot.destroy();
      plot = null;
    },
  };
}

const columns = (data) => [data.labels.map((label, i) => i), ...data.series.map((series) => series.values)];

// half is half the width of the last label, which stands below the last point.
function half(label, font) {
  const pen = document.createElement('canvas').getContext('2d');
  pen.font = font;
  return Math.ceil(pen.measureText(label || '').width / 2) + 2;
}

function settings(data, width, height, on, hover) {
  const grid = { stroke: color('--line'), width: 1 };
  const font = `12px ${getComputedStyle(document.body).fontFamily}`;
  const axis = { stroke: color('--soft'), font, ticks: { show: false } };
  return {
    width, height, legend: { show: false }, padding: [12, Math.max(12, half(data.labels.at(-1), font)), 0, 4],
    cursor: { y: false, drag: { x: false, y: false }, points: { size: 7 } },
    scales: { x: { time: false, range: (plot, min, max) => (min === max ? [min - 0.5, max + 0.5] : [min, max]) }, y: { range: (plot, min, max) => [0, Math.max(4, max * 1.08)] } },
    axes: [
      { ...axis, grid: { show: false }, space: 72, size: 28, incrs: [1, 2, 3, 4, 5, 6, 7, 8, 12, 14, 24, 28, 48, 72, 168, 336], values: (plot, splits) => splits.map((i) => data.labels[i] ?? '') },
      { ...axis, grid, space: 40, size: 52, incrs: [1, 2, 5].flatMap((n) => [0, 1, 2, 3, 4, 5, 6, 7, 8].map((e) => n * 10 ** e)).sort((a, b) => a - b), values: (plot, splits) => splits.map(short) },
    ],
    series: [{}, ...data.series.map((series, i) => ({
      label: series.label, show: on[i], stroke: color(series.color), width: series.dash ? 1.5 : 2,
      dash: series.dash ? [5, 5] : undefined, fill: series.fill ? color(series.fill) : undefined,
      points: { show: data.labels.length < 2 },
    }))],
    hooks: { setCursor: [(plot) => hover(plot.cursor.idx, plot.cursor.left)] },
  };
}

function point(tip, data, on, i, left, width) {
  const seen = i != null && left >= 0;
  tip.classList.toggle('seen', seen);
  if (!seen) return;
  fill(tip, h('b', null, data.names[i]), data.series.map((series, n) => on[n] && h('span', { vars: { '--color': `var(${series.color})` } },
    h('i'), series.label, h('em', null, number(series.values[i])))));
  const room = tip.offsetWidth;
  const x = left + 68;
  tip.style.transform = `translate(${Math.max(4, x + room + 8 > width ? x - room - 24 : x)}px, 8px)`;
}

// summary is what the picture says, in a sentence.
function summary(data) {
  const parts = data.series.map((series) => {
    const known = series.values.filter((n) => n != null);
    return t('chart.sum', { label: series.label, sum: number(known.reduce((a, b) => a + b, 0)), max: number(Math.max(0, ...known)) });
  });
  return `${data.title}. ${parts.join('; ')}`;
}

export function seriesTable(data) {
  return h('table', null, h('caption', { class: 'visually-hidden' }, data.title),
    h('thead', null, h('tr', null, h('th', { scope: 'col' }, data.unit), data.series.map((series) => h('th', { scope: 'col', class: 'n' }, series.label)))),
    h('tbody', null, data.names.map((name, i) => h('tr', null, h('th', { scope: 'row' }, name),
      data.series.map((series) => h('td', { class: 'n' }, number(series.values[i])))))));
}
