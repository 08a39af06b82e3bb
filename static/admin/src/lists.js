// Lists and tables that several panels have.
import { h, hidden } from './dom.js';
import { number, percent } from './i18n.js';

// bars is a list of {key, text, n, more, title, click}: each a text, its number
// and a bar of its share in the largest.
export function bars(items, label, unit) {
  const most = Math.max(1, ...items.map((item) => item.n || 0));
  return h('ol', { class: 'bars', 'aria-label': label }, items.map((item) => {
    const text = item.click
      ? h('button', { type: 'button', class: 'link', 'data-key': item.key, title: item.title || item.text, onclick: item.click }, item.text)
      : h('span', { title: item.title || item.text }, item.text);
    return h('li', { vars: { '--share': `${(100 * (item.n || 0)) / most}%`, '--color': item.color ? `var(${item.color})` : null } }, text,
      h('span', { class: 'n' }, number(item.n), hidden(` ${unit}`), item.more != null && h('small', null, item.more)));
  }));
}

export const share = (n, of) => (of > 0 ? percent(n / of) : '–');

// grid is a table of {title, n} columns and rows of texts or nodes.
export function grid(caption, columns, rows) {
  return h('div', { class: 'scroll', tabindex: '0', role: 'region', 'aria-label': caption },
    h('table', null, h('caption', { class: 'visually-hidden' }, caption),
      h('thead', null, h('tr', null, columns.map((column) => h('th', { scope: 'col', class: column.n ? 'n' : null }, column.title || hidden(column.hidden))))),
      h('tbody', null, rows.map((row) => h('tr', null, row.map((cell, i) => h(i ? 'td' : 'th', { scope: i ? null : 'row', class: columns[i].n ? 'n' : columns[i].wrap ? 'wrap' : null }, cell)))))));
}

// facts is a list of names and what they are.
export const facts = (pairs) => h('dl', { class: 'facts' }, pairs.filter(Boolean).map(([name, value]) => h('div', null, h('dt', null, name), h('dd', null, value))));
