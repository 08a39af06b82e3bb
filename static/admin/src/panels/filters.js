// What the overview is filtered by, each with a way out.
import { h, fill } from '../dom.js';
import { t } from '../i18n.js';
import * as state from '../state.js';
import { facetOf, written } from '../facets.js';
import { clear, terms, without } from '../where.js';
import { voidButton } from './void.js';
import { hostAddress, pageAddress } from '../names.js';

// Names that have a word of their own; others are facets.
const words = { page: 'tail.page', referrer: 'tail.referrer', device: 'tail.who', bot: 'tail.bot' };

const name = (of) => (words[of] ? t(words[of]) : facetOf(of) ? t(`facet.${facetOf(of)}`) : of);

function value(of, text) {
  if (of === 'device' && /^(pc|mobile)$/.test(text)) return t(`devices.${text}`);
  if (of === 'bot') return t(text === 'yes' ? 'answer.yes' : 'answer.no');
  return of === 'referrer' && !text ? t('referrers.direct') : written(facetOf(of), text);
}

const address = (of, text) => (of === 'page' ? pageAddress(state.get().site, text) : of === 'referrer' ? hostAddress(text) : null);

// filterBar is there while something is filtered. voided is called when the filtered views are
// taken out of the numbers.
export function filterBar(voided) {
  const node = h('div', { class: 'filters', role: 'group', 'aria-label': t('filters.label'), tabindex: '-1' });
  node.update = () => {
    const list = terms();
    node.hidden = !list.length;
    fill(node, list.map(([of, text]) => h('span', { class: 'chip' }, h('span', { class: 'soft' }, name(of)), ' ', h('b', { class: 'path' }, value(of, text)),
      address(of, text) && h('a', { class: 'open', href: address(of, text), target: '_blank', rel: 'noopener noreferrer', title: t('list.open'), 'aria-label': t('list.openOf', { name: text }) }, '↗'),
      h('button', { type: 'button', class: 'quiet', 'data-key': `without ${of}`, 'aria-label': t('filters.without', { name: name(of), value: value(of, text) }), onclick: () => without(of) }, '×'))),
    list.length > 0 && [h('button', { type: 'button', class: 'quiet', onclick: clear }, t('filters.clear')), voided && voidButton(voided)]);
  };
  node.update();
  return node;
}
