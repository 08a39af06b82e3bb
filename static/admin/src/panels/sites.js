// All sites, for whoever has more than one: figures, a search, and groups of those that
// end alike.
import { h, fill, hidden, line } from '../dom.js';
import { t, number, percent } from '../i18n.js';
import { get } from '../api.js';
import * as state from '../state.js';
import { makePanel, choice, empty } from '../panel.js';
import { grid } from '../lists.js';
import { recall, remember } from '../memory.js';

const days = 30;
const first = 100;

// groupOf is what a name ends with: the part that is registered, mostly.
export const groupOf = (site) => (/^[\d.:[\]]+$/.test(site) ? site : site.split('.').slice(-2).join('.'));

// together adds up the rows of one group.
function together(name, rows) {
  const sum = (field) => rows.reduce((n, row) => n + (row[field] || 0), 0);
  const before = rows.reduce((n, row) => row.days.slice(-14, -7).reduce((m, views) => m + views, n), 0);
  const length = Math.max(...rows.map((row) => row.days.length));
  return {
    name, rows, today: sum('today'), week: sum('week'), month: sum('month'), online: sum('online'),
    change: rows.length === 1 ? rows[0].change : before > 0 ? (sum('week') - before) / before : null,
    days: Array.from({ length }, (_, i) => rows.reduce((n, row) => n + (row.days[row.days.length - length + i] || 0), 0)),
  };
}

function grouped(sites) {
  const groups = new Map();
  for (const site of sites) groups.set(groupOf(site.site), [...(groups.get(groupOf(site.site)) || []), site]);
  return [...groups].map(([name, rows]) => together(name, rows)).sort((a, b) => b.today - a.today || (a.name < b.name ? -1 : 1));
}

const change = (c) => (c == null ? '–' : h('span', { class: c < 0 ? 'bad' : 'good' }, `${c > 0 ? '+' : ''}${percent(c)}`));
const open = (site) => state.set({ view: 'overview', site, where: '', event: '' });
const link = (site) => h('button', { type: 'button', class: 'link', 'data-key': `site ${site}`, onclick: () => open(site) }, site);
const cells = (name, s) => [name, number(s.today), number(s.week), change(s.change), number(s.month), number(s.online), line(s.days, t('sites.days', { n: s.days.length }))];

export function sitesPanel() {
  let data = null;
  let all = false;
  const search = h('input', { type: 'search', class: 'filter', placeholder: t('sites.search'), 'aria-label': t('sites.search'), oninput: () => { all = false; draw(); } });
  const ways = choice(t('sites.ways'), ['each', 'group'].map((value) => ({ value, text: t(`sites.${value}`) })), recall('sites') === 'group' ? 'group' : 'each', (way) => {
    remember('sites', way);
    ways.press(way);
    draw();
  });
  const list = h('div');
  const more = h('button', { type: 'button', class: 'link more', onclick: () => { all = true; draw(); } });
  const columns = () => [{ title: t('header.site'), wrap: true }, { title: t('range.today'), n: true }, { title: t('range.7d'), n: true }, { title: t('sites.change'), n: true }, { title: t('range.30d'), n: true }, { title: t('figures.online'), n: true }, { hidden: t('sites.days', { n: days }) }];

  function draw() {
    const text = search.value.trim().toLowerCase();
    const found = data.sites.filter((site) => site.site.includes(text));
    const rows = recall('sites') === 'group'
      ? grouped(found).map((group) => cells(group.rows.length === 1 ? link(group.rows[0].site) : h('details', null, h('summary', null, `${group.name} `, h('small', { class: 'soft' }, t('sites.n', { n: number(group.rows.length) }))), h('ul', { class: 'plain' }, group.rows.map((row) => h('li', null, link(row.site), ` ${number(row.today)}`)))), group))
      : found.map((site) => cells(link(site.site), site));
    const shown = all ? rows : rows.slice(0, first);
    const sum = text || !data.sum ? [] : [cells(h('b', null, t('sites.sum')), data.sum)];
    fill(list, found.length ? grid(t('sites.title'), columns(), [...sum, ...shown]) : empty(t('sites.none')));
    more.hidden = shown.length === rows.length;
    fill(more, t('list.more', { n: number(rows.length - shown.length) }), hidden(` ${t('sites.title')}`));
  }

  return makePanel({
    name: 'sites', shape: 'table', title: t('sites.title'), tools: [ways, search], uses: [], every: 10,
    load: () => get('/api/admin/sites', { sparkline: days }),
    show(next) {
      data = next;
      draw();
      return [list, more];
    },
    table: ({ sites }) => ({ columns: ['site', 'today', 'week', 'change', 'month', 'online'], rows: sites.map((s) => [s.site, s.today, s.week, s.change, s.month, s.online]) }),
  });
}
