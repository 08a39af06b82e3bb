// Tables that several panels have; the list of names is in names.js.
import { h, hidden } from './dom.js';

// grid is a table of {title, n} columns and rows of texts or nodes.
export function grid(caption, columns, rows) {
  return h('div', { class: 'scroll', tabindex: '0', role: 'region', 'aria-label': caption },
    h('table', null, h('caption', { class: 'visually-hidden' }, caption),
      h('thead', null, h('tr', null, columns.map((column) => h('th', { scope: 'col', class: column.n ? 'n' : null }, column.title || hidden(column.hidden))))),
      h('tbody', null, rows.map((row) => h('tr', null, row.map((cell, i) => h(i ? 'td' : 'th', { scope: i ? null : 'row', class: columns[i].n ? 'n' : columns[i].wrap ? 'wrap' : null }, cell)))))));
}

// facts is a list of names and what they are.
export const facts = (pairs) => h('dl', { class: 'facts' }, pairs.filter(Boolean).map(([name, value]) => h('div', null, h('dt', null, name), h('dd', null, value))));
