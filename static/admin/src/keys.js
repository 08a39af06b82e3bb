// Keys, and the dialog that tells them. A key without a modifier must be possible to
// switch off: who dictates to the browser types them all.
import { h, unique } from './dom.js';
import { t } from './i18n.js';
import { recall, remember } from './memory.js';
import * as state from './state.js';

export const rangeKeys = { d: 'today', w: '7d', m: 'month', y: 'year' };

const on = () => recall('keys') !== 'off';

// rows are the keys with what they do.
const rows = () => [
  ...Object.entries(rangeKeys).map(([key, range]) => [key, t('keys.range', { range: t(`range.${range}`) })]),
  ...state.views.map((view, i) => [String(i + 1), t(`view.${view}`)]), ['0', t('view.sites')],
  ['/', t('pages.filter')], ['x', t('filters.clear')], ['?', t('keys.help')], ['Esc', t('action.close')],
];

// keyHelp is the dialog; node.key does what a key stands for, and says whether it
// stands for anything. doing has a function for each thing to do.
export function keyHelp(doing) {
  const id = unique('keys');
  const box = h('input', { type: 'checkbox', checked: on(), onchange: () => { remember('keys', box.checked ? 'on' : 'off'); } });
  const node = h('dialog', { class: 'ask keys', 'aria-labelledby': id, onclick: (event) => { if (event.target === node) node.close(); } },
    h('h2', { id }, t('keys.title')),
    h('dl', { class: 'facts' }, rows().map(([key, text]) => h('div', null, h('dt', null, h('kbd', null, key)), h('dd', null, text)))),
    h('label', null, box, t('keys.on')), h('p', { class: 'note' }, t('keys.charts')),
    h('div', { class: 'buttons' }, h('button', { type: 'button', class: 'quiet', autofocus: true, onclick: () => node.close() }, t('action.close'))));
  node.ask = () => { if (!node.open) node.showModal(); };
  node.key = (key) => {
    if (!on()) return false;
    const view = key === '0' ? 'sites' : state.views[Number(key) - 1];
    if (key === '?') node.ask();
    else if (view) doing.view(view);
    else if (key === '/') return doing.search();
    else if (key === 'x') doing.clear();
    else if (rangeKeys[key]) return doing.range(rangeKeys[key]);
    else return false;
    return true;
  };
  return node;
}
