// The bar at the top: site, language, theme; the views; the range.
import { h, fill } from './dom.js';
import { t, number, other, day } from './i18n.js';
import * as state from './state.js';
import { ranges } from './dates.js';
import { choice } from './panel.js';
import { rangeKeys } from './keys.js';
import { theme, themes, setTheme } from './theme.js';

// preferences are the buttons of language and theme. speak switches to another
// language.
export function preferences(speak) {
  const paint = h('button', {
    type: 'button', class: 'quiet', 'data-key': 'theme',
    onclick: () => { setTheme(themes[(themes.indexOf(theme()) + 1) % themes.length]); name(); },
  });
  const name = () => {
    paint.textContent = t('theme.label', { theme: t(`theme.${theme()}`) });
  };
  name();
  return [
    h('button', { type: 'button', class: 'quiet', 'data-key': 'language', lang: other(), onclick: () => speak(other()) }, t('language.other')),
    paint,
  ];
}

export function topBar({ session, speak, logout, help }) {
  const sites = h('select', { 'aria-label': t('header.site'), onchange: () => state.set({ site: sites.value, where: '', event: '' }) });
  const node = h('header', { class: 'top' }, h('div', { class: 'inner' },
    h('a', { class: 'brand', href: '/admin/' }, h('img', { src: '/admin/icon.svg', alt: '', width: '26', height: '26' }), h('span', null, 'ddkk-stats')),
    sites, h('div', { class: 'end' }, h('button', { type: 'button', class: 'quiet help', title: t('keys.title'), 'aria-label': t('keys.title'), 'aria-keyshortcuts': '?', onclick: help }, '?'), preferences(speak), session.login && h('button', { type: 'button', class: 'quiet', onclick: logout }, t('header.logout')))));
  node.setSites = (list) => {
    const now = state.get().site;
    const options = list.some((s) => s.site === now) || !now ? list : [...list, { site: now }];
    const text = JSON.stringify(options.map((s) => [s.site, s.pv_today]));
    if (text !== node.shown) {
      node.shown = text;
      fill(sites, options.map((s) => h('option', { value: s.site }, s.pv_today == null ? s.site : t('header.option', { site: s.site, n: number(s.pv_today) }))));
    }
    sites.value = now;
    sites.hidden = !options.length;
  };
  return node;
}

export function viewTabs() {
  const links = ['sites', ...state.views].map((view) => h('a', {
    href: `?view=${view}`, 'data-view': view,
    onclick: (event) => {
      if (event.ctrlKey || event.metaKey || event.shiftKey) return;
      event.preventDefault();
      state.set({ view });
    },
  }, t(`view.${view}`)));
  const node = h('nav', { class: 'views', 'aria-label': t('view.label') }, h('div', { class: 'inner' }, links));
  node.update = () => links.forEach((link) => {
    const params = new URLSearchParams(location.search);
    params.set('view', link.getAttribute('data-view'));
    link.href = `?${params}`;
    if (link.getAttribute('data-view') === state.get().view) link.setAttribute('aria-current', 'page');
    else link.removeAttribute('aria-current');
  });
  return node;
}

const keys = Object.fromEntries(Object.entries(rangeKeys).map(([key, range]) => [range, key]));

// rangeBar chooses the range: by its buttons, by dates, by keys.
export function rangeBar() {
  const pick = (range) => {
    const { from, to } = state.here();
    state.set(range === 'custom' ? { range, from, to } : { range, from: '', to: '' });
  };
  const buttons = choice(t('range.label'), ranges.map((range) => ({ value: range, text: t(`range.${range}`), keys: keys[range], title: keys[range] && t('range.key', { key: keys[range] }) })), state.get().range, pick);
  const date = (label) => h('input', { type: 'date', 'aria-label': t(label), onchange: apply });
  const from = date('range.from');
  const to = date('range.to');
  const dates = h('span', { class: 'dates' }, from, h('span', { 'aria-hidden': 'true' }, '–'), to);
  const shown = h('p', { class: 'note span', 'aria-live': 'polite' });
  function apply() {
    if (from.value && to.value && from.value <= to.value) state.set({ from: from.value, to: to.value });
  }
  const node = h('div', { class: 'ranges' }, buttons, dates, shown);
  node.update = () => {
    const { range } = state.get();
    const now = state.here();
    buttons.press(range);
    dates.hidden = range !== 'custom';
    from.value = now.from;
    to.value = now.to;
    from.max = to.max = state.now();
    fill(shown, now.from === now.to ? day(now.from) : t('range.span', { from: day(now.from), to: day(now.to) }));
  };
  node.pick = pick;
  return node;
}
