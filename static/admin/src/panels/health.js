// How the daemon is: what it read and what became of it, its log, Redis and
// the archive.
import { h } from '../dom.js';
import { t, number, bytes, seconds, moment } from '../i18n.js';
import { get } from '../api.js';
import { makePanel } from '../panel.js';
import { grid, facts } from '../lists.js';

const sum = (reasons) => Object.values(reasons || {}).reduce((a, b) => a + b, 0);
const right = (books) => books.human + books.bot + (books.calls || 0) + books.dedup + books.before + sum(books.skipped) + sum(books.malformed) + books.torn;

// Calls are there only where the site's own access log is counted.
const counted = (books) => ['human', 'bot', ...(books.calls ? ['calls'] : []), 'dedup', 'before'];

export function healthPanel() {
  return makePanel({
    name: 'health', shape: 'table', title: t('health.title'), every: 5, load: () => get('/api/admin/health'),
    show: (data) => [
      alerts(data.alerts || []),
      h('div', { class: 'cards' }, redis(data.redis), archive(data.archive), h('div', { class: 'card' }, h('h3', null, t('health.daemon')),
        facts([[t('health.version'), data.version], [t('health.started'), moment(data.started)]]))),
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

// An alert is a text, or an object that has one.
const words = (alert) => (typeof alert === 'string' ? alert : alert.message || alert.name || JSON.stringify(alert));

const alerts = (list) => (list.length
  ? h('ul', { class: 'alerts', role: 'alert' }, list.map((alert) => h('li', null, words(alert))))
  : h('p', { class: 'fine' }, h('span', { class: 'dot good', 'aria-hidden': 'true' }), t('health.fine')));

function redis(state) {
  const used = state.max_memory_bytes ? t('health.of', { n: bytes(state.memory_bytes), max: bytes(state.max_memory_bytes) }) : bytes(state.memory_bytes);
  return h('div', { class: 'card' }, h('h3', null, 'Redis'), facts([[t('health.state'), lamp(state.up, t(state.up ? 'health.up' : 'health.down'))], state.embedded ? [t('health.kind'), t('health.embedded')] : [t('health.memory'), state.memory_bytes ? used : '–']]));
}

const never = (time) => !time || time.startsWith('0001-');

function archive(state) {
  return h('div', { class: 'card' }, h('h3', null, t('health.archive')), facts([
    [t('health.lastSuccess'), never(state.last_success) ? t('health.never') : moment(state.last_success)],
    [t('health.dirty'), number(state.dirty_days)],
    state.last_error && [t('health.lastError'), h('span', { class: 'bad' }, state.last_error)],
  ]));
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
