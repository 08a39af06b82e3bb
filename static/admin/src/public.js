// The page of a public site: the numbers that its widget shows anyway.
import { h, fill } from './dom.js';
import { t, choose, number, setClock } from './i18n.js';
import { get, send } from './api.js';
import { startTheme } from './theme.js';
import { Keeper, makePanel, empty } from './panel.js';
import { preferences } from './header.js';
import { lineChart } from './chart.js';
import { nameList, pageAddress } from './names.js';
import { named } from './panels/series.js';

const site = decodeURIComponent(location.pathname.split('/').pop());
const fields = ['site_pv', 'site_uv', 'site_pv_today', 'site_uv_today', 'site_online'];

function figures() {
  return makePanel({
    name: 'figures', shape: 'tiles', title: t('figures.title'), every: 30,
    load: () => send('POST', '/api/stats', { site, fields }),
    show: (data) => h('dl', { class: 'tiles' }, fields.map((name) => h('div', { class: 'tile' }, h('dt', null, t(`public.${name}`)), h('dd', { class: 'value' }, number(data[name]))))),
  });
}

function series() {
  let chart = null;
  return makePanel({
    name: 'series', shape: 'chart', title: t('public.days'), every: 300,
    load: () => get('/api/history', { site }),
    show({ history }) {
      if (chart) chart.close();
      const points = named(history, 'day');
      chart = lineChart({
        title: t('public.days'), unit: t('by.day'), labels: points.map((p) => p.label), names: points.map((p) => p.name),
        series: [{ label: t('figures.pv'), values: history.map((p) => p.pv), color: '--accent', fill: '--accent-soft' }, { label: t('figures.uv'), values: history.map((p) => p.uv), color: '--second' }],
      });
      return chart.nodes;
    },
  });
}

function hot() {
  const list = nameList({ label: t('public.hot'), unit: t('unit.views') });
  return makePanel({
    name: 'pages', shape: 'rows', title: t('public.hot'), every: 60,
    load: () => get('/api/hot', { site, period: 'month', limit: 20 }),
    show: (data) => (data.hot_pages.length ? list(data.hot_pages.map((p) => ({ key: p.page, text: p.title || p.page, title: p.page, n: p.pv, open: pageAddress(site, p.page) }))) : empty(t('pages.none'))),
  });
}

let keeper = null;

function show(root) {
  if (keeper) keeper.stop();
  const panels = [figures(), series(), hot()];
  keeper = new Keeper(panels);
  document.title = `${site} · ddkk-stats`;
  fill(root, h('a', { class: 'skip', href: '#main' }, t('header.skip')),
    h('header', { class: 'top' }, h('div', { class: 'inner' }, h('span', { class: 'brand' }, h('img', { src: '/public/-/icon.svg', alt: '', width: '26', height: '26' }), h('span', null, 'ddkk-stats')),
      h('div', { class: 'end' }, preferences((language) => { choose(language); show(root); root.querySelector('[data-key="language"]').focus(); })))),
    h('main', { id: 'main', tabindex: '-1' }, h('div', { class: 'head' }, h('h1', null, site)), h('div', { class: 'panels view-public' }, panels.map((panel) => panel.node))));
  keeper.start();
}

startTheme();
setClock(0, Date.now());
choose(new URLSearchParams(location.search).get('lang'));
addEventListener('DOMContentLoaded', () => {
  const root = h('div', { id: 'app' });
  document.body.append(root);
  show(root);
});
