// The one list of names and their numbers: pages, referrers, devices, events,
// facets. A click on a name filters; the arrow beside it opens what it names.
import { h, fill, hidden } from './dom.js';
import { t, number, percent } from './i18n.js';

// nameList makes a list that shows the first names and has a button for the others.
// It returns a function that takes items and gives the nodes:
//   key, text, title   the name, as it is and as a tooltip
//   soft               a second name, such as the path below a title
//   n, note            its number, and what stands beside that
//   color              custom property of its bar
//   click, pressed     what a click on the name does, and whether it is on
//   open               address of what it names
export function nameList({ label, unit, first = 10 }) {
  let items = [];
  let all = false;
  const list = h('ol', { class: 'bars', 'aria-label': label });
  const more = h('button', { type: 'button', class: 'link more', onclick: () => { all = !all; draw(); } });
  function draw() {
    const most = Math.max(1, ...items.map((item) => item.n || 0));
    fill(list, items.slice(0, all ? items.length : first).map((item) => row(item, most, unit)));
    more.hidden = items.length <= first;
    more.setAttribute('aria-expanded', String(all));
    fill(more, all ? t('list.less') : t('list.more', { n: number(items.length - first) }));
  }
  return (next) => {
    items = next;
    draw();
    return [list, more];
  };
}

function row(item, most, unit) {
  const title = item.title || item.text;
  const words = [item.text, item.soft && h('span', { class: 'soft' }, ` ${item.soft}`)];
  return h('li', { vars: { '--share': `${(100 * (item.n || 0)) / most}%`, '--color': item.color ? `var(${item.color})` : null } },
    item.click
      ? h('button', { type: 'button', class: 'link', 'data-key': item.key, title, 'aria-pressed': item.pressed == null ? null : String(item.pressed), onclick: item.click }, words)
      : h('span', { title }, words),
    item.open && h('a', { class: 'open', href: item.open, target: '_blank', rel: 'noopener noreferrer', title: t('list.open'), 'aria-label': t('list.openOf', { name: item.text }) }, '↗'),
    h('span', { class: 'n' }, number(item.n), hidden(` ${unit}`), item.note != null && h('small', null, item.note)));
}

export const share = (n, of) => (of > 0 ? percent(n / of) : '–');

// A name of DNS; a port, an address of version 6 or a stranger's text is none.
const host = /^(?=.{4,253}$)([a-z0-9]([a-z0-9-]*[a-z0-9])?\.)+[a-z][a-z0-9-]*[a-z0-9]$/i;

// hostAddress is the front page of a host, if it is one.
export const hostAddress = (name) => (host.test(name || '') ? `${location.protocol}//${name}/` : null);

// pageAddress is where a page of a site is, if its name is a path: "//x" and
// "/\x" are other hosts. A page's name was decoded once, so that a "?" in it is a
// part of the path.
export function pageAddress(site, page) {
  const front = hostAddress(site);
  if (!front || !/^\/([^/\\\s]|$)/.test(page || '')) return null;
  try {
    return front + encodeURI(page.slice(1)).replace(/%25(?=[89A-F][\dA-F])/g, '%').replace(/[?#]/g, encodeURIComponent);
  } catch {
    return null; // half a pair of surrogates
  }
}
