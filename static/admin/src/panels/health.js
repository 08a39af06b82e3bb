// How the daemon is: what it read and what became of it, its log, Redis and
// the archive.
import { h } from '../dom.js';
import { t, number, bytes, seconds, millis, moment, learn } from '../i18n.js';
import en from '../lang/system.en.json';
import zh from '../lang/system.zh-CN.json';
import { get } from '../api.js';
import { makePanel } from '../panel.js';
import { grid, facts } from '../lists.js';

learn({ en, 'zh-CN': zh });

const sum = (reasons) => Object.values(reasons || {}).reduce((a, b) => a + b, 0);
const right = (books) => books.human + books.bot + (books.calls || 0) + books.dedup + books.before + sum(books.skipped) + sum(books.malformed) + books.torn;

// Calls are there only where the site's own access log is counted.
const counted = (books) => ['human', 'bot', ...(books.calls ? ['calls'] : []), 'dedup', 'before'];

export function healthPanel() {
  return makePanel({
    name: 'health', shape: 'table', title: t('health.title'), every: 5, load: () => get('/api/admin/health'),
    show: (data) => [
      alerts(data.alerts || []),
      h('div', { class: 'cards' }, redis(data.redis), sql(data.sql), archive(data.archive), service(data.service), card(t('health.daemon'), [[t('health.version'), data.version], [t('health.started'), moment(data.started)]])),
      equation(data.books),
      h('h3', null, t('health.inputs')),
      grid(t('health.inputs'), [{ title: t('health.path'), wrap: true }, { title: t('health.lagBytes'), n: true }, { title: t('health.lagSeconds'), n: true }],
        (data.inputs || []).map((input) => [h('code', null, input.path), bytes(input.lag_bytes), seconds(input.lag_seconds)])),
    ],
    table: (data) => ({
      columns: ['what', 'reason', 'lines'],
      rows: [...['read', ...counted(data.books)].map((name) => [name, '', data.books[name]]),
        ...['skipped', 'malformed'].flatMap((name) => Object.entries(data.books[name] || {}).map(([reason, n]) => [name, reason, n])), ['torn', '', data.books.torn]],
    }),
  });
}

// A state tells what is wrong, what that does to the numbers, what to do, and since when.
const state = (a) => h('li', null, h('b', null, a.message),
  h('p', null, t(`health.effect.${a.effect}`), ' · ', t('health.since', { at: moment(a.since) }), ' · ', h('code', null, a.name), a.alert && [' · ', t('health.raised', { name: a.alert })]),
  a.do && h('p', { class: 'do' }, t('health.do'), ': ', a.do));

const alerts = (list) => (list.length
  ? h('ul', { class: 'alerts', role: 'alert' }, list.map(state))
  : h('p', { class: 'fine' }, h('span', { class: 'dot good', 'aria-hidden': 'true' }), t('health.fine')));

const card = (title, pairs) => h('div', { class: 'card' }, h('h3', null, title), facts(pairs));
const up = (on) => [t('health.state'), lamp(on, t(on ? 'health.up' : 'health.down'))];
const failing = (n, failed) => (failed ? t('health.failed', { n: number(n), failed: number(failed) }) : number(n));

function redis(state) {
  const used = state.max_memory_bytes ? t('health.of', { n: bytes(state.memory_bytes), max: bytes(state.max_memory_bytes) }) : bytes(state.memory_bytes);
  return card('Redis', state.embedded ? [up(state.up), [t('health.kind'), t('health.embedded')]] : [
    up(state.up), [t('health.memory'), state.memory_bytes ? used : '–'], [t('health.clients'), number(state.clients)], [t('health.replicas'), number(state.replicas)],
    [t('health.evicted'), number(state.evicted)], [t('health.saved'), state.saved ? moment(state.saved) : '–'], [t('health.saving'), lamp(state.saving, t(state.saving ? 'health.works' : 'health.fails'))],
  ]);
}

const sql = (state) => card(t('health.sql'), [
  up(state.up), [t('health.connections'), t('health.idle', { n: number(state.open), idle: number(state.idle) })], [t('health.waited'), number(state.waits)],
  [t('health.statements'), state.statements ? t('health.mean', { n: number(state.statements), ms: millis(state.statement_ms) }) : '–'],
  [t('health.slow'), number(state.slow)], [t('health.writeLag'), seconds(state.write_lag_seconds)],
]);

const service = (state) => card(t('health.service'), [
  [t('health.requests'), number(state.requests)], [t('health.errors'), number(state.errors)],
  [t('health.cycles'), failing(state.archive_cycles, state.archive_cycles_failed)], [t('health.sent'), failing(state.alerts_sent, state.alerts_failed)],
]);

const never = (time) => !time || time.startsWith('0001-');

function archive(state) {
  return card(t('health.archive'), [
    [t('health.lastSuccess'), never(state.last_success) ? t('health.never') : moment(state.last_success)],
    [t('health.dirty'), number(state.dirty_days)],
    state.last_error && [t('health.lastError'), h('span', { class: 'bad' }, state.last_error)],
  ]);
}

const lamp = (good, text) => h('span', null, h('span', { class: good ? 'dot good' : 'dot bad', 'aria-hidden': 'true' }), text);

// equation writes out that nothing got lost:
// read = human + bot + calls + deduplicated + before + skipped + malformed + torn.
function equation(books) {
  const term = (name, n, reasons) => h('div', { class: 'term', title: reasonsOf(reasons) }, h('b', null, number(n)), h('span', null, t(`books.${name}`)),
    reasons && Object.keys(reasons).length > 0 && h('small', null, reasonsOf(reasons)));
  const op = (text) => h('span', { class: 'op' }, text);
  const terms = counted(books).map((name) => term(name, books[name]));
  terms.push(term('skipped', sum(books.skipped), books.skipped), term('malformed', sum(books.malformed), books.malformed), term('torn', books.torn));
  const off = books.read - right(books);
  return [
    h('h3', null, t('books.title')),
    h('div', { class: 'equation' }, term('read', books.read), op('='), terms.map((node, i) => [i > 0 && op('+'), node])),
    h('p', { class: 'fine' }, lamp(books.closes, books.closes ? t('books.closes') : t('books.open', { n: number(off) }))),
  ];
}

const reasonsOf = (reasons) => Object.entries(reasons || {}).filter(([, n]) => n).map(([name, n]) => `${name} ${number(n)}`).join(', ') || null;
