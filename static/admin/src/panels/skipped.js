// Where a view is that somebody misses: the last lines of the log that became no
// view of people, and the rule that took each.
import { h, fill } from '../dom.js';
import { t, clock } from '../i18n.js';
import { get } from '../api.js';
import { said } from '../panel.js';

const shown = 5;

// Rules that an owner can do something about; the others share a text.
const rules = ['site', 'referer', 'blocked', 'self', 'log', 'bot', 'path', 'status', 'prefetch'];
const why = (reason) => t(`skipped.${rules.includes(reason) ? reason : 'other'}`);

// skippedLines is a list that looks when it is made and when it is told to.
export function skippedLines() {
  const node = h('div', { class: 'skipped', role: 'status' });
  node.look = async () => {
    let skipped;
    try {
      ({ skipped } = await get('/api/admin/skipped', { limit: shown }));
    } catch (error) {
      fill(node, h('p', null, said(error)));
      return;
    }
    if (!skipped.length) {
      fill(node, h('p', null, t('skipped.none')));
      return;
    }
    fill(node, h('p', null, t('skipped.last')), h('ol', { class: 'plain' }, skipped.map((line) => h('li', null,
      h('p', null, line.time && h('time', { datetime: line.time }, clock(line.time)), ' ', h('b', null, why(line.reason)), ' ', h('small', { class: 'soft' }, line.reason)),
      h('code', null, line.request), line.referer && h('p', { class: 'soft path' }, t('skipped.from', { referer: line.referer }))))));
  };
  node.look();
  return node;
}
