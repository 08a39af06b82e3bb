// What the site's own log tells beside calls of an API: requests by what they are,
// crawlers, broken links, feeds, downloads, and readers who block scripts.
import { h } from '../dom.js';
import { t, bytes, count, number, percent, dayShort, dayLong } from '../i18n.js';
import { get } from '../api.js';
import * as state from '../state.js';
import { makePanel, empty } from '../panel.js';
import { grid } from '../lists.js';
import { nameList, pageAddress } from '../names.js';
import { lineChart } from '../chart.js';

const kinds = ['page', 'asset', 'api', 'download', 'feed', 'redirect', 'notfound', 'failed'];
const uses = ['site', 'range', 'from', 'to'];
const limit = 100;
const ask = (what) => get(`/api/admin/${what}`, { site: state.get().site, ...state.here(), limit });

// absent stands for panels of a server without SITE_LOG; those beside it say nothing.
const absent = (error) => (error.status === 404 ? h('div', { class: 'absent' }, h('h3', null, t('calls.absent')), h('p', null, t('log.absentWhy')), h('pre', { tabindex: '0' }, h('code', null, 'SITE_LOG=/var/log/nginx/access.log'))) : null);
const silent = (error) => (error.status === 404 ? 'nothing' : null);

// charted makes a panel whose chart is closed before the next one.
function charted(options, draw) {
  let chart = null;
  const close = () => { if (chart) chart.close(); };
  return makePanel({ ...options, uses, close, show: (data) => { close(); chart = null; return draw(data, (made) => { chart = lineChart(made, 200); return chart.nodes; }); } });
}

export function requestsPanel() {
  const columns = () => [{ title: t('log.kind') }, { title: t('log.people'), n: true }, { title: t('log.crawlers'), n: true }, { title: t('log.bytes'), n: true }];
  return charted({
    name: 'requests', shape: 'table', title: t('log.requests'), every: 30, absent, load: () => ask('requests'),
    table: ({ days }) => ({ columns: ['date', 'kind', 'people', 'crawlers', 'bytes'], rows: days.flatMap((d) => kinds.map((k) => [d.date, k, d.kinds[k].people, d.kinds[k].crawlers, d.kinds[k].bytes])) }),
  }, ({ days }, chart) => {
    const sum = (kind, part) => days.reduce((n, d) => n + d.kinds[kind][part], 0);
    const of = (part) => days.map((d) => kinds.reduce((n, kind) => n + d.kinds[kind][part], 0));
    if (!kinds.some((kind) => sum(kind, 'people') + sum(kind, 'crawlers'))) return empty(t('log.none'));
    return [
      days.length > 1 && chart({
        title: t('log.requests'), unit: t('log.requests'), labels: days.map((d) => dayShort(d.date)), names: days.map((d) => dayLong(d.date)),
        series: [
          { label: t('log.people'), values: of('people'), color: '--accent', fill: '--accent-soft' },
          { label: t('log.crawlers'), values: of('crawlers'), color: '--bot' },
        ],
      }),
      grid(t('log.requests'), columns(), kinds.map((kind) => [t(`log.kind.${kind}`), number(sum(kind, 'people')), number(sum(kind, 'crawlers')), bytes(sum(kind, 'bytes'))])),
    ];
  });
}

export function blockedPanel() {
  return charted({
    name: 'blocked', shape: 'chart', title: t('log.blocked'), every: 60, absent: silent, load: () => ask('blocked'),
    table: ({ days }) => ({ columns: ['date', 'readers', 'blocked', 'share'], rows: days.map((d) => [d.date, d.readers, d.blocked, d.share]) }),
  }, ({ days }, chart) => {
    const note = h('p', { class: 'note' }, t('log.blockedLimits'));
    if (!days.length) return [empty(t('log.blockedNone')), note];
    const readers = days.reduce((n, d) => n + d.readers, 0);
    const blocked = days.reduce((n, d) => n + d.blocked, 0);
    return [
      h('p', null, h('b', { class: 'share' }, percent(readers ? blocked / readers : 0)), ' ', t('log.blockedOf', { blocked: number(blocked), readers: number(readers) })),
      days.length > 1 && chart({
        title: t('log.blocked'), unit: '%', labels: days.map((d) => dayShort(d.date)), names: days.map((d) => dayLong(d.date)),
        series: [{ label: t('log.blocked'), values: days.map((d) => Math.round(1000 * d.share) / 10), color: '--second' }],
      }),
      note,
    ];
  });
}

export function blockedPagesPanel() {
  const list = nameList({ label: t('log.blockedPages'), unit: t('log.readers') });
  return makePanel({
    name: 'blockedpages', shape: 'rows', title: t('log.blockedPages'), uses, every: 60, absent: silent, load: () => ask('blockedpages'),
    show: ({ rows }) => (rows.length
      ? [list(rows.map((row) => ({ key: row.path, text: row.path, n: row.readers, note: percent(row.share), open: address(row.path), color: '--second' }))), h('p', { class: 'note' }, t('log.blockedPagesLimits'))]
      : empty(t('log.blockedNone'))),
    table: ({ rows }) => ({ columns: ['path', 'readers', 'blocked', 'share'], rows: rows.map((row) => [row.path, row.readers, row.blocked, row.share]) }),
  });
}

export function crawlersPanel() {
  const statuses = ['2xx', '3xx', '4xx', '5xx'];
  const columns = () => [{ title: t('log.crawler'), wrap: true }, { title: t('log.purpose') }, { title: t('log.requests'), n: true }, { title: t('log.pages'), n: true }, { title: t('log.bytes'), n: true }, ...statuses.map((title) => ({ title, n: true })), { title: 'robots.txt' }];
  return makePanel({
    name: 'crawlers', shape: 'table', title: t('log.crawlersTitle'), uses, every: 60, absent: silent, load: () => ask('crawlers'),
    show: ({ rows }) => (rows.length ? [
      grid(t('log.crawlersTitle'), columns(), rows.map((c) => [
        h('span', { title: c.operator || null }, c.name, c.operator && h('small', { class: 'soft' }, ` ${c.operator}`)), t(`log.purpose.${c.purpose.replace(' ', '')}`), number(c.requests), number(c.pages), bytes(c.bytes),
        ...statuses.map((s) => number(c.status[s])), t(c.robots ? 'log.robots.yes' : 'log.robots.no'),
      ])),
      h('p', { class: 'note' }, t('log.robotsNote')),
    ] : empty(t('log.none'))),
    table: ({ rows }) => ({ columns: ['name', 'operator', 'purpose', 'requests', 'pages', 'bytes', 'robots', ...statuses], rows: rows.map((c) => [c.name, c.operator, c.purpose, c.requests, c.pages, c.bytes, c.robots, ...statuses.map((s) => c.status[s])]) }),
  });
}

// listPanel is one of the lists of paths.
function listPanel(name, title, columns, item) {
  const list = nameList({ label: title, unit: t('log.requests') });
  return makePanel({
    name, shape: 'rows', title, uses, every: 60, absent: silent, load: () => ask(name),
    show: ({ rows }) => (rows.length ? list(rows.map((row) => ({ color: '--second', ...item(row) }))) : empty(t('log.nothing'))),
    table: ({ rows }) => ({ columns, rows: rows.map((row) => columns.map((column) => row[column])) }),
  });
}

const other = '__other__';
const written = (path) => (path === other ? t('log.others') : path);
const address = (path) => pageAddress(state.get().site, path);
// A referrer that is a path is a page of the site itself: its own link is broken.
const own = (referrer) => referrer.startsWith('/');

export const notFoundPanel = () => listPanel('notfound', t('log.notfound'), ['path', 'referrer', 'count'], (row) => ({
  key: `${row.path} ${row.referrer}`, text: written(row.path), n: row.count, open: address(row.path), color: own(row.referrer) ? '--bad' : '--second',
  soft: row.referrer && t(own(row.referrer) ? 'log.ownLink' : 'log.linkOf', { referrer: row.referrer }),
}));

export const downloadsPanel = () => listPanel('downloads', t('log.downloads'), ['path', 'count', 'bytes'], (row) => ({ key: row.path, text: written(row.path), n: row.count, note: bytes(row.bytes), open: address(row.path) }));

export const feedsPanel = () => listPanel('feeds', t('log.feeds'), ['path', 'readers', 'subscribers'], (row) => ({
  key: row.path, text: written(row.path), n: row.readers + row.subscribers, note: count('log.subscribers', row.subscribers), open: address(row.path),
}));
